//! A static member that its group removes while it joins again. The client library does not tell it: it keeps its partitions, at
//! positions that are out of date by then.

use crate::broker::{Broker, eventually};
use crate::fleet::{Fleet, Process};
use nix::sys::signal::Signal;

/// Only the group may find that a member was away, and what the library says of the group shows where a member stands.
pub fn prepare(fleet: &mut Fleet) {
    fleet.set("KAFKA__MAX_POLL_INTERVAL_MS", "120000");
    fleet.set("KAFKA__PROPERTIES__DEBUG", "cgrp");
    fleet.set("LOG__FILTER", "info,librdkafka=debug");
}

/// Has the group remove the only member while it joins again, and leaves it frozen. Returns the member that takes its place.
pub fn remove(member: &Process, broker: &Broker, fleet: &Fleet) -> Process {
    let frozen = fleet.start("frozen", &[("VERDMARC_KAFKA__SESSION_TIMEOUT_MS", "10000")]);
    frozen.wait_for("-> steady");
    frozen.signal(Signal::SIGSTOP);
    // It joins again for the sake of another one, and has to wait for the frozen one.
    let before = joins(member);
    let other = fleet.start("other", &[]);
    eventually("a member that joins again", || (joins(member) > before).then_some(()));
    member.signal(Signal::SIGSTOP);
    broker.kill();
    broker.restart();
    other
}

/// How often the client library has asked the group to take a process in.
fn joins(process: &Process) -> usize {
    let log = String::from_utf8_lossy(&std::fs::read(&process.log).unwrap()).into_owned();
    log.lines().filter(|line| line.contains("-> wait-join")).count()
}
