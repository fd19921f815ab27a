//! Random and aimed disasters while thousands of messages pass.

use crate::alone;
use crate::broker::shared;
use crate::fleet::{Fleet, Process};
use crate::stream::{Kind, Raw, Stream};
use fastrand::Rng;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Where a process can be made to die or freeze.
const PLACES: [&str; 5] = ["before-produce", "after-produce", "after-offsets", "in-commit", "after-commit"];

/// One place for a process, which comes and goes.
struct Slot {
    instance: String,
    process: Option<Process>,
    /// One that runs under the same name.
    rival: Option<Process>,
    /// When to start it again, or to let it go on.
    next: Instant,
    frozen: bool,
}

impl Slot {
    fn start(&mut self, fleet: &Fleet, rng: &mut Rng, aimed: Option<String>) {
        let failpoints = aimed.unwrap_or_default();
        self.process = Some(fleet.start(&self.instance, &[("FAILPOINTS", &failpoints)]));
        self.frozen = false;
        self.next = Instant::now() + Duration::from_millis(rng.u64(500..3_000));
    }

    /// Something bad, or the end of something bad.
    fn act(&mut self, fleet: &Fleet, rng: &mut Rng, aims: &mut Vec<String>) {
        if Instant::now() < self.next {
            return;
        }
        let Some(process) = &mut self.process else { return self.start(fleet, rng, aims.pop()) };
        if process.ended().is_some() {
            self.process = None;
            self.next = Instant::now() + Duration::from_millis(rng.u64(0..4_000));
            return;
        }
        if self.frozen {
            process.signal(Signal::SIGCONT);
            self.frozen = false;
            self.next = Instant::now() + Duration::from_millis(rng.u64(500..3_000));
            return;
        }
        match rng.u8(0..8) {
            0 | 1 => process.signal(Signal::SIGKILL),
            2 => process.signal(Signal::SIGTERM),
            // Beyond the session, and for some beyond the transaction.
            3 | 4 => {
                process.signal(Signal::SIGSTOP);
                self.frozen = true;
                self.next = Instant::now() + Duration::from_millis(rng.u64(500..7_000));
                return;
            }
            // A failpoint may have frozen it.
            5 => process.signal(Signal::SIGCONT),
            // Another one under the same name: one of the two is fenced.
            6 => {
                let first = std::mem::replace(process, fleet.start(&self.instance, &[]));
                self.rival = Some(first);
            }
            _ => {}
        }
        self.next = Instant::now() + Duration::from_millis(rng.u64(300..2_500));
    }
}

/// Every failpoint, each to kill and to freeze, and rebalances while a transaction waits.
fn aims(rng: &mut Rng) -> Vec<String> {
    let mut aims: Vec<String> = PLACES
        .iter()
        .flat_map(|place| ["kill", "stop"].map(|what| (place, what)))
        .map(|(place, what)| format!("{place}={}*off->1*return({what})->off", rng.u8(1..6)))
        .collect();
    aims.extend((0..4).map(|_| "after-produce=20*sleep(700)".to_owned()));
    rng.shuffle(&mut aims);
    aims
}

/// What a run must have met to have proved anything.
fn unmet(fleet: &Fleet) -> Vec<&'static str> {
    let met = |text: &str| !fleet.logged(text).is_empty();
    let mut unmet: Vec<&str> = PLACES.into_iter().filter(|place| !met(&format!("\"failpoint\",\"place\":\"{place}\""))).collect();
    if !met("a batch was taken back") {
        unmet.push("an abort with outputs");
    }
    if !met("IllegalGeneration") {
        unmet.push("ILLEGAL_GENERATION");
    }
    if !met("has taken over") && !met("fenced") && !met("Fenced") {
        unmet.push("fencing");
    }
    unmet
}

pub fn run(seed: u64, messages: usize, patience: Duration) {
    eprintln!("chaos: seed {seed}, {messages} messages");
    let mut rng = Rng::with_seed(seed);
    let stream = Stream::new(shared(), &format!("chaos-{seed}-"), 8);
    let fleet = stream.fleet();
    let kinds = [Kind::Pass, Kind::Fail, Kind::Gray, Kind::Undecided, Kind::Fail];
    let mut produced = 0;
    let mut aims = aims(&mut rng);
    let mut slots: Vec<Slot> = (0..3)
        .map(|number| Slot { instance: format!("i{number}"), process: None, rival: None, next: Instant::now(), frozen: false })
        .collect();
    let deadline = Instant::now() + patience;
    // Mail keeps coming for as long as there are disasters left to meet.
    while produced < messages || !aims.is_empty() || !unmet(&fleet).is_empty() {
        assert!(Instant::now() < deadline, "seed {seed}: not met: {:?}; {} aims left", unmet(&fleet), aims.len());
        if aims.is_empty() && produced >= messages {
            aims = crate::chaos::aims(&mut rng);
        }
        let some = if produced < messages { 400 } else { 40 };
        stream.produce((0..some).map(|index| {
            let kind = if rng.u16(..).is_multiple_of(500) { Kind::Refused } else { kinds[rng.usize(..kinds.len())] };
            Raw::of(kind, format!("m{}", produced + index))
        }));
        produced += some;
        for slot in &mut slots {
            slot.act(&fleet, &mut rng, &mut aims);
        }
        std::thread::sleep(Duration::from_millis(rng.u64(20..150)));
    }
    for slot in &mut slots {
        if let Some(process) = &slot.process {
            process.signal(Signal::SIGCONT);
        }
        (slot.process, slot.rival) = (None, None);
    }
    let calm: Vec<Process> = (0..2).map(|number| fleet.start(&format!("calm{number}"), &[])).collect();
    stream.wait_until_done(Duration::from_secs(90));
    let outcome = stream.assert_exactly_once(&fleet);
    for process in calm {
        assert_eq!(process.stop().0, Some(0));
    }
    eprintln!(
        "chaos: {produced} messages, {} verdicts, {} failures, {} dead letters; {} batches taken back, {} generations refused, {} failpoints",
        outcome.verdicts.len(),
        outcome.failures.len(),
        outcome.refused.len(),
        fleet.logged("a batch was taken back").len(),
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
