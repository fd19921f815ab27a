//! The table `[health]`: settings of the endpoint for supervisors and monitoring.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The endpoint for supervisors and monitoring: `/livez`, `/readyz`, `/startupz`, `/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Address and port to listen at, for example `0.0.0.0:9464`. Default none: there is no
    /// endpoint.
    #[schemars(example = "0.0.0.0:9464")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}
