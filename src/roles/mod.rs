//! What `verdmarc run` runs: the only callers of [`crate::kafka`]. One file a role.

mod retry;
pub mod verdict;
