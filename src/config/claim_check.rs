//! The table `[claim_check]`: settings for messages that lie in an object store.

use crate::location::Prefix;
use serde::{Deserialize, Serialize};

/// Messages that lie in an object store, with a reference in the record (`ce_dataref`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimCheck {
    /// Prefixes of the references that may be followed, such as `s3://bucket/incoming/` or
    /// `file:///var/spool/mail/`. Other references are refused, so that nobody who writes a record
    /// can make verdmarc fetch anything else. Credentials of a store come from its usual
    /// environment variables (AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE) or the instance.
    /// Besides reading objects, S3 must allow listing the bucket, because otherwise it answers 403
    /// for a missing object, and the record waits for ever. Default none: every reference is
    /// refused.
    #[schemars(example = ["s3://mail/incoming/"])]
    pub prefixes: Vec<Prefix>,
    /// Endpoint of an S3-compatible store that is not Amazon's, such as
    /// `https://minio.example:9000`. Default none.
    #[schemars(example = "https://minio.example:9000")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region of the S3 buckets. Default none: what the environment says, or us-east-1.
    #[schemars(example = "eu-central-1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Milliseconds for one object, including retries; after them its partition pauses and tries
    /// again. Default 15 000.
    pub timeout_ms: u64,
    /// Bytes of fetched messages held in memory; a message that finds no room waits.
    /// Default 256 MiB.
    pub budget_bytes: usize,
}

impl Default for ClaimCheck {
    fn default() -> Self {
        Self { prefixes: Vec::new(), endpoint: None, region: None, timeout_ms: 15_000, budget_bytes: 256 << 20 }
    }
}

impl ClaimCheck {
    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        let at_least_one = [("timeout_ms", self.timeout_ms == 0), ("budget_bytes", self.budget_bytes == 0)];
        for (key, _) in at_least_one.into_iter().filter(|(_, is_zero)| *is_zero) {
            problems.push(format!("claim_check.{key} must be at least 1"));
        }
    }
}
