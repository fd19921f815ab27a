//! Makes the identity of a report: its id, the name of its file, and the subject of its mail (B.3).

use super::head::Head;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// A report's id: 32 hexadecimal digits of a hash over what the report is about. The same report
/// has the same id whenever it is made (B21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportId([u8; 16]);

/// A report's id, and the names that follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The id.
    pub id: ReportId,
    /// `receiver!policy-domain!begin!end!unique-id.xml.gz` (RFC 9990 3.5.2; B22).
    pub file_name: String,
    /// `Report Domain: … Submitter: … Report-ID: …`, unfolded (B23).
    pub subject: String,
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Identity {
    /// Returns the identity of part `part`, counted from 0, of the report that `head` describes.
    pub fn of(head: &Head<'_>, part: u32) -> Self {
        let (submitter, domain) = (&head.submitter.domain, head.policy_domain);
        let (begin, end) = (head.period.begin, head.period.end);
        let mut hashed = String::with_capacity(160);
        // Writing to a string cannot fail. No member contains the separator.
        let _ = write!(
            hashed,
            "{}|{}|{begin}|{end}|{}|{}|{}|{part}",
            submitter.as_str(),
            domain.as_str(),
            head.policy_hash,
            head.partition,
            head.generation
        );
        let mut id = [0; 16];
        id.iter_mut().zip(Sha256::digest(hashed)).for_each(|(to, from)| *to = from);
        let id = ReportId(id);
        Self {
            id,
            file_name: format!("{submitter}!{domain}!{begin}!{end}!{id}.xml.gz"),
            subject: format!("Report Domain: {domain} Submitter: {submitter} Report-ID: {id}"),
        }
    }
}

/// Shortens a report's file name to at most `most` bytes, for a file system. The domains lose
/// characters at their end, and period and id are kept. Returns `None` when even these do not fit,
/// or when the name is not that of a report. Mail has the whole name.
pub fn shortened(file_name: &str, most: usize) -> Option<Cow<'_, str>> {
    let (tail, _) = file_name.rmatch_indices('!').nth(2)?;
    let kept = most.checked_sub(file_name.len() - tail)?;
    if kept >= tail {
        return Some(file_name.into());
    }
    let (domains, tail) = (file_name.get(..kept)?, file_name.get(tail..)?);
    (!domains.is_empty()).then(|| format!("{domains}{tail}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_keeps_period_and_id() {
        let name = "mx.example!a.example!1!2!ab.xml.gz";
        for (most, expected) in [
            (1_000, Some(name)),
            (name.len(), Some(name)),
            (name.len() - 1, Some("mx.example!a.exampl!1!2!ab.xml.gz")),
            (15, Some("m!1!2!ab.xml.gz")),
            (14, None),
            (3, None),
        ] {
            assert_eq!(shortened(name, most).as_deref(), expected, "{most}");
        }
        for other in ["", "ab.xml.gz", "a!1!ab.xml.gz"] {
            assert_eq!(shortened(other, 255), None, "{other}");
        }
    }
}
