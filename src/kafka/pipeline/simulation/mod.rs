//! Runs the consumer thread's state among models of its brokers, in an interleaving that a seed
//! decides.
//!
//! The code under test is the real
//! [`ConsumerState`](super::consumer_state::ConsumerState).
//! Models replace the group, the logs, the transactions, the evaluation, and the threads that ask
//! for positions and restore states. After every commit and every turn, the simulation checks that
//! - outputs are visible exactly if the committed position of their partition lies above their
//!   record (promises 1 and 2),
//! - a state's marker is the committed position, and its count is that of the records below it,
//! - the library reads the partitions that it was given, and pauses exactly those that must be
//!   paused, which is all of them after a stop for refusals,
//! - a process that has stopped leaves no transaction open.
//!
//! At the end, when no more faults occur, it checks that every record of every partition is
//! answered.

mod cluster;
mod process;
mod role;

use super::super::base::clock::{Clock, Now};
use cluster::{Cluster, Entry};
use fastrand::Rng;
use jiff::Timestamp;
use process::{Process, Setup};
use std::panic::{catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The number of processes in the group.
const PROCESSES: usize = 3;
/// The number of steps with faults.
const STEPS: usize = 150;
/// The number of rounds without faults in which everything must end.
const ROUNDS: usize = 3_000;
/// The file of seeds that have failed once, one in each line.
const KEPT: &str = "proptest-regressions/kafka/simulation.txt";

struct Simulation {
    rng: Rng,
    setup: Setup,
    /// Records that stand in the logs when it begins.
    records: usize,
    cluster: Arc<Mutex<Cluster>>,
    milliseconds: Arc<AtomicU64>,
    clock: Clock,
    processes: Vec<Option<Process>>,
    /// True for each process that stands still.
    frozen: [bool; PROCESSES],
}

impl Simulation {
    fn new(seed: u64, is_stateful: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let milliseconds = Arc::new(AtomicU64::new(0));
        let (start, time, elapsed) = (Instant::now(), Timestamp::UNIX_EPOCH, milliseconds.clone());
        let clock = Clock::of(move || {
            let elapsed = Duration::from_millis(elapsed.load(Ordering::Relaxed));
            Now { instant: start + elapsed, time: time + elapsed }
        });
        // So many that processes stop for them.
        let (refusals, records) = if rng.u8(..10) == 0 { (80, 150) } else { (5, 20) };
        // The id of the topic and nothing more, or next to nothing.
        let metadata = if rng.u8(..10) == 0 { rng.usize(33..45) } else { 4_096 };
        let setup = Setup { is_stateful, refusals, stops_for_refusals: true };
        let cluster = Arc::new(Mutex::new(Cluster::new(&["raw", "retries"], PROCESSES, is_stateful, metadata)));
        let processes = (0..PROCESSES).map(|_| None).collect();
        Self { rng, setup, records, cluster, milliseconds, clock, processes, frozen: [false; PROCESSES] }
    }

    fn run(&mut self) {
        // The second time all is at rest when it begins.
        for _ in 0..2 {
            self.setup.stops_for_refusals = true;
            self.produce(self.records);
            for _ in 0..STEPS {
                self.step();
            }
            self.end();
        }
    }

    fn step(&mut self) {
        let (process, records, time) = (self.rng.usize(..PROCESSES), self.rng.usize(1..9), self.rng.u64(1..400));
        match self.rng.u8(..100) {
            0..5 => self.produce(records),
            5..8 => self.start(process),
            8..10 => self.kill(process),
            10..11 => self.stop(process),
            11..13 => self.frozen[process] = true,
            13..16 => self.thaw(process),
            16..17 => self.expire(process),
            17..20 => self.cluster.lock().unwrap().rebalance(&mut self.rng),
            20..21 if !self.setup.is_stateful => {
                let topic = if self.rng.bool() { "raw" } else { "retries" };
                self.cluster.lock().unwrap().make(topic);
                self.produce(5);
            }
            21..22 => self.cluster.lock().unwrap().remove_while_joining(process, &mut self.rng),
            // The time is long enough for partitions to become idle.
            22..23 => self.pass(20 * time),
            23..35 => self.pass(time),
            35..45 => self.cluster.lock().unwrap().step(process, true, &mut self.rng),
            _ => self.move_on(process),
        }
    }

    /// Lets one process do something, unless it stands still.
    fn move_on(&mut self, process: usize) {
        let Some(running) = self.processes[process].as_mut().filter(|_| !self.frozen[process]) else { return };
        match self.rng.u8(..10) {
            0..4 => running.poll_and_turn(&mut self.rng),
            4..7 => running.evaluate(&mut self.rng),
            7..9 => running.answer(&mut self.rng),
            _ => running.turn(),
        }
    }

    fn pass(&self, milliseconds: u64) {
        self.milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
    }

    fn produce(&mut self, records: usize) {
        let mut cluster = self.cluster.lock().unwrap();
        let partitions = cluster.partitions();
        for _ in 0..records {
            let partition = &partitions[self.rng.usize(..partitions.len())];
            let now = self.milliseconds.load(Ordering::Relaxed);
            let due = if &*partition.topic == "retries" { now + self.rng.u64(..5_000) } else { 0 };
            cluster.append(partition, Entry::Record { due, is_oversized: self.rng.u8(..30) == 0 });
            if self.rng.bool() {
                cluster.append(partition, Entry::Control);
            }
        }
    }

    fn start(&mut self, process: usize) {
        if self.processes[process].is_some() {
            return;
        }
        // A dead member of this name may still be in the group, which notices its death here at the
        // latest.
        if self.cluster.lock().unwrap().is_live(process) {
            self.cluster.lock().unwrap().remove(process, false, &mut self.rng);
        }
        let elapsed = self.milliseconds.clone();
        let milliseconds = Arc::new(move || elapsed.load(Ordering::Relaxed));
        let around = (&self.cluster, &self.clock);
        self.processes[process] = Some(Process::start(process, self.setup, around, milliseconds, &mut self.rng));
        self.frozen[process] = false;
        self.cluster.lock().unwrap().join(process, &mut self.rng);
    }

    /// Kills a process. The group notices that later.
    fn kill(&mut self, process: usize) {
        self.processes[process] = None;
    }

    fn stop(&mut self, process: usize) {
        if let Some(running) = self.processes[process].take() {
            running.stop(&mut self.rng);
            self.cluster.lock().unwrap().remove(process, false, &mut self.rng);
        }
    }

    fn thaw(&mut self, process: usize) {
        if std::mem::take(&mut self.frozen[process]) && !self.cluster.lock().unwrap().is_live(process) {
            // The process learns that its session was over, and joins again.
            if let Some(running) = &mut self.processes[process] {
                running.poll_and_turn(&mut self.rng);
                self.cluster.lock().unwrap().join(process, &mut self.rng);
            }
        }
    }

    /// Ends the session of a process that is dead or stands still.
    fn expire(&mut self, process: usize) {
        let lives = self.processes[process].is_some();
        if self.cluster.lock().unwrap().is_live(process) && (!lives || self.frozen[process]) {
            self.cluster.lock().unwrap().remove(process, lives, &mut self.rng);
        }
    }

    /// Runs without faults until every record is answered.
    fn end(&mut self) {
        self.setup.stops_for_refusals = false;
        for process in 0..PROCESSES {
            self.thaw(process);
            self.start(process);
        }
        for _ in 0..ROUNDS {
            if self.cluster.lock().unwrap().is_done() {
                return;
            }
            self.pass(200);
            for process in 0..PROCESSES {
                self.round(process);
            }
        }
        panic!("it does not end: {}", self.left());
    }

    fn round(&mut self, process: usize) {
        let running = self.processes[process].as_mut().unwrap();
        // Somebody starts it once more, some seconds after it has stopped.
        if running.has_stopped() && self.rng.u8(..20) == 0 {
            self.stop(process);
            self.start(process);
            return;
        }
        running.answer(&mut self.rng);
        running.poll_and_turn(&mut self.rng);
        running.evaluate(&mut self.rng);
        for _ in 0..running.evaluating() {
            running.evaluate(&mut self.rng);
        }
        self.cluster.lock().unwrap().step(process, false, &mut self.rng);
    }

    fn left(&self) -> String {
        let cluster = self.cluster.lock().unwrap();
        let lags = cluster.partitions().into_iter().map(|partition| (cluster.lag(&partition), partition));
        let lags: Vec<String> = lags.filter(|(lag, _)| *lag > 0).map(|(lag, partition)| format!("{partition}: {lag}")).collect();
        lags.join(", ")
    }
}

/// Runs a seed, and returns the numbers of commits and aborts.
fn run(seed: u64, is_stateful: bool) -> (u64, u64) {
    let mut simulation = Simulation::new(seed, is_stateful);
    simulation.run();
    let cluster = simulation.cluster.lock().unwrap();
    (cluster.commits, cluster.aborts)
}

/// Runs a seed, and writes it to the file of kept seeds when it fails.
fn run_and_keep(seed: u64, is_stateful: bool) -> (u64, u64) {
    catch_unwind(|| run(seed, is_stateful)).unwrap_or_else(|failure| {
        let kind = if is_stateful { "stateful" } else { "stateless" };
        eprintln!("the simulation fails with seed {seed}, {kind}: VERDMARC_SEED={seed} cargo test --lib simulation");
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT);
        let text = std::fs::read_to_string(&kept).unwrap_or_default();
        if !text.lines().any(|line| line == seed.to_string()) {
            std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
            std::fs::write(&kept, format!("{text}{seed}\n")).unwrap();
        }
        resume_unwind(failure)
    })
}

fn seeds() -> Vec<u64> {
    if let Some(seed) = std::env::var("VERDMARC_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return vec![seed];
    }
    let kept = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT)).unwrap_or_default();
    kept.lines().filter_map(|line| line.parse().ok()).chain(0..1_000).collect()
}

#[test]
fn p1_p2_whatever_happens_outputs_are_visible_exactly_if_the_position_covers_their_record() {
    let (mut commits, mut aborts) = (0, 0);
    let seeds = seeds();
    for seed in &seeds {
        let ran = run_and_keep(*seed, false);
        (commits, aborts) = (commits + ran.0, aborts + ran.1);
    }
    // A single seed need not have met an abort.
    assert!(seeds.len() == 1 || commits > aborts && aborts > 0, "{commits} commits and {aborts} aborts");
}

#[test]
fn p6_whatever_happens_a_state_counts_the_records_below_its_position() {
    for seed in seeds() {
        run_and_keep(seed, true);
    }
}
