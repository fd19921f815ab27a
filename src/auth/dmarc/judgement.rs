//! Judges alignment and the policy in force, under what is known and assumed (RFC 9989 4.4, 5.3).

use super::knowledge::{Assumed, Existence, Stop};
use super::policy::{AlignmentMode, Policy};
use super::record::Record;
use super::walk::{InForce, organization, policy};
use crate::dns::Domain;

/// The certainty with which an identifier is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// The identifier passed.
    Authenticated,
    /// The identifier did not pass, but an unknown answer could have made it pass.
    Possible,
}

/// An identifier that passed or could have passed (A40).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    /// The domain of the identifier. `None` means that it is unknown and could be any domain.
    pub domain: Option<Domain>,
    /// The mechanism, which selects `aspf` or `adkim`.
    pub mechanism: Mechanism,
    /// The certainty with which the identifier passed.
    pub certainty: Certainty,
}

/// The mechanism that an identifier comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// SPF: the domain of MAIL FROM, or HELO for the null path.
    Spf,
    /// DKIM: d=.
    Dkim,
}

/// A property of the decision that a reader of the verdict should see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DmarcFlag {
    /// The guard treated a record at a public suffix as the suffix's own (A30).
    Guarded,
    /// It is unknown whether the author domain exists: the milder of np and sp applies (A26).
    ExistenceUnknown,
    /// The budget did not suffice to walk an identifier, which counts as not aligned.
    AlignmentBudget,
}

/// The relation of an identifier to the author domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    /// The identifier passed and is aligned.
    Aligned,
    /// The identifier is aligned, and an unknown answer could have made it pass.
    PossiblyAligned,
    /// The identifier is not aligned.
    NotAligned,
    /// The result was settled without the identifier.
    NotLookedAt,
}

/// The DMARC word and the effective policy.
///
/// All completions must agree on this pair, even when it is a pass (Decisions: unknown answers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    NoPolicy,
    Pass(Policy),
    Fail(Policy),
    /// The word or the policy is unknown even under this completion.
    Open,
}

/// The judgement under one set of completions.
pub(super) struct Judged<'k> {
    pub(super) pair: Pair,
    pub(super) in_force: Option<InForce<'k>>,
    pub(super) organization: Option<Domain>,
    pub(super) published: Option<Policy>,
    pub(super) effective: Option<Policy>,
    pub(super) alignment: Vec<Alignment>,
    pub(super) flags: Vec<DmarcFlag>,
}

/// Judges the author domain under what is known and assumed.
///
/// Returns the question that is open as the error.
pub(super) fn judge<'k>(author: &Domain, identifiers: &[Identifier], known: &Assumed<'k>) -> Result<Judged<'k>, Stop> {
    let mut judged = Judged {
        pair: Pair::NoPolicy,
        in_force: None,
        organization: None,
        published: None,
        effective: None,
        alignment: vec![Alignment::NotLookedAt; identifiers.len()],
        flags: Vec::new(),
    };
    let Some(in_force) = policy(author, known)? else { return Ok(judged) };
    if in_force.guarded {
        judged.flags.push(DmarcFlag::Guarded);
    }
    let Some(record) = in_force.record else {
        // An assumed record could hold any policy, so no pair is certain under it.
        // Alignment is not looked at.
        judged.pair = if in_force.assumed_malformed { Pair::NoPolicy } else { Pair::Open };
        judged.in_force = Some(in_force);
        return Ok(judged);
    };
    let published = match record.policy() {
        None => None,
        Some(p) if in_force.domain == *author => Some(p),
        Some(_) => applicable(record, known, &mut judged.flags)?,
    };
    let Some(published) = published else {
        judged.in_force = Some(in_force);
        return Ok(judged);
    };
    let effective = if record.testing { published.lowered() } else { published };
    let alignment = Alignments::of(author, identifiers, record, known)?;
    judged.pair = if alignment.certain() {
        Pair::Pass(effective)
    } else if alignment.possible() {
        Pair::Open
    } else {
        Pair::Fail(effective)
    };
    judged.flags.extend(alignment.flags);
    judged.organization =
        alignment.organization.or_else(|| (in_force.domain != *author).then(|| organization_of(author, known)).flatten());
    judged.alignment = alignment.rows;
    (judged.published, judged.effective, judged.in_force) = (Some(published), Some(effective), Some(in_force));
    Ok(judged)
}

