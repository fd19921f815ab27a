//! Records by their text. What a text says never changes, so keeping what was read only saves work: setting up the arithmetic of an
//! RSA key costs about as much as a verification.

use quick_cache::sync::Cache;
use std::sync::Arc;

/// Longer records are read each time, which bounds what is kept. A key of 4096 bits needs about 750 octets.
const MAX_OCTETS: usize = 1024;
/// Records that are kept, of each kind.
const RECORDS: usize = 4096;

/// What texts were read as; `S` are the settings that they were read with.
pub(super) struct Kept<S, R>(Cache<(Arc<[u8]>, S), Arc<R>>);

impl<S: Copy + Eq + std::hash::Hash, R> Kept<S, R> {
    pub(super) fn new() -> Self {
        Self(Cache::new(RECORDS))
    }

    /// What `read` made or makes of `text`.
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
