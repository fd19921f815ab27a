//! Seeded mutations: a message of the corpus with one thing wrong. What they should come to is not known here; verifiers of
//! others are asked, and every difference needs a rule that explains it.

use super::zone::txt;
use super::{Case, Corpus, export};
use fastrand::Rng;
use serde_json::{Map, Value, json};

/// One mutation, as a line of JSON: the case's line without `expect`, with `base`, `mutation` and, when DNS is touched,
/// `zone_overrides` (name to records; no records remove the name).
pub fn mutation(corpus: &Corpus, largest: usize, index: usize, rng: &mut Rng) -> Value {
    let case = loop {
        let case = &corpus.cases[rng.usize(..corpus.cases.len())];
        if case.message.len() <= largest {
            break case;
        }
    };
    let (name, change) = KINDS[index % KINDS.len()];
    let mut mutant = Mutant::new(case);
    change(&mut mutant, rng, corpus);
    let mut line = export::unjudged(&format!("mutation-{index}-{name}"), &mutant.message(), case);
    line.insert("base".into(), case.id.as_str().into());
    line.insert("mutation".into(), name.into());
    line.extend(mutant.envelope);
    if !mutant.zone.is_empty() {
        line.insert("zone_overrides".into(), Value::Object(mutant.zone));
    }
    line.insert("expect".into(), json!({}));
    Value::Object(line)
}

