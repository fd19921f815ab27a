//! Describes values and their types in the words of people, for errors.

use figment::error::Actual;

/// Describes a value that does not fit.
pub(super) fn found(found: &Actual) -> String {
    match found {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(number) => format!("the number {number}"),
        Actual::Signed(number) => format!("the number {number}"),
        Actual::Float(number) => format!("the number {number}"),
        Actual::Str(text) => format!("the text {text:?}"),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// Settings whose form is not evident from their type, each with a description of it.
const FORMS: [(&str, &str); 4] = [
    ("kafka.brokers", "host:port in quotes, several with commas between them"),
    ("health.listen", "an address and a port, say \"127.0.0.1:9464\""),
    ("dns.servers", r#"a list of addresses, say ["192.0.2.1"]"#),
    ("receiver.trusted_networks", r#"a list of networks, say ["192.0.2.0/24"]"#),
];

/// Describes the values that the setting `key` may have, from the name of its type.
pub(super) fn wanted(key: &str, expected: &str) -> String {
    if let Some((_, form)) = FORMS.iter().find(|(name, _)| *name == key) {
        return (*form).to_owned();
    }
    let word = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" | "bool" => "true or false",
        "a string" | "path string" | "a borrowed string" => "a text in quotes",
        "a sequence" => r#"a list, say ["a", "b"]"#,
        "a map" => "a table of names and values",
        expected if expected.starts_with("struct ") => "a table of settings",
        expected => expected,
    };
    word.to_owned()
}
