//! CPU time of this process, which does nothing besides what is measured.

use cpu_time::ProcessTime;
use std::time::Duration;

/// Runs `work` and says what CPU time it took, all threads together.
pub fn cpu<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = ProcessTime::now();
    let result = work();
    (result, start.elapsed())
}

/// The middle one; none of nothing.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
