//! The expectations of a case, in a closed vocabulary, so that a case with a misspelt word is an
//! error and does not pass.

use crate::auth::cause::{ResultWord, SesStatus};
use crate::auth::dmarc::{DmarcResult, Policy};
use crate::dns::Domain;
use crate::event::Reason;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

/// The expectations of a case. Those that are absent are not checked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Expect {
    pub(super) spf: Option<ResultWord>,
    pub(super) spf_accept: Option<Vec<ResultWord>>,
    pub(super) dkim: Option<Vec<ExpectedSignature>>,
    pub(super) dkim_any: Option<ResultWord>,
    pub(super) dkim_not: Vec<ResultWord>,
    pub(super) arc: Option<ResultWord>,
    pub(super) arc_accept: Option<Vec<ResultWord>>,
    pub(super) dmarc: Option<DmarcResult>,
    pub(super) dmarc_accept: Option<Vec<DmarcResult>>,
    pub(super) dmarc_not: Vec<DmarcResult>,
    pub(super) ses: Statuses,
    pub(super) reasons: Vec<Reason>,
    pub(super) reasons_not: Vec<Reason>,
    /// Names of TXT questions at `_dmarc` names, sorted.
    pub(super) queries: Option<Vec<String>>,
    pub(super) policy: OrNull<Policy>,
    pub(super) disposition: OrNull<Policy>,
    pub(super) dmarc_policy: OrNull<Policy>,
    pub(super) author_domain: OrNull<Domain>,
    pub(super) policy_domain: OrNull<Domain>,
    pub(super) org_domain: OrNull<Domain>,
}

/// An expected value of which null is checked too: null means that there must be none.
#[derive(Debug, Default, PartialEq)]
pub(super) enum OrNull<T> {
    /// The case does not mention the value.
    #[default]
    Unsaid,
    Is(Option<T>),
}

/// The expectations of one signature. A case lists signatures in header order.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedSignature {
    pub(super) d: Option<String>,
    pub(super) s: Option<String>,
    pub(super) a: Option<String>,
    pub(super) result: Option<ResultWord>,
    pub(super) accept: Option<Vec<ResultWord>>,
    /// Published suites have this key. It is not checked.
    #[serde(default, rename = "key_bits")]
    _key_bits: Option<IgnoredAny>,
}

/// The expected SES statuses.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Statuses {
    pub(super) spf: Option<SesStatus>,
    pub(super) dkim: Option<SesStatus>,
    pub(super) dmarc: Option<SesStatus>,
}

impl Expect {
    /// Reads the expectations from an object. An unknown key or word is an error that names the
    /// key.
    pub(super) fn read(object: Map<String, Value>) -> Result<Self> {
        let mut expect = Self::default();
        for (key, value) in object {
            expect.set(&key, value).with_context(|| format!("expect, key `{key}`"))?;
        }
        Ok(expect)
    }

    fn set(&mut self, key: &str, value: Value) -> Result<()> {
        match key {
            "spf" => self.spf = read(value)?,
            "spf_accept" => self.spf_accept = read(value)?,
            "dkim" => self.dkim = read(value)?,
            "dkim_any" => self.dkim_any = read(value)?,
            "dkim_not" => self.dkim_not = read(value)?,
            "arc" => self.arc = read(value)?,
            "arc_accept" => self.arc_accept = read(value)?,
            "dmarc" => self.dmarc = read(value)?,
            "dmarc_accept" => self.dmarc_accept = read(value)?,
            "dmarc_not" => {
                self.dmarc_not = if value.is_string() { vec![read(value)?] } else { read(value)? };
            }
            "ses" => self.ses = Statuses::read(read(value)?)?,
            "reasons" => self.reasons = read(value)?,
            "reasons_not" => self.reasons_not = read(value)?,
            "queries" => self.queries = read(value)?,
            "policy" => self.policy = OrNull::Is(policy(&value)?),
            "disposition" => self.disposition = OrNull::Is(policy(&value)?),
            "dmarc_policy" => self.dmarc_policy = OrNull::Is(policy(&value)?),
            "author_domain" => self.author_domain = OrNull::Is(read(value)?),
            "policy_domain" => self.policy_domain = OrNull::Is(read(value)?),
            "org_domain" => self.org_domain = OrNull::Is(read(value)?),
            // Published suites have this key. Explanations are never fetched (F-24).
            "spf_explanation" => {}
            _ => bail!("there is no such key"),
        }
        Ok(())
    }

    /// Returns whether no verdict could differ from the expectations.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Statuses {
    fn read(object: Option<Map<String, Value>>) -> Result<Self> {
        let mut statuses = Self::default();
        for (key, value) in object.into_iter().flatten() {
            let slot = match key.as_str() {
                "spf" => &mut statuses.spf,
                "dkim" => &mut statuses.dkim,
                "dmarc" => &mut statuses.dmarc,
                _ => bail!("there is no such key: `{key}`"),
            };
            let value = value.as_str().map_or(value.clone(), |word| word.to_ascii_uppercase().into());
            *slot = read(value).with_context(|| format!("`{key}`"))?;
        }
        Ok(statuses)
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    Ok(serde_json::from_value(value)?)
}

/// Reads a policy in upper or lower case; `None` for null.
fn policy(value: &Value) -> Result<Option<Policy>> {
    match value {
        Value::Null => Ok(None),
        Value::String(word) => Policy::parse(word).map(Some).with_context(|| format!("`{word}` is no policy")),
        other => bail!("{other} is no policy"),
    }
}
