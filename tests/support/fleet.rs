//! Processes of the real binary, started, killed, frozen and stopped.

#![allow(dead_code, reason = "shared by test binaries")]

use crate::broker::eventually;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What every process of a test has in common.
pub struct Fleet {
    directory: tempfile::TempDir,
    settings: Vec<(String, String)>,
    roles: &'static str,
    started: AtomicUsize,
}

/// One process. It is killed when this is dropped.
pub struct Process {
    child: Child,
    pub log: PathBuf,
}

impl Fleet {
    /// Processes that read and write topics with this prefix, with time-outs that can be outlived in seconds.
    pub fn new(brokers: &str, prefix: &str, zone: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("zone.json");
        std::fs::write(&file, zone).unwrap();
        let mut fleet = Self { directory, settings: Vec::new(), roles: "verdict", started: AtomicUsize::new(0) };
        let short = [
            ("KAFKA__SESSION_TIMEOUT_MS", "3000"),
            ("KAFKA__HEARTBEAT_INTERVAL_MS", "500"),
            ("KAFKA__MAX_POLL_INTERVAL_MS", "8000"),
            ("KAFKA__TRANSACTION_TIMEOUT_MS", "4000"),
            ("KAFKA__DELIVERY_TIMEOUT_MS", "3000"),
        ];
        // `make soak` runs some tests with the time-outs of production.
        for (name, value) in short.into_iter().filter(|_| std::env::var_os("VERDMARC_SOAK").is_none()) {
            fleet.set(name, value);
        }
        for (name, value) in [
            ("KAFKA__BROKERS", brokers),
            ("KAFKA__GROUP_PREFIX", prefix),
            ("KAFKA__CHECK_TOPICS", "false"),
            ("KAFKA__PROPERTIES__RECONNECT_BACKOFF_MAX_MS", "500"),
            ("TOPICS__PREFIX", prefix),
            ("DNS__ZONE", file.to_str().unwrap()),
            ("RECEIVER__DOMAIN", "mx.recv.example"),
            ("LOG__FORMAT", "json"),
        ] {
            fleet.set(name, value);
        }
        fleet
    }

    /// Sets an environment variable, `VERDMARC_` in front, for all processes started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((format!("VERDMARC_{name}"), value.to_owned()));
    }

    /// Runs these roles instead of `verdict`.
    pub fn roles(&mut self, roles: &'static str) {
        self.roles = roles;
    }

    /// Takes a setting back.
    pub fn unset(&mut self, name: &str) {
        self.settings.retain(|(known, _)| *known != format!("VERDMARC_{name}"));
    }

    /// Starts the roles under this instance name, with more environment variables as they are.
    pub fn start(&self, instance: &str, environment: &[(&str, &str)]) -> Process {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.directory.path().join(format!("{number:03}-{instance}.log"));
        let mut command = self.command(&["run", "--roles", self.roles]);
        command.env("VERDMARC_KAFKA__INSTANCE", instance).envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        Process { child, log }
    }

    /// The binary with the settings and these arguments. It is killed when the test's thread ends, also with the whole test binary.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_verdmarc")]);
        command.args(arguments).envs(self.settings.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Log lines of all processes so far that hold `text`.
    pub fn logged(&self, text: &str) -> Vec<String> {
        let mut files: Vec<_> = std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let logs = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "log"));
        let lines = logs.flat_map(|file| {
            let log = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
            log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect::<Vec<_>>()
        });
        lines.collect()
    }

    /// The ends of all logs.
    fn tails(&self) -> String {
        let mut tails = String::new();
        let mut files: Vec<_> = std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().rev().take(6) {
            let log = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
            let lines: Vec<&str> = log.lines().collect();
            tails += &format!(
                "\n{}:\n{}\n",
                file.file_name().unwrap().to_string_lossy(),
                lines[lines.len().saturating_sub(20)..].join("\n")
            );
        }
        tails
    }
}

/// A test that fails shows what its processes last logged.
impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tails());
        }
    }
}

impl Process {
    pub fn signal(&self, signal: Signal) {
        // A process that has ended by itself needs none.
        let _ = kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal);
    }

    /// The exit code, when it has ended; none as code means a signal.
    #[allow(clippy::option_option, reason = "whether it ended, and if so, with which code")]
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().unwrap().map(|status| status.code())
    }

    /// Waits for its end.
    pub fn exit_code(&mut self) -> Option<i32> {
        eventually("the end of a process", || self.ended())
    }

    /// The body of what its health endpoint answers.
    pub fn ask(&self, path: &str) -> String {
        use std::io::{Read, Write};
        let log = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned();
        let line = log.lines().find(|line| line.contains("health endpoint")).unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut stream = std::net::TcpStream::connect(line["fields"]["at"].as_str().unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// The most memory that it ever held, in bytes.
    pub fn peak_memory(&self) -> usize {
        crate::memory::peak(self.child.id())
    }

    /// SIGTERM, and the time until it has ended.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        self.signal(Signal::SIGTERM);
        (self.exit_code(), started.elapsed())
    }

    /// Whether its log holds `text`.
    pub fn has_logged(&self, text: &str) -> bool {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).contains(text)
    }

    /// Waits until its log holds `text`.
    pub fn wait_for(&self, text: &str) {
        eventually(&format!("`{text}` in {}", self.log.display()), || self.has_logged(text).then_some(()));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
