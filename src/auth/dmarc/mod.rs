//! Evaluates DMARC (RFC 9989).
//!
//! | file | content |
//! |---|---|
//! | `policy` | the words of a record |
//! | `record` | a record and its faults (A11 to A19) |
//! | `report_address` | the reporting addresses of a record (A17) |
//! | `knowledge` | the answers about the `_dmarc` names so far |
//! | `walk` | tree walk, organizational domain, policy domain (A20 to A30) |
//! | `judgement` | alignment and policy in force, as known and assumed (A24 to A26, A40, A41) |
//! | `survey` | the results that unknown answers could bring about (A43) |
//! | `decision` | the result, unknown answers included (A40 to A45) |
//! | `evaluation` | the questions that the decision needs, asked one after the other |

mod decision;
mod evaluation;
mod judgement;
mod knowledge;
mod policy;
mod record;
mod report_address;
mod survey;
mod walk;

#[cfg(test)]
mod tests;

pub use decision::{Decision, DmarcResult};
pub use evaluation::Dmarc;
pub use judgement::{Alignment, Certainty, DmarcFlag, Identifier, Mechanism};
pub use knowledge::{DiscoveryRules, RecordProblem};
pub use policy::{AlignmentMode, Policy, Psd};
pub use record::{Policies, Record, RecordFault, is_dmarc};
pub use report_address::ReportAddress;
pub use walk::walk_names;
