//! Exact reports on Apache Kafka itself: the real binary, killed, frozen and restarted. Promises 6, 7 and 8.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

#[path = "../support/rights.rs"]
mod access;
mod anew;
#[path = "../support/broker/mod.rs"]
mod broker;
mod chaos;
#[path = "../support/disaster.rs"]
mod disaster;
mod failures;
#[path = "../support/fleet.rs"]
mod fleet;
mod idle;
#[path = "../support/memory.rs"]
mod memory;
mod oversized;
mod probes;
#[allow(dead_code, reason = "another test binary uses all of it")]
#[path = "../telemetry/receiver.rs"]
mod receiver;
#[path = "../support/removed.rs"]
mod removed;
mod rights;
mod state;
mod traces;
mod windows;
