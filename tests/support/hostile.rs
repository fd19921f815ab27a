//! Messages and zones made to cost much: a spoof of `victim.example`, which asks for reject, with one thing in excess.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "test support, of which each target that includes it uses a part"
)]

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use verdmarc::event::Reason;
use verdmarc::message::{Envelope, MailFrom};

/// CPU for an ordinary excess, in milliseconds.
const ORDINARY: u64 = 50;
/// CPU for the largest body, in milliseconds.
const BODY: u64 = 150;
/// CPU for a header section of the same size, all of which is looked at several times, in milliseconds.
const HEADERS: u64 = 4000;
/// When all of it arrives.
const ARRIVAL: i64 = 1_780_315_200;
const VICTIM: &str = "victim.example";

/// One excess.
pub struct Hostile {
    /// What is in excess.
    pub name: &'static str,
    /// The message.
    pub message: Vec<u8>,
    /// Its envelope.
    pub envelope: Envelope,
    /// DNS.
    pub zone: Value,
    /// CPU that it may cost in milliseconds.
    pub budget_ms: u64,
    /// What it comes to.
    pub outcome: Outcome,
    /// The reason that tells of the limit, when one is reached.
    pub reason: Option<Reason>,
}

/// What a spoof comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// FAIL with reject, whatever limit was reached.
    Reject,
    /// The author domain cannot be had: PROCESSING_FAILED.
    Unusable,
    /// Either: it hangs on how patient the reading of From is.
    NotPass,
}

/// Every excess; `body` is the size of the largest bodies in octets.
pub fn all(body: usize) -> Vec<Hostile> {
    let mut all = signatures();
    all.extend(header_sections());
    all.extend(spf());
    all.extend(from());
    all.extend(records());
    all.extend(bodies(body));
    all.extend(large_header_sections(body));
    all
}

/// Most memory that the evaluation of a message may take at a time, in octets (Decisions: cost to others).
pub fn memory(message: &[u8]) -> usize {
    3 * message.len() + (1 << 20)
}

/// When the evaluation runs.
pub fn now() -> Timestamp {
    Timestamp::from_second(ARRIVAL).unwrap()
}

impl Hostile {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            message: message("", "From: Boss <boss@victim.example>\r\n", b"Pay at once.\r\n"),
            envelope: Envelope {
                client_ip: Some([203, 0, 113, 7].into()),
                helo: Some("mx.evil.test".into()),
                mail_from: MailFrom::Path("x@evil.test".into()),
                arrival: Some(now()),
                ..Envelope::default()
            },
            zone: zone(&[]),
            budget_ms: ORDINARY,
            outcome: Outcome::Reject,
            reason: None,
        }
    }

    fn fields(mut self, fields: &str) -> Self {
        self.message = message(fields, "From: Boss <boss@victim.example>\r\n", b"Pay at once.\r\n");
        self
    }

    fn from(mut self, value: &str, outcome: Outcome) -> Self {
        self.message = message("", &format!("From: {value}\r\n"), b"Pay at once.\r\n");
        self.outcome = outcome;
        self
    }

    fn zone(mut self, records: &[(&str, Value)]) -> Self {
        self.zone = zone(records);
        self
    }

    fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }
}

fn message(fields: &str, from: &str, body: &[u8]) -> Vec<u8> {
    let rest = "To: you@receiver.example\r\nSubject: Invoice\r\nDate: Mon, 01 Jun 2026 11:59:38 +0000\r\nMessage-ID: <1@evil.test>\r\n\r\n";
    [fields.as_bytes(), from.as_bytes(), rest.as_bytes(), body].concat()
}

/// The victim asks for reject; the spoofer's own SPF record permits everybody; then `records`, which win.
fn zone(records: &[(&str, Value)]) -> Value {
    let mut zone = Map::new();
    zone.insert(format!("_dmarc.{VICTIM}"), json!([["TXT", "v=DMARC1; p=reject; rua=mailto:d@victim.example"]]));
    zone.insert(VICTIM.into(), json!([["TXT", "v=spf1 -all"], ["A", "192.0.2.1"]]));
    zone.insert("evil.test".into(), json!([["TXT", "v=spf1 +all"]]));
    for (name, records) in records {
        zone.insert((*name).to_owned(), records.clone());
    }
    Value::Object(zone)
}

