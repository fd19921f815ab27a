//! `[claim_check]`

use serde::{Deserialize, Serialize};

/// Messages that lie in an object store, with a reference in the record (`ce_dataref`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimCheck {
    /// Beginnings of the references that may be followed, such as `s3://bucket/incoming/`; others are refused, so that whoever
    /// writes a record cannot have anything else fetched. Default none: every reference is refused.
    pub prefixes: Vec<String>,
    /// Endpoint of an S3-compatible store that is not Amazon's, such as `https://minio.example:9000`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region of the S3 buckets. Default none: what the environment says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Milliseconds for one object, retries included; then its partition pauses and tries again. Default 15 000.
    pub timeout_ms: u64,
}

impl Default for ClaimCheck {
    fn default() -> Self {
        Self { prefixes: Vec::new(), endpoint: None, region: None, timeout_ms: 15_000 }
    }
}

impl ClaimCheck {
    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        for prefix in self.prefixes.iter().filter(|prefix| !prefix.contains("://") || !prefix.ends_with('/')) {
            problems.push(format!(
                "claim_check.prefixes: `{prefix}` must be a URL that ends with a slash: a prefix that ends inside a name allows its \
                 neighbours too"
            ));
        }
    }
}
