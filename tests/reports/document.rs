//! A report as its elements.

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;
use quick_xml::Reader;
use quick_xml::events::Event;
use std::io::Read as _;
use std::net::IpAddr;

/// An element that holds text, and the text.
pub(crate) type Leaf = (String, String);

/// What is compared of a report.
pub(crate) struct Document {
    /// What was wrong with records, in notes.
    pub(crate) error: Option<String>,
    /// The elements of `policy_published`.
    pub(crate) policy: Vec<Leaf>,
    pub(crate) entries: Vec<Entry>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) source: IpAddr,
    pub(crate) disposition: String,
    /// What it gave up.
    pub(crate) merged: Option<String>,
    /// Every other element but `count` and `comment`, in order.
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) count: u64,
}

impl Document {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut text = String::new();
        GzDecoder::new(bytes).read_to_string(&mut text)?;
        let mut reader = Reader::from_str(&text);
        let mut document = Self { error: None, policy: Vec::new(), entries: Vec::new() };
        let (mut open, mut leaves) = (None, Vec::new());
        loop {
            match reader.read_event()? {
                Event::Start(start) => open = Some((start.name().0.to_owned(), String::new())),
                Event::Text(part) => {
                    if let Some((_, text)) = &mut open {
                        text.push_str(&part);
                    }
                }
                Event::End(end) => match (open.take(), end.name().0) {
                    (Some(leaf), _) => leaves.push(leaf),
                    (None, "report_metadata") => {
                        document.error = leaves.drain(..).find_map(|(name, text)| (name == "error").then_some(text));
                    }
                    (None, "policy_published") => document.policy = std::mem::take(&mut leaves),
                    (None, "record") => document.entries.push(Entry::of(std::mem::take(&mut leaves))?),
                    _ => {}
                },
                Event::Eof => return Ok(document),
                _ => {}
            }
        }
    }
}

impl Entry {
    fn of(mut leaves: Vec<Leaf>) -> Result<Self> {
        let mut take = |name: &str| {
            let place = leaves.iter().position(|leaf| leaf.0 == name).with_context(|| format!("a record has no {name}"))?;
            anyhow::Ok(leaves.remove(place).1)
        };
        let (source, count, disposition) = (take("source_ip")?.parse()?, take("count")?.parse()?, take("disposition")?);
        let merged =
            leaves.iter().find(|(name, text)| name == "comment" && text.starts_with("merged: ")).map(|leaf| leaf.1.clone());
        // Without signatures and without SPF the list of results is empty, which is no leaf either.
        leaves.retain(|leaf| !matches!(leaf.0.as_str(), "comment" | "auth_results"));
        Ok(Self { source, disposition, merged, leaves, count })
    }
}
