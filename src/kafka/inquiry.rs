//! Questions to a thread of their own, so that whoever asks never waits for the brokers.

use super::error::Error;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

/// The side of whoever asks.
#[derive(Debug)]
pub(super) struct Inquiry<Q, A> {
    about: &'static str,
    questions: Sender<Q>,
    answers: Receiver<A>,
}

impl<Q: Send + 'static, A: Send + 'static> Inquiry<Q, A> {
    /// Starts the thread. It is to end when no more questions can come, which is when this is dropped.
    pub(super) fn start(
        about: &'static str,
        work: impl FnOnce(&Receiver<Q>, &Sender<A>) + Send + 'static,
    ) -> Result<Self, Error> {
        let (questions, asked) = mpsc::channel();
        let (found, answers) = mpsc::channel();
        std::thread::Builder::new()
            .name(about.to_owned())
            .spawn(move || work(&asked, &found))
            .map_err(|error| Error::Inconsistent(format!("cannot start the thread for {about}: {error}")))?;
        Ok(Self { about, questions, answers })
    }

    pub(super) fn ask(&self, question: Q) {
        // A thread that has ended is noticed where its answers are taken.
        let _ = self.questions.send(question);
    }

    /// The next answer, if there is one.
    pub(super) fn answer(&self) -> Result<Option<A>, Error> {
        match self.answers.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Error::Inconsistent(format!("the thread for {} has ended", self.about))),
        }
    }
}
