//! Holds the work of commands on topics and groups, which is done once and on the caller's thread.

pub(crate) mod check_settings;
pub mod dead_letters;
pub(crate) mod follow;
pub mod repair;
pub(crate) mod sole_member;
pub mod transaction;
