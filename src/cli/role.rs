//! The roles that a process runs, as options name them.

use super::exit::Failure;
use crate::config::Config;
use crate::roles;

/// A role, as an option names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Role {
    /// Raw messages to verdicts.
    Verdict,
    /// Failures to reports.
    Aggregate,
    /// Reports to mailboxes; not in this version.
    Deliver,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Verdict => roles::verdict::NAME,
            Self::Aggregate => roles::aggregate::NAME,
            Self::Deliver => "deliver",
        }
    }
}

/// Returns the roles that were asked for, or else every role whose settings are present.
pub(super) fn chosen(asked: &[Role], config: &Config) -> Result<Vec<Role>, Failure> {
    if asked.contains(&Role::Deliver) {
        return Err(Failure::usage("role `deliver` is not in this version; --roles verdict,aggregate are"));
    }
    let mut roles: Vec<Role> = Vec::new();
    for role in asked {
        if !roles.contains(role) {
            roles.push(*role);
        }
    }
    if roles.is_empty() {
        roles.push(Role::Verdict);
        if config.makes_reports() {
            roles.push(Role::Aggregate);
        }
    }
    Ok(roles)
}
