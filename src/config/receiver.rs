//! The table `[receiver]`: settings that describe who receives the mail.

use crate::dns::Domain;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Who receives the mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Receiver {
    /// The receiving domain: the authserv-id of Authentication-Results (RFC 8601 2.5) and the
    /// submitter of reports.
    /// Default none: the word `verdmarc` with a warning; mail.annotated needs a domain.
    #[schemars(example = "mx.example.org")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// The receiving organization's name, for people who read its reports. Default none; the
    /// aggregate role needs it.
    #[schemars(example = "Example Org")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// A mail address for questions about reports. Default none; the aggregate role needs it.
    #[schemars(example = "dmarc@example.org")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Further contact information in reports besides the address, such as a web page.
    /// Default none.
    #[schemars(example = "https://example.org/dmarc")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_contact_info: Option<String>,
    /// Further authserv-ids of this receiver. Authentication-Results that arrive with one of them
    /// are removed. Default none.
    #[schemars(example = ["mx-old.example.org"])]
    pub own_authserv_ids: Vec<String>,
    /// Networks whose clients are not external, so that SPF cannot check them. Default loopback,
    /// private, link-local and unique-local networks.
    #[schemars(example = ["10.0.0.0/8", "fc00::/7"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub trusted_networks: Option<Vec<IpNet>>,
}

/// Longest text for people, such as the organization, in bytes.
const MAX_TEXT: usize = 256;

impl Receiver {
    /// Returns the keys of settings that every report needs and that are not set.
    pub fn missing_for_reports(&self) -> Vec<&'static str> {
        let wanted = [
            ("receiver.domain", self.domain.is_some()),
            ("receiver.organization", self.organization.is_some()),
            ("receiver.contact", self.contact.is_some()),
        ];
        wanted.into_iter().filter(|(_, there)| !there).map(|(key, _)| key).collect()
    }

    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        let texts =
            [("organization", &self.organization), ("contact", &self.contact), ("extra_contact_info", &self.extra_contact_info)];
        for (key, text) in texts.iter().filter_map(|(key, text)| Some((key, text.as_ref()?))) {
            if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
                problems.push(format!("receiver.{key} must be 1 to {MAX_TEXT} bytes without control characters"));
            }
        }
        if let Some(contact) =
            self.contact.as_ref().filter(|contact| crate::message::Path::parse_strictly(contact.as_bytes()).is_none())
        {
            problems.push(format!("receiver.contact must be a mail address, found `{}`", contact.escape_debug()));
        }
    }
}
