//! Questions to a thread of their own, so that whoever asks never waits for the brokers.

use super::assignment::Partition;
use super::error::Error;
use super::ledger::Generation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
        spawn(about, move || work(&asked, &found))?;
        Ok(Self { about, questions, answers })
    }

    /// Starts so many threads, each of which takes the next question once it has done with its last. A question that has become void
    /// has no answer. The threads end when this is dropped.
    pub(super) fn shared(
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

fn spawn(about: &'static str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let thread = std::thread::Builder::new().name(about.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| Error::Inconsistent(format!("cannot start a thread for {about}: {error}")))
}

/// The partitions of which something is still wanted, each in its present generation. Both sides see it: an answer of another
/// generation is void, as is a question.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Arc<Mutex<BTreeMap<Partition, Generation>>>);

impl Wanted {
    pub(super) fn add(&self, partition: Partition, generation: Generation) {
        self.lock().insert(partition, generation);
    }

    pub(super) fn remove(&self, partitions: &BTreeSet<Partition>) {
        self.lock().retain(|partition, _| !partitions.contains(partition));
    }

    /// Whether something is wanted of a partition, in whatever generation.
    pub(super) fn holds(&self, partition: &Partition) -> bool {
        self.lock().contains_key(partition)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn is_wanted(&self, partition: &Partition, generation: Generation) -> bool {
        self.lock().get(partition) == Some(&generation)
    }

    /// Whether it was wanted; it is not any more.
    pub(super) fn take(&self, partition: &Partition, generation: Generation) -> bool {
        let mut wanted = self.lock();
        let found = wanted.get(partition) == Some(&generation);
        if found {
            wanted.remove(partition);
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Partition, Generation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
