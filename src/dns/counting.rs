//! A resolver that notes its questions, so that tests can assert work instead of time.

use super::{Answer, Question, Resolver};
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};

/// A resolver that passes every question on, and lists those that were answered or resolved.
#[derive(Debug, Default)]
pub struct Counting<R> {
    resolver: R,
    asked: Mutex<Vec<Question>>,
}

impl<R> Counting<R> {
    /// Creates a resolver that notes the questions to `resolver`.
    pub fn new(resolver: R) -> Self {
        Self { resolver, asked: Mutex::default() }
    }

    /// Returns the questions in the order in which they were asked, repetitions included.
    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the number of questions that were asked.
    pub fn count(&self) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets the questions that were asked so far.
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
