use super::super::{AlignmentMode, Policies, Psd, Record, RecordFault};
use super::*;

fn parse(text: &str) -> Record {
    Record::parse(text.as_bytes(), 10).unwrap()
}

fn addresses(record: &Record) -> Vec<String> {
    record.report_addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn d24_only_a_leading_exact_version_makes_a_record() {
    for text in ["v=dmarc1; p=reject", "p=reject; v=DMARC1", "v=DMARC1p=reject", " v=DMARC1; p=reject", "v=DMARC10; p=reject", ""]
    {
        assert_eq!(Record::parse(text.as_bytes(), 10), None, "{text:?}");
        case("ex.com", &[]).text("ex.com", text).other().is(DmarcResult::None);
    }
    for text in ["v=DMARC1", "v=DMARC1;", "v = DMARC1 ; p=reject", "V=DMARC1;p=none", "v\t=\tDMARC1\t;p=none"] {
        assert!(Record::parse(text.as_bytes(), 10).is_some(), "{text:?}");
    }
}

#[test]
fn d25_a_version_alone_is_no_dmarc() {
    case("ex.com", &[]).text("ex.com", "v=DMARC1").other().is(DmarcResult::None);
}

#[test]
fn d26_without_p_a_reporting_address_means_none() {
    case("ex.com", &[("ex.com", "rua=mailto:a@ex.com")]).other().fails(Policy::None, "ex.com");
}

#[test]
fn d27_an_invalid_p_means_none_or_no_dmarc() {
    case("ex.com", &[("ex.com", "p=rejekt; rua=mailto:a@ex.com")]).other().fails(Policy::None, "ex.com");
    case("ex.com", &[("ex.com", "p=rejekt")]).other().is(DmarcResult::None);
}

#[test]
fn d28_an_invalid_sp_spoils_the_whole_record() {
    case("ex.com", &[("ex.com", "p=reject; sp=x; rua=mailto:a@ex.com")]).other().fails(Policy::None, "ex.com");
    case("ex.com", &[("ex.com", "p=reject; sp=x")]).other().is(DmarcResult::None);
    case("ex.com", &[("ex.com", "p=reject; np=x")]).other().is(DmarcResult::None);
}

#[test]
fn a16_an_unusable_record_does_not_fall_back_to_the_parent() {
    case("a.ex.com", &[("a.ex.com", "p=oops"), ("ex.com", "p=reject")]).other().is(DmarcResult::None);
}

#[test]
fn d32_broken_parts_are_dropped_alone() {
    let record = parse("v=DMARC1; foo; p=reject; =; bar=1;;; rua=mailto:a@ex.com");
    assert_eq!(record.policies, Policies::Published { p: Policy::Reject, sp: None, np: None });
    assert_eq!(addresses(&record), ["a@ex.com"]);
    assert_eq!(record.faults, [RecordFault::DroppedPart]);
}

#[test]
fn d33_character_strings_are_joined() {
    let joined = case("ex.com", &[]).entry("_dmarc.ex.com", json!(["TXT", "v=DMARC1; p=re", "ject"]));
    joined.other().fails(Policy::Reject, "ex.com");
}

#[test]
fn d34_d35_the_order_of_records_does_not_matter() {
    let texts = ["v=spf1 -all", "v=DMARC1; p=reject"];
    case("ex.com", &[]).text("ex.com", texts[0]).text("ex.com", texts[1]).other().fails(Policy::Reject, "ex.com");
    case("ex.com", &[]).text("ex.com", texts[1]).text("ex.com", texts[0]).other().fails(Policy::Reject, "ex.com");
    let malformed = ["v=DMARC1; p=oops", "google-site-verification=x"];
    case("ex.com", &[]).text("ex.com", malformed[0]).text("ex.com", malformed[1]).other().is(DmarcResult::None);
    case("ex.com", &[]).text("ex.com", malformed[1]).text("ex.com", malformed[0]).other().is(DmarcResult::None);
}

#[test]
fn f42_of_a_doubled_tag_the_first_counts() {
    let record = parse("v=DMARC1; p=reject; p=none; P=quarantine");
    assert_eq!(record.policy(), Some(Policy::Reject));
    assert_eq!(record.faults, [RecordFault::DuplicateTag]);
}

#[test]
fn a14_values_are_read_in_any_case_and_invalid_ones_have_their_default() {
    let record = parse("v=DMARC1; P=REJECT; ADKIM=S; aspf=q; psd=Y; t=Y; fo=D:1");
    assert_eq!(
        (record.adkim, record.aspf, record.psd, record.testing),
        (AlignmentMode::Strict, AlignmentMode::Relaxed, Psd::Yes, true)
    );
    assert_eq!(record.failure_options, "d:1");
    assert_eq!(record.faults, [RecordFault::InvalidTag]);
}

#[test]
fn a18_failure_options_keep_their_combination() {
    for (value, expected) in
        [("0", "0"), ("1:d:s", "1:d:s"), ("d : s", "d:s"), ("0:1", "0"), ("d:d", "0"), ("", "0"), ("x", "0"), ("s:0", "s:0")]
    {
        assert_eq!(parse(&format!("v=DMARC1; p=none; fo={value}")).failure_options, expected, "{value}");
    }
}

#[test]
fn x12_h16_bad_addresses_are_skipped_and_noted() {
    for bad in [
        "mailto:0",
        "https://x",
        "mailto:",
        "mailto:a@b@c",
        "mailto:<a@ex.com>",
        "mailto:a%0d%0a@ex.com",
        "a@ex.com",
        "mailto:a@[1.2.3.4]",
    ] {
        let record = parse(&format!("v=DMARC1; p=none; rua={bad}, mailto:ok@ex.com"));
        assert_eq!(addresses(&record), ["ok@ex.com"], "{bad}");
        assert_eq!(record.faults, [RecordFault::InvalidReportAddress], "{bad}");
    }
}

#[test]
fn x13_sizes_are_ignored_and_odd_local_parts_are_quoted() {
    assert_eq!(addresses(&parse("v=DMARC1; p=none; rua=mailto:a%2Cb@ex.com!10m")), ["\"a,b\"@ex.com"]);
    assert_eq!(addresses(&parse("v=DMARC1; p=none; rua=mailto:a..b@ex.com")), ["\"a..b\"@ex.com"], "mail needs a valid address");
    assert_eq!(addresses(&parse("v=DMARC1; p=none; rua=MAILTO:a@EX.com?subject=x")), ["a@ex.com"]);
}

#[test]
fn a15_a17_one_size_at_the_end_is_no_part_of_the_address() {
    for (uri, address) in [
        ("mailto:a@ex.com!10m", Some("a@ex.com")),
        ("mailto:a@ex.com!5", Some("a@ex.com")),
        ("mailto:a@ex.com!5G", Some("a@ex.com")),
        ("mailto:a%21b@ex.com!5t", Some("a!b@ex.com")),
        ("mailto:a@e!x.com", None),
        ("mailto:a!b@ex.com", None),
        ("mailto:a@ex.com!", None),
        ("mailto:a@ex.com!k", None),
        ("mailto:a@ex.com!10x", None),
        ("mailto:a@ex.com!10mm", None),
        ("mailto:a@ex.com!10m!20k", None),
    ] {
        let record = parse(&format!("v=DMARC1; p=none; rua={uri}"));
        assert_eq!(addresses(&record).first().map(AsRef::as_ref), address, "{uri}");
    }
}

#[test]
fn a16_a17_an_address_that_mail_cannot_reach_saves_no_record() {
    let (long, label) = ("l".repeat(64), "l".repeat(63));
    for (uri, valid) in [
        (format!("mailto:{long}@ex.com"), true),
        (format!("mailto:{long}l@ex.com"), false),
        (format!("mailto:a,{long}@ex.com").replace(',', "%2C"), false),
        (format!("mailto:a@{label}.com"), true),
        (format!("mailto:a@{label}l.com"), false),
        (format!("mailto:a@{}ex.com", "abc.".repeat(63)), false),
        ("mailto:j%C3%BC@ex.com".into(), false),
        ("mailto:jü@ex.com".into(), false),
        ("mailto:a@bücher.example".into(), true),
        ("mailto:a@ex".into(), true),
        ("mailto:a@1.2.3.4".into(), false),
        ("mailto:a@ex.123".into(), false),
        ("mailto:a@4.ex.com".into(), true),
        ("mailto:a@-ex.com".into(), false),
        ("mailto:a@ex-.com".into(), false),
        ("mailto:a@e_x.com".into(), false),
        ("mailto:a@ex.com!10m!20k".into(), false),
    ] {
        let record = parse(&format!("v=DMARC1; p=rejekt; rua={uri}"));
        assert_eq!(record.policy(), valid.then_some(Policy::None), "{uri}");
    }
}

#[test]
fn f31_only_so_many_addresses_are_looked_at() {
    let many: Vec<_> = (0..40).map(|index| format!("mailto:a{index}@ex.com")).collect();
    let record = parse(&format!("v=DMARC1; p=none; rua={}", many.join(",")));
    assert_eq!(record.report_addresses.len(), 10);
    assert_eq!(record.faults, [RecordFault::ReportAddressLimit]);
}
