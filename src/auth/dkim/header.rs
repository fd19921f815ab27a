//! Chooses the fields that a signature covers (RFC 6376 5.4.2), and canonicalizes them
//! (RFC 6376 3.4.1, 3.4.2).

use super::canonicalization::{Canonicalization, is_wsp};
use crate::message::Field;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::OnceLock;

/// An index of the fields of a section by name.
#[derive(Debug)]
pub(crate) struct NameIndex<'s, 'm> {
    fields: &'s [Field<'m>],
    /// The first octets of each field's name, in the order of the fields.
    first: Vec<u64>,
    /// The first octets of each name with the position of its field, sorted by name and position.
    /// The list is made at the first choice that is larger than [`FEW`].
    order: OnceLock<Vec<(u64, usize)>>,
}

/// The product of names and fields up to which it is faster to look at each field than to sort.
///
/// Beyond it, the sorted list keeps the choice linear in the length of `h=`.
const FEW: usize = 4096;

impl<'s, 'm> NameIndex<'s, 'm> {
    pub(crate) fn new(fields: &'s [Field<'m>]) -> Self {
        let first = fields.iter().map(|field| first_octets(field.name())).collect();
        Self { fields, first, order: OnceLock::new() }
    }

    /// Returns the signed fields, in the order of `names`.
    ///
    /// For each name it takes the lowest field that is not yet taken, or none if no field is left.
    /// It never takes the signature itself, at position `own`.
    /// That field was not there when the signature was made.
    pub(crate) fn signed(&self, names: &[&[u8]], own: usize) -> Vec<&'s Field<'m>> {
        if names.len().saturating_mul(self.fields.len()) <= FEW { self.found(names, own) } else { self.looked_up(names, own) }
    }

    /// Does the work of [`Self::signed`] by looking at each field for each name.
    pub(super) fn found(&self, names: &[&[u8]], own: usize) -> Vec<&'s Field<'m>> {
        let mut free = vec![true; self.fields.len()];
        if let Some(own) = free.get_mut(own) {
            *own = false;
        }
        let mut signed = Vec::with_capacity(names.len());
        for name in names {
            let wanted = first_octets(name);
            let fields = self.fields.iter().zip(&self.first).zip(&mut free).rev();
            for ((field, first), free) in fields {
                if *first == wanted && *free && compare_names(field.name(), name) == Ordering::Equal {
                    *free = false;
                    signed.push(field);
                    break;
                }
            }
        }
        signed
    }

    /// Does the work of [`Self::signed`] with the sorted list of names.
    pub(super) fn looked_up(&self, names: &[&[u8]], own: usize) -> Vec<&'s Field<'m>> {
        let order = self.order.get_or_init(|| ordered(self.fields, &self.first));
        let mut taken = vec![0_usize; order.len()];
        let lowest = |name: &&[u8]| {
            let group = self.group(order, name);
            loop {
                let count = taken.get_mut(group.start)?;
                let from_bottom = group.end.checked_sub(*count + 1).filter(|at| group.contains(at))?;
                *count += 1;
                let &(_, at) = order.get(from_bottom)?;
                if at != own {
                    return self.fields.get(at);
                }
            }
        };
        names.iter().filter_map(lowest).collect()
    }

    /// Returns the range of the entries of `order` that have this name.
    fn group(&self, order: &[(u64, usize)], name: &[u8]) -> Range<usize> {
        let first = first_octets(name);
        let compare = |&(other, at): &(u64, usize)| other.cmp(&first).then_with(|| compare_names(name_at(self.fields, at), name));
        let start = order.partition_point(|entry| compare(entry) == Ordering::Less);
        let rest = order.get(start..).unwrap_or_default();
        start..start + rest.partition_point(|entry| compare(entry) == Ordering::Equal)
    }
}

