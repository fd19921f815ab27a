//! The table `[evaluation]`: settings that bear on a verdict besides message, envelope, DNS and
//! time.

use super::Limits;
use crate::dns::Domain;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Settings that bear on a verdict. Each verdict carries them, so that its message can be evaluated
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Evaluation {
    /// The authserv-id in the header fields that this receiver writes (RFC 8601 2.5).
    /// Default `verdmarc`.
    pub authserv_id: String,
    /// Further authserv-ids of this receiver. Fields that arrive with one of them are forged.
    /// Default none.
    pub own_authserv_ids: Vec<String>,
    /// Networks whose clients are not external, so that SPF cannot check them. Default loopback,
    /// private, link-local and unique-local.
    #[schemars(with = "Vec<String>")]
    pub trusted_networks: Vec<IpNet>,
    /// How the organizational domain is found: `treewalk` (by DNS, RFC 9989) or `psl` (by the
    /// public suffix list, RFC 7489). Default `treewalk`.
    pub discovery: Discovery,
    /// Treat a DMARC record without `psd` at a public suffix as the suffix's own. Default true.
    pub psl_guard: bool,
    /// Which signature gives the DKIM status PASS: `aligned` (only one of the author domain) or
    /// `any_pass` (any that passes). Default `aligned`.
    pub dkim_verdict: DkimVerdictRule,
    /// Effect of a DKIM key in testing mode (`t=y`): `count` (a pass counts, and is flagged) or
    /// `literal` (the signature counts as absent). Default `count`.
    pub testing_key: TestingKey,
    /// Effect of an SPF pass by a record that permits nearly everybody: `flag` (it counts, and is
    /// flagged) or `ignore` (it does not count). Default `flag`.
    pub permissive_spf: PermissiveSpf,
    /// Trusted ARC sealers (d= of the seal). When one of them says that a message was authentic,
    /// the suggested action is not to enforce the policy. Default none.
    #[schemars(example = ["lists.example.org"])]
    pub trusted_sealers: Vec<Domain>,
    /// Prefix of the header fields `SPF-Verdict`, `DKIM-Verdict`, `DMARC-Verdict` and
    /// `DMARC-Policy`: at most 32 visible ASCII characters without colon. Default `X-`.
    pub header_prefix: String,
    /// Convert a message without a single CRLF from LF first. Default true.
    pub convert_bare_lf: bool,
    /// Drop one mbox line on top, `From ` behind any number of `>`. Default false.
    pub strip_mbox_line: bool,
    /// Limits on what one message may cost.
    pub limits: Limits,
}

/// Longest prefix of header fields, in bytes.
const MAX_PREFIX: usize = 32;

impl Evaluation {
    /// Adds a problem when the prefix cannot begin the name of a header field.
    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        // These are the characters of `ftext`, RFC 5322 3.6.8.
        let is_field_name = |byte: u8| byte.is_ascii_graphic() && byte != b':';
        if self.header_prefix.len() > MAX_PREFIX || !self.header_prefix.bytes().all(is_field_name) {
            problems.push(format!(
                "evaluation.header_prefix must be at most {MAX_PREFIX} visible ASCII characters without colon, found `{}`",
                self.header_prefix.escape_debug()
            ));
        }
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            authserv_id: "verdmarc".into(),
            own_authserv_ids: Vec::new(),
            trusted_networks: default_trusted_networks(),
            discovery: Discovery::TreeWalk,
            psl_guard: true,
            dkim_verdict: DkimVerdictRule::Aligned,
            testing_key: TestingKey::Count,
            permissive_spf: PermissiveSpf::Flag,
            trusted_sealers: Vec::new(),
            header_prefix: "X-".into(),
            convert_bare_lf: true,
            strip_mbox_line: false,
            limits: Limits::default(),
        }
    }
}

fn default_trusted_networks() -> Vec<IpNet> {
    ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fe80::/10", "fc00::/7"]
        .iter()
        .filter_map(|network| network.parse().ok())
        .collect()
}

/// How the organizational domain and the policy domain are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Discovery {
    /// DNS tree walk (RFC 9989 4.10).
    #[value(name = "treewalk")]
    TreeWalk,
    /// Public suffix list (RFC 7489 3.2).
    Psl,
}

/// How the DKIM status is chosen from several signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DkimVerdictRule {
    /// PASS needs a signature aligned with the author domain.
    Aligned,
    /// Any passing signature gives PASS.
    AnyPass,
}

/// The effect of a DKIM key in testing mode (`t=y`, RFC 6376 3.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestingKey {
    /// A pass counts and is flagged; a failure is `none`.
    Count,
    /// The signature is treated as absent, pass or not.
    Literal,
}

/// The effect of an SPF pass by a record that permits nearly everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermissiveSpf {
    /// It counts and is flagged.
    Flag,
    /// It gives no authenticated identifier.
    Ignore,
}
