//! Random and aimed disasters for the processes of a fleet.

use crate::fleet::{Fleet, Process};
use fastrand::Rng;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Where a process can be made to die or freeze.
const PLACES: [&str; 5] = ["before-produce", "after-produce", "after-offsets", "in-commit", "after-commit"];

/// One place for a process, which comes and goes.
pub struct Slot {
    instance: String,
    process: Option<Process>,
    /// One that runs under the same name.
    rival: Option<Process>,
    /// When to start it again, or to let it go on.
    next: Instant,
    frozen: bool,
}

impl Slot {
    pub fn new(instance: &str) -> Self {
        Self { instance: instance.to_owned(), process: None, rival: None, next: Instant::now(), frozen: false }
    }

    /// Ends its processes.
    pub fn end(&mut self) {
        if let Some(process) = &self.process {
            process.signal(Signal::SIGCONT);
        }
        (self.process, self.rival) = (None, None);
    }

    fn start(&mut self, fleet: &Fleet, rng: &mut Rng, aimed: Option<String>) {
        let failpoints = aimed.unwrap_or_default();
        self.process = Some(fleet.start(&self.instance, &[("FAILPOINTS", &failpoints)]));
        self.frozen = false;
        self.next = Instant::now() + Duration::from_millis(rng.u64(500..3_000));
    }

    /// Something bad, or the end of something bad.
    pub fn act(&mut self, fleet: &Fleet, rng: &mut Rng, aims: &mut Vec<String>) {
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
pub fn aims(rng: &mut Rng) -> Vec<String> {
    let mut aims: Vec<String> = PLACES
        .iter()
        .flat_map(|place| ["kill", "stop"].map(|what| (place, what)))
        .map(|(place, what)| format!("{place}={}*off->1*return({what})->off", rng.u8(1..6)))
        .collect();
    aims.extend((0..4).map(|_| "after-produce=20*sleep(700)".to_owned()));
    rng.shuffle(&mut aims);
    aims
}

/// Some more, at the places that were not met; at all of them when it is something else that is missing.
pub fn more_aims(rng: &mut Rng, unmet: &[&str]) -> Vec<String> {
    let mut aims = aims(rng);
    let is_unmet = |aim: &String| unmet.iter().any(|place| aim.split_once('=').is_some_and(|(aimed, _)| aimed == *place));
    if aims.iter().any(is_unmet) {
        aims.retain(is_unmet);
    }
    aims
}

/// What a run must have met to have proved anything.
pub fn unmet(fleet: &Fleet) -> Vec<&'static str> {
    let met = |text: &str| !fleet.logged(text).is_empty();
    let mut unmet: Vec<&str> = PLACES.into_iter().filter(|place| !met(&format!("\"failpoint\",\"place\":\"{place}\""))).collect();
    if !met("a batch was aborted") {
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
