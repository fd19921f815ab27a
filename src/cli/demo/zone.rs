//! The demo's DNS zone.

use super::sign::Keys;
use serde_json::{Value, json};

/// Domains that have key records, so that their signatures can be verified.
pub(super) const SIGNERS: [&str; 14] = [
    "bank.example",
    "shop.example",
    "club.example",
    "strict.example",
    "mail.strict.example",
    "testing.example",
    "list.example",
    "evil.example",
    "uni.example",
    "softdns.example",
    "plain.example",
    "acme.example",
    "xn--bcher-kva.example",
    "tax.gov.example",
];

/// TXT records, each as name and text.
const TEXTS: [(&str, &str); 40] = [
    ("_dmarc.bank.example", "v=DMARC1; p=reject; rua=mailto:dmarc@bank.example"),
    ("bank.example", "v=spf1 ip4:192.0.2.10 -all"),
    ("mx.bank.example", "v=spf1 a -all"),
    ("_dmarc.shop.example", "v=DMARC1; p=quarantine; sp=reject; rua=mailto:dmarc@shop.example"),
    ("shop.example", "v=spf1 include:_spf.mailer.example -all"),
    ("bounce.shop.example", "v=spf1 include:_spf.mailer.example -all"),
    ("_spf.mailer.example", "v=spf1 ip4:198.51.100.0/28 -all"),
    ("_dmarc.club.example", "v=DMARC1; p=none; rua=mailto:dmarc@club.example"),
    ("club.example", "v=spf1 mx ip6:2001:db8:1::/48 ~all"),
    ("_dmarc.strict.example", "v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:dmarc@strict.example"),
    ("strict.example", "v=spf1 ip4:192.0.2.20 -all"),
    ("mail.strict.example", "v=spf1 ip4:192.0.2.21 -all"),
    ("_dmarc.testing.example", "v=DMARC1; p=reject; t=y; rua=mailto:dmarc@testing.example"),
    ("testing.example", "v=spf1 ip4:192.0.2.30 -all"),
    ("_dmarc.acme.example", "v=DMARC1; p=reject; sp=none; np=quarantine; rua=mailto:dmarc@acme.example"),
    ("acme.example", "v=spf1 redirect=bank.example"),
    ("_dmarc.xn--bcher-kva.example", "v=DMARC1; p=reject"),
    ("xn--bcher-kva.example", "v=spf1 -all"),
    ("plain.example", "v=spf1 ip4:198.51.100.77 ~all"),
    ("_dmarc.gov.example", "v=DMARC1; p=reject; psd=y; rua=mailto:dmarc@gov.example"),
    ("relay.tax.gov.example", "v=spf1 ip4:192.0.2.40 -all"),
    ("_dmarc.uni.example", "v=DMARC1; p=none"),
    ("_dmarc.dept.uni.example", "v=DMARC1; p=quarantine; psd=n"),
    ("_dmarc.list.example", "v=DMARC1; p=reject"),
    ("list.example", "v=spf1 ip4:203.0.113.50 -all"),
    ("forwarder.example", "v=spf1 ip4:203.0.113.60 -all"),
    ("evil.example", "v=spf1 ip4:203.0.113.66 -all"),
    ("flaky.example", "v=spf1 -all"),
    ("slow.example", "v=spf1 -all"),
    ("_dmarc.keyless.example", "v=DMARC1; p=reject"),
    ("keyless.example", "v=spf1 ip4:192.0.2.70 -all"),
    ("_dmarc.softdns.example", "v=DMARC1; p=reject"),
    ("softdns.example", "v=spf1 ip4:192.0.2.71 -all"),
    ("_dmarc.spfloop.example", "v=DMARC1; p=reject"),
    ("spfloop.example", "v=spf1 include:spfloop.example -all"),
    ("_dmarc.doubled.example", "v=DMARC1; p=reject"),
    ("doubled.example", "v=spf1 -all"),
    ("_dmarc.nospf.example", "v=DMARC1; p=reject; rua=mailto:dmarc@nospf.example"),
    ("_dmarc.wild.example", "v=DMARC1; p=quarantine"),
    ("wild.example", "v=spf1 +all"),
];

/// Returns records of other types, and answers without a record.
fn others() -> [(&'static str, Value); 17] {
    [
        ("bank.example", json!(["A", "192.0.2.10"])),
        ("mx.bank.example", json!(["A", "192.0.2.11"])),
        ("news.shop.example", json!(["A", "198.51.100.3"])),
        ("club.example", json!(["MX", 10, "mx.club.example"])),
        ("mx.club.example", json!(["A", "192.0.2.15"])),
        ("old.acme.example", json!(["A", "192.0.2.16"])),
        ("nothing.example", json!(["A", "192.0.2.17"])),
        ("tax.gov.example", json!(["A", "192.0.2.40"])),
        ("other.gov.example", json!(["A", "192.0.2.41"])),
        ("lab.dept.uni.example", json!(["A", "192.0.2.42"])),
        ("_dmarc.flaky.example", json!(["SERVFAIL"])),
        ("_dmarc.slow.example", json!(["TIMEOUT"])),
        ("rsa._domainkey.keyless.example", json!(["SERVFAIL"])),
        ("rsa._domainkey.softdns.example", json!(["TIMEOUT"])),
        ("broken.evil.example", json!(["SERVFAIL"])),
        ("_dmarc.doubled.example", json!(["TXT", "v=DMARC1; p=none"])),
        ("nospf.example", json!(["A", "192.0.2.18"])),
    ]
}

/// Returns the zone in the JSON format that `dns.zone` reads.
pub(super) fn json(keys: &Keys) -> Value {
    let mut zone = serde_json::Map::new();
    let mut add = |name: &str, record: Value| {
        if let Value::Array(records) = zone.entry(name).or_insert_with(|| json!([])) {
            records.push(record);
        }
    };
    for (name, text) in TEXTS {
        add(name, json!(["TXT", text]));
    }
    for (name, record) in others() {
        add(name, record);
    }
    for domain in SIGNERS {
        for (name, text) in keys.records(domain) {
            if name != "rsa._domainkey.softdns.example" {
                add(&name, json!(["TXT", text]));
            }
        }
    }
    Value::Object(zone)
}
