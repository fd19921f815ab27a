//! What tests and the demo need: a broker inside the process, and places at which a process dies.

pub mod embedded;
pub mod failpoint;
