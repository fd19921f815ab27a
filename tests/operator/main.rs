//! What operators do, on a real broker and with the real binary: messages sent, topics made, checked and grown; dead letters put
//! back and records skipped.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

#[path = "../support/broker/mod.rs"]
mod broker;
mod dead_letters;
mod errors;
#[path = "../support/operator.rs"]
mod operator;
mod send;
mod skip;
mod topics;

use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(80);
const ANSWER: Duration = Duration::from_secs(20);
const ONE_BROKER: [&str; 4] = ["--replication-factor", "1", "--min-insync-replicas", "1"];
