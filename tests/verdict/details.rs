//! What a verdict says in particular, where people come to ask (Explanation of verdicts).

use super::scene::Scene;
use verdmarc::event::Reason;

fn victim() -> Scene {
    Scene::from("a@victim.example").dmarc("victim.example", "p=reject")
}

#[track_caller]
fn spf(record: &str, expected: &str) {
    let scene = victim().txt("victim.example", record).mail_from("a@victim.example").helo("mx.victim.example");
    let detail = scene.verdict().authentication.spf.detail;
    assert_eq!(detail.as_ref().map_or("", |detail| detail.as_str()), expected, "{record}");
}

#[test]
fn the_term_of_an_spf_record_that_is_wrong_is_named() {
    let wrong = "is neither a mechanism nor a modifier of RFC 7208";
    spf("v=spf1 ipv4:192.0.2.1 -all", &format!("`ipv4:192.0.2.1` {wrong}: the mechanism is named ip4"));
    spf("v=spf1 ip4:192.0.2.1~all", &format!("`ip4:192.0.2.1~all` {wrong}: a space is missing before the last mechanism"));
    spf(
        "v=spf1 include:a.test\u{a0}-all",
        "only visible ASCII characters and spaces may stand in an SPF record: `include:a.test\\u{a0}-all` at position 21",
    );
    spf("v=spf1 include:none.test -all", "`include:none.test` of victim.example: none.test has no SPF record");
    spf("v=spf1 -all", "");
}

#[test]
fn the_terms_that_counted_towards_a_limit_of_spf_are_named() {
    spf(
        "v=spf1 a:x.test mx:y.test exists:z.test -all",
        "3 lookups found nothing, 2 are allowed: `a:x.test` `mx:y.test` `exists:z.test` of victim.example",
    );
    let many = (0..11).map(|index| format!("include:i{index}.test")).collect::<Vec<_>>().join(" ");
    let scene = (0..11).fold(victim(), |scene, index| scene.txt(&format!("i{index}.test"), "v=spf1 a:m.test ?all"));
    let scene = scene.record("m.test", serde_json::json!(["A", "198.51.100.1"]));
    let scene = scene.txt("victim.example", &format!("v=spf1 {many} -all")).mail_from("a@victim.example");
    let detail = scene.verdict().authentication.spf.detail.unwrap();
    let start =
        "11 terms ask DNS, 10 are allowed: `include:i0.test` of victim.example, `a:m.test` of i0.test, `include:i1.test` of";
    assert!(detail.as_str().starts_with(start), "{detail}");
}

#[test]
fn the_identity_that_is_no_domain_is_named() {
    let detail = |scene: Scene| scene.verdict().authentication.spf.detail.unwrap().to_string();
    let null = "MAIL FROM is the null path, and the name in HELO,";
    assert_eq!(detail(victim().mail_from("").helo("localhost")), format!("{null} `localhost`, is a single label"));
    assert_eq!(detail(victim().mail_from("").helo("[192.0.2.1]")), format!("{null} `[192.0.2.1]`, is an address literal"));
    assert_eq!(detail(victim().mail_from("").helo("192.0.2.1")), format!("{null} `192.0.2.1`, is an address"));
    assert_eq!(detail(victim().mail_from("").helo("a b")), format!("{null} `a b`, is no domain name"));
    assert_eq!(
        detail(victim().mail_from("a@192.0.2.1")),
        "MAIL FROM `a@192.0.2.1` is no path of RFC 5321: no domain name stands behind `@`"
    );
    assert_eq!(
        detail(victim().mail_from("a b@victim.example")),
        "MAIL FROM `a b@victim.example` is no path of RFC 5321: its local part cannot be read"
    );
    assert_eq!(detail(victim().mail_from("")), "MAIL FROM is the null path: SPF judges the name in HELO then");
}

