//! The types of values in `[telemetry]` that are more than a number or a word, and checks of them.

use crate::config::Properties;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The protocol to use with the collector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OtlpProtocol {
    /// Protobuf over HTTP.
    #[default]
    #[serde(rename = "http/protobuf")]
    Http,
    /// gRPC.
    #[serde(rename = "grpc")]
    Grpc,
}

/// The party that decides whether a message is traced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraceParent {
    /// The record, where it has a `traceparent`.
    #[default]
    Respect,
    /// Only verdmarc.
    Ignore,
}

/// A fraction, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Ratio(f64);

/// A number from 0 to 1 is always equal to itself, because it is not NaN.
impl Eq for Ratio {}

impl Default for Ratio {
    fn default() -> Self {
        Self(0.01)
    }
}

impl Ratio {
    /// Returns the fraction; `None` when `part` is not from 0 to 1.
    pub fn new(part: f64) -> Option<Self> {
        (0.0..=1.0).contains(&part).then_some(Self(part))
    }

    /// Returns the fraction as a number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let part = f64::deserialize(deserializer)?;
        Self::new(part).ok_or_else(|| serde::de::Error::custom("write a number from 0 to 1"))
    }
}

/// Header fields by name. Any value may be a secret, so no value is ever shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Headers(pub BTreeMap<String, String>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Properties(flat) = Properties::deserialize(deserializer)?;
        Ok(Self(flat))
    }
}

/// Attributes by name. Nested tables are read as dotted names, because TOML reads
/// `service.namespace = "…"` as nested tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct ResourceAttributes(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for ResourceAttributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Properties(flat) = Properties::deserialize(deserializer)?;
        Ok(Self(flat))
    }
}

/// Checks an endpoint. The error is a text that continues a sentence that begins with the name of
/// the setting.
pub(super) fn check_endpoint(endpoint: &str) -> Result<(), &'static str> {
    let url = Url::parse(endpoint).map_err(|_| "is no URL")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("is no URL of http or https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a name or password, which belongs into telemetry.headers or telemetry.header_files");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("holds a query or fragment, behind which no path can be put");
    }
    Ok(())
}

pub(super) fn is_header_name(name: &str) -> bool {
    HeaderName::try_from(name).is_ok()
}

pub(super) fn is_header_value(value: &str) -> bool {
    HeaderValue::try_from(value).is_ok()
}
