//! Walks the DNS tree to find the organizational domain and the policy domain (RFC 9989 4.10).

use super::knowledge::{Assumed, Completion, Stop, View};
use super::{Psd, Record};
use crate::config::Discovery;
use crate::dns::{Domain, suffix};
use std::sync::Arc;

/// The largest number of names that one walk asks for.
const MAX_QUERIES: usize = 8;

/// Returns the names of a walk, the longest first, and never more than eight (A20).
///
/// The first name is the start. All parents follow a start with fewer than eight labels.
/// Any other start is followed by its rightmost seven labels and their parents.
pub fn walk_names(start: &Domain) -> impl Iterator<Item = Domain> + '_ {
    let labels = start.label_count();
    let next = (labels - 1).min(MAX_QUERIES - 1);
    std::iter::once(start.clone()).chain((1..=next).rev().map(|count| start.rightmost(count)))
}

/// The outcome of a walk for one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Organization {
    /// The organizational domain.
    pub(super) domain: Domain,
    /// The public suffix domain above it that published a record, if there is one.
    pub(super) suffix_domain: Option<Domain>,
    /// True when the guard treated a record without `psd` as the suffix's own (A30).
    pub(super) guarded: bool,
    /// True when the budget refused a question on the way: then the outcome is unreliable.
    pub(super) refused: bool,
}

impl Organization {
    fn itself(start: &Domain) -> Self {
        Self { domain: start.clone(), suffix_domain: None, guarded: false, refused: false }
    }
}

/// Finds the organizational domain of `start` (A23, A30).
///
/// Returns the question or assumption that is missing as the error.
pub(super) fn organization(start: &Domain, known: &Assumed<'_>) -> Result<Organization, Stop> {
    if known.rules.discovery == Discovery::Psl {
        return Ok(Organization {
            domain: suffix::registrable(start).unwrap_or_else(|| start.clone()),
            ..Organization::itself(start)
        });
    }
    let mut shortest = None;
    let suffix_labels = if known.rules.psl_guard { suffix::registry_suffix_labels(start) } else { 0 };
    for name in walk_names(start) {
        let psd = match known.view(&name)? {
            View::Absent => continue,
            View::Refused => return Ok(Organization { refused: true, ..Organization::itself(start) }),
            View::Record(record) => record.psd,
            View::Assumed(Completion::Valid(psd)) => psd,
            View::Assumed(_) => Psd::Unknown,
        };
        // A name above the suffixes of a wildcard rule, such as `kobe.jp`, is no suffix itself.
        // But it is nobody's organization either.
        let guarded = psd == Psd::Unknown && name.label_count() <= suffix_labels;
        match psd {
            Psd::No => return Ok(Organization { domain: name, ..Organization::itself(start) }),
            Psd::Unknown if !guarded => shortest = Some(name),
            // A walk that begins at a public suffix domain ends there: it is its own organization.
            _ if name == *start => return Ok(Organization { guarded, ..Organization::itself(start) }),
            // A guarded suffix may have longer suffixes below it, such as `uk` and `co.uk`.
            // They are no organizations either.
            _ => {
                let above = if guarded { suffix_labels } else { name.label_count() };
                let domain = start.rightmost(above + 1);
                return Ok(Organization { domain, suffix_domain: Some(name), guarded, refused: false });
            }
        }
    }
    Ok(Organization { domain: shortest.unwrap_or_else(|| start.clone()), ..Organization::itself(start) })
}

/// The record in force for an author domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InForce<'k> {
    /// The policy domain: the name that holds the record.
    pub(super) domain: Domain,
    /// The record, or `None` if it is only assumed.
    pub(super) record: Option<&'k Arc<Record>>,
    /// True when the record is assumed, and gives no DMARC.
    pub(super) assumed_malformed: bool,
    pub(super) guarded: bool,
}

/// Finds the record in force by policy discovery (A22).
///
/// That is the author domain's record, or else the organizational domain's, or else the public
/// suffix domain's. Returns `None` if there is no record.
pub(super) fn policy<'k>(author: &Domain, known: &Assumed<'k>) -> Result<Option<InForce<'k>>, Stop> {
    if let Some(found) = at(author, known, false)? {
        return Ok(Some(found));
    }
    let organization = organization(author, known)?;
    if organization.domain != *author
        && let Some(found) = at(&organization.domain, known, organization.guarded)?
    {
        return Ok(Some(found));
    }
    match &organization.suffix_domain {
        Some(domain) => at(domain, known, organization.guarded),
        None => Ok(None),
    }
}

fn at<'k>(name: &Domain, known: &Assumed<'k>, guarded: bool) -> Result<Option<InForce<'k>>, Stop> {
    let (record, assumed_malformed) = match known.view(name)? {
        View::Absent | View::Refused => return Ok(None),
        View::Record(record) => (Some(record), false),
        View::Assumed(completion) => (None, completion == Completion::Malformed),
    };
    Ok(Some(InForce { domain: name.clone(), record, assumed_malformed, guarded }))
}
