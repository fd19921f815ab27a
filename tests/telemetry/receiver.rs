//! A receiver of OTLP that others wrote: tests/telemetry/receiver.py.

use serde_json::Value;
use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver as Lines, channel};
use std::time::{Duration, Instant};

/// For what a slow machine takes long to do.
pub const LIMIT: Duration = Duration::from_mins(2);

/// Tests that run at the same time do not make the virtual environment twice.
static SET_UP: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// The receiver, which ends with its owner.
pub struct Receiver {
    process: Child,
    lines: Lines<Value>,
    /// Exports that came while others were waited for.
    passed: RefCell<Vec<Value>>,
    /// The port that it listens at.
    pub port: u16,
}

impl Receiver {
    /// Starts it with these options.
    pub fn start(options: &[&str]) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let set_up = SET_UP.lock().unwrap();
        let made = Command::new(format!("{root}/scripts/python")).args(["--pins", "telemetry", "-c", ""]).status().unwrap();
        assert!(made.success(), "scripts/python --pins telemetry");
        drop(set_up);
        let mut process = Command::new(format!("{root}/scripts/python"))
            .args(["--pins", "telemetry", &format!("{root}/tests/telemetry/receiver.py")])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let first: Value = lines.recv_timeout(LIMIT).expect("the receiver says its port");
        let port = u16::try_from(first["port"].as_u64().unwrap()).unwrap();
        Self { process, lines, passed: RefCell::default(), port }
    }

    /// The URL that it listens at.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The first export of a signal for which `is_wanted` holds and which was not taken before; others stay where they are.
    pub fn wait_for(&self, signal: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LIMIT;
        let is_it = |export: &Value| export["signal"] == signal && is_wanted(export);
        let mut passed = self.passed.borrow_mut();
        if let Some(at) = passed.iter().position(is_it) {
            return passed.remove(at);
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let export = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no such export of {signal} within {LIMIT:?}"));
            if is_it(&export) {
                return export;
            }
            passed.push(export);
        }
    }

    /// The next export, of whichever signal. Not to be mixed with [`Self::wait_for`].
    pub fn next(&self) -> Value {
        self.lines.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("no export within {LIMIT:?}"))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
