//! Runs the roles of `verdmarc run`, one in each file, on pipelines of [`crate::kafka`].

pub mod aggregate;
mod groups;
mod judge;
mod prediction;
mod report_spans;
mod retry;
mod stand_in;
mod start;
mod uncounted;
pub mod verdict;

pub use prediction::refused_for_certain;
