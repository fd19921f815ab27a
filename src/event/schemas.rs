//! Generates the JSON Schemas of the events, and the AsyncAPI document that describes topics, keys,
//! headers and schemas.

use super::redrive::RedrivenEvent;
use super::{CloseWindows, FailureEvent, VerdictEvent, WindowClosed};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// Names of the events that have a schema.
pub const NAMES: [&str; 5] = ["verdict.v1", "failure.v1", "window-closed.v1", "control.close.v1", "control.redriven.v1"];

/// Returns the name and the text of every generated file.
pub fn files() -> Vec<(String, String)> {
    let mut files: Vec<_> = NAMES.iter().map(|name| (format!("{name}.schema.json"), pretty(&schema(name)))).collect();
    files.push(("asyncapi.yaml".into(), asyncapi()));
    files
}

fn schema(name: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = match name {
        "failure.v1" => generator.into_root_schema_for::<FailureEvent>(),
        "window-closed.v1" => generator.into_root_schema_for::<WindowClosed>(),
        "control.close.v1" => generator.into_root_schema_for::<CloseWindows>(),
        "control.redriven.v1" => generator.into_root_schema_for::<RedrivenEvent>(),
        _ => generator.into_root_schema_for::<VerdictEvent>(),
    };
    schema.insert("$id".into(), json!(format!("urn:verdmarc:schema:{name}")));
    schema.insert("title".into(), json!(format!("verdmarc.{name}")));
    schema.to_value()
}

fn pretty(value: &Value) -> String {
    // A value of strings and numbers always has a JSON form.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Returns the AsyncAPI document. JSON is YAML too, but people read this file, so it is written as
/// YAML by hand.
fn asyncapi() -> String {
    include_str!("asyncapi.yaml").replace("{version}", env!("CARGO_PKG_VERSION"))
}
