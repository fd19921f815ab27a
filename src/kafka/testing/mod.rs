//! Holds tools for tests and the demo: a broker inside the process, and places at which a test can
//! end the process.

pub mod embedded;
pub mod failpoint;
