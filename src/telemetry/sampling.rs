//! Decides which records are traced, before anything of a trace is built.
//!
//! ```text
//! traceparent, unless its flag is to be ignored ─► its flag ─┐
//! otherwise ─► hash of topic, partition and offset < share ──┴─► wanted ─► token bucket ─► sampled
//! ```
//!
//! The hash is over the record that first held the message, so that a retry and a repetition are
//! decided alike, in every process.

use crate::config::{self, TraceParent};
use crate::event::{Input, TraceContext};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use twox_hash::XxHash3_64;

/// The settings of sampling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The party that decides about a record with a `traceparent`.
    pub parent: TraceParent,
    /// The share of the records without such a flag that are sampled, from 0 to 1.
    pub ratio: f64,
    /// Largest number of records that are sampled in a second, whatever else decides.
    pub per_second: u32,
}

/// Number of bits of a hash that are compared with the share: as many as a floating-point fraction
/// holds exactly.
const BITS: u32 = f64::MANTISSA_DIGITS;
/// The number of values that this many bits can have.
const NUMBERS: f64 = 9_007_199_254_740_992.0;

impl Sampling {
    /// Takes the settings of sampling from the configuration.
    pub fn of(settings: &config::Telemetry) -> Self {
        Self { parent: settings.trace_parent, ratio: settings.trace_ratio.get(), per_second: settings.traces_per_second }
    }

    /// Returns whether a record should be sampled, apart from the limit per second. `first` is the
    /// record that first held the message.
    pub fn wants(&self, parent: Option<&TraceContext>, first: &Input) -> bool {
        match parent {
            Some(parent) if self.parent == TraceParent::Respect => parent.is_sampled(),
            _ => hash(first) >> (u64::BITS - BITS) < self.threshold(),
        }
    }

    #[expect(clippy::cast_sign_loss, reason = "the share is cut off at 0")]
    fn threshold(&self) -> u64 {
        (self.ratio.clamp(0.0, 1.0) * NUMBERS) as u64
    }
}

/// Returns a hash that is the same on every machine and in every version.
fn hash(first: &Input) -> u64 {
    let topic = XxHash3_64::oneshot(first.topic.as_bytes());
    let mut place = [0; 12];
    let (partition, offset) = place.split_at_mut(4);
    partition.copy_from_slice(&first.partition.to_le_bytes());
    offset.copy_from_slice(&first.offset.to_le_bytes());
    XxHash3_64::oneshot_with_seed(topic, &place)
}

/// A token bucket that holds the tokens of one second.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    per_second: f64,
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        Self { per_second: per_second.into(), tokens: per_second.into(), at: Duration::ZERO }
    }

    /// Takes a token at the time `now`, on a clock that never goes back. Returns false when there
    /// is none.
    fn take(&mut self, now: Duration) -> bool {
        let came = now.saturating_sub(self.at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + came).min(self.per_second);
        self.at = self.at.max(now);
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

/// Decides for every record of a process whether it is traced.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    started: Instant,
    /// The bucket is only used for records that are wanted.
    bucket: Mutex<Bucket>,
}

impl Sampler {
    /// Returns a sampler with a full bucket.
    pub fn new(sampling: Sampling) -> Self {
        Self { sampling, started: Instant::now(), bucket: Mutex::new(Bucket::new(sampling.per_second)) }
    }

    /// Decides whether a record is traced at this moment.
    pub fn decide(&self, parent: Option<&TraceContext>, first: &Input) -> Decision {
        if !self.sampling.wants(parent, first) {
            return Decision::NotWanted;
        }
        let has_room = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(self.started.elapsed());
        if has_room { Decision::Sampled } else { Decision::Limited }
    }
}

