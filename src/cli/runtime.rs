//! The async runtime of commands.

use super::exit::{Exit, Failure};

/// Returns a new runtime for a command that evaluates messages.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot start the runtime: {error}")))
}
