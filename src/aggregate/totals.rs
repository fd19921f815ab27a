//! The sums of one partition, and the numbers of what it holds.

/// Sums since the process took the partition over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of failures that were counted in rows.
    pub counted: u64,
    /// Number of those that were counted in collapsed rows.
    pub merged: u64,
    /// Number of failures whose window was over.
    pub too_late: u64,
    /// Number of reports that were written.
    pub reports: u64,
    /// Number of messages in these reports.
    pub reported: u64,
    /// Number of messages of policy domains without a reporting address.
    pub no_reporting_address: u64,
    /// Number of windows that were closed, each generation for itself.
    pub windows_closed: u64,
    /// When a window was last closed, in seconds since 1970.
    pub last_closed: u64,
    /// Number of records that could not be read.
    pub unreadable: u64,
    /// Number of records of unknown type.
    pub skipped: u64,
}

impl Totals {
    /// Returns the sums of both.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        // A field that is forgotten here does not compile.
        let Self {
            counted,
            merged,
            too_late,
            reports,
            reported,
            no_reporting_address,
            windows_closed,
            last_closed,
            unreadable,
            skipped,
        } = *other;
        Self {
            counted: self.counted + counted,
            merged: self.merged + merged,
            too_late: self.too_late + too_late,
            reports: self.reports + reports,
            reported: self.reported + reported,
            no_reporting_address: self.no_reporting_address + no_reporting_address,
            windows_closed: self.windows_closed + windows_closed,
            last_closed: self.last_closed.max(last_closed),
            unreadable: self.unreadable + unreadable,
            skipped: self.skipped + skipped,
        }
    }
}

/// The numbers of what a partition holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of windows with rows.
    pub windows: usize,
    /// Number of groups.
    pub groups: usize,
    /// Number of rows.
    pub rows: usize,
    /// Estimated bytes of memory.
    pub bytes: usize,
    /// When the next window with rows will be closed, in seconds since 1970.
    pub next_close: Option<i64>,
}
