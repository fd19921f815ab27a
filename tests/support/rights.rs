//! A user of brokers that enforce rights, and what is said when he lacks one.

use crate::broker::{Acl, Broker, PASSWORD, Resource, USER, eventually};
use crate::fleet::{Fleet, Process};
use tempfile::NamedTempFile;

/// Has processes log in as [`USER`]. The file holds his secret.
pub fn log_in(fleet: &mut Fleet, broker: &Broker) -> NamedTempFile {
    let secret = NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), PASSWORD).unwrap();
    fleet.set("KAFKA__BROKERS", &broker.sasl_bootstrap());
    fleet.set("KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SASL_SSL");
    fleet.set("KAFKA__PROPERTIES__SASL_MECHANISM", "SCRAM-SHA-512");
    fleet.set("KAFKA__PROPERTIES__SSL_CA_LOCATION", broker.ca_pem().to_str().unwrap());
    fleet.set("KAFKA__PROPERTIES__SASL_USERNAME", USER);
    fleet.set("KAFKA__PROPERTY_FILES__SASL_PASSWORD", secret.path().to_str().unwrap());
    secret
}

/// Waits until the log names the right, and for the end of the process. One that may not read its group's `input` only waits.
pub fn assert_named(mut process: Process, missing: &Acl, input: &str) {
    let (right, name) = (format!("--operation {}", missing.word), missing.name.as_str());
    let waits = missing.word == "Read" && (missing.resource == Resource::Group || missing.name == input);
    let says = |line: &&str| {
        let is_reminder = line.contains("the brokers refuse a right, and reading waits for it");
        match missing.resource {
            Resource::Group => is_reminder && line.contains("Read on the group"),
            _ if waits => is_reminder && line.contains("Read on the topics") && line.contains(name),
            _ => line.contains(&right) && line.contains(name),
        }
    };
    eventually(&format!("a line that names {missing:?}"), || {
        let log = String::from_utf8_lossy(&std::fs::read(&process.log).unwrap()).into_owned();
        log.lines().find(says).map(drop)
    });
    let code = if waits { process.stop().0 } else { process.exit_code() };
    assert_eq!(code, Some(if waits { 0 } else { 4 }), "{missing:?}");
}
