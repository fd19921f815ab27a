//! The elements of an address list, for display.

use crate::message::from::{Kind, Tokens};

/// The elements of an address list as it stands, cut at top-level commas, without white space around them and without empty ones.
/// For display: whether they are addresses is not asked.
pub(in crate::message) fn elements(unfolded: &[u8]) -> Vec<&[u8]> {
    let tokens = Tokens::of(unfolded);
    let commas = tokens.all().filter(|token| token.kind == Kind::Comma).map(|token| token.span);
    let mut elements = Vec::new();
    let mut start = 0;
    for comma in commas.chain(std::iter::once(unfolded.len()..unfolded.len())) {
        elements.push(unfolded.get(start..comma.start).unwrap_or_default().trim_ascii());
        start = comma.end;
    }
    elements.retain(|element| !element.is_empty());
    elements
}
