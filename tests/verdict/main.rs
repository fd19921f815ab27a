//! Whole verdicts: messages, envelopes and DNS in, statuses, reasons and header fields out.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

#[path = "../support/corpus/mod.rs"]
mod corpus;
#[path = "../support/scene.rs"]
mod scene;

mod arc;
mod clocks;
mod deadlines;
mod details;
mod events;
mod fields;
mod limits;
mod promises;
mod reasons;
mod statuses;
