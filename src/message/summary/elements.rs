//! Cuts an address list into its elements, for display.

use crate::message::from::{Kind, Tokens};

/// Returns the elements of an address list as they are written, for display.
///
/// The list is cut at top-level commas. White space around elements, and empty ones, are left out.
/// It does not check whether the elements are addresses.
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
