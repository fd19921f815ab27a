//! Finds one object and its size first, and reads it after that.

use super::unfetched::Unfetched;
use crate::event::raw::Refusal;
use crate::location::{Location, Prefix, Scheme};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, GetResultPayload, ObjectStore, ObjectStoreExt as _};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

/// An object that exists.
pub(super) struct Object<'a> {
    store: &'a dyn ObjectStore,
    location: &'a Location,
    path: Path,
    size: u64,
    /// The real path of a file. No part of it was a link when it was resolved.
    real: Option<PathBuf>,
}

impl<'a> Object<'a> {
    /// Asks for the size of the object at `location`. The caller has checked by its name that it
    /// lies below `prefixes`.
    pub(super) async fn find(
        store: &'a Arc<dyn ObjectStore>,
        location: &'a Location,
        prefixes: &[&Prefix],
    ) -> Result<Self, Unfetched> {
        let real = match location.root().scheme {
            Scheme::File => Some(resolve(location, prefixes).await?),
            Scheme::S3 | Scheme::Gs | Scheme::Az => None,
        };
        let path = match &real {
            Some(real) => Path::from_absolute_path(real),
            None => Path::parse(location.key()),
        };
        let path = path.map_err(|error| unusable(location, error.to_string()))?;
        if real.is_some() && is_reserved(&path) {
            let reason = "a file whose name ends in # and digits is an upload of the store that was not finished";
            return Err(unusable(location, reason.to_owned()));
        }
        let size = store.head(&path).await.map_err(|error| unfetched(location, &error))?.size;
        Ok(Self { store: &**store, location, path, size, real })
    }

    /// Returns the size in bytes that the object had when it was found.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads exactly as many bytes as the object had when it was found. It is an error when the
    /// store sends more or fewer.
    pub(super) async fn read(&self) -> Result<Vec<u8>, Unfetched> {
        let failed = |error: Error| unfetched(self.location, &error);
        let changed = || Unfetched::Unavailable(format!("{} changed while it was read", self.location));
        let result = self.store.get(&self.path).await.map_err(failed)?;
        if let (GetResultPayload::File(file, _), Some(real)) = (&result.payload, &self.real)
            && !is_at(file, real)
        {
            return Err(changed());
        }
        let size = usize::try_from(self.size).map_err(|_| changed())?;
        let mut bytes = Vec::with_capacity(size);
        let mut chunks = result.into_stream();
        while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
            if chunk.len() > size - bytes.len() {
                return Err(changed());
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() == size { Ok(bytes) } else { Err(changed()) }
    }
}

/// Returns the real path of a regular file that lies below the real path of one of the prefixes.
async fn resolve(location: &Location, prefixes: &[&Prefix]) -> Result<PathBuf, Unfetched> {
    let absolute = |key: String| PathBuf::from(format!("/{key}"));
    let (path, below) = (absolute(location.key()), prefixes.iter().map(|prefix| absolute(prefix.key())).collect::<Vec<_>>());
    let url = location.to_string();
    let looked = tokio::task::spawn_blocking(move || {
        let mut roots = Vec::with_capacity(below.len());
        for root in below {
            // A directory that does not exist means that its disk is not mounted.
            let real = root.canonicalize();
            roots.push(real.map_err(|error| Unfetched::Unavailable(format!("directory {}: {error}", root.display())))?);
        }
        let real = path.canonicalize().map_err(|error| file_error(&url, &error))?;
        if !roots.iter().any(|root| real.starts_with(root)) {
            return Err(Unfetched::Refused(Refusal::ClaimPrefix { url }));
        }
        // Only a regular file is opened, because opening a pipe would wait for its writer.
        match real.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(real),
            Ok(_) => Err(Unfetched::Refused(Refusal::ClaimMissing { url })),
            Err(error) => Err(file_error(&url, &error)),
        }
    });
    looked.await.unwrap_or_else(|error| Err(Unfetched::Unavailable(error.to_string())))
}

fn file_error(url: &str, error: &std::io::Error) -> Unfetched {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
            Unfetched::Refused(Refusal::ClaimMissing { url: url.to_owned() })
        }
        _ => Unfetched::Unavailable(format!("{url}: {error}")),
    }
}

/// Returns whether an open file is the one at `real`. A link could have taken the place of a
/// directory since the path was resolved.
#[cfg(target_os = "linux")]
fn is_at(file: &std::fs::File, real: &std::path::Path) -> bool {
    use std::os::fd::AsRawFd as _;
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).is_ok_and(|opened| opened == real)
}

#[cfg(not(target_os = "linux"))]
fn is_at(_: &std::fs::File, real: &std::path::Path) -> bool {
    real.canonicalize().is_ok_and(|again| again == real)
}

fn unusable(location: &Location, reason: String) -> Unfetched {
    Unfetched::Refused(Refusal::ClaimReference { given: location.to_string(), reason })
}

/// Returns whether the store of files never reads this name. Its error for such a name cannot be
/// told from that of a store that does not answer.
fn is_reserved(path: &Path) -> bool {
    let suffix = path.filename().and_then(|name| name.split_once('#')).map_or("", |(_, suffix)| suffix);
    !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit())
}

fn unfetched(location: &Location, error: &Error) -> Unfetched {
    match error {
        Error::NotFound { .. } => Unfetched::Refused(Refusal::ClaimMissing { url: location.to_string() }),
        error => Unfetched::Unavailable(format!("{location}: {}", brief(error))),
    }
}

/// Returns the text of a store's error without the document that the store may have sent, which
/// repeats the signature of the request.
pub(super) fn brief(error: &Error) -> String {
    let text = error.to_string();
    let words = text.split(['<', '{', '\n']).next().unwrap_or_default().trim_end_matches([' ', ':']);
    words.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
