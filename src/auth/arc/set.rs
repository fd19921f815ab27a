//! Sorts ARC fields into sets and checks their structure (RFC 8617 4.1, 5.2 steps 1 to 3).

use crate::auth::cause::{DkimCause, ResultWord};
use crate::auth::dkim::algorithm::Algorithm;
use crate::auth::dkim::header::value_without_line_end;
use crate::auth::dkim::signature::{Kind, Signature, name};
use crate::auth::dkim::tags::{TagList, base64, number, trim_fws};
use crate::config::Limits;
use crate::dns::Domain;
use crate::message::{Field, HeaderSection};
use std::ops::Range;

/// The three ARC fields of one instance.
#[derive(Debug)]
pub(super) struct ArcSet<'m> {
    /// The ARC-Authentication-Results field.
    pub(super) results: Field<'m>,
    /// The ARC-Message-Signature field.
    pub(super) message_field: Field<'m>,
    /// The signature in that field, or the cause that makes it unusable.
    pub(super) message: Result<Signature<'m>, DkimCause>,
    /// The ARC-Seal field.
    pub(super) seal: Seal<'m>,
}

impl ArcSet<'_> {
    /// Returns the results after the instance; empty if there are none.
    pub(super) fn results_value(&self) -> &[u8] {
        let value = value_without_line_end(&self.results);
        memchr::memchr(b';', value).and_then(|end| value.get(end + 1..)).unwrap_or_default()
    }
}

/// An ARC-Seal field (RFC 8617 4.1.3).
#[derive(Debug)]
pub(super) struct Seal<'m> {
    pub(super) field: Field<'m>,
    pub(super) algorithm: Algorithm,
    pub(super) domain: Domain,
    pub(super) selector: Domain,
    pub(super) octets: Vec<u8>,
    pub(super) status: ChainStatus,
    /// The position of the value of b= in the field's value.
    pub(super) blank: Range<usize>,
}

/// The value of cv=.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChainStatus {
    None,
    Pass,
    Fail,
}

/// The structure that the ARC fields of a section make up.
pub(super) enum Structure<'m> {
    /// The section has no ARC fields.
    None,
    /// The fields make up the instances 1 to n, complete and unique, with the right cv=.
    Sets(Vec<ArcSet<'m>>),
    /// The fields make up no chain.
    Broken { word: ResultWord, text: &'static str },
}

const NAMES: [&str; 3] = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];

/// Sorts the ARC fields into sets.
///
/// If there are more fields than the limit of sets allows, no field is read.
pub(super) fn read<'m>(section: &HeaderSection<'m>, limits: &Limits) -> Structure<'m> {
    let fields: Vec<_> = section
        .fields()
        .iter()
        .enumerate()
        .filter_map(|(position, field)| Some((NAMES.iter().position(|name| field.is(name))?, position, *field)))
        .collect();
    if fields.is_empty() {
        return Structure::None;
    }
    let count = fields.len().div_ceil(NAMES.len());
    let broken = |word, text| Structure::Broken { word, text };
    if count > limits.arc_sets {
        return broken(ResultWord::Fail, "too many ARC sets");
    }
    if fields.iter().any(|(kind, _, field)| *kind > 0 && field.raw.len() > limits.dkim_signature_bytes) {
        return broken(ResultWord::Policy, "ARC field too large");
    }
    match sets(&fields, count, limits) {
        None => broken(ResultWord::Fail, "ARC sets incomplete or malformed"),
        Some(sets) if sets.last().is_some_and(|set| set.seal.status == ChainStatus::Fail) => {
            broken(ResultWord::Fail, "chain was broken before")
        }
        Some(sets) if !statuses_are_right(&sets) => broken(ResultWord::Fail, "cv= out of order"),
        Some(sets) => Structure::Sets(sets),
    }
}

/// Returns whether the first set says cv=none and every later one cv=pass.
fn statuses_are_right(sets: &[ArcSet]) -> bool {
    let expected = std::iter::once(ChainStatus::None).chain(std::iter::repeat(ChainStatus::Pass));
    sets.iter().zip(expected).all(|(set, status)| set.seal.status == status)
}

/// Fills the three slots of each instance with one field each.
///
/// Returns `None` if a field is missing, doubled or malformed.
fn sets<'m>(fields: &[(usize, usize, Field<'m>)], count: usize, limits: &Limits) -> Option<Vec<ArcSet<'m>>> {
    let mut slots: Vec<(Option<Field>, Option<MessageSignature>, Option<Seal>)> = Vec::new();
    slots.resize_with(count, Default::default);
    for &(kind, position, field) in fields {
        let value = value_without_line_end(&field);
        let slot = |instance: usize, slots: &mut Vec<_>| instance.checked_sub(1).filter(|at| *at < slots.len());
        let doubled = if kind == 0 {
            let at = slot(results_instance(value)?, &mut slots)?;
            slots.get_mut(at)?.0.replace(field).is_some()
        } else {
            let tags = TagList::parse(value).ok()?;
            let at = slot(instance(tags.get("i")?)?, &mut slots)?;
            let (_, message, seal) = slots.get_mut(at)?;
            if kind == 1 {
                let signature = Signature::read(
                    Kind::Arc,
                    (position, field),
                    &tags,
                    (name(&tags, "d"), name(&tags, "s")),
                    limits.dkim_signed_names,
                )
                .map_err(|broken| broken.cause);
                message.replace((field, signature)).is_some()
            } else {
                seal.replace(Seal::read(field, &tags)?).is_some()
            }
        };
        if doubled {
            return None;
        }
    }
    slots
        .into_iter()
        .map(|(results, message, seal)| {
            let (message_field, message) = message?;
            Some(ArcSet { results: results?, message_field, message, seal: seal? })
        })
        .collect()
}

type MessageSignature<'m> = (Field<'m>, Result<Signature<'m>, DkimCause>);

impl<'m> Seal<'m> {
    /// Reads a seal. Returns `None` if it is malformed.
    ///
    /// A seal signs the fields of ARC and no others, so h= must not be there.
    fn read(field: Field<'m>, tags: &TagList<'m>) -> Option<Self> {
        if tags.get("h").is_some() || tags.number("t").is_err() {
            return None;
        }
        Some(Self {
            field,
            algorithm: Algorithm::read(tags).ok()?,
            domain: name(tags, "d")?,
            selector: name(tags, "s")?,
            octets: base64(tags.get("b")?)?,
            status: match tags.get("cv")? {
                word if word.eq_ignore_ascii_case(b"none") => ChainStatus::None,
                word if word.eq_ignore_ascii_case(b"pass") => ChainStatus::Pass,
                word if word.eq_ignore_ascii_case(b"fail") => ChainStatus::Fail,
                _ => return None,
            },
            blank: tags.span("b")?,
        })
    }
}

/// Reads an instance, a number of one or two digits that is not zero.
fn instance(text: &[u8]) -> Option<usize> {
    let instance = number(text).ok().filter(|_| text.len() <= 2)?;
    usize::try_from(instance).ok().filter(|instance| *instance > 0)
}

/// Reads the instance at the start of ARC-Authentication-Results: `i=1;` (RFC 8617 4.1.1).
///
/// Also returns `None` if a comment is there.
fn results_instance(value: &[u8]) -> Option<usize> {
    let end = memchr::memchr(b';', value)?;
    let (tag, number) = value.split_at_checked(end)?.0.split_at_checked(memchr::memchr(b'=', value)?)?;
    (trim_fws(tag) == b"i").then_some(())?;
    instance(trim_fws(number.strip_prefix(b"=")?))
}
