//! Takes settings from OpenTelemetry's environment variables where `[telemetry]` does not set them.

use super::{OtlpProtocol, Telemetry, values};
use percent_encoding::percent_decode_str;

/// Variables that are heeded, each with the setting that it stands in for. For the variables of
/// single signals, and for all others, `[telemetry]` has settings, or there is no choice.
const HONOURED: [(&str, &str); 12] = [
    ("OTEL_SDK_DISABLED", "`true`: the endpoint of the environment is not used"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "`endpoint`"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "`protocol`: `http/protobuf` or `grpc`"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "`headers`, those that are not set there: `name=value,name=value`, values percent-encoded"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "`ca_file`"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "`timeout_ms`"),
    ("OTEL_METRICS_EXPORTER", "`metrics`: `otlp` or `none`"),
    ("OTEL_TRACES_EXPORTER", "`traces`: `otlp` or `none`"),
    ("OTEL_LOGS_EXPORTER", "`logs`: `otlp` or `none`"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "`metrics_interval_ms`"),
    ("OTEL_SERVICE_NAME", "`resource`, its `service.name`"),
    ("OTEL_RESOURCE_ATTRIBUTES", "`resource`, those that are not set there: `name=value,name=value`, values percent-encoded"),
];

const SERVICE_NAME: &str = "service.name";

/// The environment variables, and the warnings about those that are not heeded.
struct Environment<'v> {
    variables: &'v [(String, String)],
    unheeded: Vec<String>,
}

impl<'v> Environment<'v> {
    /// Returns the value of a variable; `None` when it is not set or empty.
    fn get(&self, name: &str) -> Option<&'v str> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Notes that a variable is set without effect.
    fn warn(&mut self, name: &str, why: &str) {
        self.unheeded.push(format!("{name} is set and not heeded: {why}"));
    }

    /// Sets a setting that has no value to the value that `read` takes from a variable. Warns when
    /// `read` returns `None`.
    fn set<T>(&mut self, setting: &mut Option<T>, name: &str, why: &str, read: impl Fn(&str) -> Option<T>) {
        let Some(value) = self.get(name).filter(|_| setting.is_none()) else { return };
        *setting = read(value);
        if setting.is_none() {
            self.warn(name, why);
        }
    }

    /// Warns of every variable of OpenTelemetry that this module does not read.
    fn warn_of_others(&mut self) {
        let is_other = |name: &str| name.starts_with("OTEL_") && !HONOURED.iter().any(|(known, _)| *known == name);
        let mut others: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).filter(|name| is_other(name)).collect();
        others.sort_unstable();
        for name in others {
            self.warn(name, "docs/telemetry.md lists the variables that are");
        }
    }
}

impl Telemetry {
    /// Takes the settings that have no value from the environment.
    pub(in crate::config) fn take_from(&mut self, variables: &[(String, String)], problems: &mut Vec<String>) {
        let mut environment = Environment { variables, unheeded: Vec::new() };
        let is_disabled = environment.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let endpoint = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT").filter(|_| self.endpoint.is_none() && !is_disabled);
        match endpoint.map(|endpoint| values::check_endpoint(endpoint).map(|()| endpoint.to_owned())) {
            None => {}
            Some(Ok(endpoint)) => self.endpoint = Some(endpoint),
            Some(Err(wrong)) => problems.push(format!("OTEL_EXPORTER_OTLP_ENDPOINT {wrong}")),
        }
        let protocol = |value: &str| match value {
            "http/protobuf" => Some(OtlpProtocol::Http),
            "grpc" => Some(OtlpProtocol::Grpc),
            _ => None,
        };
        let why = "it is neither http/protobuf nor grpc";
        environment.set(&mut self.protocol, "OTEL_EXPORTER_OTLP_PROTOCOL", why, protocol);
        let exporter = |value: &str| match value {
            "otlp" => Some(true),
            "none" => Some(false),
            _ => None,
        };
        for (setting, name) in [
            (&mut self.metrics, "OTEL_METRICS_EXPORTER"),
            (&mut self.traces, "OTEL_TRACES_EXPORTER"),
            (&mut self.logs, "OTEL_LOGS_EXPORTER"),
        ] {
            environment.set(setting, name, "it is neither otlp nor none", exporter);
        }
        let milliseconds = |value: &str| value.parse().ok().filter(|milliseconds: &u64| *milliseconds > 0);
        for (setting, name) in
            [(&mut self.timeout_ms, "OTEL_EXPORTER_OTLP_TIMEOUT"), (&mut self.metrics_interval_ms, "OTEL_METRIC_EXPORT_INTERVAL")]
        {
            environment.set(setting, name, "it is no number of milliseconds", milliseconds);
        }
        environment.set(&mut self.ca_file, "OTEL_EXPORTER_OTLP_CERTIFICATE", "", |value| Some(value.into()));
        self.take_pairs(&mut environment);
        environment.warn_of_others();
        self.unheeded = environment.unheeded;
    }

    /// Takes header fields, and attributes of the resource.
    fn take_pairs(&mut self, environment: &mut Environment<'_>) {
        for (name, value) in pairs(environment.get("OTEL_EXPORTER_OTLP_HEADERS")) {
            if !values::is_header_name(&name) || !values::is_header_value(&value) {
                environment.warn("OTEL_EXPORTER_OTLP_HEADERS", "one of its fields is no header field");
            } else if !self.headers.0.keys().chain(self.header_files.keys()).any(|known| known.eq_ignore_ascii_case(&name)) {
                self.headers.0.insert(name, value);
            }
        }
        if let Some(name) = environment.get("OTEL_SERVICE_NAME") {
            self.resource.0.entry(SERVICE_NAME.to_owned()).or_insert_with(|| name.to_owned());
        }
        for (name, value) in pairs(environment.get("OTEL_RESOURCE_ATTRIBUTES")) {
            self.resource.0.entry(name).or_insert(value);
        }
    }
}

