//! Reads the URLs that a claim check may use, in such a way that each URL has one meaning.
//!
//! ```text
//! s3://bucket/incoming/2026/m%201.eml      file:///var/spool/mail/m-1.eml
//! ```
//!
//! A URL is split first, and each segment is percent-decoded once, in the last step.
//! Everything that readers of URLs disagree about is refused instead of repaired: relative and
//! empty segments, encoded slashes, backslashes, ports, user names, queries, fragments, and
//! characters that a URL must encode.
//! So the key that is compared with a prefix is the key that is fetched.

#[cfg(test)]
mod tests;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::str::FromStr;

/// The longest URL that is read, in bytes.
const MAX_URL: usize = 4096;
/// The longest decoded key, in bytes: the limit of S3, and more than the path of a file needs.
const MAX_KEY: usize = 1024;
/// The longest name of a bucket or container, in bytes.
const MAX_CONTAINER: usize = 222;

/// The protocol of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Amazon S3 and compatible stores.
    S3,
    /// The local file system.
    File,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::S3, Self::File, Self::Gs, Self::Az];

    /// Returns the name of the scheme in URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::File => "file",
            Self::Gs => "gs",
            Self::Az => "az",
        }
    }

    /// Returns the cargo feature that the scheme needs, if this build lacks it.
    fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::Gs if !cfg!(feature = "gcs") => Some("gcs"),
            Self::Az if !cfg!(feature = "azure") => Some("azure"),
            _ => None,
        }
    }
}

/// The reason why a URL names no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The URL has no scheme, or an unknown one.
    #[error("write a URL that starts with s3://, file:///, gs:// or az://")]
    Scheme,
    /// The URL has a character that must be encoded, or one that starts a query or a fragment.
    #[error("write spaces, backslashes, `?`, `#` and what is not ASCII percent-encoded")]
    Character,
    /// The part between `//` and `/` is not the name of a bucket, or not empty in a file's URL.
    #[error("between // and / there must be the bucket's name alone, and nothing in a file's URL")]
    Container,
    /// A segment is empty, `.` or `..`, or decodes to something that no name may hold.
    #[error("a segment is empty, relative, or holds an encoded slash, backslash, control character or what is not UTF-8")]
    Segment,
    /// The URL ends with a slash.
    #[error("the URL ends with a slash and names no object")]
    Directory,
    /// A prefix ends inside a name, and would also allow other names that begin in the same way.
    #[error("a prefix must end with a slash: one that ends inside a name allows its neighbours too")]
    OpenPrefix,
    /// The URL or its key is longer than any store accepts.
    #[error("the URL is longer than 4096 bytes, or its key longer than 1024")]
    TooLong,
    /// The prefix is in a store that this build leaves out. The text is the missing feature.
    #[error("this build cannot reach that store: build with --features {0}")]
    NotBuilt(&'static str),
}

/// A store: its scheme, and the bucket or container in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root {
    /// The protocol of the store.
    pub scheme: Scheme,
    /// The bucket or container as the URL has it. It is empty for files.
    pub container: String,
}

/// One object in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    root: Root,
    segments: Vec<String>,
}

/// A place in a store, which stands for all objects below it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    root: Root,
    segments: Vec<String>,
}

impl Location {
    /// Returns the store.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Returns the object's key in its store: decoded, and without a leading slash.
    pub fn key(&self) -> String {
        self.segments.join("/")
    }
}

impl Prefix {
    /// Returns the store.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Returns the beginning of the keys: decoded, and without a leading or trailing slash.
    pub fn key(&self) -> String {
        self.segments.join("/")
    }

    /// Returns whether `location` lies below this place, compared segment by segment.
    pub fn holds(&self, location: &Location) -> bool {
        self.root == location.root
            && location.segments.len() > self.segments.len()
            && location.segments.starts_with(&self.segments)
    }
}

impl FromStr for Location {
    type Err = Malformed;

    fn from_str(url: &str) -> Result<Self, Malformed> {
        match Parts::read(url)? {
            Parts { directory: true, .. } => Err(Malformed::Directory),
            Parts { root, segments, .. } => Ok(Self { root, segments }),
        }
    }
}

impl FromStr for Prefix {
    type Err = Malformed;

    fn from_str(url: &str) -> Result<Self, Malformed> {
        let Parts { root, segments, directory } = Parts::read(url)?;
        match root.scheme.missing_feature() {
            Some(feature) => Err(Malformed::NotBuilt(feature)),
            None if !directory => Err(Malformed::OpenPrefix),
            None => Ok(Self { root, segments }),
        }
    }
}

struct Parts {
    root: Root,
    segments: Vec<String>,
    directory: bool,
}

impl Parts {
    fn read(url: &str) -> Result<Self, Malformed> {
        if url.len() > MAX_URL {
            return Err(Malformed::TooLong);
        }
        let (scheme, rest) = url.split_once("://").ok_or(Malformed::Scheme)?;
        let scheme = Scheme::ALL.into_iter().find(|known| scheme.eq_ignore_ascii_case(known.name())).ok_or(Malformed::Scheme)?;
        if !rest.bytes().all(may_stand_in_a_path) {
            return Err(Malformed::Character);
        }
        let (container, path) = rest.split_once('/').ok_or(Malformed::Container)?;
        if !is_container(scheme, container) {
            return Err(Malformed::Container);
        }
        let directory = path.is_empty() || path.ends_with('/');
        let segments = match path {
            "" => Vec::new(),
            path => path.strip_suffix('/').unwrap_or(path).split('/').map(segment).collect::<Result<Vec<_>, _>>()?,
        };
        if segments.iter().map(|segment| segment.len() + 1).sum::<usize>() > MAX_KEY + 1 {
            return Err(Malformed::TooLong);
        }
        Ok(Self { root: Root { scheme, container: container.to_owned() }, segments, directory })
    }
}

/// Returns whether `byte` is a slash or belongs to an RFC 3986 `pchar`.
fn may_stand_in_a_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

/// Returns whether `name` may be a bucket or container of the scheme; a file has the empty name.
///
/// Upper and lower case stay apart, because stores keep them apart or know lower case only.
fn is_container(scheme: Scheme, name: &str) -> bool {
    if scheme == Scheme::File {
        return name.is_empty();
    }
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let octets = name.as_bytes();
    edge(octets.first())
        && edge(octets.last())
        && octets.len() <= MAX_CONTAINER
        && octets.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
        && !name.contains("..")
}

fn segment(encoded: &str) -> Result<String, Malformed> {
    let decoded = percent_decode_str(encoded).decode_utf8().map_err(|_| Malformed::Segment)?;
    let is_complete = encoded
        .split('%')
        .skip(1)
        .all(|behind| behind.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    if !is_complete || matches!(&*decoded, "" | "." | "..") || decoded.contains(|c: char| c == '/' || c == '\\' || c.is_control())
    {
        return Err(Malformed::Segment);
    }
    Ok(decoded.into_owned())
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/", self.scheme.name(), self.container)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.root, encoded(&self.segments))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.segments.is_empty() { "" } else { "/" };
        write!(f, "{}{}{slash}", self.root, encoded(&self.segments))
    }
}

fn encoded(segments: &[String]) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'=').remove(b'@');
    segments.iter().map(|segment| utf8_percent_encode(segment, KEPT).to_string()).collect::<Vec<_>>().join("/")
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        url.parse().map_err(|error| format!("`{}`: {error}", url.escape_debug()))
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl schemars::JsonSchema for Prefix {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Prefix".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}
