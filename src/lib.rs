//! DMARC verdicts for mail on Kafka.
//!
//! Raw messages come from one topic; for each, SPF, DKIM and DMARC are decided, and an annotated verdict in Amazon SES's terms is
//! published; what failed goes to another topic, from which aggregate reports are made.
//!
//! Layout, in the order of the data path:
//!
//! | module | what it holds |
//! |---|---|
//! | [`event`] | what travels on topics |
//! | [`message`] | RFC 5322 as bytes |
//! | [`dns`] | questions, answers, evidence |
//! | [`auth`] | SPF, DKIM, ARC, DMARC |
//! | [`verdict`] | [`verdict::evaluate`], SES's statuses, header fields |
//! | [`aggregate`] | windows, rows, closing |
//! | [`report`] | aggregate reports, byte for byte |
//! | [`detail`] | what is wrong in particular, for people |
//! | `limits` | limits on what one message may cost |
//! | [`location`] | URLs of objects |
//! | [`claim_check`] | messages that lie in an object store |
//! | [`config`] | settings |
//! | [`kafka`] | the only place that knows rdkafka |
//! | [`roles`] | what `verdmarc run` runs |
//! | [`metrics`] | the table of all metrics, and the figures that are counted |
//! | [`reload`] | files that change while roles run |
//! | [`telemetry`] | log lines, the endpoint for supervisors, what is exported to a collector |
//! | [`cli`] | one file a command |

pub mod aggregate;
mod allocator;
pub mod auth;
pub mod claim_check;
pub mod cli;
pub mod config;
pub mod detail;
pub mod dns;
pub mod event;
pub mod kafka;
mod limits;
pub mod location;
pub mod message;
pub mod metrics;
pub mod reload;
pub mod report;
pub mod roles;
pub mod telemetry;
pub mod verdict;

pub use allocator::Allocator;