/// A TXT record in strings of 255 octets.
fn txt(text: &str) -> Value {
    std::iter::once(Value::from("TXT"))
        .chain(text.as_bytes().chunks(255).map(|chunk| String::from_utf8_lossy(chunk).into_owned().into()))
        .collect()
}

/// `count` times what `each` says of a number.
fn repeat(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |text, index| text + &each(index))
}

/// A signature that reads well and verifies never.
fn signature(index: usize, names: &str, more: &str) -> String {
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    format!("DKIM-Signature: v=1; a=rsa-sha256; d=k{index}.test; s=s{index};{more} h={names}; bh={hash}; b=QUJD\r\n")
}

fn signatures() -> Vec<Hostile> {
    let many_names = |count| format!("From:{}", repeat(count, |index| format!("a{}:", index % 10)).trim_end_matches(':'));
    let short_fields = repeat(980, |index| format!("A{}: b\r\n", index % 10));
    vec![
        Hostile::new("5 000 signatures").fields(&repeat(5000, |index| signature(index, "From", ""))).because(Reason::HeaderLimit),
        Hostile::new("900 signatures within the header limits")
            .fields(&repeat(900, |index| signature(index, "From", "")))
            .because(Reason::SignatureLimit),
        Hostile::new("16 000 names in h=").fields(&signature(0, &many_names(16_000), "")).because(Reason::SignatureSizeLimit),
        Hostile::new("16 000 names in h= and as many fields")
            .fields(&(signature(0, &many_names(16_000), "") + &repeat(16_000, |_| "A: b\r\n".into())))
            .because(Reason::HeaderLimit),
        Hostile::new("10 signatures with 300 names over 980 fields")
            .fields(&(repeat(10, |index| signature(index, &many_names(299), "")) + &short_fields)),
        Hostile::new("900 signatures that are no tag lists")
            .fields(&repeat(900, |_| format!("DKIM-Signature: {}\r\n", "=;".repeat(100)))),
        Hostile::new("a signature of 16 KiB of tags")
            .fields(&format!("DKIM-Signature: v=1;{}\r\n", repeat(2000, |index| format!(" t{index}=1;")))),
        Hostile::new("50 ARC sets").fields(&repeat(50, |index| arc_set(50 - index))),
        Hostile::new("900 ARC-Seal fields").fields(&repeat(900, |index| format!("ARC-Seal: i={index}; cv=pass; b=QUJD\r\n"))),
    ]
}

fn arc_set(instance: usize) -> String {
    let validation = if instance == 1 { "none" } else { "pass" };
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    format!(
        "ARC-Seal: i={instance}; a=rsa-sha256; cv={validation}; d=k{instance}.test; s=s; t=1; b=QUJD\r\n\
         ARC-Message-Signature: i={instance}; a=rsa-sha256; c=relaxed/relaxed; d=k{instance}.test; s=s; h=From:To; bh={hash}; b=QUJD\r\n\
         ARC-Authentication-Results: i={instance}; k{instance}.test; dkim=pass header.d=victim.example\r\n"
    )
}

