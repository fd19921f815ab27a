//! What the fuzz targets share: DNS that answers with any octets, and a runtime to wait on it.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use verdmarc::dns::{Answer, Budgets, Outcome, Question, Record, Resolver};

/// DNS by a function. A zone in memory is read from JSON, which cannot hold every octet that a TXT record can.
pub struct Answers<F>(pub F);

impl<F: Fn(&Question) -> Outcome + Send + Sync> Resolver for Answers<F> {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        Some(Arc::new(Answer::new((self.0)(question))))
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Arc<Answer>> + Send + 'a>> {
        Box::pin(ready(Arc::new(Answer::new((self.0)(question)))))
    }
}

/// An answer of TXT records with these texts.
pub fn texts<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Outcome {
    Outcome::of(texts.into_iter().map(|text| Record::Txt(text.into())).collect())
}

/// The budgets of the default settings.
pub fn budgets() -> Budgets {
    Budgets { discovery: 20, dkim_keys: 10, spf: 40, arc_keys: 10 }
}

/// Waits for what a target evaluates.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime needs no more than memory");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// The `N` parts between NUL octets: the last holds the rest, missing ones are empty.
pub fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = [&data[..0]; N];
    for (part, text) in parts.iter_mut().zip(data.splitn(N, |octet| *octet == 0)) {
        *part = text;
    }
    parts
}
