//! Loads the settings: defaults, then a TOML file, then the environment.

use super::error::ConfigError;
use super::settings::Config;
use super::words;
use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use std::path::{Path, PathBuf};

/// Name of the variable that names the file when no option does.
const FILE_VARIABLE: &str = "VERDMARC_CONFIG";

/// Prefix of the variables that set a key: `VERDMARC_KAFKA__BROKERS` sets `kafka.brokers`.
const PREFIX: &str = "VERDMARC_";

/// The places that settings are loaded from, besides the defaults.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Path of the TOML file.
    pub file: Option<PathBuf>,
    /// Environment variables. Those with the prefix `VERDMARC_` and a double underscore set a key.
    pub variables: Vec<(String, String)>,
}

impl Source {
    /// Returns the file that `option` names, or else the file of `VERDMARC_CONFIG`, with this
    /// process's environment.
    pub fn of_process(option: Option<PathBuf>) -> Self {
        let variables: Vec<(String, String)> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        let named = variables.iter().find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
        Self { file: option.or_else(|| named.map(|(_, value)| PathBuf::from(value))), variables }
    }

    /// Returns the names of the file and of the variables that set something, or `defaults` when
    /// there are none.
    pub fn names(&self) -> Vec<String> {
        let file = self.file.iter().map(|path| path.display().to_string());
        let variables = self.variables.iter().filter_map(Variable::read).map(|variable| variable.name);
        let names: Vec<String> = file.chain(variables).collect();
        if names.is_empty() { vec!["defaults".to_owned()] } else { names }
    }

    /// Loads and checks the settings.
    ///
    /// # Errors
    /// A setting does not fit. The error names the file or variable, the key, and the remedy.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path).map_err(|reason| ConfigError::File { path: path.clone(), reason })?;
            figment = figment.merge(NamedToml { path: path.clone(), text });
        }
        for variable in self.variables.iter().filter_map(Variable::read) {
            figment = figment.merge(variable);
        }
        let mut config: Config = figment.extract().map_err(|errors| invalid(&figment, errors))?;
        let moved = misplaced(&figment);
        if !moved.is_empty() {
            return Err(ConfigError::Invalid(moved));
        }
        let mut problems = Vec::new();
        config.telemetry.take_from(&self.variables, &mut problems);
        if !problems.is_empty() {
            return Err(ConfigError::Invalid(problems));
        }
        config.validate()?;
        Ok(config)
    }
}

/// A TOML file together with its path, which errors name.
struct NamedToml {
    path: PathBuf,
    text: String,
}

