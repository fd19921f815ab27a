//! The roles of this process, as telemetry sees them.

use crate::kafka::Status;
use std::sync::Arc;

/// What each role of the process does, by its name.
pub type Roles = Arc<Vec<(&'static str, Arc<Status>)>>;
