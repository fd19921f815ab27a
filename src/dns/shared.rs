//! A zone in memory that can be replaced while questions are asked.

use super::{Answer, Question, Resolver, Zone};
use futures::future::BoxFuture;
use std::sync::{Arc, PoisonError, RwLock};

/// The current zone. Each question is answered by one zone as a whole.
#[derive(Debug)]
pub struct SharedZone(RwLock<Arc<Zone>>);

impl SharedZone {
    /// Creates a resolver that begins with this zone.
    pub fn new(zone: Zone) -> Self {
        Self(RwLock::new(Arc::new(zone)))
    }

    /// Replaces the zone.
    pub fn replace(&self, zone: Zone) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(zone);
    }

    fn zone(&self) -> Arc<Zone> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Resolver for SharedZone {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        self.zone().at_hand(question)
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        let zone = self.zone();
        Box::pin(async move { zone.resolve(question).await })
    }
}