/// The decision whether a record is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The record is traced.
    Sampled,
    /// The record would be traced, but the limit per second is reached.
    Limited,
    /// The record is not traced.
    NotWanted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampling(ratio: f64) -> Sampling {
        Sampling { parent: TraceParent::Respect, ratio, per_second: 100 }
    }

    fn input(topic: &str, partition: i32, offset: i64) -> Input {
        Input { topic: topic.to_owned(), partition, offset, attempt: 1 }
    }

    fn parent(flags: u8) -> TraceContext {
        TraceContext { trace_id: [1; 16], span_id: [2; 8], flags }
    }

    #[test]
    fn the_flag_of_the_parent_decides_unless_it_is_to_be_ignored_and_then_the_share_does() {
        let cases = [
            // The columns: flag of the parent, share, wanted when the flag is followed, wanted when
            // it is ignored.
            (None, 0.0, false, false),
            (None, 1.0, true, true),
            (Some(0), 0.0, false, false),
            (Some(0), 1.0, false, true),
            (Some(1), 0.0, true, false),
            (Some(1), 1.0, true, true),
            (Some(2), 1.0, false, true),
            (Some(3), 0.0, true, false),
        ];
        for (flags, ratio, followed, ignored) in cases {
            let parent = flags.map(parent);
            let wants =
                |decides| Sampling { parent: decides, ..sampling(ratio) }.wants(parent.as_ref(), &input("mail.raw", 0, 7));
            assert_eq!((wants(TraceParent::Respect), wants(TraceParent::Ignore)), (followed, ignored), "{flags:?} {ratio}");
        }
    }

    #[test]
    fn a_hash_is_the_same_in_every_version() {
        assert_eq!(sampling(1.0).threshold(), 1 << BITS);
        assert_eq!(hash(&input("mail.raw", 3, 41)), 12_581_339_352_042_830_404);
    }

    #[test]
    fn of_neighbouring_records_the_share_is_sampled() {
        for (ratio, partition) in [(0.01, 0), (0.01, 11), (0.5, 3), (0.001, 7)] {
            let count = 200_000_u32;
            let is_wanted = |offset: &u32| sampling(ratio).wants(None, &input("mail.raw", partition, i64::from(*offset)));
            let wanted = u32::try_from((0..count).filter(is_wanted).count()).unwrap();
            let (expected, deviation) = (ratio * f64::from(count), (ratio * (1.0 - ratio) * f64::from(count)).sqrt());
            assert!((f64::from(wanted) - expected).abs() < 5.0 * deviation, "{wanted} of {count} at {ratio}");
        }
    }

    #[test]
    fn a_bucket_lets_through_a_second_at_once_and_then_what_comes_in() {
        let mut bucket = Bucket::new(3);
        let mut taken = |millis, tries| (0..tries).filter(|_| bucket.take(Duration::from_millis(millis))).count();
        assert_eq!(taken(0, 10), 3, "it is full at first");
        assert_eq!(taken(300, 10), 0);
        assert_eq!(taken(400, 10), 1, "a third of a second and a little");
        assert_eq!(taken(60_000, 10), 3, "and never holds more than that");
        assert_eq!(taken(1_000, 10), 0, "a clock that goes back fills nothing");
        let mut none = Bucket::new(0);
        assert!(!none.take(Duration::from_hours(1)));
    }

    #[test]
    fn the_limit_keeps_out_whatever_wants_a_trace_and_says_so() {
        let sampler = Sampler::new(Sampling { per_second: 2, ..sampling(1.0) });
        let decided = |offset| sampler.decide(None, &input("mail.raw", 0, offset));
        let limited = (0..1_000).filter(|offset| decided(*offset) == Decision::Limited).count();
        // A machine that stands still for minutes would let more through.
        assert!((900..=998).contains(&limited), "{limited}");
        let none = Sampler::new(Sampling { per_second: 0, ..sampling(0.0) });
        assert_eq!(
            none.decide(Some(&parent(1)), &input("mail.raw", 0, 0)),
            Decision::Limited,
            "the flag of a parent is limited too"
        );
        assert_eq!(none.decide(None, &input("mail.raw", 0, 0)), Decision::NotWanted);
    }

    proptest! {
        #[test]
        fn a_larger_share_samples_whatever_a_smaller_one_does(
            topic in "[a-z.]{1,20}", partition in 0..100_i32, offset in 0..i64::MAX, some in 0.0..1.0_f64, more in 0.0..1.0_f64
        ) {
            let (some, more) = (some.min(more), some.max(more));
            let first = input(&topic, partition, offset);
            prop_assert!(!sampling(some).wants(None, &first) || sampling(more).wants(None, &first));
            prop_assert!(sampling(1.0).wants(None, &first) && !sampling(0.0).wants(None, &first));
        }

        #[test]
        fn a_bucket_never_lets_more_through_than_its_rate_and_what_it_holds(
            per_second in 0..50_u32, steps in proptest::collection::vec(0..500_u64, 0..200)
        ) {
            let mut bucket = Bucket::new(per_second);
            let (mut now, mut taken) = (Duration::ZERO, 0_u32);
            for step in steps {
                now += Duration::from_millis(step);
                taken += u32::from(bucket.take(now));
                let most = f64::from(per_second) * (now.as_secs_f64() + 1.0);
                prop_assert!(f64::from(taken) <= most + 1e-6, "{taken} in {now:?}");
            }
        }
    }
}
