//! DMARC verdicts for mail on Kafka.
//!
//! The program reads raw messages from one topic and evaluates SPF, DKIM and DMARC for each.
//! It publishes an annotated verdict in the terms of Amazon SES.
//! It writes failures to another topic, from which it makes aggregate reports.
//!
//! These are the modules, in the order of the data path:
//!
//! | module | content |
//! |---|---|
//! | [`event`] | the events on the topics |
//! | [`message`] | RFC 5322 messages as bytes |
//! | [`dns`] | questions, answers, evidence |
//! | [`auth`] | SPF, DKIM, ARC, DMARC |
//! | [`verdict`] | [`verdict::evaluate`], SES's statuses, header fields |
//! | [`aggregate`] | windows, rows, closing |
//! | [`report`] | aggregate reports, byte for byte |
//! | [`detail`] | texts for people that say what exactly is wrong |
//! | `limits` | limits on the cost of one message |
//! | [`location`] | URLs of objects |
//! | [`claim_check`] | messages that lie in an object store |
//! | [`config`] | settings |
//! | [`kafka`] | the Kafka clients, and the only module that uses rdkafka |
//! | [`roles`] | the roles that `verdmarc run` runs |
//! | [`metrics`] | the table of all metrics, and the figures that are counted |
//! | [`reload`] | files that change while roles run |
//! | [`telemetry`] | log lines, the endpoint for supervisors, the export to a collector |
//! | [`cli`] | the commands, one file each |

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
