//! DMARC by RFC 9989.
//!
//! | file | what it holds |
//! |---|---|
//! | `policy` | the words of a record |
//! | `record` | a record and what is wrong with it (A11 to A19) |
//! | `report_address` | its reporting addresses (A17) |
//! | `knowledge` | what is known of the `_dmarc` names so far |
//! | `walk` | tree walk, organizational domain, policy domain (A20 to A30) |
//! | `judgement` | alignment and the policy in force, under what is known and assumed (A24 to A26, A40, A41) |
//! | `survey` | which results unknown answers could bring about (A43) |
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
