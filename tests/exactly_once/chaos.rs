//! Random and aimed disasters while thousands of messages pass.

use crate::broker::{alone, shared};
use crate::disaster::{Slot, aims, more_aims, unmet};
use crate::fleet::Process;
use crate::stream::{CommitMonitor, Kind, Raw, Stream};
use fastrand::Rng;
use std::time::{Duration, Instant};

pub fn run(seed: u64, messages: usize, patience: Duration) {
    eprintln!("chaos: seed {seed}, {messages} messages");
    let mut rng = Rng::with_seed(seed);
    let stream = Stream::new(shared(), &format!("chaos-{seed}-"), 8);
    let fleet = stream.fleet();
    let kinds = [Kind::Pass, Kind::Fail, Kind::Gray, Kind::Undecided, Kind::Fail];
    let mut produced = 0;
    let mut left = aims(&mut rng);
    let mut slots: Vec<Slot> = (0..3).map(|number| Slot::new(&format!("i{number}"))).collect();
    let mut monitor = CommitMonitor::default();
    let deadline = Instant::now() + patience;
    // Mail keeps coming for as long as there are disasters left to meet.
    while produced < messages || !left.is_empty() || !unmet(&fleet).is_empty() {
        assert!(Instant::now() < deadline, "seed {seed}: not met: {:?}; {} aims left", unmet(&fleet), left.len());
        if left.is_empty() && produced >= messages {
            left = more_aims(&mut rng, &unmet(&fleet));
        }
        let some = if produced < messages { 400 } else { 40 };
        stream.produce((0..some).map(|index| {
            let kind = if rng.u16(..).is_multiple_of(500) { Kind::Refused } else { kinds[rng.usize(..kinds.len())] };
            Raw::of(kind, format!("m{}", produced + index))
        }));
        produced += some;
        monitor.look(&stream);
        for slot in &mut slots {
            slot.act(&fleet, &mut rng, &mut left);
        }
        std::thread::sleep(Duration::from_millis(rng.u64(20..150)));
    }
    slots.iter_mut().for_each(Slot::end);
    let calm: Vec<Process> = (0..2).map(|number| fleet.start(&format!("calm{number}"), &[])).collect();
    stream.wait_until_done(Duration::from_secs(90));
    monitor.look(&stream);
    let outcome = stream.assert_exactly_once(&fleet);
    for process in calm {
        assert_eq!(process.stop().0, Some(0));
    }
    eprintln!(
        "chaos: {produced} messages, {} verdicts, {} failures, {} dead letters; {} batches aborted, {} generations refused, {} failpoints",
        outcome.verdicts.len(),
        outcome.failures.len(),
        outcome.refused.len(),
        fleet.logged("a batch was aborted").len(),
        fleet.logged("was refused: ").len(),
        fleet.logged("\"failpoint\"").len(),
    );
}

#[test]
fn p1_every_message_has_one_verdict_whatever_happens_to_its_processes() {
    let seed =
        std::env::var("VERDMARC_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..1_000_000));
    alone(Duration::from_mins(7), move || run(seed, 20_000, Duration::from_secs(280)));
}
