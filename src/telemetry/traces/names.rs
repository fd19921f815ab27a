//! Names of attributes of spans that no convention has.

/// The number of the evaluation, from 1; above 1 for a message that comes from the retry lane.
pub(super) const ATTEMPT: &str = "verdmarc.attempt";
/// What became of the message: a word of [`super::Ending`].
pub(super) const OUTCOME: &str = "verdmarc.outcome";
/// DMARC's status, in the words of a verdict.
pub(super) const DMARC_STATUS: &str = "verdmarc.dmarc.status";
/// DMARC's policy of a message that fails.
pub(super) const DMARC_POLICY: &str = "verdmarc.dmarc.policy";
/// Questions to DNS that were not answered from memory.
pub(super) const DNS_QUESTIONS: &str = "verdmarc.dns.questions";
/// The registered domain that a question is about. The whole name may hold the local part of an address.
pub(super) const DNS_DOMAIN: &str = "verdmarc.dns.domain";
/// The type of records that was asked for.
pub(super) const DNS_TYPE: &str = "verdmarc.dns.type";
/// What came of a question.
pub(super) const DNS_OUTCOME: &str = "verdmarc.dns.outcome";
/// The domain that a report is for.
pub(super) const REPORT_DOMAIN: &str = "verdmarc.report.domain";
/// Messages in a report.
pub(super) const REPORT_MESSAGES: &str = "verdmarc.report.messages";
/// Sampled failures of the report's group, of which the span links the first.
pub(super) const REPORT_SAMPLED: &str = "verdmarc.report.sampled_failures";
/// Failures of the group that were restored after a restart or rebalance: what was sampled of them is not linked.
pub(super) const REPORT_RESTORED: &str = "verdmarc.report.restored_failures";
