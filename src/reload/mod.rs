//! Watches files that change while roles run, and reloads them or asks for a new process.
//!
//! ```text
//! zone                      ─► read again, and in force at once
//! settings, files of Kafka  ─► checked as at a start
//!   ─┬─► valid: finish, end with exit code 0, be started again (`reload.exit`)
//!    └─► not valid: an error in the log, and nothing else changes
//! ```
//!
//! A client of Kafka reads its secrets and certificates when it is created, and a pipeline cannot
//! get other settings while it runs, so both need a new process. A change with which that process
//! could not start never ends this one.

mod content;

use crate::config::{Config, Kafka, Source};
use crate::dns::{SharedZone, Zone};
use crate::kafka::Stop;
use content::Content;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Properties of librdkafka that name a file or a directory.
const FILES: [&str; 9] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.crl.location",
    "https.ca.location",
    "sasl.kerberos.keytab",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.file",
];

/// The purpose of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    /// The file holds the settings.
    Settings,
    /// The file belongs to a property of librdkafka.
    Kafka(String),
    /// The file is the zone that `dns.zone` names.
    Zone,
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settings => f.write_str("the settings"),
            Self::Kafka(property) => write!(f, "{property}"),
            Self::Zone => f.write_str("dns.zone"),
        }
    }
}

/// A file that is watched.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    purpose: Purpose,
    content: Option<Content>,
    /// True when the file could not be read at the last look.
    is_missing: bool,
}

/// The consequence of a changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Taken {
    /// There is nothing to do.
    Same,
    /// The new content is in force.
    Reloaded,
    /// The new content needs a new process.
    NeedsStart,
}

/// The files that a process uses, with the content that is in force.
pub struct Files {
    source: Source,
    config: Config,
    zone: Option<Arc<SharedZone>>,
    watched: Vec<Watched>,
}

impl Files {
    /// Returns the files that these settings, read from `source`, name. `zone` is the zone that
    /// `dns.zone` names, if a role uses it.
    pub fn new(source: Source, config: Config, zone: Option<Arc<SharedZone>>) -> Self {
        let mut watched: Vec<Watched> = named(&source, &config, zone.is_some())
            .into_iter()
            .map(|(path, purpose)| Watched { path, purpose, content: None, is_missing: false })
            .collect();
        // The settings were read before this point, so a change since then shows at the first look.
        for file in watched.iter_mut().filter(|file| file.purpose != Purpose::Settings) {
            file.content = Content::at(&file.path, None).ok();
        }
        Self { source, config, zone, watched }
    }

    /// Looks at every file. Returns true when a change needs a new process.
    fn look(&mut self) -> bool {
        let changed: Vec<(PathBuf, Purpose)> = self.watched.iter_mut().filter_map(Watched::look).collect();
        let mut needs_start = false;
        for (path, purpose) in changed {
            let (file, of) = (path.display(), &purpose);
            match self.take(&path, &purpose) {
                Ok(Taken::Same) => tracing::debug!(%file, %of, "a file was written again and says the same"),
                Ok(Taken::Reloaded) => tracing::info!(%file, %of, "a file has changed and is reloaded"),
                Ok(Taken::NeedsStart) => {
                    needs_start = true;
                    let exits = self.config.reload.exits();
                    let what = if exits {
                        "a file has changed that takes a new process: what was read is finished, and the process ends with exit code 0"
                    } else {
                        "a file has changed that takes a new process: until then what was read at the start is in force"
                    };
                    tracing::warn!(%file, %of, "{what}");
                }
                Err(reason) => {
                    tracing::error!(%file, %of, %reason, "a file has changed and cannot be used: what was read before stays in force");
                }
            }
        }
        needs_start
    }

    /// Reloads a changed file, or finds out whether a new process could start with it.
    fn take(&self, path: &Path, purpose: &Purpose) -> Result<Taken, String> {
        let failed = |error: &dyn std::error::Error| error.to_string();
        match purpose {
            Purpose::Zone => {
                let zone = Zone::load(path).map_err(|error| failed(&error))?;
                if let Some(shared) = &self.zone {
                    shared.replace(zone);
                }
                Ok(Taken::Reloaded)
            }
            Purpose::Kafka(_) => {
                crate::kafka::check_settings(&self.config.kafka).map_err(|error| failed(&error))?;
                Ok(Taken::NeedsStart)
            }
            Purpose::Settings => {
                let config = self.source.load().map_err(|error| failed(&error))?;
                if config == self.config {
                    return Ok(Taken::Same);
                }
                crate::telemetry::check(&config.log).map_err(|error| failed(&error))?;
                crate::kafka::check_settings(&config.kafka).map_err(|error| failed(&error))?;
                let _ = config.dns.zone.as_ref().map(Zone::load).transpose().map_err(|error| failed(&error))?;
                Ok(Taken::NeedsStart)
            }
        }
    }
}

impl Watched {
    /// Looks at the file. Returns its path and purpose when it has changed. A file that cannot be
    /// read counts as unchanged, because a volume may be about to be swapped.
    fn look(&mut self) -> Option<(PathBuf, Purpose)> {
        match Content::at(&self.path, self.content.as_ref()) {
            Ok(now) => {
                self.is_missing = false;
                let is_same = self.content.as_ref().is_some_and(|before| before.is_same(&now));
                self.content = Some(now);
                (!is_same).then(|| (self.path.clone(), self.purpose.clone()))
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_missing, true) {
                    let (file, of) = (self.path.display(), &self.purpose);
                    tracing::warn!(%file, %of, %error, "a file cannot be read any more: what was read before stays in force");
                }
                None
            }
        }
    }
}

