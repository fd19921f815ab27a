//! `[receiver]`

use crate::dns::Domain;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Who receives the mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Receiver {
    /// The receiving domain: the authserv-id of Authentication-Results (RFC 8601 2.5), later the submitter of reports.
    /// Default none: the word `verdmarc` with a warning; mail.annotated needs a domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Further authserv-ids of this receiver. Authentication-Results that arrive with one of them are removed. Default none.
    pub own_authserv_ids: Vec<String>,
    /// Networks whose clients are not external, so that SPF cannot judge them. Default loopback, private, link-local and
    /// unique-local networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub trusted_networks: Option<Vec<IpNet>>,
}
