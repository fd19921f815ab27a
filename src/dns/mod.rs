//! DNS as the evaluation sees it: typed questions and answers behind one [`Resolver`] trait.
//!
//! | file | what it holds |
//! |---|---|
//! | `name` | [`Domain`] (what mail names) and [`QueryName`] (what may be asked) |
//! | `answer` | [`Question`], [`Answer`], [`Outcome`] |
//! | `session` | one message's questions: budgets, deadline, the record of what was answered |
//! | `evidence` | that record as it travels with a verdict, and the resolver that answers from it |
//! | `cache` | answers kept by TTL, and one flight for the same question |
//! | `network` | hickory-resolver behind the trait |
//! | `places` | who may ask the network next |
//! | `zone` | a zone in memory, from JSON or a master file |
//! | `shared` | a zone that is reloaded while questions are asked |
//! | `counting` | a resolver that notes what it was asked, for tests and benchmarks |
//! | `suffix` | the public suffix list |

mod answer;
mod cache;
mod counting;
mod evidence;
mod name;
mod network;
mod places;
mod session;
mod shared;
pub mod suffix;
mod zone;

pub use answer::{Answer, Outcome, Question, Record, RecordType, Unanswered};
pub use cache::{Cache, CacheLimits};
pub use counting::Counting;
pub use evidence::{Entry, Evidence, EvidenceResolver};
pub use name::{Domain, InvalidDomain, QueryName};
pub use network::{NetworkError, NetworkOptions, NetworkResolver};
pub use places::PlaceLimits;
pub use session::{Budgets, Cut, Purpose, Session};
pub use shared::SharedZone;
pub use zone::{Zone, ZoneError, ZoneProblem};

use futures::future::BoxFuture;
use std::sync::Arc;

/// Answers DNS questions. Implementations never fail: what went wrong is an [`Outcome`].
///
/// Implementations follow CNAME chains themselves; the records of an answer are those of the type asked for.
pub trait Resolver: Send + Sync {
    /// The answer if it is at hand without waiting (a cache, a zone in memory), so that warm questions cost no task switch.
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>>;

    /// Asks, waiting as long as it takes; the caller owns the deadline.
    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>>;
}

impl<R: Resolver + ?Sized> Resolver for Arc<R> {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        (**self).at_hand(question)
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        (**self).resolve(question)
    }
}
