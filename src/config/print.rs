//! Settings as TOML with their documentation, values of properties left out.

use super::Config;
use serde_json::Value;
use std::fmt::Write;

const HIDDEN: &str = "***";

impl Config {
    /// The settings as TOML, each with what it means. Of properties of librdkafka and of header fields of
    /// exports only the names are shown, and `***`.
    pub fn to_documented_toml(&self) -> String {
        let mut shown = self.clone();
        for value in shown.kafka.properties.0.values_mut().chain(shown.telemetry.headers.0.values_mut()) {
            HIDDEN.clone_into(value);
        }
        let values = toml::Table::try_from(&shown).unwrap_or_default();
        let schema = schemars::schema_for!(Config);
        let mut text = String::new();
        Printer { definitions: schema.get("$defs"), text: &mut text }.table(&values, schema.as_value(), "");
        text
    }
}

struct Printer<'a> {
    definitions: Option<&'a Value>,
    text: &'a mut String,
}

/// Keys that are set elsewhere, by their table.
fn is_elsewhere(table: &str, key: &str) -> bool {
    table == "evaluation" && matches!(key, "authserv_id" | "own_authserv_ids" | "trusted_networks")
}

impl Printer<'_> {
    /// Plain keys first, tables behind them, as TOML asks.
    fn table(&mut self, table: &toml::Table, schema: &Value, path: &str) {
        let properties = self.resolve(schema).get("properties").cloned().unwrap_or_default();
        let plain = properties.as_object().into_iter().flatten().filter(|(key, _)| !is_elsewhere(path, key));
        for (key, property) in plain {
            match table.get(key) {
                Some(toml::Value::Table(_)) => {}
                Some(value) => {
                    self.comment(property);
                    let _ = writeln!(self.text, "{key} = {value}");
                }
                None => {
                    self.comment(property);
                    let _ = writeln!(self.text, "# {key} =");
                }
            }
        }
        for (key, value) in table {
            let Some(inner) = value.as_table() else { continue };
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let property = properties.get(key).cloned().unwrap_or_default();
            self.text.push('\n');
            self.comment(&property);
            let _ = writeln!(self.text, "[{path}]");
            if self.resolve(&property).get("properties").is_some() {
                self.table(inner, &property, &path);
            } else {
                for (key, value) in inner {
                    let _ = writeln!(self.text, "{} = {value}", toml::Value::String(key.clone()));
                }
            }
        }
    }

    fn comment(&mut self, property: &Value) {
        let description = property.get("description").or_else(|| self.resolve(property).get("description"));
        let lines: Vec<String> =
            description.and_then(Value::as_str).into_iter().flat_map(str::lines).map(|line| format!("# {line}\n")).collect();
        self.text.extend(lines);
    }

    fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        name.and_then(|name| self.definitions?.get(name)).unwrap_or(schema)
    }
}
