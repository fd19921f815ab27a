//! Sums of one partition, and what it holds.

/// Sums since the process took the partition over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Failures counted in rows.
    pub counted: u64,
    /// Of those, in rows that gave something up.
    pub merged: u64,
    /// Failures of windows that are over.
    pub too_late: u64,
    /// Reports written.
    pub reports: u64,
    /// Messages in them.
    pub reported: u64,
    /// Messages of policy domains without reporting address.
    pub no_reporting_address: u64,
    /// Windows closed, each generation by itself.
    pub windows_closed: u64,
    /// When one was closed last, in seconds since 1970.
    pub last_closed: u64,
    /// Records that cannot be read.
    pub unreadable: u64,
    /// Records of unknown type.
    pub skipped: u64,
}

impl Totals {
    /// Both sums together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.counted += other.counted;
        self.merged += other.merged;
        self.too_late += other.too_late;
        self.reports += other.reports;
        self.reported += other.reported;
        self.no_reporting_address += other.no_reporting_address;
        self.windows_closed += other.windows_closed;
        self.last_closed = self.last_closed.max(other.last_closed);
        self.unreadable += other.unreadable;
        self.skipped += other.skipped;
        self
    }
}

/// What a partition holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Windows with rows.
    pub windows: usize,
    /// Groups.
    pub groups: usize,
    /// Rows.
    pub rows: usize,
    /// Bytes of memory, about.
    pub bytes: usize,
    /// When the next window with rows is to be closed, in seconds since 1970.
    pub next_close: Option<i64>,
}
