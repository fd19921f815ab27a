//! Finds the name that distinguishes this process from the other processes of its group.

use crate::config::{COMMANDS, Kafka};
use std::hash::{BuildHasher as _, RandomState};

/// The name of this process among those of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The name.
    pub name: String,
    /// True when the process has the same name after a restart.
    pub lasts: bool,
}

impl Instance {
    /// Returns the name in the settings, else the pod's name, else the host's
    /// name with a random part.
    pub fn of(kafka: &Kafka) -> Self {
        Self::from(kafka, |variable| std::env::var(variable).ok(), || gethostname::gethostname().to_string_lossy().into_owned())
    }

    fn from(kafka: &Kafka, variable: impl Fn(&str) -> Option<String>, host: impl Fn() -> String) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty() && !COMMANDS.contains(&value.as_str()));
        let in_kubernetes = || set("KUBERNETES_SERVICE_HOST").and_then(|_| set("HOSTNAME"));
        if let Some(name) = kafka.instance.clone() {
            return Self { name, lasts: true };
        }
        if let Some(name) = set("POD_NAME").or_else(in_kubernetes) {
            return Self { lasts: has_ordinal(&name), name };
        }
        // The system seeds `RandomState`.
        let random = RandomState::new().hash_one(std::process::id());
        Self { name: format!("{}-{random:016x}", host()), lasts: false }
    }

    /// Returns the warning about a name that does not last; None when it lasts.
    pub fn warning(&self) -> Option<&'static str> {
        (!self.lasts).then_some(
            "the instance name of this process is one that its successor will not have: after a crash its partitions and its open \
             transaction wait for kafka.session_timeout_ms and kafka.transaction_timeout_ms; run it as a pod of a StatefulSet, or set \
             kafka.instance",
        )
    }
}

/// Returns whether a pod's name ends in the number that a StatefulSet gives, so that its
/// successor has the same name. Other pods have five letters and digits there, which are
/// made up anew each time.
fn has_ordinal(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, end)| (1..=4).contains(&end.len()) && end.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(setting: Option<&str>, variables: &[(&str, &str)]) -> Instance {
        let kafka = Kafka { instance: setting.map(str::to_owned), ..Kafka::default() };
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Instance::from(&kafka, find, || "host".to_owned())
    }

    #[test]
    fn the_setting_wins_over_the_pod_and_the_pod_over_the_host() {
        let pod = [("POD_NAME", "verdict-3"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("HOSTNAME", "h")];
        assert_eq!(instance(Some("i"), &pod), Instance { name: "i".into(), lasts: true });
        assert_eq!(instance(None, &pod), Instance { name: "verdict-3".into(), lasts: true });
        assert_eq!(instance(None, &[pod[1], ("HOSTNAME", "h-12")]), Instance { name: "h-12".into(), lasts: true });
    }

    #[test]
    fn only_a_pod_of_a_stateful_set_has_a_successor_of_its_name() {
        for name in ["verdict-7d9c5b6f48-x2x4b", "verdict-7d9c5b6f48-24567", "verdict", "verdict-", "verdict-2a"] {
            let pod = instance(None, &[("POD_NAME", name)]);
            assert_eq!((pod.name.as_str(), pod.lasts), (name, false));
            assert!(pod.warning().is_some());
        }
        assert!(instance(Some("verdict"), &[]).lasts, "whoever sets a name knows that it lasts");
    }

    #[test]
    fn a_host_alone_does_not_last_and_is_warned_about() {
        let (first, second) = (instance(None, &[("HOSTNAME", "h")]), instance(None, &[]));
        assert!(first.name.starts_with("host-") && first.name != second.name);
        assert!(first.warning().is_some() && instance(Some("i"), &[]).warning().is_none());
    }
}