/// Returns the files that settings name, beginning with the file of the settings themselves.
fn named(source: &Source, config: &Config, zone: bool) -> Vec<(PathBuf, Purpose)> {
    let Kafka { properties, property_files, .. } = &config.kafka;
    let settings = source.file.iter().map(|path| (path.clone(), Purpose::Settings));
    let secrets = property_files.0.iter().map(|(property, path)| (path.clone(), Purpose::Kafka(property.clone())));
    let located = FILES.iter().filter_map(|property| {
        let path = properties.0.get(*property)?;
        // With this word librdkafka searches the system for certificates.
        (path != "probe").then(|| (PathBuf::from(path), Purpose::Kafka((*property).to_owned())))
    });
    let zone = config.dns.zone.iter().filter(|_| zone).map(|path| (path.clone(), Purpose::Zone));
    settings.chain(secrets).chain(located).chain(zone).collect()
}

/// Looks at the files until a stop is requested. It requests a stop when a change needs a new
/// process and `reload.exit` allows it.
pub async fn watch(mut files: Files, stop: Stop) {
    let interval = Duration::from_millis(files.config.reload.interval_ms);
    if files.watched.is_empty() || interval.is_zero() {
        return;
    }
    while !stop.is_requested() {
        // A file system that hangs delays nothing but this thread.
        let looked = tokio::task::spawn_blocking(move || (files.look(), files)).await;
        let Ok((needs_start, same)) = looked else { return };
        files = same;
        if needs_start && files.config.reload.exits() {
            return stop.request();
        }
        tokio::time::sleep(interval).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(directory: &Path, settings: &str) -> Files {
        let file = directory.join("verdmarc.toml");
        std::fs::write(&file, settings).unwrap();
        let source = Source { file: Some(file), variables: Vec::new() };
        let config = source.load().unwrap();
        let zone = config.dns.zone.as_ref().map(|path| Arc::new(SharedZone::new(Zone::load(path).unwrap())));
        let mut files = Files::new(source, config, zone);
        assert!(!files.look(), "nothing has changed");
        files
    }

    #[test]
    fn settings_take_a_new_process_when_they_say_something_else_and_could_start_one() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = files(directory.path(), "kafka.brokers = \"a:9092\"\n");
        let mut write = |text: &str| {
            std::fs::write(directory.path().join("verdmarc.toml"), text).unwrap();
            files.look()
        };
        assert!(!write("# a remark\nkafka.brokers = \"a:9092\"\n"));
        for broken in ["kafka.brokers = ", "kafka.brokers = 1", "kafka.unknown = 1", "verdict.drain_ms = -1"] {
            assert!(!write(broken), "{broken}");
        }
        assert!(!write("kafka.brokers = \"a:9092\"\nlog.filter = \"no level\"\n"), "the log filter is none");
        assert!(!write("kafka.brokers = \"a:9092\"\nkafka.properties.\"no.such.property\" = 1\n"), "the library knows none such");
        assert!(write("kafka.brokers = \"b:9092\"\n"));
        assert!(!write("kafka.brokers = \"a:9092\"\n"), "they say again what is in force");
    }

    #[test]
    fn a_secret_takes_a_new_process_and_a_file_that_is_gone_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("password");
        std::fs::write(&secret, "one").unwrap();
        let mut files =
            files(directory.path(), &format!("[kafka.property_files]\n\"sasl.password\" = \"{}\"\n", secret.display()));
        std::fs::remove_file(&secret).unwrap();
        assert!(!files.look());
        std::fs::write(&secret, "one").unwrap();
        assert!(!files.look(), "it is back");
        std::fs::write(&secret, "two").unwrap();
        assert!(files.look());
    }

    #[test]
    fn a_zone_is_reloaded_and_one_that_is_wrong_is_not() {
        use crate::dns::{QueryName, Question, RecordType, Resolver as _};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zone.json");
        let zone = |address: &str| format!(r#"{{"host.example": [["A", "{address}"]]}}"#);
        std::fs::write(&path, zone("192.0.2.1")).unwrap();
        let mut files = files(directory.path(), &format!("dns.zone = \"{}\"\n", path.display()));
        let shared = files.zone.clone().unwrap();
        let answer = || {
            let question = Question::new(QueryName::new("host.example").unwrap(), RecordType::A);
            format!("{:?}", shared.at_hand(&question).unwrap().records())
        };
        assert!(answer().contains("192.0.2.1"));
        std::fs::write(&path, zone("192.0.2.2")).unwrap();
        assert!(!files.look() && answer().contains("192.0.2.2"));
        std::fs::write(&path, "{").unwrap();
        assert!(!files.look() && answer().contains("192.0.2.2"));
    }

    #[test]
    fn every_file_that_settings_name_is_looked_at() {
        let source = Source { file: Some("verdmarc.toml".into()), variables: Vec::new() };
        let mut config = Config::default();
        for property in FILES {
            config.kafka.properties.0.insert(property.to_owned(), format!("/{property}"));
        }
        config.kafka.property_files.0.insert("sasl.password".to_owned(), "/password".into());
        config.dns.zone = Some("/zone".into());
        let paths: Vec<PathBuf> = named(&source, &config, true).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), 3 + FILES.len());
        assert_eq!(named(&source, &config, false).len(), 2 + FILES.len(), "nobody asks the zone");
        config.kafka.properties.0.insert("ssl.ca.location".to_owned(), "probe".to_owned());
        assert_eq!(named(&source, &config, false).len(), 1 + FILES.len());
    }
}
