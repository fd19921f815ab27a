//! Removes the values of properties from what librdkafka says, because any of them may be a secret.
//!
//! librdkafka quotes a value when it finds a property wrong, and in the lines of `debug = "conf"`.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

const HIDDEN: &str = "***";

/// The length in bytes from which a value is hidden. Shorter values, such as numbers, reveal
/// nothing and occur in many texts.
const WHOLE: usize = 4;
/// The length in bytes from which a word of a value is hidden too.
/// librdkafka may quote single words of a value.
const WORD: usize = 8;

static KNOWN: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// Notes a value that [`redact`] must remove from texts.
pub(crate) fn hide(value: &str) {
    let words = value.split_whitespace().filter(|word| word.len() >= WORD);
    let all = std::iter::once(value.trim()).filter(|value| value.len() >= WHOLE).chain(words);
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let new: Vec<String> = all.filter(|value| !is_plain(value) && !known.contains(*value)).map(str::to_owned).collect();
    drop(known);
    if !new.is_empty() {
        KNOWN.write().unwrap_or_else(PoisonError::into_inner).extend(new);
    }
}

fn is_plain(value: &str) -> bool {
    matches!(value, "true" | "false")
}

/// Returns a text of librdkafka without the values that were passed to [`hide`].
pub(crate) fn redact(text: &str) -> String {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut values: Vec<&String> = known.iter().filter(|value| text.contains(value.as_str())).collect();
    // One value may be part of another, so the longest is removed first.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.into_iter().fold(text.to_owned(), |text, value| without(&text, value))
}

/// Replaces `value` where it is not part of a longer word.
fn without(text: &str, value: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(value) {
        let within = before.ends_with(char::is_alphanumeric) && value.starts_with(char::is_alphanumeric)
            || behind.starts_with(char::is_alphanumeric) && value.ends_with(char::is_alphanumeric);
        shown.push_str(before);
        shown.push_str(if within { value } else { HIDDEN });
        rest = behind;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_out_where_it_stands_by_itself_and_words_of_it_too() {
        for value in ["hunter2", "hunter2-and-more", "principal=admin unsecured=yes", "500", "true"] {
            hide(value);
        }
        for (text, shown) in [
            ("Invalid value \"hunter2\" for x", "Invalid value \"***\" for x"),
            ("sasl.password = hunter2-and-more", "sasl.password = ***"),
            ("hunter2", "***"),
            ("ahunter2 hunter22 hunter2", "ahunter2 hunter22 ***"),
            ("Unrecognized config beginning at: unsecured=yes", "Unrecognized config beginning at: ***"),
            ("backoff 500 true", "backoff 500 true"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }
}