impl Provider for NamedToml {
    fn metadata(&self) -> Metadata {
        Metadata::from("file", self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        // The error of the TOML library quotes the line, which may hold a secret.
        let dict: Dict = toml::from_str(&self.text).map_err(|error| {
            let before = error.span().and_then(|span| self.text.get(..span.start)).unwrap_or_default();
            let line = before.rsplit('\n').next().unwrap_or_default();
            let (line, column) = (before.matches('\n').count() + 1, line.chars().count() + 1);
            figment::Error::from(format!("line {line}, column {column}: {}", error.message()))
        })?;
        Ok(Profile::Default.collect(dict))
    }
}

/// An environment variable that sets a key.
struct Variable {
    name: String,
    key: String,
    value: Value,
}

/// Beginning of the name by which figment knows an environment variable.
const VARIABLE: &str = "environment variable ";

impl Variable {
    fn read((name, value): &(String, String)) -> Option<Self> {
        let key = name.strip_prefix(PREFIX).filter(|key| key.contains("__"))?.to_ascii_lowercase();
        let dotted = |table: &str| {
            let (section, property) = key.split_once(&format!("{table}__"))?;
            Some(format!("{}{table}.{}", section.replace("__", "."), property.replace('_', ".")))
        };
        let key = dotted("properties").or_else(|| dotted("property_files")).unwrap_or_else(|| key.replace("__", "."));
        let Ok(value) = value.parse();
        Some(Self { name: name.clone(), key, value })
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("{VARIABLE}{}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.key, self.value.clone());
        Ok(nested.into_dict().map(|dict| Profile::Default.collect(dict)).unwrap_or_default())
    }
}

/// Keys of `[evaluation]` that belong in `[receiver]`, each with the key to use there.
const IN_RECEIVER: [(&str, &str); 3] = [
    ("evaluation.authserv_id", "receiver.domain"),
    ("evaluation.own_authserv_ids", "receiver.own_authserv_ids"),
    ("evaluation.trusted_networks", "receiver.trusted_networks"),
];

/// Settings that do not exist, although files may still hold them, each with the remedy.
const GONE: [(&str, &str); 1] = [("kafka.delivery", "delivery is always exactly once: remove it")];

fn misplaced(figment: &Figment) -> Vec<String> {
    IN_RECEIVER
        .iter()
        .filter_map(|(key, instead)| {
            let metadata = figment.find_metadata(key)?;
            let given = metadata.source.as_ref().is_some_and(|source| source.file_path().is_some()) || is_environment(metadata);
            given.then(|| format!("{}: use `{instead}` instead", place(Some(metadata), key)))
        })
        .collect()
}

fn invalid(figment: &Figment, errors: figment::Error) -> ConfigError {
    let lines = errors.into_iter().map(|error| describe(figment, &error)).collect();
    ConfigError::Invalid(lines)
}

fn describe(figment: &Figment, error: &figment::Error) -> String {
    let mut key = error.path.join(".");
    let advice = match &error.kind {
        Kind::UnknownField(name, known) => {
            if !key.ends_with(name.as_str()) {
                key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            }
            match GONE.iter().find(|(gone, _)| *gone == key) {
                Some((_, advice)) => (*advice).to_owned(),
                None => unknown(key.strip_suffix(name.as_str()).unwrap_or_default(), name, known),
            }
        }
        // The value of a property may be a secret, so the error does not show it.
        Kind::InvalidType(..) if key.starts_with("kafka.propert") => "write names and values of properties".to_owned(),
        Kind::InvalidType(..) if key.starts_with("telemetry.headers") => "write names and values of header fields".to_owned(),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("found {}, write {}", words::found(found), words::wanted(&key, expected))
        }
        Kind::UnknownVariant(found, known) => format!("`{found}` is none of {}", known.join(", ")),
        other => other.to_string().trim_end().to_owned(),
    };
    let metadata = error.metadata.as_ref().or_else(|| figment.find_metadata(&key));
    format!("{}: {advice}", place(metadata, &key))
}

/// Describes a key that does not exist, together with the known keys. Keys that the type has but
/// this table refuses are left out.
fn unknown(table: &str, name: &str, known: &[&str]) -> String {
    let refused = |known: &str| IN_RECEIVER.iter().any(|(elsewhere, _)| *elsewhere == format!("{table}{known}"));
    let mut known: Vec<_> = known.iter().copied().filter(|known| !refused(known)).collect();
    let similarity = |known: &str| strsim::jaro_winkler(name, known);
    known.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
    format!("there is no such setting; known here, the most similar first: {}", known.join(", "))
}

fn is_environment(metadata: &Metadata) -> bool {
    metadata.name.starts_with(VARIABLE)
}

fn place(metadata: Option<&Metadata>, key: &str) -> String {
    match metadata {
        Some(metadata) if is_environment(metadata) => format!("{}: key `{key}`", metadata.name),
        Some(metadata) => match metadata.source.as_ref().and_then(|source| source.file_path()).map(Path::display) {
            Some(file) if key.is_empty() => format!("{file}"),
            Some(file) => format!("{file}: key `{key}`"),
            None => format!("key `{key}`"),
        },
        None => format!("key `{key}`"),
    }
}
