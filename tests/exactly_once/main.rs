//! Exactly once on Apache Kafka itself: the real binary, killed, frozen and starved. Promises 1, 2, 3, 5 and 10.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

#[path = "../support/rights.rs"]
mod access;
mod ahead;
mod anew;
#[path = "../support/broker/mod.rs"]
mod broker;
mod chaos;
#[path = "../support/disaster.rs"]
mod disaster;
mod fence;
mod figures;
#[path = "../support/fleet.rs"]
mod fleet;
mod groups;
mod idle;
mod lane;
mod login;
#[path = "../support/memory.rs"]
mod memory;
mod names;
mod outage;
mod poison;
mod probes;
mod quiet;
mod rebalance;
#[path = "../support/removed.rs"]
mod removed;
mod rights;
mod rotation;
mod share;
mod stream;
