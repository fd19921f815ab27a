//! Finds out whether the content of a file differs from before.
//!
//! Kubernetes mounts a volume as symbolic links into a directory that it replaces as a whole. Each
//! look begins at the path that the settings name. The content that is found there counts, not the
//! identity of the file.

use sha2::{Digest as _, Sha256};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The content that a path led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// The identity of the file, and the time when it was last written; `None` for a directory.
    file: Option<Version>,
    digest: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Content {
    /// Reads the content at a path. A file that was not written since `before` is not read again.
    ///
    /// # Errors
    /// The path cannot be read.
    pub(super) fn at(path: &Path, before: Option<&Self>) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Ok(Self { file: None, digest: directory(path)? });
        }
        let file = Some(Version::of(&metadata));
        match before {
            Some(before) if before.file == file => Ok(before.clone()),
            _ => Ok(Self { file, digest: digest(path)? }),
        }
    }

    /// Returns whether both hold the same content, even in different files.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    io::copy(&mut File::open(path)?, &mut digest)?;
    Ok(digest.finalize().into())
}

/// Returns a digest over the names and contents of the files in a directory, such as a directory of
/// certificate authorities.
fn directory(path: &Path) -> io::Result<[u8; 32]> {
    let paths: io::Result<Vec<PathBuf>> = path.read_dir()?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths: Vec<PathBuf> = paths?.into_iter().filter(|path| path.is_file()).collect();
    paths.sort();
    let mut all = Sha256::new();
    for path in paths {
        all.update(path.as_os_str().as_encoded_bytes());
        all.update(digest(&path)?);
    }
    Ok(all.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn changed(path: &Path, before: &mut Content) -> bool {
        let now = Content::at(path, Some(before)).unwrap();
        !std::mem::replace(before, now.clone()).is_same(&now)
    }

    #[test]
    fn a_file_changes_when_it_holds_something_else_and_not_when_it_is_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        let mut content = Content::at(&path, None).unwrap();
        assert!(!changed(&path, &mut content));
        std::fs::write(&path, "one").unwrap();
        assert!(!changed(&path, &mut content));
        std::fs::write(&path, "two").unwrap();
        assert!(changed(&path, &mut content));
        // An editor writes another file and gives it the name of the old one.
        std::fs::write(directory.path().join("new"), "three").unwrap();
        std::fs::rename(directory.path().join("new"), &path).unwrap();
        assert!(changed(&path, &mut content));
        assert!(!changed(&path, &mut content));
    }

    #[test]
    fn a_volume_of_kubernetes_changes_when_the_link_above_its_files_is_swapped() {
        let volume = tempfile::tempdir().unwrap();
        let at = |name: &str| volume.path().join(name);
        let publish = |version: &str, text: &str| {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("tls.crt"), text).unwrap();
            symlink(version, at("..data_tmp")).unwrap();
            std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        };
        publish("..1", "one");
        symlink("..data/tls.crt", at("tls.crt")).unwrap();
        let mut content = Content::at(&at("tls.crt"), None).unwrap();
        publish("..2", "one");
        assert!(!changed(&at("tls.crt"), &mut content), "the same again");
        publish("..3", "two");
        assert!(changed(&at("tls.crt"), &mut content));
        std::fs::remove_dir_all(at("..3")).unwrap();
        assert!(Content::at(&at("tls.crt"), Some(&content)).is_err());
    }

    #[test]
    fn a_directory_changes_with_its_files_and_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let mut content = Content::at(directory.path(), None).unwrap();
        std::fs::write(directory.path().join("a"), "one").unwrap();
        assert!(changed(directory.path(), &mut content));
        std::fs::write(directory.path().join("a"), "two").unwrap();
        assert!(changed(directory.path(), &mut content));
        std::fs::rename(directory.path().join("a"), directory.path().join("b")).unwrap();
        assert!(changed(directory.path(), &mut content));
        assert!(!changed(directory.path(), &mut content));
    }
}
