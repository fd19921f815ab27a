//! Holds what the other folders of `kafka` build on: errors, log lines, partitions,
//! headers and clocks.

pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod headers;
pub(crate) mod lease;
pub(crate) mod log;
pub(crate) mod partition;
pub(crate) mod secrets;
pub(crate) mod stop;
pub(crate) mod throttle;
