//! Where an object lies: the URLs that a claim check may use, read so that one URL has one meaning.
//!
//! ```text
//! s3://bucket/incoming/2026/m%201.eml      file:///var/spool/mail/m-1.eml
//! ```
//!
//! A URL is split first and each segment is percent-decoded once, last. Everything that readers of URLs disagree about is
//! refused instead of repaired: relative and empty segments, encoded slashes, backslashes, ports, user names, queries,
//! fragments, characters that a URL has to encode. So what is compared with a prefix is what is asked for.

#[cfg(test)]
mod tests;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::str::FromStr;

/// Longest URL, and longest key in it when decoded, which is S3's limit and more than a path needs.
const MAX_URL: usize = 4096;
const MAX_KEY: usize = 1024;
/// Longest name of a bucket or container.
const MAX_CONTAINER: usize = 222;

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Amazon S3 and what is compatible with it.
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

    /// The scheme's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::File => "file",
            Self::Gs => "gs",
            Self::Az => "az",
        }
    }

    /// The cargo feature without which this build cannot speak it.
    fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::Gs if !cfg!(feature = "gcs") => Some("gcs"),
            Self::Az if !cfg!(feature = "azure") => Some("azure"),
            _ => None,
        }
    }
}

/// Why a URL locates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No scheme, or none that is known.
    #[error("write a URL that starts with s3://, file:///, gs:// or az://")]
    Scheme,
    /// A character that has to be encoded, or that starts a query or a fragment.
    #[error("write spaces, backslashes, `?`, `#` and what is not ASCII percent-encoded")]
    Character,
    /// The part between `//` and `/` is more or less than a name.
    #[error("between // and / there must be the bucket's name alone, and nothing in a file's URL")]
    Container,
    /// A segment is empty, `.` or `..`, or decodes to what is no part of a name.
    #[error("a segment is empty, relative, or holds an encoded slash, backslash, control character or what is not UTF-8")]
    Segment,
    /// The URL ends with a slash.
    #[error("the URL ends with a slash and names no object")]
    Directory,
    /// A prefix ends inside a name, and would allow its neighbours too.
    #[error("a prefix must end with a slash: one that ends inside a name allows its neighbours too")]
    OpenPrefix,
    /// More than any store takes.
    #[error("the URL is longer than 4096 bytes, or its key longer than 1024")]
    TooLong,
    /// The prefix of a store that this build leaves out.
    #[error("this build cannot reach that store: build with --features {0}")]
    NotBuilt(&'static str),
}

/// A store: the scheme, and the bucket or container in it; no name for files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root {
    /// Whose protocol is spoken.
    pub scheme: Scheme,
    /// The bucket or container, as it is written.
    pub container: String,
}

/// One object in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    root: Root,
    segments: Vec<String>,
}

/// All objects below a place in a store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    root: Root,
    segments: Vec<String>,
}

impl Location {
    /// The store.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The object's key in its store: decoded, without a slash in front.
    pub fn key(&self) -> String {
        self.segments.join("/")
    }
}

impl Prefix {
    /// The store.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// What the keys begin with: decoded, without a slash in front and behind.
    pub fn key(&self) -> String {
        self.segments.join("/")
    }

    /// Whether `location` lies below, compared segment by segment.
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

/// RFC 3986 `pchar` and the slash.
fn may_stand_in_a_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

/// Letters of either case are kept apart: stores do so too, or know small ones only.
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
