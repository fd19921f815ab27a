//! Prints settings as TOML with their documentation, without the values of properties.

use super::{Config, order, wrap};
use serde_json::Value;
use std::fmt::Write;

/// Text in place of a value that may be a secret.
const HIDDEN: &str = "***";
/// Columns of a line of documentation in the printed text.
const COLUMNS: usize = 100;

/// Text at the top of the template.
const PREFACE: &str = "\
Settings of verdmarc: every one of them with its meaning, commented out with its default, or with an example where it has none.

Copy this file, remove the # in front of the settings that you change, and check the result: \
`verdmarc config check --config FILE`. `kafka.brokers` is needed; aggregate reports also need `receiver.domain`, \
`receiver.organization` and `receiver.contact`.

An environment variable takes precedence over this file: VERDMARC_KAFKA__BROKERS sets `brokers` of [kafka].";

impl Config {
    /// Returns the settings as TOML, each with its documentation. Properties of librdkafka and
    /// header fields of exports have `***` in place of their values.
    pub fn to_documented_toml(&self) -> String {
        let mut shown = self.clone();
        for value in shown.kafka.properties.0.values_mut().chain(shown.telemetry.headers.0.values_mut()) {
            HIDDEN.clone_into(value);
        }
        shown.print(Form::InForce)
    }

    /// Returns a file to begin with: every setting with its documentation, commented out with its
    /// default or an example.
    pub fn template() -> String {
        let mut text = String::new();
        comment(&mut text, PREFACE);
        text.push_str(&Self::default().print(Form::Template));
        text
    }

    fn print(&self, form: Form) -> String {
        let values = toml::Table::try_from(self).unwrap_or_default();
        let schema = schemars::schema_for!(Config);
        let mut text = String::new();
        let mut printer = Printer { definitions: schema.get("$defs"), text: &mut text, form };
        printer.table(&values, schema.as_value(), "Config", "");
        text
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Settings with a value are written plainly, others are commented out.
    InForce,
    /// Every setting is commented out.
    Template,
}

struct Printer<'a> {
    definitions: Option<&'a Value>,
    text: &'a mut String,
    form: Form,
}

/// Returns whether a key of `table` is set in another table.
fn is_elsewhere(table: &str, key: &str) -> bool {
    table == "evaluation" && matches!(key, "authserv_id" | "own_authserv_ids" | "trusted_networks")
}

fn comment(text: &mut String, description: &str) {
    if description.is_empty() {
        return;
    }
    for line in wrap::lines(description, COLUMNS - 2) {
        text.push_str(if line.is_empty() { "#" } else { "# " });
        text.push_str(&line);
        text.push('\n');
    }
}

impl Printer<'_> {
    /// Writes a table: plain keys first, then tables, as TOML demands, both in the order of their
    /// types.
    fn table(&mut self, table: &toml::Table, schema: &Value, name: &str, path: &str) {
        let properties = self.resolve(schema).get("properties").cloned().unwrap_or_default();
        let keys = order::fields(name).unwrap_or_default().iter().copied().filter(|key| !is_elsewhere(path, key));
        let (tables, plain): (Vec<&str>, Vec<&str>) = keys.partition(|key| table.get(*key).is_some_and(toml::Value::is_table));
        for (number, key) in plain.into_iter().enumerate() {
            if number > 0 {
                self.text.push('\n');
            }
            let property = properties.get(key).cloned().unwrap_or_default();
            self.describe(&property);
            self.setting(key, table.get(key), example(&property).as_ref());
        }
        for key in tables {
            let Some(inner) = table.get(key).and_then(toml::Value::as_table) else { continue };
            let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            let property = properties.get(key).cloned().unwrap_or_default();
            self.text.push('\n');
            self.describe(&property);
            let _ = writeln!(self.text, "[{path}]");
            match definition(&property) {
                Some(name) if order::fields(name).is_some() => self.table(inner, &property, name, &path),
                _ => self.names(inner, example(&property).as_ref()),
            }
        }
    }

    fn setting(&mut self, key: &str, value: Option<&toml::Value>, example: Option<&toml::Value>) {
        let shown = value.filter(|value| self.form == Form::InForce || example.is_none() || !is_empty(value)).or(example);
        let mark = if value.is_some() && self.form == Form::InForce { "" } else { "#" };
        let _ = match shown {
            Some(shown) => writeln!(self.text, "{mark}{key} = {shown}"),
            None => writeln!(self.text, "{mark}{key} ="),
        };
    }

    /// Writes a table whose keys are free.
    fn names(&mut self, table: &toml::Table, example: Option<&toml::Value>) {
        for (key, value) in table {
            let _ = writeln!(self.text, "{} = {value}", toml::Value::String(key.clone()));
        }
        for (key, value) in example.and_then(toml::Value::as_table).into_iter().flatten().filter(|_| table.is_empty()) {
            let _ = writeln!(self.text, "#{key} = {value}");
        }
    }

    fn describe(&mut self, property: &Value) {
        let description = property.get("description").or_else(|| self.resolve(property).get("description"));
        let description = description.and_then(Value::as_str).unwrap_or_default().to_owned();
        comment(self.text, &description);
    }

    fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        definition(schema).and_then(|name| self.definitions?.get(name)).unwrap_or(schema)
    }
}

/// Returns the name of the type that a schema refers to.
fn definition(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
}

fn example(property: &Value) -> Option<toml::Value> {
    property.get("examples")?.get(0).and_then(|example| toml::Value::try_from(example).ok())
}

/// Returns whether a default tells nothing about the form of a setting.
fn is_empty(value: &toml::Value) -> bool {
    value.as_str().is_some_and(str::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}