type Change = fn(&mut Mutant<'_>, &mut Rng, &Corpus);

const KINDS: [(&str, Change); 36] = [
    ("field-doubled", |mutant, rng, _| {
        let index = rng.usize(..mutant.fields.len());
        mutant.double(index);
    }),
    ("from-doubled", |mutant, _, _| mutant.double(mutant.find("From"))),
    ("second-from-on-top", |mutant, _, _| mutant.fields.insert(0, b"From: Boss <boss@bulk1.test>\r\n".to_vec())),
    ("from-other-domain", |mutant, _, _| mutant.set("From", "Team <team@bulk2.test>")),
    ("from-two-domains", |mutant, _, _| mutant.append("From", ", other@bulk3.test")),
    ("from-two-of-one-domain", |mutant, _, _| {
        let domain = mutant.author();
        mutant.append("From", &format!(", second@{domain}"));
    }),
    ("from-subdomain", |mutant, rng, _| {
        let domain = mutant.author();
        mutant.set("From", &format!("<x@s{}.{domain}>", rng.u8(..)));
    }),
    ("from-removed", |mutant, _, _| mutant.remove("From")),
    ("from-upper-case", |mutant, _, _| {
        let domain = mutant.author().to_ascii_uppercase();
        mutant.set("From", &format!("<X@{domain}>"));
    }),
    ("subject-changed", |mutant, _, _| mutant.append("Subject", " (changed)")),
    ("subject-white-space", |mutant, _, _| mutant.append("Subject", " \t ")),
    ("subject-refolded", |mutant, _, _| mutant.replace("Subject", b" ", b"\r\n\t ")),
    ("field-removed", |mutant, rng, _| {
        let index = rng.usize(..mutant.fields.len());
        mutant.fields.remove(index);
    }),
    ("fields-swapped", |mutant, rng, _| {
        let (a, b) = (rng.usize(..mutant.fields.len()), rng.usize(..mutant.fields.len()));
        mutant.fields.swap(a, b);
    }),
    ("body-octet", |mutant, rng, _| {
        let at = rng.usize(..mutant.body.len());
        mutant.body[at] = b'~';
    }),
    ("body-appended", |mutant, _, _| mutant.body.extend_from_slice(b"added\r\n")),
    ("body-empty-lines", |mutant, _, _| mutant.body.extend_from_slice(b"\r\n\r\n\r\n")),
    ("body-blank-line", |mutant, _, _| mutant.body.extend_from_slice(b" \t\r\n")),
    ("body-trailing-space", |mutant, _, _| {
        let at = mutant.body.windows(2).position(|pair| pair == b"\r\n").unwrap_or(0);
        mutant.body.splice(at..at, *b"  ");
    }),
    ("body-removed", |mutant, _, _| mutant.body.clear()),
    ("body-cut", |mutant, rng, _| {
        let at = rng.usize(..mutant.body.len());
        mutant.body.truncate(at);
    }),
    ("signature-cut", |mutant, _, _| {
        mutant.signature(|text| {
            let end = text.trim_ascii_end().len();
            text.truncate(end.saturating_sub(40));
            text.extend_from_slice(b"\r\n");
        });
    }),
    ("signature-octet", |mutant, _, _| {
        mutant.signature(|text| {
            let at = text.trim_ascii_end().len() - 30;
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
        });
    }),
    ("signature-without-from", |mutant, _, _| mutant.replace("DKIM-Signature", b"h=From:", b"h=")),
    ("signature-sha1", |mutant, _, _| mutant.replace("DKIM-Signature", b"-sha256", b"-sha1")),
    ("signature-version", |mutant, _, _| mutant.replace("DKIM-Signature", b"v=1;", b"v=2;")),
    ("signature-other-domain", |mutant, _, _| mutant.replace("DKIM-Signature", b" d=", b" d=x.")),
    ("signature-length", |mutant, _, _| mutant.replace("DKIM-Signature", b" v=1;", b" v=1; l=10;")),
    ("signature-doubled-tag", |mutant, _, _| mutant.replace("DKIM-Signature", b" v=1;", b" v=1; s=s1;")),
    ("signature-expired", |mutant, _, _| mutant.replace("DKIM-Signature", b" v=1;", b" v=1; x=1000000000;")),
    ("client-swapped", |mutant, rng, corpus| {
        let other = &corpus.cases[rng.usize(..corpus.cases.len())];
        mutant.envelope("client_ip", &other.client_ip.to_string());
    }),
    ("mail-from-swapped", |mutant, rng, corpus| {
        let other = &corpus.cases[rng.usize(..corpus.cases.len())];
        mutant.envelope("mail_from", &other.mail_from);
    }),
    ("mail-from-null", |mutant, _, _| mutant.envelope("mail_from", "")),
    ("dmarc-record", dmarc_record),
    ("spf-record", spf_record),
    ("key-record", key_record),
];

fn dmarc_record(mutant: &mut Mutant<'_>, rng: &mut Rng, _: &Corpus) {
    const RECORDS: [&str; 16] = [
        "",
        "v=DMARC1",
        "v=dmarc1; p=reject",
        " v=DMARC1; p=reject",
        "v=DMARC1; p=rejekt",
        "v=DMARC1; p=rejekt; rua=mailto:a@b.test",
        "v=DMARC1; rua=mailto:a@b.test",
        "v=DMARC1; p=reject; sp=none",
        "v=DMARC1; p=quarantine; sp=x",
        "v=DMARC1; p=reject; pct=0",
        "v=DMARC1; p=reject; adkim=s; aspf=s",
        "v=DMARC1; p=REJECT; ADKIM=S",
        "v=DMARC1;;; foo; =; p=none; p=reject",
        "v=DMARC1; p=quarantine; t=y",
        "v=DMARC1; sp=reject; np=none; p=none; psd=n",
        "v=DMARC1 ; p = reject ;",
    ];
    let name = format!("_dmarc.{}", mutant.author());
    let records = match rng.usize(..RECORDS.len() + 3) {
        0 => json!([["TIMEOUT"]]),
        1 => json!([["SERVFAIL", "TXT"]]),
        2 => json!([txt("v=DMARC1; p=none"), txt("v=DMARC1; p=reject")]),
        index if RECORDS[index - 3].is_empty() => json!([]),
        index => json!([txt(RECORDS[index - 3])]),
    };
    mutant.zone.insert(name, records);
}

fn spf_record(mutant: &mut Mutant<'_>, rng: &mut Rng, _: &Corpus) {
    const RECORDS: [&str; 16] = [
        "",
        "v=spf1",
        "v=spf1 +all",
        "v=spf1 -all",
        "v=spf1 ?all",
        "v=spf10 +all",
        "V=SPF1 +ALL",
        "v=spf1 ip4:198.18.0.0/15 -all",
        "v=spf1 ip4:198.18.0.0/33 -all",
        "v=spf1 foo:bar +all",
        "v=spf1 include:none.invalid +all",
        "v=spf1 redirect=none.invalid",
        "v=spf1 exists:%{ir}.%{l}.none.invalid ~all",
        "v=spf1 a:none.invalid a:none2.invalid a:none3.invalid +all",
        "v=spf1 ip4:999.1.1.1 +all",
        "v=spf1 mx/0 -all",
    ];
    let case = mutant.case;
    let name = case.mail_from.rsplit_once('@').map_or(case.helo.as_str(), |(_, domain)| domain).to_owned();
    let records = match rng.usize(..RECORDS.len() + 4) {
        0 => json!([["TIMEOUT"]]),
        1 => json!([["SERVFAIL", "TXT"]]),
        2 => json!([txt("v=spf1 +all"), txt("v=spf1 -all")]),
        3 => json!([txt(&format!("v=spf1 include:{name} -all"))]),
        index if RECORDS[index - 4].is_empty() => json!([]),
        index => json!([txt(RECORDS[index - 4])]),
    };
    mutant.zone.insert(name, records);
}

fn key_record(mutant: &mut Mutant<'_>, rng: &mut Rng, corpus: &Corpus) {
    let Some(signature) = mutant.case.expected.signatures.first() else { return };
    let name = format!("{}._domainkey.{}", signature.selector, signature.domain);
    let record = corpus.zone.0.get(&name).and_then(|records| records.first()).cloned().unwrap_or_default();
    let text: String = record.as_array().into_iter().flatten().skip(1).filter_map(Value::as_str).collect();
    let records = match rng.u8(..10) {
        0 => json!([["TIMEOUT"]]),
        1 => json!([["SERVFAIL", "TXT"]]),
        2 => json!([]),
        3 => json!([["NODATA"]]),
        4 => json!([txt("v=DKIM1; p=")]),
        5 => json!([txt(&text.replace("v=DKIM1;", "v=DKIM1; t=y;"))]),
        6 => json!([txt(&text.replace("v=DKIM1;", "v=DKIM1; h=sha1;"))]),
        7 => json!([txt(&text.replace("v=DKIM1;", "v=DKIM1; s=other;"))]),
        8 => json!([txt(&text.replace("p=", "p=AAAA"))]),
        _ => json!([txt(&text.replace("v=DKIM1", "v=DKIM2"))]),
    };
    mutant.zone.insert(name, records);
}

struct Mutant<'a> {
    case: &'a Case,
    fields: Vec<Vec<u8>>,
    body: Vec<u8>,
    envelope: Map<String, Value>,
    zone: Map<String, Value>,
}

