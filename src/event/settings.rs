//! The settings of an evaluation as events carry them, with the names of the configuration in
//! camelCase.

use crate::config::Evaluation;
use heck::{ToLowerCamelCase as _, ToSnakeCase as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Settings of an evaluation, written as JSON once for all messages that are evaluated with them.
#[derive(Debug, Clone)]
pub struct EvaluationBlock(Arc<RawValue>);

impl EvaluationBlock {
    /// Returns the settings in the form that events carry.
    pub fn new(settings: &Evaluation) -> Self {
        let value = serde_json::to_value(settings).unwrap_or_default();
        // A value of strings and numbers always has a JSON form.
        let text = renamed(value, &|name| name.to_lower_camel_case()).to_string();
        Self(RawValue::from_string(text).unwrap_or_default().into())
    }

    /// Returns the settings that the block holds.
    ///
    /// # Errors
    /// The block has settings that this version does not know.
    pub fn evaluation(&self) -> Result<Evaluation, serde_json::Error> {
        let value: Value = serde_json::from_str(self.0.get())?;
        serde_json::from_value(renamed(value, &|name| name.to_snake_case()))
    }
}

impl PartialEq for EvaluationBlock {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// Renames all members, also nested ones. Values stay.
fn renamed(value: Value, rename: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (rename(&name), renamed(value, rename))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

impl Serialize for EvaluationBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EvaluationBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer)?.into()))
    }
}

impl schemars::JsonSchema for EvaluationBlock {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Evaluation".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // The schema of the settings refers to the schema of the limits, whose members must be
        // renamed too.
        let mut limits = crate::config::Limits::json_schema(generator);
        let mut schema = Evaluation::json_schema(generator);
        rename_properties(&mut limits);
        rename_properties(&mut schema);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.insert("limits".into(), limits.to_value());
        }
        schema
    }
}

fn rename_properties(schema: &mut schemars::Schema) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        *properties = std::mem::take(properties).into_iter().map(|(name, value)| (name.to_lower_camel_case(), value)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_were() {
        let settings = Evaluation { psl_guard: false, own_authserv_ids: vec!["a_b".into()], ..Evaluation::default() };
        let block = EvaluationBlock::new(&settings);
        assert_eq!(block.evaluation().unwrap(), settings);
        let text = serde_json::to_string(&block).unwrap();
        assert!(text.contains("\"pslGuard\":false") && text.contains("\"a_b\"") && !text.contains("dns_deadline_ms"), "{text}");
    }
}
