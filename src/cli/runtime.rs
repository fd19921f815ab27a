//! The runtime of commands that evaluate messages.

use super::exit::{Exit, Failure};

/// A runtime for the commands that evaluate.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot start the runtime: {error}")))
}
