//! A process that is measured from outside.

use std::process::Child;
use std::time::Duration;

/// It is killed when this is dropped.
pub struct Measured(pub Child);

impl Measured {
    /// CPU time of all its threads.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // Fields 14 and 15 of proc(5), in ticks of a hundredth of a second.
        Duration::from_millis((fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10)
    }

    /// CPU time of the threads whose name begins with one of these.
    #[allow(dead_code, reason = "one of the benchmarks that share this file does not ask")]
    pub fn cpu_of_threads(&self, names: &[&str]) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let nanoseconds = threads.filter_map(|thread| {
            // A thread may end at any time.
            let read = |file| std::fs::read_to_string(thread.as_ref().ok()?.path().join(file)).ok();
            let name = read("comm")?;
            names.iter().any(|start| name.starts_with(start)).then_some(())?;
            read("schedstat")?.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