fn ordered(fields: &[Field], first: &[u64]) -> Vec<(u64, usize)> {
    let mut order: Vec<_> = first.iter().copied().zip(0..).collect();
    order.sort_unstable();
    for alike in order.chunk_by_mut(|(a, _), (b, _)| a == b).filter(|alike| alike.len() > 1) {
        alike.sort_by(|&(_, a), &(_, b)| compare_names(name_at(fields, a), name_at(fields, b)));
    }
    order
}

fn name_at<'m>(fields: &[Field<'m>], at: usize) -> &'m [u8] {
    fields.get(at).map(Field::name).unwrap_or_default()
}

/// The number of octets of a name that [`NameIndex`] compares as one number.
const FIRST: usize = size_of::<u64>();

/// Compares two names whose first octets are the same.
fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    a.iter().skip(FIRST).map(u8::to_ascii_lowercase).cmp(b.iter().skip(FIRST).map(u8::to_ascii_lowercase))
}

/// Returns the first octets of a name in lower case, as a number that sorts as the names do.
///
/// No name has an octet 0, so a shorter name gives a different number.
fn first_octets(name: &[u8]) -> u64 {
    let octets = name.first_chunk().copied().unwrap_or_else(|| {
        let mut octets = [0; FIRST];
        octets.iter_mut().zip(name).for_each(|(octet, from)| *octet = *from);
        octets
    });
    u64::from_be_bytes(octets.map(|octet| octet.to_ascii_lowercase()))
}

/// Appends the canonical form of a field to `out`.
pub(crate) fn put_field(field: &Field, canonicalization: Canonicalization, out: &mut Vec<u8>) {
    match canonicalization {
        Canonicalization::Simple => {
            out.extend_from_slice(field.raw);
            // A message may end in its last field, without the line end that the signer saw.
            if !field.raw.ends_with(b"\r\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
        Canonicalization::Relaxed => {
            put_relaxed(field.name(), field.value(), out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends the canonical form of a signature's own field to `out` (RFC 6376 3.7).
///
/// It leaves out the final CRLF, and the value of `b=` with the white space around it, which
/// is at `blank` in the field's value.
pub(crate) fn put_signature(field: &Field, blank: &Range<usize>, canonicalization: Canonicalization, out: &mut Vec<u8>) {
    let value = value_without_line_end(field);
    let before = value.get(..blank.start).unwrap_or_default();
    let after = value.get(blank.end..).unwrap_or_default();
    match canonicalization {
        Canonicalization::Simple => {
            out.extend_from_slice(field.raw_name());
            out.push(b':');
            out.extend_from_slice(before);
            out.extend_from_slice(after);
        }
        Canonicalization::Relaxed => put_relaxed(field.name(), &[before, after].concat(), out),
    }
}

/// Returns a field's value without its final CRLF.
pub(crate) fn value_without_line_end<'m>(field: &Field<'m>) -> &'m [u8] {
    let value = field.value();
    value.strip_suffix(b"\r\n").unwrap_or(value)
}

/// Appends the relaxed form of a field to `out` (RFC 6376 3.4.2).
///
/// The name is in lower case, and the value is unfolded.
/// White space in the value is reduced to one space, and trimmed at both ends.
fn put_relaxed(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + 3);
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let mut first = true;
    let mut rest = skip_white_space(value);
    while !rest.is_empty() {
        if !std::mem::take(&mut first) {
            out.push(b' ');
        }
        let (word, after) = rest.split_at(word_end(rest));
        out.extend_from_slice(word);
        rest = skip_white_space(after);
    }
}

/// Returns `text` without the white space at its start.
///
/// White space is space, tab and CRLF. A bare CR or LF is an octet like any other (G2).
fn skip_white_space(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [b'\r', b'\n', rest @ ..] = text {
        text = rest;
    }
    text
}

fn word_end(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        match rest.iter().position(|&octet| is_wsp(octet) || octet == b'\r') {
            None => return text.len(),
            Some(offset) if rest.get(offset) == Some(&b'\r') && rest.get(offset + 1) != Some(&b'\n') => at += offset + 1,
            Some(offset) => return at + offset,
        }
    }
}