fn organization_of(author: &Domain, known: &Assumed<'_>) -> Option<Domain> {
    organization(author, known).ok().map(|organization| organization.domain)
}

/// Returns the policy that applies from a record above the author domain (A25, A26).
fn applicable(record: &Record, known: &Assumed<'_>, flags: &mut Vec<DmarcFlag>) -> Result<Option<Policy>, Stop> {
    let (existing, nonexistent) = (record.subdomain_policy(), record.nonexistent_policy());
    if existing == nonexistent {
        return Ok(existing);
    }
    match known.knowledge.existence {
        None => Err(Stop::AskExistence),
        Some(Existence::Exists) => Ok(existing),
        Some(Existence::NonExistent) => Ok(nonexistent),
        Some(Existence::Unknown) => {
            flags.push(DmarcFlag::ExistenceUnknown);
            Ok(existing.min(nonexistent))
        }
    }
}

/// The alignment of all identifiers under one record (A41, A24).
struct Alignments {
    rows: Vec<Alignment>,
    organization: Option<Domain>,
    flags: Vec<DmarcFlag>,
}

impl Alignments {
    fn of(author: &Domain, identifiers: &[Identifier], record: &Record, known: &Assumed<'_>) -> Result<Self, Stop> {
        let mut alignment = Self { rows: vec![Alignment::NotLookedAt; identifiers.len()], organization: None, flags: Vec::new() };
        // The identifiers that passed come first.
        // Once one of them is aligned, the possible ones do not matter and cost no question.
        for certainty in [Certainty::Authenticated, Certainty::Possible] {
            if certainty == Certainty::Possible && alignment.certain() {
                break;
            }
            for (index, identifier) in identifiers.iter().enumerate().filter(|(_, identifier)| identifier.certainty == certainty)
            {
                let mode = match identifier.mechanism {
                    Mechanism::Spf => record.aspf,
                    Mechanism::Dkim => record.adkim,
                };
                let aligned = alignment.aligned(author, identifier.domain.as_ref(), mode, known)?;
                alignment.rows[index] = match (aligned, certainty) {
                    (false, _) => Alignment::NotAligned,
                    (true, Certainty::Authenticated) => Alignment::Aligned,
                    (true, Certainty::Possible) => Alignment::PossiblyAligned,
                };
            }
        }
        Ok(alignment)
    }

    fn certain(&self) -> bool {
        self.rows.contains(&Alignment::Aligned)
    }

    fn possible(&self) -> bool {
        self.rows.contains(&Alignment::PossiblyAligned)
    }

    fn aligned(
        &mut self,
        author: &Domain,
        domain: Option<&Domain>,
        mode: AlignmentMode,
        known: &Assumed<'_>,
    ) -> Result<bool, Stop> {
        // An unknown domain could be the author's.
        let Some(domain) = domain else { return Ok(true) };
        if domain == author {
            return Ok(true);
        }
        if mode == AlignmentMode::Strict || domain.common_labels(author) == 0 {
            return Ok(false);
        }
        let home = organization(author, known)?;
        self.organization = Some(home.domain.clone());
        if home.guarded {
            self.flags.push(DmarcFlag::Guarded);
        }
        // An organizational domain is the name itself or a parent of it.
        // So a domain that is not at or below the author's is not aligned.
        if !home.refused && !domain.is_at_or_below(&home.domain) {
            return Ok(false);
        }
        let away = organization(domain, known)?;
        let refused = home.refused || away.refused;
        if refused {
            self.flags.push(DmarcFlag::AlignmentBudget);
        }
        Ok(!refused && away.domain == home.domain)
    }
}
