//! Makes the dead letter that replaces outputs which a topic refuses for their size.

use crate::event::dead_letter::output_too_large;
use crate::event::{DeadLetterReason, Output};
use crate::metrics::Counted;
use std::sync::Arc;

/// Makes the dead letter that replaces outputs which a topic refuses for their size. It says where
/// the record came from, and which outputs it had.
pub(super) fn stand_in(dead_letters: &Arc<str>, record: (&str, i32, i64), outputs: &[Output]) -> (Vec<Output>, Counted) {
    (vec![output_too_large(dead_letters, record, outputs)], Counted::dead_letter(DeadLetterReason::OutputTooLarge))
}
