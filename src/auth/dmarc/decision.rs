//! Decides the result of DMARC. An unknown answer counts only where it could change it (A43).

use super::judgement::{Alignment, DmarcFlag, Identifier, Pair};
use super::knowledge::{DiscoveryRules, Knowledge, RecordProblem, Stop};
use super::policy::Policy;
use super::record::{Record, RecordFault};
use super::survey::Survey;
use crate::detail::Detail;
use crate::dns::Domain;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A result word of DMARC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DmarcResult {
    /// An authenticated identifier is aligned.
    Pass,
    /// No authenticated identifier is aligned.
    Fail,
    /// There is no policy.
    None,
    /// An unknown answer could have changed the result.
    TempError,
    /// There is no author domain.
    PermError,
}

impl DmarcResult {
    /// Returns the word as the standard writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// The outcome of DMARC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The result.
    pub result: DmarcResult,
    /// The policy domain: the name that holds the record in force.
    pub policy_domain: Option<Domain>,
    /// The record in force.
    pub record: Option<Arc<Record>>,
    /// The author's organizational domain, if it had to be found.
    pub organizational_domain: Option<Domain>,
    /// The published policy that applies to this author domain.
    pub published: Option<Policy>,
    /// The published policy, lowered if the record says `t=y` (A27).
    pub effective: Option<Policy>,
    /// The relation of each given identifier to the author domain.
    pub alignment: Vec<Alignment>,
    /// The flags that a reader of the verdict should see.
    pub flags: Vec<DmarcFlag>,
    /// The faults of records.
    pub faults: Vec<RecordFault>,
    /// The faults in detail, with the TXT records that were ignored.
    pub details: Vec<(RecordProblem, Detail)>,
}

/// Decides, or returns the question that is open as the error.
pub(super) fn decide(
    author: &Domain,
    identifiers: &[Identifier],
    knowledge: &Knowledge,
    rules: DiscoveryRules,
) -> Result<Decision, Stop> {
    let Survey { first, agree, .. } = Survey::of(author, identifiers, knowledge, rules)?;
    let record = first.in_force.as_ref().and_then(|found| found.record.cloned());
    let mut flags = first.flags;
    flags.sort_unstable();
    flags.dedup();
    Ok(Decision {
        result: match first.pair {
            _ if !agree => DmarcResult::TempError,
            Pair::NoPolicy => DmarcResult::None,
            Pair::Pass(_) => DmarcResult::Pass,
            Pair::Fail(_) | Pair::Open => DmarcResult::Fail,
        },
        policy_domain: first.in_force.filter(|_| record.is_some()).map(|found| found.domain),
        organizational_domain: first.organization,
        published: first.published,
        effective: first.effective,
        alignment: first.alignment,
        flags,
        faults: knowledge.faults(record.as_deref()),
        details: knowledge.details(record.as_deref()),
        record,
    })
}
