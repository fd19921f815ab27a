//! A resolver that notes what it was asked, so that tests can assert work instead of time.

use super::{Answer, Question, Resolver};
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};

/// Passes every question on and keeps the list of those that were answered at hand or resolved.
#[derive(Debug, Default)]
pub struct Counting<R> {
    resolver: R,
    asked: Mutex<Vec<Question>>,
}

impl<R> Counting<R> {
    /// Notes what `resolver` is asked.
    pub fn new(resolver: R) -> Self {
        Self { resolver, asked: Mutex::default() }
    }

    /// The questions in the order in which they were asked, repetitions included.
    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many questions were asked.
    pub fn count(&self) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets what was asked so far.
    pub fn reset(&self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn note(&self, question: &Question) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(question.clone());
    }
}

impl<R: Resolver> Resolver for Counting<R> {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        self.resolver.at_hand(question).inspect(|_| self.note(question))
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        self.note(question);
        self.resolver.resolve(question)
    }
}
