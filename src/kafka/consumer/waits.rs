//! Records whose time has not come. Their partitions are paused meanwhile.

use super::{Context, Desk};
use crate::event::Record;
use crate::kafka::assignment::{Partition, Slot};
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What waits.
#[derive(Default)]
pub(super) struct Waits {
    held: Vec<Held>,
    awaited: Vec<Awaited>,
}

/// A record that is to be tried again soon.
struct Held {
    due: Instant,
    slot: Slot,
    record: Record,
}

/// A record that said when it is to be read. It is not kept until then, which may be hours, but read once more.
struct Awaited {
    due: Instant,
    partition: Partition,
    offset: i64,
}

impl Waits {
    /// Keeps a record for so long.
    pub(super) fn hold(&mut self, slot: Slot, record: Record, wait: Duration) {
        self.held.push(Held { due: Instant::now() + wait, slot, record });
    }

    /// Has the record read again after so long, and nothing else of its partition before.
    pub(super) fn read_again(&mut self, record: &Record, wait: Duration) {
        let partition = Partition { topic: record.topic.clone(), number: record.partition };
        self.awaited.push(Awaited { due: Instant::now() + wait, partition, offset: record.offset });
    }

    /// Records that are kept.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The partitions that wait.
    pub(super) fn partitions(&self) -> impl Iterator<Item = Partition> {
        let held = self.held.iter().map(|held| held.slot.partition());
        held.chain(self.awaited.iter().map(|awaited| &awaited.partition)).cloned()
    }

    /// Forgets partitions that were given up.
    pub(super) fn forget(&mut self, partitions: &BTreeSet<Partition>) {
        self.held.retain(|held| !partitions.contains(held.slot.partition()));
        self.awaited.retain(|awaited| !partitions.contains(&awaited.partition));
    }

    fn due(&mut self) -> (Vec<Held>, Vec<Awaited>) {
        let now = Instant::now();
        let held = self.held.extract_if(.., |held| held.due <= now).collect();
        (held, self.awaited.extract_if(.., |awaited| awaited.due <= now).collect())
    }
}

impl Desk {
    /// Hands out what has waited long enough, or has it read again.
    pub(super) fn release(&mut self, consumer: &BaseConsumer<Context>) {
        let (held, awaited) = self.waits.due();
        for Held { mut slot, record, .. } in held {
            self.assignment.take_again(&mut slot);
            self.dispatch(slot, record);
        }
        for mut awaited in awaited {
            let Partition { topic, number } = &awaited.partition;
            // The partition is paused: nothing behind the record has been read.
            if let Err(error) = consumer.seek(topic, *number, Offset::Offset(awaited.offset), Duration::ZERO) {
                tracing::warn!(%topic, partition = number, offset = awaited.offset, %error, "seeking");
                awaited.due += SEEK_AGAIN;
                self.waits.awaited.push(awaited);
            }
        }
    }
}

const SEEK_AGAIN: Duration = Duration::from_millis(200);
