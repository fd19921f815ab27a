//! Reads the figures that the system has about this process.

use crate::metrics::Sample;
use crate::metrics::table;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

#[expect(clippy::cast_precision_loss, reason = "a process does not run for 2^52 seconds")]
fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// Returns the number in the line `name` of `/proc/self/status`; `None` without such a line.
fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Returns the figures. Those that the system does not tell are left out.
pub(super) fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        samples.push(Sample::real(&table::CPU_TIME, seconds(usage.user_time())).with("cpu.mode", "user"));
        samples.push(Sample::real(&table::CPU_TIME, seconds(usage.system_time())).with("cpu.mode", "system"));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    samples.extend(number(&status, "VmRSS").map(|kib| Sample::new(&table::MEMORY_USAGE, kib << 10)));
    samples.extend(number(&status, "Threads").map(|threads| Sample::new(&table::THREADS, threads)));
    let open = std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    samples.extend(open.ok().map(|open| Sample::new(&table::FILE_DESCRIPTORS, open as u64)));
    samples
}
