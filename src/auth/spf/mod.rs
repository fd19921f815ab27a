//! Evaluates SPF (RFC 7208) with an evaluator of this crate.
//!
//! | file | content |
//! |---|---|
//! | `identity` | the client and the sender that SPF checks |
//! | `record` | the strict parser of records |
//! | `macros` | domain-specs and their expansion |
//! | `evaluate` | mechanisms, `include` and `redirect`, limits |
//! | `trace` | the notes of an evaluation |
//! | `explain` | the explanations for people, such as the terms that counted towards a limit |

mod evaluate;
mod explain;
mod identity;
mod macros;
mod record;
mod stop;
mod trace;

pub use identity::Identity;
pub use record::{Record, SyntaxError, parse_record};

use self::evaluate::{Evaluation, Found};
use self::record::Qualifier;
use super::cause::{ResultWord, SpfCause};
use crate::config::Limits;
use crate::detail::{Detail, quoted};
use crate::dns::Session;

/// The outcome of SPF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfOutcome {
    /// The cause of the result, which also gives the result word.
    pub cause: SpfCause,
    /// The directive that matched as the record has it, at most 256 bytes of printable ASCII.
    ///
    /// For a match inside an included record, it is the outermost `include`.
    /// For a match through `redirect`, it is the directive of the record redirected to.
    pub mechanism: Option<String>,
    /// The domain whose record or lookup ended the evaluation, in printable ASCII.
    /// It is `None` if that is the identity's own domain.
    pub at: Option<String>,
    /// True on a pass by a record that permits nearly everybody (F-22).
    /// Such a record has `+all`, or a network of at least /8 for IPv4 or /16 for IPv6.
    pub permissive: bool,
    /// The text for people that names the broken term, or the terms that counted towards a limit.
    pub detail: Option<Detail>,
}

impl SpfOutcome {
    /// Returns an outcome with only a cause.
    pub fn of(cause: SpfCause) -> Self {
        Self { cause, mechanism: None, at: None, permissive: false, detail: None }
    }
}

/// Implements `check_host()` (RFC 7208 section 4) within the session's budget and the limits of
/// 4.6.4.
///
/// A used-up limit or budget is a permerror, and a failure of DNS is a temperror.
/// Explanations are never fetched (F-24).
pub async fn check_host(session: &Session<'_>, identity: &Identity<'_>, limits: &Limits) -> SpfOutcome {
    // A name too long for DNS has no result, and neither has a single label (RFC 7208 4.3).
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

/// Returns `name` with `?` for everything but visible ASCII.
///
/// A name may hold characters that the sender chose.
fn printable(name: &str) -> String {
    name.chars().map(|character| if character.is_ascii_graphic() { character } else { '?' }).collect()
}

#[cfg(test)]
mod tests;
