//! Explains to people, term by term, why an evaluation ended in a permerror.
//!
//! The evaluation that ended kept no notes, because nearly all mail does without them.
//! It runs once more over the same answers, which the session holds, and notes its steps.

use super::evaluate::Evaluation;
use super::stop::Stop;
use super::trace::{Term, Trace};
use crate::auth::cause::SpfCause;
use crate::detail::{Detail, escaped};
use crate::dns::QueryName;

impl Evaluation<'_> {
    /// Explains the end `stop` of this evaluation, which began at `domain`.
    ///
    /// Returns `None` for a cause that its own detail explains.
    pub(super) async fn explain(&mut self, domain: QueryName, stop: &Stop) -> Option<Detail> {
        let limits = self.limits();
        let mut again = self.traced();
        // The same answers lead to the same end.
        let _ = again.check(domain, 0).await;
        let Trace { term, lookups, voids } = again.into_trace();
        let term = term.map(|term| list(&[term])).unwrap_or_default();
        let at = escaped(stop.at.as_str().as_bytes());
        Some(match stop.cause {
            SpfCause::LookupLimit => Detail::new(format_args!(
                "{} terms ask DNS, {} are allowed: {}",
                lookups.len(),
                limits.spf_lookup_terms,
                list(&lookups)
            )),
            SpfCause::VoidLimit => Detail::new(format_args!(
                "{} lookups found nothing, {} are allowed: {}",
                voids.len(),
                limits.spf_void_lookups,
                list(&voids)
            )),
            SpfCause::NamesLimit => {
                Detail::new(format_args!("{term}: {at} has more than {} mail exchangers", limits.spf_names_per_term))
            }
            SpfCause::IncludedNone => Detail::new(format_args!("{term}: {at} has no SPF record")),
            SpfCause::InvalidAnswer => Detail::new(format_args!("{term}: the DNS answer for {at} cannot be used")),
            SpfCause::QueryBudget => {
                Detail::new(format_args!("{term}: more than {} DNS questions were needed", limits.spf_questions))
            }
            SpfCause::DepthLimit => Detail::new(format_args!("{term}: records are nested deeper than {}", limits.spf_depth)),
            _ => return None,
        })
    }
}

/// Lists the terms. After terms that follow each other in a record, it names its domain once.
fn list(terms: &[Term]) -> String {
    let records = terms.chunk_by(|a, b| a.domain == b.domain).map(|terms| {
        let texts: Vec<_> = terms.iter().map(|term| format!("`{}`", term.text)).collect();
        let domain = terms.first().map(|term| escaped(term.domain.as_str().as_bytes())).unwrap_or_default();
        format!("{} of {domain}", texts.join(" "))
    });
    records.collect::<Vec<_>>().join(", ")
}
