//! Passes questions to threads of their own, so that the thread that asks never
//! waits for the brokers.

use crate::kafka::base::error::Error;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// The side of the thread that asks.
#[derive(Debug)]
pub(crate) struct Background<Q, A> {
    /// The name of the threads, for errors.
    about: &'static str,
    questions: Sender<Q>,
    answers: Receiver<A>,
}

impl<Q: Send + 'static, A: Send + 'static> Background<Q, A> {
    /// Starts a thread that runs `work`. `work` must return when no more questions can come,
    /// which is when this value is dropped.
    pub(crate) fn start(
        about: &'static str,
        work: impl FnOnce(&Receiver<Q>, &Sender<A>) + Send + 'static,
    ) -> Result<Self, Error> {
        let (questions, asked) = mpsc::channel();
        let (found, answers) = mpsc::channel();
        spawn(about, move || work(&asked, &found))?;
        Ok(Self { about, questions, answers })
    }

    /// Starts `threads` threads, each of which takes the next question when it is done
    /// with its last. A question that has become void has no answer.
    /// The threads end when this value is dropped.
    pub(crate) fn shared(
        about: &'static str,
        threads: usize,
        answer: impl Fn(Q) -> Option<A> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let (questions, asked) = mpsc::channel();
        let (found, answers) = mpsc::channel();
        let (asked, answer) = (Arc::new(Mutex::new(asked)), Arc::new(answer));
        for _ in 0..threads {
            let (asked, answer, found) = (asked.clone(), answer.clone(), found.clone());
            let next = move || asked.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
            spawn(about, move || {
                while let Some(question) = next() {
                    if answer(question).is_some_and(|answer| found.send(answer).is_err()) {
                        return;
                    }
                }
            })?;
        }
        Ok(Self { about, questions, answers })
    }

    /// Returns a value without threads, whose questions the simulation answers.
    #[cfg(test)]
    pub(crate) fn modelled(about: &'static str) -> (Self, Receiver<Q>, Sender<A>) {
        let (questions, asked) = mpsc::channel();
        let (found, answers) = mpsc::channel();
        (Self { about, questions, answers }, asked, found)
    }

    pub(crate) fn ask(&self, question: Q) {
        // The thread may have ended. That is noticed where its answers are taken.
        let _ = self.questions.send(question);
    }

    /// Returns the next answer; None when none has come yet.
    ///
    /// # Errors
    /// The threads have ended.
    pub(crate) fn answer(&self) -> Result<Option<A>, Error> {
        match self.answers.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Error::Inconsistent(format!("the thread for {} has ended", self.about))),
        }
    }
}

fn spawn(about: &'static str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let thread = std::thread::Builder::new().name(about.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| Error::Inconsistent(format!("cannot start a thread for {about}: {error}")))
}
