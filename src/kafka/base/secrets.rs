//! Values of properties, which no text of the library may carry into the log: each of them may be a secret.
//!
//! The library quotes values where it finds a property wrong, and in the lines of `debug = "conf"`.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

const HIDDEN: &str = "***";

/// Shorter values, such as numbers and `true`, tell nothing and stand in many a text.
const WHOLE: usize = 4;
/// Of a value of several words the library may quote some.
const WORD: usize = 8;

static KNOWN: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// From now on this value is taken out of what the library says.
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

/// A text of the library without any hidden value.
pub(crate) fn redact(text: &str) -> String {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut values: Vec<&String> = known.iter().filter(|value| text.contains(value.as_str())).collect();
    // A value may be part of another one.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.into_iter().fold(text.to_owned(), |text, value| without(&text, value))
}

/// Takes `value` out where it stands by itself.
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
