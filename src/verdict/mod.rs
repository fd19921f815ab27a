//! Turns a raw message into a verdict.
//!
//! | file | content |
//! |---|---|
//! | `evaluation` | [`evaluate`]: one message, from its bytes to the verdict |
//! | `spf_identity` | the identity that SPF judges, and what is unknown of it (A1 to A3) |
//! | `gather` | SPF, DKIM, ARC and policy discovery at the same time, within the deadline |
//! | `status` | SES's statuses (E.3; Decisions: dkimVerdict) |
//! | `reasons` | the reason codes of a verdict |
//! | `action` | the suggested action (A47, A49) |
//! | `field` | the writer of header fields, out of which nothing can break (D-7, F-25) |
//! | `authentication_results` | the Authentication-Results field (D-1 to D-6) |
//! | `received_spf` | the Received-SPF field (D-11) |
//! | `annotation` | the fields on top of the annotated message |
//! | `failure` | the event from which reports count a verdict (B.2, B4) |
//! | `origin` | the origin of a message, and how it is published |
//! | `outputs` | the records for topics: verdict, failure, annotated message |

mod action;
mod annotation;
mod authentication_results;
mod evaluation;
mod failure;
mod field;
mod gather;
mod origin;
mod outputs;
mod reasons;
mod received_spf;
mod spf_identity;
mod status;

pub use evaluation::{evaluate, evaluate_section, internal_error};
pub use failure::{Uncounted, failure_event};
pub use field::{FieldWriter, pvalue};
pub use origin::{MailDetail, Origin, ReportScope};
pub use outputs::{Outputs, outputs, outputs_of, verdict_event};

use crate::auth::cause::SesStatus;
use crate::auth::dmarc::Policy;
use crate::dns::{Domain, Evidence};
use crate::event::{Authentication, Reason};
use crate::message::Removal;
use jiff::Timestamp;
use std::net::IpAddr;

/// The verdict on a message, with everything that explains it.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// SES's spfVerdict.
    pub spf: SesStatus,
    /// SES's dkimVerdict.
    pub dkim: SesStatus,
    /// SES's dmarcVerdict.
    pub dmarc: SesStatus,
    /// SES's dmarcPolicy: the effective policy, on FAIL only.
    pub dmarc_policy: Option<Policy>,
    /// The explanation of the statuses.
    pub authentication: Authentication,
    /// The DNS answers that were used.
    pub evidence: Evidence,
    /// The header fields for the top of the annotated message, complete with line ends.
    pub fields: Vec<u8>,
    /// All fields that the annotated message leaves out.
    pub removed: Removal,
    /// The time at which the message arrived.
    pub arrival: Timestamp,
    /// The time at which the message was evaluated.
    pub evaluated_at: Timestamp,
    /// The client as a report may show it: known, external, and not an IPv4-mapped address.
    pub source_ip: Option<IpAddr>,
    /// The domain of MAIL FROM as a report may show it, where the null path is empty.
    pub envelope_from: Option<EnvelopeFrom>,
    /// The name in HELO, if SPF had no domain to judge and HELO is a domain.
    pub unjudged_helo: Option<Domain>,
}

/// The domain of MAIL FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvelopeFrom {
    /// The null path.
    Null,
    /// The domain of a path.
    Domain(Domain),
}

impl Verdict {
    /// Returns whether the verdict has this reason.
    pub fn has(&self, reason: Reason) -> bool {
        self.authentication.dmarc.reasons.contains(&reason)
    }
}
