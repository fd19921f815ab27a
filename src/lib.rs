//! DMARC verdicts for mail on Kafka.
//!
//! verdmarc reads raw messages from one topic. It decides SPF, DKIM and DMARC for each, and
//! publishes an annotated verdict in Amazon SES's terms. Failures go to another topic, from which
//! it makes aggregate reports.
//!
//! A message takes this way through the crate:
//!
//! 1. [`event::raw`] reads a record: the bytes of a message, and the envelope that SMTP gave it.
//! 2. [`message`] finds its header fields and the domain of its author.
//! 3. [`dns`] answers questions within the budgets of one evaluation, and keeps the answers as
//!    evidence.
//! 4. [`auth`] decides SPF, DKIM, ARC and DMARC.
//! 5. [`verdict`] gives that the statuses of SES, the reasons and the header fields.
//! 6. [`event`] writes it as a verdict and, when it failed, as a failure.
//! 7. `aggregate` counts failures in windows, and `report` writes the XML of a closed one.
//!
//! Steps 2 to 5 are one function, [`verdict::evaluate`]. It is pure: the resolver and the time are
//! arguments, and the settings are those of [`config::Evaluation`].
//!
//! ```
//! use verdmarc::config::Evaluation;
//! use verdmarc::dns::Zone;
//! use verdmarc::message::{Envelope, MailFrom};
//! use verdmarc::verdict::evaluate;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let zone = Zone::from_json_str(
//!     r#"{"example.org": [["TXT", "v=spf1 ip4:198.51.100.7 -all"]],
//!         "_dmarc.example.org": [["TXT", "v=DMARC1; p=reject"]]}"#,
//! )?;
//! let message = b"From: Ann <ann@example.org>\r\nSubject: Hello\r\n\r\nHello.\r\n";
//! let envelope = Envelope {
//!     client_ip: Some("203.0.113.5".parse()?),
//!     mail_from: MailFrom::Path("ann@example.org".to_owned()),
//!     ..Envelope::default()
//! };
//! let (now, settings) = ("2026-01-01T00:00:00Z".parse()?, Evaluation::default());
//! let verdict = evaluate(message, &envelope, &zone, now, &settings).await;
//! assert_eq!(verdict.dmarc.as_str(), "FAIL");
//! assert_eq!(verdict.dmarc_policy.map(|policy| policy.as_str()), Some("reject"));
//! # Ok(())
//! # }
//! ```
//!
//! The other modules are the program `verdmarc`. They are public for its tests and benchmarks, and
//! may change with any version. `ARCHITECTURE.md` says where each rule stands.

#[doc(hidden)]
pub mod aggregate;
mod allocator;
pub mod auth;
#[doc(hidden)]
pub mod claim_check;
#[doc(hidden)]
pub mod cli;
pub mod config;
#[doc(hidden)]
pub mod detail;
pub mod dns;
pub mod event;
#[doc(hidden)]
pub mod kafka;
mod limits;
#[doc(hidden)]
pub mod location;
pub mod message;
#[doc(hidden)]
pub mod metrics;
#[doc(hidden)]
pub mod reload;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod roles;
#[doc(hidden)]
pub mod telemetry;
pub mod verdict;

#[doc(hidden)]
pub use allocator::Allocator;
