//! Selects reports by options, and reads them.

use super::report::Report;
use crate::cli::Failure;
use crate::cli::options::{Settings, time};
use crate::config::Config;
use crate::dns::Domain;
use crate::kafka::{Range, Span};
use jiff::Timestamp;
use std::sync::Arc;

/// The reports that a command is about.
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// Only about this policy domain.
    #[arg(long, value_name = "DOMAIN")]
    pub(super) domain: Option<Domain>,
    /// Only those written at this time or later, for example 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub(super) since: Option<Timestamp>,
    #[command(flatten)]
    pub(super) settings: Settings,
}

/// Calls `each` with every selected report, partition by partition.
pub(super) fn for_each(
    config: &Config,
    domain: Option<&Domain>,
    since: Option<Timestamp>,
    mut each: impl FnMut(Report) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let topic: Arc<str> = config.topics.full(&config.topics.reports).into();
    let mut range = Range::open(&config.kafka, &topic, &since.map_or(Span::Beginning, Span::Time))?;
    while let Some(record) = range.next()? {
        if let Some(report) =
            Report::of(record).filter(|report| domain.is_none_or(|domain| *domain == report.attributes.policy_domain))
        {
            each(report)?;
        }
    }
    Ok(())
}
