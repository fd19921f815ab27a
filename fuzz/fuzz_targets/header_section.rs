//! The header section is cut without gaps, and the annotated copy keeps the body and nothing that could pass for ours (F-9, F-29).
//!
//! That the work is linear is left to libFuzzer's timeout: 64 KiB at quadratic cost take longer than that.

#![no_main]

use libfuzzer_sys::fuzz_target;
use verdmarc::config::Limits;
use verdmarc::message::{Defect, HeaderSection, annotated, claims, forged, normalise};

const OWN_ID: &str = "mx.receiver.example";
const OURS: &[u8] =
    b"Return-Path: <a@b.example>\r\nAuthentication-Results: mx.receiver.example;\r\n none\r\nReceived-SPF: none\r\n\
    X-DMARC-Verdict: FAIL\r\n";
const OUR_FIELDS: usize = 4;

fuzz_target!(|data: &[u8]| {
    let normalised = normalise(data, true, true);
    if !normalised.converted && !normalised.mbox_line_dropped {
        assert_eq!(&*normalised.bytes, data);
    }
    if normalised.converted {
        assert!(!normalise(&normalised.bytes, true, false).converted, "converting once is enough");
        let bare = |pair: &[u8]| pair[1] == b'\n' && pair[0] != b'\r';
        assert!(!normalised.bytes.windows(2).any(bare) && normalised.bytes.first() != Some(&b'\n'));
    }
    for message in [data, &normalised.bytes] {
        cut(message);
        annotate(message);
    }
});

fn cut(message: &[u8]) {
    let section = HeaderSection::parse(message, &Limits::default());
    let body_at = if message.starts_with(b"\r\n") {
        2
    } else {
        message.windows(4).position(|octets| octets == b"\r\n\r\n").map_or(message.len(), |at| at + 4)
    };
    assert_eq!(section.body(), &message[body_at..], "the section ends at the first empty line");

    let mut at = 0;
    let mut gaps = false;
    for field in section.all_fields() {
        let start = field.raw.as_ptr().addr() - message.as_ptr().addr();
        assert!(start >= at && start + field.raw.len() <= body_at, "fields follow one another within the section");
        assert!(start == 0 || message[..start].ends_with(b"\r\n"), "a field begins a line");
        assert_eq!(field.raw[field.colon], b':');
        assert!(!field.name().is_empty() && field.name().iter().all(u8::is_ascii_graphic) && !field.name().contains(&b':'));
        gaps |= start > at;
        at = start + field.raw.len();
        assert!(field.raw.ends_with(b"\r\n") || at == message.len());
        let next = message.get(at).copied();
        assert!(!matches!(next, Some(b' ' | b'\t')), "continuation lines belong to the field");
    }
    let empty_line = &message[at..body_at];
    gaps |= !matches!(empty_line, b"" | b"\r\n");
    let broken = section.has(Defect::Malformed) || section.has(Defect::MalformedFrom);
    assert!(!gaps || broken, "only a broken line is in no field");
    if !broken {
        let head = &message[..body_at];
        for (at, octet) in head.iter().enumerate() {
            let in_pair = match octet {
                b'\r' => head.get(at + 1) == Some(&b'\n'),
                b'\n' => at > 0 && head[at - 1] == b'\r',
                0 => false,
                _ => true,
            };
            assert!(in_pair, "a CR or LF alone, or NUL, is a defect");
        }
    }

    let narrow = Limits { header_section_bytes: 200, header_fields: 5, header_field_bytes: 60, ..Limits::default() };
    let limited = HeaderSection::parse(message, &narrow);
    assert!(limited.all_fields().eq(section.all_fields()), "limits hide no field");
    assert!(limited.fields().len() <= 5 + 16, "limits bound what is kept");
    let sizes: Vec<_> = section.all_fields().map(|field| field.raw.len()).collect();
    let over = sizes.len() > 5 || sizes.iter().any(|size| *size > 60) || sizes.iter().sum::<usize>() > 200;
    assert!(!over || limited.has(Defect::OverLimit));
}

fn annotate(message: &[u8]) {
    let own_ids = [OWN_ID.to_owned()];
    let section = HeaderSection::parse(message, &Limits::default());
    let removed = forged(&section, &own_ids, "X-");
    assert!(removed.iter().is_sorted_by_key(|part| part.index));
    let copy = annotated(&section, b"", &removed);
    assert!(!removed.is_empty() || copy == message);

    let cleaned = HeaderSection::parse(&copy, &Limits::default());
    assert_eq!(cleaned.body(), section.body(), "the body stays octet for octet");
    assert!(forged(&cleaned, &own_ids, "X-").is_empty(), "a second pass removes nothing");
    let mut incoming = section.all_fields();
    for kept in cleaned.all_fields() {
        assert!(incoming.any(|field| field.raw == kept.raw), "what is kept stays as it is, in its order");
    }
    no_lax_reader_is_misled(&copy[..copy.len() - cleaned.body().len()]);

    let whole = annotated(&section, OURS, &removed);
    assert_eq!(&whole[OURS.len()..], copy);
    let section = HeaderSection::parse(&whole, &Limits::default());
    let ours: Vec<_> = section.fields().iter().take(OUR_FIELDS).flat_map(|field| field.raw).copied().collect();
    assert_eq!(ours, OURS, "nothing continues our fields");
    let found: Vec<_> = forged(&section, &own_ids, "X-").iter().map(|part| part.index).collect();
    assert_eq!(found, [0, 1, 2, 3], "ours are the only ones");
}

/// Reads as software does that ends lines at any CR or LF, and as software that passes over control characters.
fn no_lax_reader_is_misled(head: &[u8]) {
    let mut ends = head.to_vec();
    for at in 0..ends.len() {
        if ends[at] == b'\r' && ends.get(at + 1) != Some(&b'\n') {
            ends[at] = b'\n';
        }
    }
    ends.retain(|octet| *octet != b'\r');
    misleads_nobody(ends.split(|octet| *octet == b'\n'));
    let visible: Vec<_> =
        head.iter().copied().filter(|octet| matches!(octet, b'\n' | b'\t') || !octet.is_ascii_control()).collect();
    misleads_nobody(visible.split(|octet| *octet == b'\n'));
}

fn misleads_nobody<'l>(lines: impl Iterator<Item = &'l [u8]>) {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for (at, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let continues = matches!(line, [b' ' | b'\t', ..]);
        assert!(at > 0 || !continues, "the first line continues our last field");
        match fields.last_mut() {
            Some(field) if continues => field.extend_from_slice(line),
            _ => fields.push(line.to_vec()),
        }
    }
    for field in &fields {
        let Some(colon) = field.iter().position(|octet| *octet == b':') else { continue };
        let name: String =
            field[..colon].iter().filter(|octet| octet.is_ascii_graphic()).map(|octet| char::from(*octet)).collect();
        let is_forged = match name.to_ascii_lowercase().as_str() {
            "return-path" | "received-spf" | "x-spf-verdict" | "x-dkim-verdict" | "x-dmarc-verdict" | "x-dmarc-policy" => true,
            "authentication-results" => claims(&field[colon + 1..], &[OWN_ID.to_owned()]),
            _ => false,
        };
        assert!(!is_forged, "{:?} is left", String::from_utf8_lossy(field));
    }
}
