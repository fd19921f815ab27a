//! The table `[aggregate]`: settings of the aggregate role.

use serde::{Deserialize, Serialize};

/// The aggregate role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AggregateRole {
    /// Seconds that a report covers: a divisor of a day, windows begin at midnight UTC.
    /// Default 86 400, one day.
    pub window_s: u32,
    /// Permit windows below one hour, for tests and demonstrations. Default false.
    pub allow_short_windows: bool,
    /// Seconds after a window's end before it is closed. Default 3 600.
    pub grace_s: u32,
    /// Seconds after a window's end during which messages that come late are still counted for it,
    /// in a further report. Messages that come even later go to mail.dead-letters. Default 604 800,
    /// seven days.
    pub horizon_s: u32,
    /// Rows of one policy domain, window and policy above which further ones are merged.
    /// Default 100 000.
    pub group_rows: usize,
    /// Bytes of memory for the rows of one policy domain, window and policy above which further
    /// ones are merged. Default 64 MiB.
    pub group_bytes: usize,
    /// Bytes of memory for the rows of each partition that a process holds. Above half of it,
    /// further rows of policy domains with more than a thousand rows are merged; above all of it,
    /// windows close early. Default 1 GiB.
    pub partition_bytes: usize,
    /// Bytes of memory for the rows of all partitions that a process holds. Above it the same
    /// happens in those partitions that hold more than their share. Default 4 GiB.
    pub process_bytes: usize,
    /// Rows in one report at most; more rows make several reports. Default 50 000.
    pub report_rows: usize,
    /// Compressed bytes of one report at most, approximately. Default 5 MiB.
    pub report_bytes: usize,
    /// Milliseconds between two commits. Default 1 000.
    pub commit_interval_ms: u64,
    /// Failures read and not committed, above which reading pauses. Default 200 000.
    pub budget_records: usize,
    /// Whether the role stops reading when most records are not failure events. With false, all of
    /// them become dead letters, however many there are: use it for one start, after the writer was
    /// repaired. Default true.
    pub refusal_stop: bool,
    /// Milliseconds that a stop waits until the records that were read are committed.
    /// Default 20 000.
    pub drain_ms: u64,
    /// Milliseconds that a revoked partition waits for the transaction that holds its rows to end.
    /// Default 4 000.
    pub revoke_ms: u64,
}

impl Default for AggregateRole {
    fn default() -> Self {
        Self {
            window_s: DAY,
            allow_short_windows: false,
            grace_s: 3_600,
            horizon_s: 7 * DAY,
            group_rows: 100_000,
            group_bytes: 64 << 20,
            partition_bytes: 1 << 30,
            process_bytes: 4 << 30,
            report_rows: 50_000,
            report_bytes: 5 << 20,
            commit_interval_ms: 1_000,
            budget_records: 200_000,
            refusal_stop: true,
            drain_ms: 20_000,
            revoke_ms: 4_000,
        }
    }
}

const DAY: u32 = 86_400;
const HOUR: u32 = 3_600;
/// Smallest `report_bytes`, in bytes: it holds a report of some rows and the window of the
/// compressor.
const LEAST_REPORT: usize = 1 << 20;

impl AggregateRole {
    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        if self.window_s == 0 || !DAY.is_multiple_of(self.window_s) {
            problems.push(format!("aggregate.window_s must divide a day of {DAY} seconds, found {}", self.window_s));
        } else if self.window_s < HOUR && !self.allow_short_windows {
            problems.push(format!(
                "aggregate.window_s is {}, below one hour: domain owners would get a report as often; for tests set \
                 aggregate.allow_short_windows",
                self.window_s
            ));
        }
        if self.horizon_s < self.grace_s.saturating_add(self.window_s) {
            problems.push(format!(
                "aggregate.horizon_s must be at least aggregate.grace_s and a window ({} s), found {}: what comes within the grace would be \
                 too late",
                self.grace_s.saturating_add(self.window_s),
                self.horizon_s
            ));
        }
        if self.report_bytes < LEAST_REPORT {
            problems.push(format!("aggregate.report_bytes must be at least {LEAST_REPORT}, found {}", self.report_bytes));
        }
        let at_least_one = [
            ("group_rows", self.group_rows),
            ("group_bytes", self.group_bytes),
            ("partition_bytes", self.partition_bytes),
            ("process_bytes", self.process_bytes),
            ("report_rows", self.report_rows),
            ("budget_records", self.budget_records),
        ];
        for (key, _) in at_least_one.into_iter().filter(|(_, value)| *value == 0) {
            problems.push(format!("aggregate.{key} must be at least 1"));
        }
    }
}