impl<'a> Mutant<'a> {
    fn new(case: &'a Case) -> Self {
        let end = case.message.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap() + 2;
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in case.message[..end].split_inclusive(|&octet| octet == b'\n') {
            match fields.last_mut() {
                Some(field) if matches!(line[0], b' ' | b'\t') => field.extend_from_slice(line),
                _ => fields.push(line.to_vec()),
            }
        }
        Self { case, fields, body: case.message[end + 2..].to_vec(), envelope: Map::new(), zone: Map::new() }
    }

    fn message(&self) -> Vec<u8> {
        [&self.fields.concat(), &b"\r\n"[..], &self.body].concat()
    }

    /// The domain in From, when the mutation has not touched it yet.
    fn author(&self) -> String {
        let text = String::from_utf8_lossy(&self.fields[self.find("From")]).into_owned();
        let (_, domain) = text.rsplit_once('@').unwrap();
        domain.trim_end_matches(['>', '\r', '\n']).to_owned()
    }

    fn find(&self, name: &str) -> usize {
        self.fields.iter().position(|field| is(field, name)).unwrap()
    }

    fn double(&mut self, index: usize) {
        self.fields.insert(index, self.fields[index].clone());
    }

    fn set(&mut self, name: &str, value: &str) {
        let index = self.find(name);
        self.fields[index] = format!("{name}: {value}\r\n").into_bytes();
    }

    fn append(&mut self, name: &str, text: &str) {
        let index = self.find(name);
        let at = self.fields[index].len() - 2;
        self.fields[index].splice(at..at, text.bytes());
    }

    fn remove(&mut self, name: &str) {
        let index = self.find(name);
        self.fields.remove(index);
    }

    /// Replaces the first `from` in the topmost field of this name, if there are any.
    fn replace(&mut self, name: &str, from: &[u8], to: &[u8]) {
        let Some(field) = self.fields.iter_mut().find(|field| is(field, name)) else { return };
        if let Some(at) = field.windows(from.len()).position(|octets| octets == from) {
            field.splice(at..at + from.len(), to.iter().copied());
        }
    }

    fn signature(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(field) = self.fields.iter_mut().find(|field| is(field, "DKIM-Signature")) {
            change(field);
        }
    }

    fn envelope(&mut self, name: &str, value: &str) {
        self.envelope.insert(name.to_owned(), value.into());
    }
}

fn is(field: &[u8], name: &str) -> bool {
    field.get(name.len()) == Some(&b':') && field[..name.len()].eq_ignore_ascii_case(name.as_bytes())
}
