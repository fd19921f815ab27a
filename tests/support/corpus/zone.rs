//! A zone in the JSON format of the conformance cases.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Records by lower-case name without final dot, each record an array that begins with its type.
#[derive(Debug, Clone, Default)]
pub struct ZoneJson(pub BTreeMap<String, Vec<Value>>);

impl ZoneJson {
    /// Adds a TXT record, cut into character-strings of 255 octets.
    pub fn txt(&mut self, name: &str, text: &str) {
        self.add(name, txt(text));
    }

    /// Adds an A or AAAA record.
    pub fn address(&mut self, name: &str, address: IpAddr) {
        let rtype = if address.is_ipv4() { "A" } else { "AAAA" };
        self.add(name, json!([rtype, address.to_string()]));
    }

    /// Adds an MX record.
    pub fn mx(&mut self, name: &str, preference: u16, host: &str) {
        self.add(name, json!(["MX", preference, host]));
    }

    /// The zone as one JSON object.
    pub fn to_json(&self) -> Value {
        json!(self.0)
    }

    fn add(&mut self, name: &str, record: Value) {
        self.0.entry(name.to_owned()).or_default().push(record);
    }
}

/// A TXT record, cut into character-strings of 255 octets.
pub fn txt(text: &str) -> Value {
    let strings = text.as_bytes().chunks(255).map(|chunk| Value::from(String::from_utf8_lossy(chunk)));
    std::iter::once(Value::from("TXT")).chain(strings).collect()
}