fn header_sections() -> Vec<Hostile> {
    let forged = |count| repeat(count, |_| "Authentication-Results: verdmarc; dmarc=pass\r\n".into());
    let fold = |line: &str, octets: usize| format!("X: a\r\n{}", line.repeat(octets / line.len()));
    vec![
        Hostile::new("10 000 Authentication-Results fields").fields(&forged(10_000)).because(Reason::HeaderLimit),
        Hostile::new("900 Authentication-Results fields").fields(&forged(900)),
        Hostile::new("900 Authentication-Results fields of comments")
            .fields(&repeat(900, |_| format!("Authentication-Results: {}verdmarc{}\r\n", "(".repeat(100), ")".repeat(100)))),
        Hostile::new("256 KiB of colons").fields(&format!("{}\r\n", ":".repeat(256 << 10))).because(Reason::HeaderLimit),
        Hostile::new("a header section of fields without value").fields(&"a:\r\n".repeat(64 << 10)).because(Reason::HeaderLimit),
        Hostile::new("one field folded 60 000 times").fields(&fold(" \r\n", 180_000)).because(Reason::HeaderLimit),
        Hostile::new("a header section of lines that are no fields")
            .fields(&format!("X-A: b\r\n{}", "nothing\r\n".repeat(30_000)))
            .because(Reason::HeaderLimit),
    ]
    .into_iter()
    .map(|hostile| Hostile {
        // Lines without colon may hide a From field: then there is no author domain, which is no pass either.
        outcome: if matches!(hostile.name, "a header section of lines that are no fields" | "256 KiB of colons") {
            Outcome::NotPass
        } else {
            hostile.outcome
        },
        ..hostile
    })
    .collect()
}

fn spf() -> Vec<Hostile> {
    let terms = |count, each: fn(usize) -> String| format!("v=spf1 {}-all", repeat(count, each));
    let evil = |text: &str| ("evil.test", json!([txt(text)]));
    let includes: Vec<(String, Value)> = (0..10)
        .map(|index| (format!("i{index}.test"), json!([txt(&terms(10, |inner| format!("include:j{inner}.test ")))])))
        .chain((0..10).map(|index| (format!("j{index}.test"), json!([["TXT", "v=spf1 ip4:192.0.2.9 ?all"]]))))
        .collect();
    let exchanges: Vec<(String, Value)> = (0..10)
        .flat_map(|index| {
            let hosts: Value = (0..10).map(|host| json!(["MX", host, format!("h{host}.m{index}.test")])).collect();
            let addresses = (0..10).map(move |host| (format!("h{host}.m{index}.test"), json!([["A", "192.0.2.9"]])));
            std::iter::once((format!("m{index}.test"), hosts)).chain(addresses)
        })
        .collect();
    let chain: Vec<(String, Value)> = (0..30)
        .map(|index| (format!("c{index}.test"), json!([txt(&format!("v=spf1 include:c{}.test -all", index + 1))])))
        .collect();
    let with = |name: &'static str, record: &str, more: &[(String, Value)]| {
        let mut records: Vec<_> = more.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        records.push(evil(record));
        Hostile::new(name).zone(&records)
    };
    let macros = |each: &str| terms_of(each, 4000);
    let mut long_local = with("SPF macros over a long local part", &macros("exists:%{l}%{l}%{l}%{l}.e.test "), &[]);
    long_local.envelope.mail_from = MailFrom::Path(format!("{}@evil.test", "a.".repeat(250) + "a"));
    vec![
        with("SPF: 10 includes of 10 includes", &terms(10, |index| format!("include:i{index}.test ")), &includes)
            .because(Reason::SpfLimit),
        with("SPF: names that do not exist", &terms(10, |index| format!("a:void{index}.test ")), &[]).because(Reason::SpfLimit),
        with("SPF: 10 mx of 10 hosts", &terms(10, |index| format!("mx:m{index}.test ")), &exchanges).because(Reason::SpfLimit),
        with("SPF: a chain of 30 includes", "v=spf1 include:c0.test -all", &chain).because(Reason::SpfLimit),
        with("SPF: a record that includes itself", "v=spf1 include:evil.test -all", &[]).because(Reason::SpfLimit),
        with("SPF: a record of 15 KiB", &terms_of("ip4:192.0.2.1 ", 15_000), &[]).because(Reason::SpfLimit),
        with("SPF: 4 KiB of networks", &terms_of("ip4:192.0.2.1 ", 4000), &[]),
        with("SPF: macro expansions", &macros("exists:%{ir}.%{v}.%{d1r}.%{h}.%{o}.e.test "), &[]).because(Reason::SpfLimit),
        with("SPF: ptr", &macros("ptr:%{d}.e.test "), &[]).because(Reason::SpfLimit),
        long_local,
    ]
}

