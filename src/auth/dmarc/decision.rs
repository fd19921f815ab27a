//! The result of DMARC, with what is unknown counted only where it could change it (A43).

use super::judgement::{Alignment, DmarcFlag, Identifier, Pair};
use super::knowledge::{DiscoveryRules, Knowledge, RecordProblem, Stop};
use super::policy::Policy;
use super::record::{Record, RecordFault};
use super::survey::Survey;
use crate::detail::Detail;
use crate::dns::Domain;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The result words of DMARC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DmarcResult {
    /// An authenticated identifier is aligned.
    Pass,
    /// None is.
    Fail,
    /// There is no policy.
    None,
    /// An unknown answer could have changed the result.
    TempError,
    /// There is no author domain.
    PermError,
}

impl DmarcResult {
    /// The word.
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

/// What DMARC came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The result.
    pub result: DmarcResult,
    /// Where the record in force stands.
    pub policy_domain: Option<Domain>,
    /// The record in force.
    pub record: Option<Arc<Record>>,
    /// The author's organizational domain, when it had to be found.
    pub organizational_domain: Option<Domain>,
    /// The published policy that applies to this author domain.
    pub published: Option<Policy>,
    /// The same after `t=y` (A27).
    pub effective: Option<Policy>,
    /// For each identifier given, how it relates to the author domain.
    pub alignment: Vec<Alignment>,
    /// What a reader should see.
    pub flags: Vec<DmarcFlag>,
    /// What was wrong with records.
    pub faults: Vec<RecordFault>,
    /// The same in particular, and TXT records that were ignored.
    pub details: Vec<(RecordProblem, Detail)>,
}

/// Decides, or says which question is open.
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
