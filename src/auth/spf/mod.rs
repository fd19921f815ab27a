//! SPF by RFC 7208: an evaluator of our own.
//!
//! | file | what it holds |
//! |---|---|
//! | `identity` | the client and the sender that SPF is asked about |
//! | `record` | a record read into terms, strictly |
//! | `macros` | domain-specs and their expansion |
//! | `evaluate` | mechanisms, `include` and `redirect`, limits |
//! | `trace` | notes on what an evaluation did |
//! | `explain` | the terms that counted towards a limit, for people |

mod evaluate;
mod explain;
mod identity;
mod macros;
mod record;
mod trace;

pub use identity::Identity;
pub use record::{Record, SyntaxError, parse_record};

use self::evaluate::{Evaluation, Found};
use self::record::Qualifier;
use super::cause::{ResultWord, SpfCause};
use crate::config::Limits;
use crate::detail::{Detail, quoted};
use crate::dns::Session;

/// What SPF found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfOutcome {
    /// The result and why.
    pub cause: SpfCause,
    /// The directive that matched as it stands in the record, at most 256 bytes, printable ASCII only. For a match inside an
    /// included record it is the outermost `include`; for one behind `redirect` it stands in the record redirected to.
    pub mechanism: Option<String>,
    /// The domain whose record or lookup ended the evaluation, when it is not the identity's own. Printable ASCII only.
    pub at: Option<String>,
    /// On a pass: the record permits nearly everybody (`+all`, or a network of /8 or larger for IPv4, /16 for IPv6) (F-22).
    pub permissive: bool,
    /// What is wrong in particular: the term, or the terms that counted towards a limit.
    pub detail: Option<Detail>,
}

impl SpfOutcome {
    /// A result without particulars.
    pub fn of(cause: SpfCause) -> Self {
        Self { cause, mechanism: None, at: None, permissive: false, detail: None }
    }
}

/// `check_host()` of RFC 7208 section 4, within the session's budget and the limits of 4.6.4.
///
/// A used-up limit or budget is a permerror, DNS without answer a temperror. Explanations are never fetched (F-24).
pub async fn check_host(session: &Session<'_>, identity: &Identity<'_>, limits: &Limits) -> SpfOutcome {
    // RFC 7208 4.3: a name too long for DNS and a single label have no result.
    let Some(domain) = identity.domain.query_name().filter(|name| name.as_str().contains('.')) else {
        let problem = if identity.domain.label_count() == 1 { "is a single label" } else { "is too long for DNS" };
        let detail = Detail::new(format_args!("{} {problem}", quoted(identity.domain.as_str().as_bytes())));
        return SpfOutcome { detail: Some(detail), ..SpfOutcome::of(SpfCause::NoDomain) };
    };
    let identity = Identity { client_ip: identity.client_ip.to_canonical(), ..*identity };
    let mut evaluation = Evaluation::new(session, &identity, limits);
    match evaluation.check(domain.clone(), 0).await {
        Ok(Found::NoRecord) => SpfOutcome::of(SpfCause::NoRecord),
        Ok(Found::NothingMatched) => SpfOutcome::of(SpfCause::NothingMatched),
        Ok(Found::Matched { qualifier, mechanism, permissive }) => {
            let cause = match qualifier {
                Qualifier::Pass => SpfCause::Pass,
                Qualifier::Fail => SpfCause::Fail,
                Qualifier::SoftFail => SpfCause::SoftFail,
                Qualifier::Neutral => SpfCause::Neutral,
            };
            let permissive = permissive && cause == SpfCause::Pass;
            SpfOutcome { mechanism: Some(mechanism), permissive, ..SpfOutcome::of(cause) }
        }
        Err(stop) => {
            let at = (stop.at != domain).then(|| printable(stop.at.as_str()));
            let detail = match stop.detail {
                None if stop.cause.word() == ResultWord::PermError => evaluation.explain(domain, &stop).await,
                detail => detail,
            };
            SpfOutcome { at, detail, ..SpfOutcome::of(stop.cause) }
        }
    }
}

/// A name may hold what the sender wrote; what is not visible ASCII becomes `?`.
fn printable(name: &str) -> String {
    name.chars().map(|character| if character.is_ascii_graphic() { character } else { '?' }).collect()
}

#[cfg(test)]
mod tests;
