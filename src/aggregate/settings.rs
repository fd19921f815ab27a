//! What bears on counting and closing.

use super::memory::Memory;
use super::window::Calendar;
use crate::config::{Config, Reports};
use crate::report::{Limits, Submitter};
use std::sync::Arc;

/// What bears on counting and closing.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How time is divided.
    pub calendar: Calendar,
    /// Who makes the reports.
    pub submitter: Submitter,
    /// What they say, and how.
    pub reports: Reports,
    /// What one of them may measure.
    pub limits: Limits,
    /// Rows of a group above which further ones are merged.
    pub group_rows: usize,
    /// Bytes of memory of a group above which they are.
    pub group_bytes: usize,
    /// Bytes of memory of one partition.
    pub partition_bytes: usize,
    /// Memory that all partitions of the process hold.
    pub memory: Arc<Memory>,
    /// Where what comes out goes.
    pub targets: Targets,
    /// Write that a row grew instead of what it came to: a rule that a test switches off.
    pub deltas: bool,
}

/// Topics, and who says to have written there.
#[derive(Debug, Clone)]
pub struct Targets {
    /// mail.windows.
    pub windows: Arc<str>,
    /// mail.reports.
    pub reports: Arc<str>,
    /// `ce_source`.
    pub source: Arc<str>,
}

/// Settings that the role cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the aggregate role needs {}: they stand in every report", .0.join(", "))]
pub struct Missing(pub Vec<&'static str>);

impl Settings {
    /// What the configuration says.
    ///
    /// # Errors
    /// The settings that are missing.
    pub fn of(config: &Config) -> Result<Self, Missing> {
        let (role, names, receiver) = (&config.aggregate, &config.topics, &config.receiver);
        let (Some(domain), Some(organization), Some(contact)) = (&receiver.domain, &receiver.organization, &receiver.contact)
        else {
            return Err(Missing(receiver.missing_for_reports()));
        };
        Ok(Self {
            calendar: Calendar::of(config),
            submitter: Submitter {
                domain: domain.clone(),
                organization: organization.clone(),
                contact: contact.clone(),
                extra_contact_info: receiver.extra_contact_info.clone(),
            },
            reports: config.reports.clone(),
            limits: Limits { rows: role.report_rows, bytes: role.report_bytes },
            group_rows: role.group_rows,
            group_bytes: role.group_bytes,
            partition_bytes: role.partition_bytes,
            memory: Memory::of(role.process_bytes),
            targets: Targets {
                windows: names.full(&names.windows).into(),
                reports: names.full(&names.reports).into(),
                source: format!("/verdmarc/{domain}").into(),
            },
            deltas: false,
        })
    }

    /// For whoever only reads the state. Nobody need be named in reports that are not made.
    ///
    /// # Errors
    /// As those of [`Settings::of`]; there are none.
    pub fn of_reader(config: &Config) -> Result<Self, Missing> {
        let mut config = config.clone();
        let receiver = &mut config.receiver;
        receiver.domain = receiver.domain.take().or_else(|| "receiver.invalid".parse().ok());
        receiver.organization.get_or_insert_default();
        receiver.contact.get_or_insert_default();
        Self::of(&config)
    }
}