#[test]
fn the_value_of_from_and_the_malformed_line_are_shown() {
    let details = |scene: Scene| {
        let details = scene.verdict().authentication.dmarc.details;
        details.iter().map(|detail| (detail.reason, detail.detail.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(
        details(Scene::from("\u{a0}nobody")),
        [(
            Reason::FromUnparsable,
            "From is `\\u{a0}nobody`: reading stopped at its end: no address stands outside of quotes and comments".to_owned()
        )]
    );
    let mut hidden = victim();
    hidden.fields.push(("X".into(), " a\rFrom: b@c.example".into()));
    let line = "line 5, `X: a\\u{d}From: b@c.example`, holds a CR, LF or NUL that ends no line";
    assert_eq!(details(hidden), [(Reason::HeadersMalformed, line.to_owned())]);
}

#[track_caller]
fn record(text: &str, expected: &[(Reason, &str)]) {
    let scene = Scene::from("a@victim.example").txt("_dmarc.victim.example", text);
    let dmarc = scene.verdict().authentication.dmarc;
    let details: Vec<_> = dmarc.details.iter().map(|detail| (detail.reason, detail.detail.as_str())).collect();
    assert_eq!(details, expected, "{text}");
    for (reason, _) in details {
        assert!(dmarc.reasons.contains(&reason), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_dmarc_record_is_named() {
    use Reason::{RecordIgnored as Ignored, RecordMalformed as Malformed};
    record("v=DMARC1; p=rejekt", &[(Malformed, "p=`rejekt` is none of none, quarantine and reject: the record gives no DMARC")]);
    record("v=DMARC1; sp=none; rua=mailto:a@b.example", &[(Malformed, "p= is missing: the record counts as p=none")]);
    record(
        "v=DMARC1; p=none; adkim=q; p=reject; x y; rua=a@b.example",
        &[
            (Malformed, "`p` stands twice: the first counts"),
            (Malformed, "`x y` is not tag=value"),
            (Malformed, "rua= holds `a@b.example`, which is no address to report to"),
            (Malformed, "adkim=`q` is invalid: its default counts"),
        ],
    );
    record("v=DMARC1; p=none;\u{a0}sp=none", &[(Malformed, "`\\u{a0}sp=none` does not begin with a tag")]);
    for (text, why) in [
        (" v=DMARC1; p=reject", "white space stands before v=DMARC1"),
        ("\"v=DMARC1; p=reject\"", "v=DMARC1 stands in quotes that belong to the value"),
        ("v=dmarc1; p=reject", "DMARC1 has to be written in upper case"),
        ("v=DMARC1 p=reject", "only a semicolon may follow v=DMARC1"),
        ("p=reject; v=DMARC1", "v=DMARC1 has to stand at the beginning"),
    ] {
        record(text, &[(Ignored, &format!("`{text}` at _dmarc.victim.example is no DMARC record: {why}"))]);
    }
    record("google-site-verification=x", &[]);
    let several = victim().dmarc("victim.example", "p=none").verdict().authentication.dmarc.details;
    assert_eq!(several[0].detail.as_str(), "several DMARC records stand at _dmarc.victim.example: none of them counts");
}

#[test]
fn the_order_of_txt_records_in_an_answer_does_not_show_in_a_verdict() {
    let texts = ["p=reject; v=DMARC1", " v=DMARC1; p=none", "v=dmarc1; p=reject"];
    let details = |order: [usize; 3]| {
        let scene = Scene::from("a@victim.example");
        let scene = order.into_iter().fold(scene, |scene, index| scene.txt("_dmarc.victim.example", texts[index]));
        let details = scene.verdict().authentication.dmarc.details;
        details.into_iter().map(|detail| detail.detail.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(details([0, 1, 2]).len(), 3);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert_eq!(details(order), details([0, 1, 2]), "{order:?}");
    }
}

fn dkim(scene: &Scene) -> String {
    let detail = scene.verdict().authentication.dkim[0].detail.clone();
    detail.map(|detail| detail.to_string()).unwrap_or_default()
}

#[test]
fn a_changed_body_is_told_from_changed_fields() {
    let footer = dkim(&victim().signed("victim.example").changed_on_the_way());
    assert!(footer.starts_with("the body was changed after it was signed: bh= is "), "{footer}");
    assert!(footer.ends_with(" in relaxed canonicalization; the signed fields are unchanged"), "{footer}");
    let mut subject = victim().signed("victim.example");
    subject.fields.iter_mut().filter(|(name, _)| name == "Subject").for_each(|(_, value)| *value = " [list] A scene".into());
    assert_eq!(
        dkim(&subject),
        "the body is as it was signed: a signed field was changed, or the key is another; c=relaxed/relaxed, h=`from:to:subject:date`"
    );
    let both = dkim(&subject.changed_on_the_way());
    assert!(both.ends_with("; a signed field was changed too, or the key is another"), "{both}");
    assert_eq!(dkim(&victim().signed("victim.example")), "");
}

#[test]
fn the_part_of_a_signature_that_is_malformed_is_named() {
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let good = format!("v=1; a=rsa-sha256; d=victim.example; s=x; h=from; bh={hash}; b={hash}");
    for (from, to, expected) in [
        ("v=1; ", "", "v= is missing"),
        ("v=1", "v=2", "v=`2` is not 1"),
        ("rsa-sha256", "rsa-sha1", "a=`rsa-sha1` is neither rsa-sha256 nor ed25519-sha256"),
        ("d=victim.example", "d=192.0.2.1", "d=`192.0.2.1` is not a domain name"),
        ("h=from", "h=to", "h=`to` does not name From"),
        ("bh=47", "bh=?47", &format!("bh=`?{hash}` is not base64")),
        ("s=x", "s=x; t=now", "t=`now` is not a decimal number"),
        ("s=x", "s=x; s=y", "the tag `s` stands twice"),
        ("s=x", "s", "`s` is not a tag with its value"),
        ("s=x;", "s=x;;", "nothing stands before the semicolon at position 42"),
        ("s=x", "s=x; c=loose", "c=`loose` is not made of simple and relaxed"),
        ("s=x", "s=x; i=@other.example", "i=`@other.example` is not an identity at d= or below it"),
        ("s=x", "s=x; l=1", "l=1, and the body has 8 octets in simple canonicalization"),
        ("s=x", "s=x; x=1", "x= is 1970-01-01T00:00:01Z, and the message arrived at 2026-06-01T12:00:00Z"),
    ] {
        let signature = good.replace(from, to);
        assert_eq!(dkim(&victim().field("DKIM-Signature", &signature)), expected, "{signature}");
    }
}

#[test]
fn the_part_of_a_key_that_is_malformed_is_named() {
    let with_key = |record: &str| dkim(&victim().txt("s1._domainkey.victim.example", record).signed("victim.example"));
    let wrapped = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    assert_eq!(
        with_key(&format!("v=DKIM1; k=ed25519; p={wrapped}")),
        "p= holds a SubjectPublicKeyInfo; RFC 8463 asks for the 32 octets of the Ed25519 key alone"
    );
    assert_eq!(with_key("v=DKIM1; k=ed25519; p=AAAA"), "p= holds 3 octets; an Ed25519 key has 32");
    assert_eq!(with_key("v=DKIM1; k=ed25519; p=?"), "p= is not base64");
    assert_eq!(with_key("v=DKIM1; k=ed25519; p="), "p= is empty: the key is revoked");
    assert_eq!(with_key("v=DKIM1; p=AAAA"), "the type of the key, k=, is not that of a=ed25519-sha256");
    assert_eq!(with_key("v=DKIM1; k=ed25519"), "`v=DKIM1; k=ed25519`: p= is missing");
    assert_eq!(with_key("p=AAAA; v=DKIM1"), "`p=AAAA; v=DKIM1`: v= is not DKIM1, or is not the first tag");
    assert_eq!(with_key("v=DKIM1; p"), "`v=DKIM1; p`: `p` is not a tag with its value");
}

#[test]
fn several_keys_at_one_name_are_told_of() {
    let scene = victim().txt("s1._domainkey.victim.example", "v=DKIM1; k=ed25519; p=AAAA");
    let scene = scene.txt("s1._domainkey.victim.example", "v=DKIM1; k=ed25519; p=").signed("victim.example");
    assert_eq!(dkim(&scene), "p= is empty: the key is revoked; 2 keys were tried");
}

#[test]
fn details_are_few_and_short_whatever_a_record_holds() {
    let faults = (0..500).map(|index| format!("x{index} {}", "y".repeat(20))).collect::<Vec<_>>().join(";");
    let dmarc = Scene::from("a@victim.example").txt("_dmarc.victim.example", &format!("v=DMARC1; p=reject; {faults}"));
    let details = dmarc.verdict().authentication.dmarc.details;
    assert!((1..=20).contains(&details.len()));
    assert!(details.iter().all(|detail| detail.detail.as_str().len() <= 512));
}
