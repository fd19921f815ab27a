//! Lists the settings of each table in the order in which its type declares them, which is the
//! order of their importance.

use super::{
    AggregateRole, ClaimCheck, Config, Dns, Evaluation, Health, Kafka, Limits, Log, Receiver, Reload, Reports, Telemetry, Topics,
    VerdictRole,
};
use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

/// Returns the fields of the table whose type has this name; `None` for a table whose keys are
/// free.
pub(super) fn fields(table: &str) -> Option<&'static [&'static str]> {
    Some(match table {
        "Config" => of::<Config>(),
        "Kafka" => of::<Kafka>(),
        "Topics" => of::<Topics>(),
        "Dns" => of::<Dns>(),
        "Receiver" => of::<Receiver>(),
        "Evaluation" => of::<Evaluation>(),
        "Limits" => of::<Limits>(),
        "VerdictRole" => of::<VerdictRole>(),
        "Reports" => of::<Reports>(),
        "AggregateRole" => of::<AggregateRole>(),
        "ClaimCheck" => of::<ClaimCheck>(),
        "Health" => of::<Health>(),
        "Reload" => of::<Reload>(),
        "Log" => of::<Log>(),
        "Telemetry" => of::<Telemetry>(),
        _ => return None,
    })
}

/// Returns the names of fields that a type asks its deserializer for.
fn of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    // This ends with an error, because the deserializer gives no values.
    let _ = T::deserialize(Asked(&mut found));
    found
}

/// A deserializer that only notes the names of the fields that it is asked for.
struct Asked<'f>(&'f mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("nothing to read"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}
