//! The statuses of the roles of this process, for telemetry.

use crate::kafka::Status;
use std::sync::Arc;

/// The status of each role of the process, by the role's name.
pub type Roles = Arc<Vec<(&'static str, Arc<Status>)>>;
