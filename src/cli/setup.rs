//! Loads settings and DNS for commands that evaluate messages without Kafka.

use super::resolver::configured;
use crate::config::{Config, Discovery, Evaluation, Source};
use crate::dns::Resolver;
use anyhow::Result;
use std::path::PathBuf;
use std::sync::Arc;

/// Where settings and DNS answers come from.
#[derive(Debug, Clone, clap::Args)]
pub struct Setup {
    /// The configuration file (otherwise VERDMARC_CONFIG, otherwise defaults).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A zone that answers instead of DNS: JSON, or a master file.
    #[arg(long, value_name = "FILE")]
    zone: Option<PathBuf>,
    /// How organizational domains are found.
    #[arg(long, value_enum)]
    discovery: Option<Discovery>,
}

impl Setup {
    /// Returns the settings that bear on a verdict, and the resolver.
    ///
    /// # Errors
    /// Settings do not fit, a zone file has a bad line, or the system has no resolvers.
    pub fn load(&self) -> Result<(Evaluation, Arc<dyn Resolver>)> {
        let config: Config = Source::of_process(self.config.clone()).load()?;
        let mut dns = config.dns.clone();
        if let Some(zone) = &self.zone {
            dns.zone = Some(zone.clone());
            dns.servers.clear();
        }
        let mut evaluation = config.evaluation();
        evaluation.discovery = self.discovery.unwrap_or(evaluation.discovery);
        Ok((evaluation, configured(&dns)?))
    }
}