/// An SPF record of about `octets` that repeats `term`.
fn terms_of(term: &str, octets: usize) -> String {
    format!("v=spf1 {}-all", term.repeat(octets.saturating_sub(12) / term.len()))
}

fn from() -> Vec<Hostile> {
    let mailboxes = |count| repeat(count, |index| format!("a{index}@victim.example, ")) + "z@victim.example";
    let open = "(".repeat(30_000);
    let mut labels =
        Hostile::new("an author domain of 121 labels").from(&format!("<x@{}{VICTIM}>", "a.".repeat(119)), Outcome::Reject);
    labels.envelope.mail_from = MailFrom::Path(format!("x@{}evil.test", "b.".repeat(110)));
    vec![
        Hostile::new("1 000 mailboxes in From").from(&mailboxes(1000), Outcome::Reject),
        Hostile::new("nested comments in From")
            .from(&format!("{open}{} <boss@victim.example>", ")".repeat(30_000)), Outcome::NotPass),
        Hostile::new("unclosed comments in From").from(&format!("{open} <boss@victim.example>"), Outcome::NotPass),
        Hostile::new("quotes in From").from(&format!("{} <boss@victim.example>", "\"\\\"\" ".repeat(12_000)), Outcome::NotPass),
        Hostile::new("unclosed quote in From")
            .from(&format!("\"{} <boss@victim.example>", "\\\"".repeat(30_000)), Outcome::NotPass),
        Hostile::new("angle brackets in From").from(&"<".repeat(60_000), Outcome::NotPass),
        Hostile::new("at signs in From").from(&"@".repeat(60_000), Outcome::NotPass),
        Hostile::new("commas in From").from(&format!("{} boss@victim.example", ",".repeat(60_000)), Outcome::NotPass),
        Hostile::new("encoded words in From")
            .from(&format!("{}<boss@victim.example>", "=?utf-8?B?QQ==?= ".repeat(3500)), Outcome::NotPass),
        Hostile::new("900 From fields").fields(&"From: boss@victim.example\r\n".repeat(900)).unusable(),
        labels,
    ]
}

impl Hostile {
    fn unusable(mut self) -> Self {
        self.outcome = Outcome::Unusable;
        self
    }
}

fn records() -> Vec<Hostile> {
    let dmarc = |name, records: Value| Hostile::new(name).zone(&[("_dmarc.victim.example", records)]);
    let addresses = repeat(600, |index| format!("mailto:a{index}@b.test,"));
    let ignored: Value = (0..100).map(|index| txt(&format!("verification={index}{}", "x".repeat(120)))).collect();
    let mut among = ignored.as_array().cloned().unwrap_or_default();
    among.push(txt("v=DMARC1; p=reject"));
    let key = ("s0._domainkey.k0.test", json!([txt(&format!("v=DKIM1; k=rsa; {}p=AAAA", "n=x; ".repeat(2900)))]));
    vec![
        dmarc("a DMARC record of 15 KiB of addresses", json!([txt(&format!("v=DMARC1; p=reject; rua={addresses}"))])),
        dmarc("a DMARC record of 15 KiB of semicolons", json!([txt(&format!("v=DMARC1; p=reject{}", ";".repeat(15_000)))])),
        dmarc("a DMARC record of 15 KiB of tags", json!([txt(&format!("v=DMARC1; p=reject;{}", "p=none;".repeat(2100)))])),
        dmarc("a DMARC record among 100 others", Value::Array(among)),
        Hostile::new("a key record of 15 KiB").zone(&[key]).fields(&signature(0, "From", "")),
    ]
}

