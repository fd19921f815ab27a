//! Looks names up in the public suffix list, which the crate `psl` compiles in.

use super::{Domain, QueryName};
use psl::{List, Psl as _, Type};

/// The version of the list: the release of the crate `psl`, which follows the list day by day.
pub const LIST_VERSION: &str = "psl 2.1.247";

/// The part of the list that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Only the suffixes that registries delegate, which the guard at public suffixes uses (A30).
    Icann,
    /// Also the suffixes that companies added for customers, which `discovery = psl` uses (A.5).
    Whole,
}

/// Returns the organizational domain by the whole list.
///
/// It has one label more than the longest public suffix. Returns `None` for a public suffix.
pub fn registrable(domain: &Domain) -> Option<Domain> {
    let (suffix, _) = suffix(domain.as_str());
    let labels = suffix.split('.').count() + 1;
    (domain.label_count() >= labels).then(|| domain.rightmost(labels))
}

/// Returns the part of a DNS name that belongs to one owner.
///
/// That is the registered domain by the whole list, or the whole name if it has no more labels than
/// its public suffix. For reverse names it is the zone of an IPv4 /24 or an IPv6 /48.
pub fn registered(name: &QueryName) -> &str {
    let name = name.as_str();
    let labels = if name.ends_with(".in-addr.arpa") {
        2 + 3
    } else if name.ends_with(".ip6.arpa") {
        2 + 12
    } else {
        suffix(name).0.split('.').count() + 1
    };
    name.rmatch_indices('.').nth(labels - 1).map_or(name, |(dot, _)| &name[dot + 1..])
}

/// Returns the number of labels of the longest public suffix below which a registry delegates.
///
/// By the default rule `*` it is at least one.
pub fn registry_suffix_labels(domain: &Domain) -> usize {
    let mut name = domain.clone();
    loop {
        let (suffix, private) = suffix(name.as_str());
        let labels = suffix.split('.').count();
        if !private || labels == 1 {
            return labels;
        }
        // A shorter rule that matches the name also matches the names above the private suffix.
        name = name.rightmost(labels - 1);
    }
}

/// Returns whether the domain is a public suffix.
///
/// By the default rule `*`, a single label that the list does not know is one.
pub fn is_public_suffix(domain: &Domain, section: Section) -> bool {
    let (suffix, private) = suffix(domain.as_str());
    suffix.len() == domain.as_str().len() && !(private && section == Section::Icann)
}

/// Returns the longest public suffix, and whether it is in the private section.
fn suffix(name: &str) -> (&str, bool) {
    let found = List.find(name.rsplit('.').map(str::as_bytes));
    let suffix = name.len().checked_sub(found.len).and_then(|start| name.get(start..)).unwrap_or(name);
    (suffix, found.typ == Some(Type::Private))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    #[test]
    fn suite_psl_all_cases() {
        let suite = include_str!("../../tests/conformance/psl.jsonl");
        let mut cases = 0;
        for line in suite.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let name = case["domain"].as_str().and_then(|name| Domain::parse(name).ok());
            let expected = case["expect_registrable"].as_str().map(domain);
            assert_eq!(name.and_then(|name| registrable(&name)), expected, "{}", case["id"]);
            cases += 1;
        }
        assert_eq!(cases, 78);
    }

    #[test]
    fn a30_guard_goes_by_registries_and_the_default_rule() {
        for (name, icann, whole) in [
            ("com", true, true),
            ("co.uk", true, true),
            ("unknown-tld", true, true),
            ("example.unknown-tld", false, false),
            ("github.io", false, true),
            ("anything.ck", true, true),
            ("www.ck", false, false),
            ("example.com", false, false),
            ("xn--55qx5d.cn", true, true),
        ] {
            assert_eq!(is_public_suffix(&domain(name), Section::Icann), icann, "{name}");
            assert_eq!(is_public_suffix(&domain(name), Section::Whole), whole, "{name}");
        }
    }

    #[test]
    fn a30_the_registries_suffix_of_a_name() {
        for (name, labels) in [
            ("example.com", 1),
            ("com", 1),
            ("a.b.co.uk", 2),
            ("co.uk", 2),
            ("a.github.io", 1),
            ("github.io", 1),
            ("x.a.kobe.jp", 3),
            ("kobe.jp", 1),
            ("x.city.kobe.jp", 2),
            ("a.unknown-tld", 1),
        ] {
            assert_eq!(registry_suffix_labels(&domain(name)), labels, "{name}");
        }
    }

    #[test]
    fn names_belong_to_their_registered_domain() {
        for (name, home) in [
            ("_dmarc.example.com", "example.com"),
            ("sel._domainkey.example.com", "example.com"),
            ("a.b.example.co.uk", "example.co.uk"),
            ("example.com", "example.com"),
            ("com", "com"),
            ("co.uk", "co.uk"),
            ("_dmarc.co.uk", "_dmarc.co.uk"),
            ("a.b.user.github.io", "user.github.io"),
            (r#"a b"!%{x}\._spf.example.com"#, "example.com"),
            ("caf\u{e9}.example.com", "example.com"),
            ("4.3.2.1.in-addr.arpa", "3.2.1.in-addr.arpa"),
            ("2.1.in-addr.arpa", "2.1.in-addr.arpa"),
            ("f.e.d.c.b.a.9.8.7.6.5.4.3.2.1.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "2.1.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
        ] {
            assert_eq!(registered(&QueryName::new(name).unwrap()), home, "{name}");
        }
    }

    #[test]
    fn a50_version_is_the_one_compiled_in() {
        let lock = include_str!("../../Cargo.lock").replace("\r\n", "\n");
        let (_, rest) = lock.split_once("name = \"psl\"\nversion = \"").unwrap();
        let (version, _) = rest.split_once('"').unwrap();
        assert_eq!(LIST_VERSION, format!("psl {version}"));
    }
}
