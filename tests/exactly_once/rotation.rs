//! Files that change under a running role: secrets, certificates, settings, zones, in volumes as Kubernetes mounts them.

use crate::broker::{Certificates, beside_others, eventually, shared};
use crate::fleet::{Fleet, Process};
use crate::stream::{Kind, Raw, Stream, ZONE, mail, status};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(3);

/// A volume as the kubelet makes it: each file is a link through `..data`, which is swapped as a whole.
struct Volume {
    directory: tempfile::TempDir,
    versions: usize,
}

impl Volume {
    fn new(files: &[(&str, &str)]) -> Self {
        let mut volume = Self { directory: tempfile::tempdir().unwrap(), versions: 0 };
        volume.publish(files);
        for (name, _) in files {
            symlink(format!("..data/{name}"), volume.path(name)).unwrap();
        }
        volume
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts other files in the place of all.
    fn publish(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        let version = format!("..2026_{}", self.versions);
        std::fs::create_dir(self.path(&version)).unwrap();
        for (name, text) in files {
            std::fs::write(self.path(&version).join(name), text).unwrap();
        }
        symlink(&version, self.path("..data_tmp")).unwrap();
        std::fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        let _ = std::fs::remove_dir_all(self.path(&format!("..2026_{}", self.versions - 1)));
    }
}

/// Processes that look at their files often, and end for a change that takes a new one if `exit` is true.
fn watching(stream: &Stream<'_>, exit: bool) -> Fleet {
    let mut fleet = stream.fleet();
    fleet.set("RELOAD__INTERVAL_MS", "200");
    fleet.set("RELOAD__EXIT", &exit.to_string());
    fleet
}

/// Waits for the end of a process that finds a changed file.
fn assert_ended_for(mut process: Process, file: &std::path::Path, fleet: &Fleet) {
    assert_eq!(process.exit_code(), Some(0));
    let said = fleet.logged("a file has changed that takes a new process: what was read is finished");
    assert!(said.iter().any(|line| line.contains(file.to_str().unwrap())), "{said:?}");
}

#[test]
fn a_secret_that_rotates_has_the_role_finish_what_it_read_and_end_and_its_successor_goes_on() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "secret-", 4);
        let mut volume = Volume::new(&[("password", "one")]);
        let mut fleet = watching(&stream, true);
        fleet.set("KAFKA__PROPERTY_FILES__SASL_PASSWORD", volume.path("password").to_str().unwrap());
        let process = fleet.start("a", &[]);
        process.wait_for("\"assigned\"");
        stream.produce(mail(2_000));
        volume.publish(&[("password", "two")]);
        assert_ended_for(process, &volume.path("password"), &fleet);
        assert!(fleet.logged("\"two\"").is_empty(), "a secret in a log");
        let process = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

#[test]
fn a_certificate_that_cannot_be_read_ends_nothing_and_the_next_that_can_does() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "certificate-", 1);
        let authority = || {
            let directory = tempfile::tempdir().unwrap();
            std::fs::read_to_string(Certificates::make(directory.path()).ca).unwrap()
        };
        let mut volume = Volume::new(&[("ca.crt", &authority())]);
        let mut fleet = watching(&stream, true);
        fleet.set("KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL");
        fleet.set("KAFKA__PROPERTIES__SSL_CA_LOCATION", volume.path("ca.crt").to_str().unwrap());
        // Nobody listens there: the role waits for brokers, and looks at its files all the same.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut process = fleet.start("a", &[("VERDMARC_KAFKA__BROKERS", &closed)]);
        // Then its client has read the certificate.
        process.wait_for("waiting for the brokers");
        volume.publish(&[("ca.crt", "no certificate")]);
        process.wait_for("cannot be used");
        assert_eq!(process.ended(), None);
        volume.publish(&[("ca.crt", &authority())]);
        assert_ended_for(process, &volume.path("ca.crt"), &fleet);
    });
}

#[test]
fn settings_that_became_invalid_stop_nothing_and_valid_ones_have_the_role_end() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "settings-", 1);
        let mut volume = Volume::new(&[("verdmarc.toml", "verdict.mail = \"full\"\n")]);
        let file = volume.path("verdmarc.toml");
        let mut fleet = watching(&stream, true);
        let environment = [("VERDMARC_CONFIG", file.to_str().unwrap())];
        let mut process = fleet.start("a", &environment);
        process.wait_for("\"assigned\"");
        for (round, broken) in
            ["verdict.mail = \"some\"\n", "verdict.mail = ", "dns.servers = [\"192.0.2.1\"]\n"].iter().enumerate()
        {
            volume.publish(&[("verdmarc.toml", broken)]);
            eventually("an error for each", || (fleet.logged("cannot be used").len() > round).then_some(()));
        }
        assert!(fleet.logged("cannot be used").iter().all(|line| line.contains("ERROR") && line.contains("verdmarc.toml")));
        stream.produce(mail(20));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.ended(), None);
        // What says the same as before is no change.
        volume.publish(&[("verdmarc.toml", "# the same\nverdict.mail = \"full\"\n")]);
        stream.produce(mail(20));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.ended(), None);
        volume.publish(&[("verdmarc.toml", "verdict.mail = \"minimal\"\n")]);
        assert_ended_for(process, &file, &fleet);

        // Where nobody would start it again, it goes on with what it has.
        fleet.set("RELOAD__EXIT", "false");
        let mut process = fleet.start("b", &environment);
        process.wait_for("\"assigned\"");
        volume.publish(&[("verdmarc.toml", "verdict.mail = \"full\"\n")]);
        process.wait_for("a file has changed that takes a new process: until then what was read at the start is in force");
        stream.produce(mail(20));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.ended(), None);
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

#[test]
fn a_zone_is_reloaded_while_mail_flows_and_a_broken_one_is_not() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "zone-", 1);
        let mut volume = Volume::new(&[("zone.json", ZONE)]);
        let mut fleet = watching(&stream, true);
        fleet.set("DNS__ZONE", volume.path("zone.json").to_str().unwrap());
        let process = fleet.start("a", &[]);
        process.wait_for("\"assigned\"");
        let judge = |key: &str, expected: &str| {
            stream.produce([Raw::of(Kind::Pass, key.to_owned())]);
            stream.wait_until_done(LIMIT);
            let outcome = stream.outcome();
            let last = outcome.verdicts.last_key_value().unwrap().1;
            assert_eq!(status(&last[0]), expected, "{key}");
        };
        judge("before", "PASS");
        volume.publish(&[("zone.json", &ZONE.replace("198.51.100.10", "198.51.100.11"))]);
        process.wait_for("a file has changed and is reloaded");
        judge("after", "FAIL");
        volume.publish(&[("zone.json", "{")]);
        process.wait_for("a file has changed and cannot be used");
        judge("still", "FAIL");
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}
