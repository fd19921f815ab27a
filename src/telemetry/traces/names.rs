//! Names of span attributes for which there is no convention.

/// Number of the evaluation, counted from 1; above 1 for a message that comes from a topic for
/// retries.
pub(super) const ATTEMPT: &str = "verdmarc.attempt";
/// Outcome of the message, a word for [`super::Ending`].
pub(super) const OUTCOME: &str = "verdmarc.outcome";
/// Status of DMARC, in the words of a verdict.
pub(super) const DMARC_STATUS: &str = "verdmarc.dmarc.status";
/// Policy for a message that fails DMARC.
pub(super) const DMARC_POLICY: &str = "verdmarc.dmarc.policy";
/// Number of DNS questions that were not answered from memory.
pub(super) const DNS_QUESTIONS: &str = "verdmarc.dns.questions";
/// Registered domain that a question is about. The whole name is not given, because it may contain
/// the local part of an address.
pub(super) const DNS_DOMAIN: &str = "verdmarc.dns.domain";
/// The type of records that was asked for.
pub(super) const DNS_TYPE: &str = "verdmarc.dns.type";
/// Outcome of a question.
pub(super) const DNS_OUTCOME: &str = "verdmarc.dns.outcome";
/// Policy domain that a report is about.
pub(super) const REPORT_DOMAIN: &str = "verdmarc.report.domain";
/// Number of messages in a report.
pub(super) const REPORT_MESSAGES: &str = "verdmarc.report.messages";
/// Number of sampled failures in the report's group, of which the span links the first.
pub(super) const REPORT_SAMPLED: &str = "verdmarc.report.sampled_failures";
/// Number of failures of the group that were restored after a restart or rebalance. Those that were
/// sampled are not linked.
pub(super) const REPORT_RESTORED: &str = "verdmarc.report.restored_failures";
