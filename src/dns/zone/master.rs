//! Reads master files (RFC 1035 5) with the scanner of the crate `domain`.

use super::error::{ZoneError, ZoneProblem};
use super::nodes::{Builder, Zone};
use crate::dns::{QueryName, Record};
use domain::base::iana::Class;
use domain::base::name::ToName;
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) fn read(text: &str) -> Result<Zone, ZoneError> {
    let mut file = Zonefile::from(text);
    // Without a line end, the scanner takes the last word for unfinished.
    file.extend_from_slice(b"\n");
    file.set_default_class(Class::IN);
    let mut builder = Builder::new();
    loop {
        let start = file.current_offset();
        // The scanner panics at some malformed entries. It is not used again after that.
        let entry = catch_unwind(AssertUnwindSafe(|| file.next_entry()));
        let entry = entry.map_err(|_| ZoneError::at(line_of_entry(text, start), ZoneProblem::Entry))?;
        let entry = entry.map_err(|error| syntax(&error.to_string()))?;
        let added = match entry {
            None => return Ok(builder.finish()),
            Some(Entry::Include { .. }) => Err(ZoneProblem::Include),
            Some(Entry::Record(record)) => add(&mut builder, &record),
        };
        added.map_err(|problem| ZoneError::at(line_of_entry(text, start), problem))?;
    }
}

/// Converts an error of the scanner, which reads `line:column: problem`.
///
/// Column one means that the scanner had already read a line to its end.
fn syntax(error: &str) -> ZoneError {
    let split = error.split_once(':').and_then(|(line, rest)| Some((line.parse::<usize>().ok()?, rest.split_once(": ")?)));
    match split {
        Some((line, (column, what))) => {
            let line = if column == "1" { line.saturating_sub(1).max(1) } else { line };
            let what = match what {
                "missing origin" => "a name without final dot, and no $ORIGIN above it",
                what => what,
            };
            ZoneError::at(line, ZoneProblem::Syntax(what.to_owned()))
        }
        None => ZoneProblem::Syntax(error.to_owned()).into(),
    }
}

/// Returns the line of the first entry at or after an offset.
///
/// It skips blank lines, comments and directives.
fn line_of_entry(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let rest = text.get(offset..).unwrap_or_default();
    let skipped = rest
        .lines()
        .take_while(|line| {
            let line = line.trim_start();
            line.is_empty() || line.starts_with(';') || (line.starts_with('$') && !line.starts_with("$INCLUDE"))
        })
        .count();
    before + skipped + 1
}

fn add(builder: &mut Builder, record: &ScannedRecord) -> Result<(), ZoneProblem> {
    let owner = host_name(record.owner());
    let name = owner.as_deref().and_then(QueryName::new);
    let name = name.ok_or_else(|| ZoneProblem::Owner(record.owner().to_string()))?;
    let ttl = record.ttl().as_secs();
    let bad = |expected| ZoneProblem::Record { owner: name.to_string(), record: record.data().to_string(), expected };
    let host =
        |host: &dyn Fn() -> Option<String>| host().map(Box::from).ok_or_else(|| bad("a host without dots inside its labels"));
    let data = match record.data() {
        ZoneRecordData::A(a) => Record::A(a.addr()),
        ZoneRecordData::Aaaa(aaaa) => Record::Aaaa(aaaa.addr()),
        ZoneRecordData::Mx(mx) => Record::Mx(mx.preference(), host(&|| host_name(mx.exchange()))?),
        ZoneRecordData::Ptr(ptr) => Record::Ptr(host(&|| host_name(ptr.ptrdname()))?),
        ZoneRecordData::Txt(txt) => Record::Txt(txt.iter().flatten().copied().collect()),
        ZoneRecordData::Cname(cname) => {
            let target = host_name(cname.cname()).as_deref().and_then(QueryName::new);
            let target = target.ok_or_else(|| bad("a name that can be asked for"))?;
            if builder.at(&name).alias.replace((target, ttl)).is_some() {
                return Err(bad("one CNAME at a name"));
            }
            return Ok(());
        }
        ZoneRecordData::Soa(soa) => {
            builder.negative_ttl = ttl.min(soa.minimum().as_secs());
            builder.at(&name);
            return Ok(());
        }
        _ => {
            builder.at(&name);
            return Ok(());
        }
    };
    builder.at(&name).records.push((data, ttl));
    Ok(())
}

/// Returns the labels in lower case, joined by dots. The root is the empty text.
///
/// Returns `None` if a label has a dot inside or is not UTF-8.
fn host_name(name: &impl ToName) -> Option<String> {
    let mut text = String::new();
    for label in name.iter_labels().filter(|label| !label.is_root()) {
        let label = std::str::from_utf8(label.as_slice()).ok().filter(|label| !label.contains('.'))?;
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&label.to_ascii_lowercase());
    }
    Some(text)
}