/// Ten signatures that want the body canonical in every way there is, cut at different lengths.
fn bodies(octets: usize) -> Vec<Hostile> {
    let base64 = format!("{}\r\n", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY".repeat(2));
    [
        ("10 signatures over a body of base64 lines", base64.as_str()),
        ("10 signatures over a body of blank lines", "\r\n"),
        ("10 signatures over a body of white space", " \t"),
        ("10 signatures over a body of words", "a b  c\td \r\n"),
        ("10 signatures over a body of bare CR", "\r"),
    ]
    .map(|(name, line)| {
        let body = line.repeat(octets / line.len());
        let mut fields = String::new();
        for index in 0..10 {
            let canonicalization = ["simple/simple", "relaxed/relaxed", "simple/relaxed", "relaxed/simple"][index % 4];
            let mut more = format!(" c={canonicalization};");
            match index {
                0..4 => {}
                4..6 => write!(more, " l={};", body.len()).unwrap(),
                6..8 => write!(more, " l={};", body.len() + index).unwrap(),
                _ => write!(more, " l={};", body.len() / index).unwrap(),
            }
            fields.push_str(&signature(index, "From", &more));
        }
        let hostile = Hostile::new(name).fields(&fields);
        Hostile { message: message(&fields, "From: Boss <boss@victim.example>\r\n", body.as_bytes()), budget_ms: BODY, ..hostile }
    })
    .into()
}

/// Header sections as large as the largest bodies, made of the smallest parts that something could be kept of.
fn large_header_sections(octets: usize) -> Vec<Hostile> {
    let from = |part: &str, end: &str| format!("From: {}{end}\r\n", part.repeat(octets / part.len()));
    let above = |lines: &str| format!("{}From: Boss <boss@victim.example>\r\n", lines.repeat(octets / lines.len()));
    let one =
        |name: &str, part: &str| format!("{name}: {}\r\nFrom: Boss <boss@victim.example>\r\n", part.repeat(octets / part.len()));
    let broken = |lines: &str| format!("A: b\r\n{}", above(lines));
    [
        ("a large From of angle brackets", from("<", " <boss@victim.example>")),
        ("a large From of comments", from("()", " <boss@victim.example>")),
        ("a large From of open comments", from("(", " <boss@victim.example>")),
        ("a large From of quoted strings", from("\"\"", " <boss@victim.example>")),
        ("a large From of commas", from(",", " <boss@victim.example>")),
        ("a large From of mailboxes", from("a@victim.example,", "boss@victim.example")),
        ("a large From of short mailboxes", from("a@b,", "boss@b")),
        ("a large From of folds", from("\r\n a", "\r\n <boss@victim.example>")),
        ("a large From of encoded words", from("=?utf-8?q?=40?= ", " <boss@victim.example>")),
        ("a large From of one name", from("\u{ff20}", " <boss@victim.example>")),
        ("many fields", above("a:\r\n")),
        ("many lines without colon", broken("a\r\n")),
        ("many broken fields", above("a:\0\r\n")),
        ("many indented lines behind control characters", broken("\u{1} \r\n")),
        ("many Return-Path fields", above("Return-Path:\r\n")),
        ("many Return-Path fields among others", above("Return-Path:\r\na:\r\n")),
        ("many Received-SPF fields without line ends of their own", above("A:\rReceived-SPF:\r\n")),
        ("many verdict fields", above("X-DMARC-Policy:\r\n")),
        ("many DKIM-Signature fields", above("DKIM-Signature:\r\n")),
        ("many ARC-Seal fields", above("ARC-Seal:\r\n")),
        ("many Authentication-Results fields", above("Authentication-Results:(\r\n")),
        ("one Authentication-Results field of open comments", one("Authentication-Results", "(")),
        ("one Authentication-Results field of one token", one("Authentication-Results", "a")),
        ("one Authentication-Results field of one quoted string", one("Authentication-Results: \"", "a")),
        ("one Authentication-Results field of octets that are no text", one("Authentication-Results", "\u{a0}")),
        ("one Authentication-Results field of encoded words", one("Authentication-Results", "=?utf-8?q?=C2=A0?= ")),
        ("one broken line of colons", broken(":")),
        ("one broken field of lines", one("A", "\n:")),
        ("a large To", one("To", "a,")),
        ("a large Subject", one("Subject", "=?utf-8?q?=40?= ")),
    ]
    .map(|(name, fields)| Hostile {
        message: message("", &fields, b"Pay at once.\r\n"),
        budget_ms: HEADERS,
        outcome: Outcome::NotPass,
        ..Hostile::new(name)
    })
    .into()
}
