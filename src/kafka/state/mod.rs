//! Restores, drives and writes the state that a stateful role keeps of each partition (K7).

pub(crate) mod contract;
pub(crate) mod log_end;
pub(crate) mod progress;
pub(crate) mod restore;
pub(crate) mod states;
