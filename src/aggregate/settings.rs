//! The settings of counting and closing.

use super::memory::Memory;
use super::window::Calendar;
use crate::config::{Config, Reports};
use crate::report::{Limits, Submitter};
use std::sync::Arc;

/// The settings of counting and closing.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The division of time into windows.
    pub calendar: Calendar,
    /// The party that makes the reports.
    pub submitter: Submitter,
    /// The content and format of reports.
    pub reports: Reports,
    /// The largest size of one part of a report.
    pub limits: Limits,
    /// Number of rows of a group above which further ones are collapsed.
    pub group_rows: usize,
    /// Bytes of memory of a group above which further rows are collapsed.
    pub group_bytes: usize,
    /// Bytes of memory that one partition may take.
    pub partition_bytes: usize,
    /// The memory that all partitions of the process hold, with its limit.
    pub memory: Arc<Memory>,
    /// The topics that outputs go to.
    pub targets: Targets,
}

/// The topics that outputs go to, and the source that outputs name.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Full name of mail.windows.
    pub windows: Arc<str>,
    /// Full name of mail.reports.
    pub reports: Arc<str>,
    /// Value of `ce_source`.
    pub source: Arc<str>,
}

/// The error for missing settings without which the role cannot run. It lists their keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the aggregate role needs {}: they stand in every report", .0.join(", "))]
pub struct Missing(pub Vec<&'static str>);

impl Settings {
    /// Takes the settings from the configuration.
    ///
    /// # Errors
    /// Settings are missing that every report needs.
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
        })
    }

    /// Takes the settings for a command that only reads the state. Names that would stand in
    /// reports are filled in where they are missing.
    ///
    /// # Errors
    /// The same as those of [`Settings::of`], none of which can occur.
    pub fn of_reader(config: &Config) -> Result<Self, Missing> {
        let mut config = config.clone();
        let receiver = &mut config.receiver;
        receiver.domain = receiver.domain.take().or_else(|| "receiver.invalid".parse().ok());
        receiver.organization.get_or_insert_default();
        receiver.contact.get_or_insert_default();
        Self::of(&config)
    }
}
