//! Random and aimed disasters while failures pass through several short windows.

use crate::broker::{alone, shared};
use crate::disaster::{Slot, aims, more_aims, unmet};
use crate::failures::{Failure, Failures, now};
use crate::fleet::Process;
use fastrand::Rng;
use std::time::{Duration, Instant};

pub fn run(seed: u64, failures: usize, domains: usize, patience: Duration) {
    eprintln!("chaos: seed {seed}, {failures} failures of {domains} policy domains");
    let mut rng = Rng::with_seed(seed);
    let mut stream = Failures::new(shared(), &format!("agg-{seed}-"), 8);
    let fleet = stream.fleet(10);
    let mut produced = 0;
    let mut left = aims(&mut rng);
    let mut slots: Vec<Slot> = (0..3).map(|number| Slot::new(&format!("i{number}"))).collect();
    let started = Instant::now();
    // Failures keep coming for as long as there are disasters left to meet.
    while produced < failures || !left.is_empty() || !unmet(&fleet).is_empty() {
        assert!(started.elapsed() < patience, "seed {seed}: not met: {:?}; {} aims left", unmet(&fleet), left.len());
        if left.is_empty() && produced >= failures {
            left = more_aims(&mut rng, &unmet(&fleet));
        }
        let some = if produced < failures { 2_000 } else { 100 };
        stream.produce((0..some).map(|_| Failure::of(rng.usize(..domains), rng.usize(..4), now())));
        produced += some;
        for slot in &mut slots {
            slot.act(&fleet, &mut rng, &mut left);
        }
        std::thread::sleep(Duration::from_millis(rng.u64(20..300)));
    }
    slots.iter_mut().for_each(Slot::end);
    let calm: Vec<Process> = (0..2).map(|number| fleet.start(&format!("calm{number}"), &[])).collect();
    let found = stream.wait_until_reported(Duration::from_mins(2));
    stream.assert_exact(&found, &fleet);
    for process in calm {
        assert_eq!(process.stop().0, Some(0));
    }
    eprintln!(
        "chaos: {produced} failures in {} reports and {} closings, {:?}; {} batches aborted, {} generations refused, {} failpoints",
        found.reports.len(),
        found.closed.len(),
        started.elapsed(),
        fleet.logged("a batch was aborted").len(),
        fleet.logged("was refused: ").len(),
        fleet.logged("\"failpoint\"").len(),
    );
}

#[test]
fn p6_every_failure_is_in_one_report_whatever_happens_to_its_processes() {
    let seed =
        std::env::var("VERDMARC_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..1_000_000));
    alone(Duration::from_mins(7), move || run(seed, 200_000, 3_000, Duration::from_mins(4)));
}
