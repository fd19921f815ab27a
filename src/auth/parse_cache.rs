//! Keeps records that were read, by their text.
//!
//! The meaning of a text never changes, so keeping its record only saves work.
//! Setting up the arithmetic of an RSA key costs about as much as a verification.

use quick_cache::sync::Cache;
use std::sync::Arc;

/// The longest text in octets whose record is kept, which limits the memory.
///
/// Longer texts are read each time. A key of 4096 bits needs about 750 octets.
const MAX_OCTETS: usize = 1024;
/// The number of records that are kept of each kind.
const RECORDS: usize = 4096;

/// Records by the text, and by the settings `S`, from which they were read.
pub(super) struct ParseCache<S, R>(Cache<(Arc<[u8]>, S), Arc<R>>);

impl<S: Copy + Eq + std::hash::Hash, R> ParseCache<S, R> {
    pub(super) fn new() -> Self {
        Self(Cache::new(RECORDS))
    }

    /// Returns the record that was kept for `text`, or reads it with `read` and keeps it.
    ///
    /// Returns `None` if `read` does.
    pub(super) fn read(&self, text: &Arc<[u8]>, settings: S, read: impl FnOnce(&[u8], S) -> Option<R>) -> Option<Arc<R>> {
        if text.len() > MAX_OCTETS {
            return read(text, settings).map(Arc::new);
        }
        let key = (text.clone(), settings);
        if let Some(known) = self.0.get(&key) {
            return Some(known);
        }
        let record = Arc::new(read(text, settings)?);
        self.0.insert(key, record.clone());
        Some(record)
    }
}