/// Splits `name=value,name=value`. Parts without an equals sign or without a name are left out.
fn pairs(text: Option<&str>) -> Vec<(String, String)> {
    let parts = text.unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
    let parts = parts.map(|(name, value)| (name.trim(), percent_decode_str(value.trim()).decode_utf8_lossy()));
    parts.filter(|(name, _)| !name.is_empty()).map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};
    use std::time::Duration;

    fn loaded(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Source { file: None, variables }.load().unwrap()
    }

    #[test]
    fn nothing_is_exported_until_one_of_both_names_an_endpoint() {
        assert_eq!(loaded(&[]).telemetry.export(), None);
        assert_eq!(loaded(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).telemetry.export(), None);
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "VERDMARC_TELEMETRY__ENDPOINT"] {
            let export = loaded(&[(name, "http://collector:4318")]).telemetry.export().unwrap();
            assert_eq!((export.endpoint.as_str(), export.protocol), ("http://collector:4318", OtlpProtocol::Http));
            assert!(export.metrics && export.traces && export.logs);
        }
        let disabled = [("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1")];
        assert_eq!(loaded(&disabled).telemetry.export(), None);
    }

    #[test]
    fn our_own_settings_win_over_the_variables_of_opentelemetry_one_by_one() {
        let config = loaded(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://theirs:1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "7"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/theirs.pem"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "X-Key=theirs,other=a%20b"),
            ("OTEL_SERVICE_NAME", "theirs"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=last,a=theirs,b=of%2Cthem"),
            ("VERDMARC_TELEMETRY__ENDPOINT", "http://ours:2"),
            ("VERDMARC_TELEMETRY__TIMEOUT_MS", "2"),
            ("VERDMARC_TELEMETRY__METRICS", "true"),
            ("VERDMARC_TELEMETRY__CA_FILE", "/ours.pem"),
            ("VERDMARC_TELEMETRY__HEADERS", "{x-key=ours}"),
            ("VERDMARC_TELEMETRY__RESOURCE", "{a=ours}"),
        ]);
        let export = config.telemetry.export().unwrap();
        assert_eq!((export.endpoint.as_str(), export.timeout), ("http://ours:2", Duration::from_millis(2)));
        assert_eq!((export.metrics, export.traces, export.logs), (true, true, false));
        assert_eq!((export.metrics_interval, export.ca_file), (Duration::from_millis(7), Some("/ours.pem".into())));
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            map.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(pairs(&export.headers.0), ["other=a b", "x-key=ours"]);
        assert_eq!(pairs(&config.telemetry.resource.0), ["a=ours", "b=of,them", "service.name=theirs"]);
    }

    #[test]
    fn a_variable_that_is_not_heeded_is_warned_about_by_its_name_and_without_its_value() {
        let set = [
            ("OTEL_BSP_SCHEDULE_DELAY", "secret"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "secret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "secret"),
            ("OTEL_TRACES_EXPORTER", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"),
            ("OTEL_SERVICE_NAME", "x"),
        ];
        let warnings: Vec<String> = loaded(&set).warnings().into_iter().filter(|line| line.starts_with("OTEL_")).collect();
        assert_eq!(warnings.len(), 5, "{warnings:?}");
        for (name, _) in &set[..5] {
            assert_eq!(warnings.iter().filter(|line| line.starts_with(&format!("{name} is set and not heeded: "))).count(), 1);
        }
        assert!(!warnings.concat().contains("secret"), "{warnings:?}");
    }

    #[test]
    fn the_values_of_header_fields_are_never_shown() {
        let config = loaded(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2"),
            ("VERDMARC_TELEMETRY__HEADERS", "{x-key=hunter2}"),
        ]);
        let shown = config.to_documented_toml();
        assert!(shown.contains("authorization = \"***\"") || shown.contains("\"authorization\" = \"***\""), "{shown}");
        assert!(!format!("{shown}{config:?}").contains("hunter2"));
        let wrong = Source { file: None, variables: vec![("VERDMARC_TELEMETRY__HEADERS".to_owned(), "hunter2".to_owned())] };
        assert!(!wrong.load().unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn the_documentation_lists_the_variables_that_are_heeded() {
        let documentation = include_str!("../../../docs/telemetry.md");
        let rows: Vec<&str> = documentation.lines().filter(|line| line.starts_with("| `OTEL_")).collect();
        let expected = HONOURED.map(|(name, meaning)| format!("| `{name}` | {meaning} |"));
        assert_eq!(rows, expected);
    }

    #[test]
    fn an_endpoint_that_is_none_is_refused() {
        for endpoint in ["collector:4318", "ftp://c:1", "http://", "http://user:secret@c:1", "http://c:1/?x=y"] {
            for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "VERDMARC_TELEMETRY__ENDPOINT"] {
                let source = Source { file: None, variables: vec![(name.to_owned(), endpoint.to_owned())] };
                let error = source.load().unwrap_err().to_string();
                assert!(!error.contains("secret") && error.to_lowercase().contains("endpoint"), "{endpoint}: {error}");
            }
        }
    }
}
