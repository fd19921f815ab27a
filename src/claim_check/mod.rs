//! Fetches messages that lie in an object store, with a reference in the record (`ce_dataref`): the
//! claim-check pattern.
//!
//! ```text
//! DataRef ─► below an allowed prefix? ─► size (no byte is read yet) ─► room in memory
//!         ─► bytes ─► checksum ─► Message
//! ```
//!
//! Two kinds of failure end differently. A mistake of the producer is a [`Refusal`], and the record
//! becomes a dead letter. Storage that does not answer, or denies access, is
//! [`Unfetched::Unavailable`]: the message exists, and the record waits.
//!
//! Credentials come from the places where the stores' own tools find them: `AWS_ACCESS_KEY_ID` and
//! similar variables, web identity, or the instance.

mod object;
mod stores;
#[cfg(test)]
mod tests;
mod unfetched;

pub use unfetched::Unfetched;

use crate::config;
use crate::event::raw::{Body, DataRef, Refusal};
use crate::location::{Prefix, Root};
use crate::metrics::CLAIM_CHECKS;
use aws_lc_rs::digest::{SHA256, digest};
use object::Object;
use object_store::ObjectStore;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The error for a store that could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the store of {root}: {reason}; check [claim_check] and the store's environment variables")]
pub struct SetUp {
    root: String,
    reason: String,
}

/// The objects that may be fetched, with one client per store. The type has no `Debug`, because
/// that of a client shows credentials.
pub struct ClaimChecks {
    prefixes: Vec<Prefix>,
    stores: HashMap<Root, Arc<dyn ObjectStore>>,
    timeout: Duration,
    max_bytes: usize,
    room: Arc<Semaphore>,
    all_room: u32,
}

/// Bytes of memory for which one permit of [`ClaimChecks::room`] stands.
const PLACE: usize = 1 << 10;

impl ClaimChecks {
    /// Makes clients for the stores of the allowed prefixes, with the credentials in this process's
    /// environment. No message is larger than `max_bytes`.
    ///
    /// # Errors
    /// A client cannot be made from its settings. Whether a store answers shows only when an object
    /// is fetched.
    pub fn new(settings: &config::ClaimCheck, max_bytes: usize) -> Result<Self, SetUp> {
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::with_environment(settings, max_bytes, &std::env::vars_os().filter_map(text).collect::<Vec<_>>())
    }

    /// Does the same with other environment variables.
    pub fn with_environment(
        settings: &config::ClaimCheck,
        max_bytes: usize,
        variables: &[(String, String)],
    ) -> Result<Self, SetUp> {
        let mut made = HashMap::new();
        for root in settings.prefixes.iter().map(Prefix::root) {
            if !made.contains_key(root) {
                let store = stores::connect(root, settings, variables);
                let store = store.map_err(|error| SetUp { root: root.to_string(), reason: object::brief(&error) })?;
                made.insert(root.clone(), store);
            }
        }
        let all_room = u32::try_from(settings.budget_bytes / PLACE).unwrap_or(u32::MAX).max(1);
        Ok(Self {
            prefixes: settings.prefixes.clone(),
            stores: made,
            timeout: Duration::from_millis(settings.timeout_ms),
            max_bytes,
            room: Arc::new(Semaphore::new(all_room as usize)),
            all_room,
        })
    }

    /// Returns the message of a record: its own bytes, or those that it refers to.
    ///
    /// # Errors
    /// Only for a reference: see [`ClaimChecks::fetch`].
    pub async fn message<'b>(&self, body: &'b Body<'_>) -> Result<Message<'b>, Unfetched> {
        match body {
            Body::Inline(bytes) => Ok(Message::Inline(bytes)),
            Body::Reference(reference) => {
                let fetched = self.fetch(reference).await;
                CLAIM_CHECKS.add(match &fetched {
                    Ok(_) => 0,
                    Err(Unfetched::Refused(_)) => 1,
                    Err(Unfetched::Unavailable(_)) => 2,
                });
                fetched.map(Message::Fetched)
            }
        }
    }

    /// Fetches the bytes of `reference` within the configured time. Waiting for room in memory does
    /// not count, because it is not the fault of the storage.
    ///
    /// # Errors
    /// [`Unfetched::Refused`] for an object that lies outside the prefixes, is missing, empty or
    /// too large, or has another checksum; [`Unfetched::Unavailable`] for everything else.
    pub async fn fetch(&self, reference: &DataRef) -> Result<Fetched, Unfetched> {
        let url = || reference.location.to_string();
        let holding: Vec<&Prefix> = self.prefixes.iter().filter(|prefix| prefix.holds(&reference.location)).collect();
        let Some(store) = self.stores.get(reference.location.root()).filter(|_| !holding.is_empty()) else {
            return Err(Unfetched::Refused(Refusal::ClaimPrefix { url: url() }));
        };
        let started = Instant::now();
        let object = self.in_time(started, Object::find(store, &reference.location, &holding)).await?;
        let bytes = object.size();
        if bytes > self.max_bytes as u64 {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            return Err(Unfetched::Refused(Refusal::TooLarge { bytes, limit: self.max_bytes }));
        }
        if bytes == 0 {
            return Err(Unfetched::Refused(Refusal::ClaimEmpty { url: url() }));
        }
        let asked = Instant::now();
        let place = self.place(bytes).await?;
        let bytes = self.in_time(started + asked.elapsed(), object.read()).await?;
        let differs = |expected: [u8; 32]| digest(&SHA256, &bytes).as_ref() != expected;
        if reference.sha256.is_some_and(differs) {
            return Err(Unfetched::Refused(Refusal::ClaimChecksum { url: url() }));
        }
        Ok(Fetched { bytes, _place: place })
    }

    async fn in_time<T>(&self, started: Instant, work: impl Future<Output = Result<T, Unfetched>>) -> Result<T, Unfetched> {
        let late = || Unfetched::Unavailable(format!("no answer within {} ms", self.timeout.as_millis()));
        let left = self.timeout.saturating_sub(started.elapsed());
        tokio::time::timeout(left, work).await.map_err(|_| late())?
    }

    /// Waits for room for an object. An object that is larger than all the room gets all of it.
    async fn place(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Unfetched> {
        let places = u32::try_from(bytes.div_ceil(PLACE as u64)).unwrap_or(u32::MAX).min(self.all_room);
        let place = self.room.clone().acquire_many_owned(places).await;
        place.map_err(|closed| Unfetched::Unavailable(closed.to_string()))
    }
}

/// A fetched message. It takes its share of `claim_check.budget_bytes` until it is dropped.
#[derive(Debug)]
pub struct Fetched {
    bytes: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

impl Deref for Fetched {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The bytes of a message, from the record or from a store.
#[derive(Debug)]
pub enum Message<'b> {
    /// The bytes stand in the record.
    Inline(&'b [u8]),
    /// The bytes were fetched from a store.
    Fetched(Fetched),
}

impl Deref for Message<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Fetched(fetched) => fetched,
        }
    }
}
