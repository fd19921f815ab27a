//! One JVM: its directory, its ports, its life and its end.

use super::certificates::Certificates;
use super::settings::{Options, Ports, properties};
use super::{PASSWORD, PATIENCE, USER};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// Any will do: 16 octets in base64.
const CLUSTER_ID: &str = "dmVyZG1hcmMtdGVzdHMtMQ";

/// Below the ports that the kernel gives to clients. A client that tries again and again to reach a node that is down would
/// otherwise sooner or later get the node's own port, connect to itself, and keep the node from starting again.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Lines of the log that a failure shows.
const TAIL: usize = 40;

/// The node cannot be left to a destructor: that of a static never runs, nor does any when the test binary is killed. So a shell
/// waits for the end of its input, which comes when the test binary is gone, and then ends the JVM and removes its directory.
/// Each line of its input is the process to end, none when it is empty.
const WATCHDOG: &str = r#"
    trap '' HUP INT TERM
    while read -r line; do jvm=$line; done
    if [ -n "$jvm" ]; then
        kill -KILL "$jvm"
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            kill -0 "$jvm" || break
            sleep 0.1
        done
    fi
    rm -rf -- "$1"
"#;

/// Why a node does not answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Somebody else has one of its ports.
    PortTaken,
    /// Anything else, with the end of its log.
    Ended(String),
}

/// A node, whether it runs or not.
#[derive(Debug)]
pub(super) struct Node {
    id: usize,
    ports: Ports,
    /// The JVM's option for the size of its heap.
    heap: &'static str,
    directory: PathBuf,
    tls: Option<Certificates>,
    jvm: Mutex<Option<Child>>,
    watchdog: Mutex<Child>,
}

/// Fetches Kafka's jars when they are missing.
pub(super) fn fetch_jars() {
    static FETCHED: Once = Once::new();
    FETCHED.call_once(|| {
        let script = repository().join("scripts/kafka");
        let output = Command::new(script).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "scripts/kafka: {}", String::from_utf8_lossy(&output.stderr));
    });
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn free_ports() -> Ports {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free = || loop {
        let port = fastrand::u16(PORTS);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && given.insert(port) {
            return port;
        }
    };
    Ports { plain: free(), controller: free(), sasl: free() }
}

fn java(heap: &str) -> Command {
    let mut command = Command::new("java");
    command
        .arg(heap)
        .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"])
        .arg(repository().join("target/kafka/libs/*"))
        .stdin(Stdio::null());
    command
}

impl Node {
    /// The nodes of one cluster, formatted and started.
    pub fn several(count: usize, options: Options) -> Vec<Self> {
        let ports: Vec<Ports> = (0..count).map(|_| free_ports()).collect();
        std::thread::scope(|scope| {
            let ports = &ports;
            let starts: Vec<_> = (1..=count).map(|id| scope.spawn(move || Self::start(id, ports, options))).collect();
            starts.into_iter().map(|start| start.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }

    fn start(id: usize, ports: &[Ports], options: Options) -> Self {
        let directory = tempfile::Builder::new().prefix("verdmarc-broker-").tempdir().unwrap().keep();
        let tls = options.tls_sasl.then(|| Certificates::make(&directory));
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&directory)
            .stdin(Stdio::piped())
            // Whoever reads the output of the test binary must not have to wait for this.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        std::fs::write(directory.join("server.properties"), properties(id, ports, &directory, tls.as_ref(), options)).unwrap();
        let heap = if ports.len() == 1 { "-Xmx512m" } else { "-Xmx384m" };
        let (ports, watchdog) = (ports[id - 1], Mutex::new(watchdog));
        let node = Self { id, ports, heap, directory, tls, jvm: Mutex::default(), watchdog };
        node.format();
        node.spawn();
        node
    }

    fn format(&self) {
        let mut command = java("-Xmx128m");
        command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(self.directory.join("server.properties"));
        if self.tls.is_some() {
            command.arg("--add-scram").arg(format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]"));
        }
        let output = command.output().expect("java is needed (scripts/setup broker)");
        assert!(output.status.success(), "format: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn id(&self) -> i32 {
        i32::try_from(self.id).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.plain).into()
    }

    pub fn sasl_address(&self) -> String {
        assert!(self.tls.is_some(), "started without tls_sasl");
        format!("localhost:{}", self.ports.sasl)
    }

    pub fn ca_pem(&self) -> &Path {
        &self.tls.as_ref().expect("started without tls_sasl").ca
    }

    /// Starts the JVM, which must not run, and does not wait for it.
    pub fn spawn(&self) {
        let log = File::create(self.directory.join("log")).unwrap();
        let mut jvm = self.jvm();
        let child = java(self.heap)
            .arg("kafka.Kafka")
            .arg(self.directory.join("server.properties"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.watch(&child.id().to_string());
        assert!(jvm.replace(child).is_none(), "the node runs already");
    }

    /// Whether the JVM runs.
    pub fn lives(&self) -> Result<(), Failure> {
        let mut jvm = self.jvm();
        let ended = jvm.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
        if !ended {
            return Ok(());
        }
        jvm.take();
        self.watch("");
        let clash = self.log().contains("Address already in use");
        Err(if clash { Failure::PortTaken } else { Failure::Ended(self.log_tail()) })
    }

    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        format!("the log ends with\n{}", lines[lines.len().saturating_sub(TAIL)..].join("\n"))
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.directory.join("log")).unwrap_or_default()).into_owned()
    }

    pub fn stop(&self) {
        self.end(Signal::SIGTERM);
    }

    pub fn kill(&self) {
        self.end(Signal::SIGKILL);
    }

    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn jvm(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.jvm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) {
        let jvm = self.jvm();
        let child = jvm.as_ref().expect("the node does not run");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    }

    /// Sends `signal` if the node runs, and waits until it does not.
    fn end(&self, signal: Signal) {
        if self.jvm().is_none() {
            return;
        }
        self.signal(signal);
        let mut child = self.jvm().take().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.watch("");
    }

    /// Tells the watchdog which process it must end.
    fn watch(&self, process: &str) {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(watchdog.stdin.as_mut().unwrap(), "{process}").unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        let watchdog = self.watchdog.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(watchdog.stdin.take());
        let _ = watchdog.wait();
    }
}
