//! Asks DNS for the evaluation: typed questions and answers behind one [`Resolver`] trait.
//!
//! | file | content |
//! |---|---|
//! | `name` | [`Domain`], a name in mail, and [`QueryName`], a name in a question |
//! | `answer` | [`Question`], [`Answer`], [`Outcome`] |
//! | `session` | the questions of one message: budgets, deadline, the record of the answers |
//! | `evidence` | that record as it travels with a verdict, and the resolver that answers from it |
//! | `cache` | answers kept for their TTL, and one flight for the same question |
//! | `network` | hickory-resolver behind the trait |
//! | `places` | the order in which questions go to the network |
//! | `zone` | a zone in memory, from JSON or a master file |
//! | `shared` | a zone that is reloaded while questions are asked |
//! | `counting` | a resolver that notes its questions, for tests and benchmarks |
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
pub use session::{Budgets, Deadline, Purpose, Session};
pub use shared::SharedZone;
pub use zone::{Zone, ZoneError, ZoneProblem};

use futures::future::BoxFuture;
use std::sync::Arc;

/// A source of answers to DNS questions.
///
/// Implementations never fail: a problem is an [`Outcome`].
/// They follow CNAME chains themselves. The records of an answer are of the type asked for.
pub trait Resolver: Send + Sync {
    /// Returns the answer if it is at hand without waiting, as in a cache or a zone in memory.
    ///
    /// So warm questions cost no task switch.
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>>;

    /// Asks, and waits for as long as it takes. The caller owns the deadline.
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
