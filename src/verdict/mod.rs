//! A raw message in, a verdict out.
//!
//! | file | what it holds |
//! |---|---|
//! | `evaluation` | [`evaluate`]: one message from bytes to verdict |
//! | `spf_identity` | which identity SPF judges, and what is unknown of it (A1 to A3) |
//! | `gather` | SPF, DKIM, ARC and policy discovery at the same time, within the deadline |
//! | `status` | SES's statuses (E.3; Decisions: dkimVerdict) |
//! | `reasons` | reason codes from what was found |
//! | `action` | the suggested action (A47, A49) |
//! | `field` | writing header fields that nothing can break out of (D-7, F-25) |
//! | `authentication_results` | the Authentication-Results field (D-1 to D-6) |
//! | `received_spf` | the Received-SPF field (D-11) |
//! | `annotation` | the fields on top of the annotated message |
//! | `failure` | what of a verdict reports count (B.2, B4) |
//! | `origin` | where a message came from, and how it is published |
//! | `outputs` | what goes to topics: verdict, failure, annotated message |

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

/// What a message came to, with everything that explains it.
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
    /// How they came about.
    pub authentication: Authentication,
    /// Every DNS answer that was used.
    pub evidence: Evidence,
    /// The header fields for the top of the annotated message, complete with line ends.
    pub fields: Vec<u8>,
    /// The fields that the annotated message leaves out, all of them.
    pub removed: Removal,
    /// When it arrived.
    pub arrival: Timestamp,
    /// When it was evaluated.
    pub evaluated_at: Timestamp,
    /// The client as it may stand in a report: known, external, not IPv4-mapped.
    pub source_ip: Option<IpAddr>,
    /// MAIL FROM's domain as it may stand in a report: empty for the null path.
    pub envelope_from: Option<EnvelopeFrom>,
    /// The name in HELO, when SPF had no domain to judge and this is one.
    pub unjudged_helo: Option<Domain>,
}

/// The domain of MAIL FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvelopeFrom {
    /// The null path.
    Null,
    /// A path's domain.
    Domain(Domain),
}

impl Verdict {
    /// Whether it carries this reason.
    pub fn has(&self, reason: Reason) -> bool {
        self.authentication.dmarc.reasons.contains(&reason)
    }
}
