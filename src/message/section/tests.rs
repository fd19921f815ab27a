use super::*;
use proptest::prelude::*;

fn parse(message: &[u8]) -> HeaderSection<'_> {
    HeaderSection::parse(message, &Limits::default())
}

fn names(section: &HeaderSection<'_>) -> Vec<String> {
    section.fields().iter().map(|field| String::from_utf8_lossy(field.name()).into_owned()).collect()
}

#[test]
fn fields_keep_their_continuation_lines_and_final_crlf() {
    let section = parse(b"A: 1\r\n 2\r\n\t3\r\nB:x\r\n\r\nbody\r\n");
    assert_eq!(section.fields()[0].raw, b"A: 1\r\n 2\r\n\t3\r\n");
    assert_eq!(section.fields()[0].value(), b" 1\r\n 2\r\n\t3\r\n");
    assert_eq!(section.fields()[1].value(), b"x\r\n");
    assert_eq!(section.body(), b"body\r\n");
    assert!(section.defects().is_empty());
}

#[test]
fn a_message_without_empty_line_is_all_header() {
    let section = parse(b"A: 1\r\nB: 2");
    assert_eq!(names(&section), ["A", "B"]);
    assert_eq!(section.fields()[1].value(), b" 2");
    assert_eq!(section.body(), b"");
    assert!(section.defects().is_empty());
}

#[test]
fn the_empty_message_has_nothing() {
    let section = parse(b"");
    assert!(section.fields().is_empty() && section.body().is_empty() && section.defects().is_empty());
}

#[test]
fn a_line_of_white_space_is_a_continuation() {
    let section = parse(b"A: 1\r\n \r\nB: 2\r\n\r\n");
    assert_eq!(names(&section), ["A", "B"]);
}

#[test]
fn f9_each_way_to_hide_from_is_malformed_from() {
    for message in [
        &b" From: a@b.example\r\nSubject: x\r\n\r\n"[..],
        b"From\r\n : a@b.example\r\n\r\n",
        b"From \r\n : a@b.example\r\n\r\n",
        b"Fr\0om: a@b.example\r\n\r\n",
        b"\0From: a@b.example\r\n\r\n",
        b"\xef\xbb\xbfFrom: a@b.example\r\n\r\n",
        b"F\trom: a@b.example\r\n\r\n",
        b"\x01 \xadFr\xc2\xadom\xa0\t: a@b.example\r\n\r\n",
        b"\r\nFrom: a@b.example\r\n\r\nbody",
        b"\r\nSubject: x\r\nfROM: a@b.example",
        b"no colon\nFrom: a@b.example\r\nSubject: x\r\n\r\n",
        b"no colon\rFrom: a@b.example\r\nSubject: x\r\n\r\n",
        b"junk\r\n From: a@b.example\r\n\r\n",
        b"Subject: x\nF\rrom: a@b.example\r\n\r\n",
        b"Subject: x\n\x0bfrom : a@b.example\r\n\r\n",
        b"Subject: x\nFrom: a@b.example\r\n\r\n",
        b"Subject: x\rFrom: a@b.example\r\n\r\n",
        b"Subject: x\n\nFrom: a@b.example\r\n\r\n",
        b"Subject: x\0From: a@b.example\r\n\r\n",
        b"Subject: x\r\n\ty\nFrom: a@b.example\r\n\r\n",
        b"From: a\r@b.example\r\n\r\n",
        b"From: a\n@b.example\r\n\r\n",
        b"From: a\0 <a@b.example>\r\n\r\n",
        b"from : a\0 <a@b.example>\r\n\r\n",
        b"From: a@b.example\r",
    ] {
        let section = parse(message);
        assert!(section.has(Defect::MalformedFrom), "{:?}", bstr::BStr::new(message));
    }
}

#[test]
fn f9_a_defect_where_no_from_can_hide_is_only_malformed() {
    for message in [
        &b"no colon\r\nFrom: a@b.example\r\n\r\n"[..],
        b" folded: first line\r\nFrom: a@b.example\r\n\r\n",
        b"Subject: from: x\ry\r\nFrom: a@b.example\r\n\r\n",
        b"Subject: x\r\r\nFrom: a@b.example\r\n\r\n",
        b"Subject: x\ny\r\nFrom: a@b.example\r\n\r\n",
        b"Subject: \0\r\nFrom: a@b.example\r\n\r\n",
        b": no name\r\nFrom: a@b.example\r\n\r\n",
        b"two words: x\r\nFrom: a@b.example\r\n\r\n",
        b"S\xfcbject: x\r\nFrom: a@b.example\r\n\r\n",
        b"\xef\xbb\xbfSubject: x\r\nFrom: a@b.example\r\n\r\n",
        b"\xef\xbb\xbfReceived: from a by b; c\r\nFrom: a@b.example\r\n\r\n",
        b"From a@b.example Mon Jan  1 00:00:00 2026\r\nFrom: a@b.example\r\n\r\n",
        b">From a@b.example Mon Jan  1 00:00:00 2026\r\nFrom: a@b.example\r\n\r\n",
        b">From: c@d.example\x01\x02\r\n\x01>From: x\r\nFrom: a@b.example\r\n\r\n",
        b"DKIM-Signature: d=x;\n\th=from:to\r\nFrom: a@b.example\r\n\r\n",
        b"DKIM-Signature: h=to:\n from:to\r\nFrom: a@b.example\r\n\r\n",
        b"Received: by a\n\twith SMTP from b; c: d\r\nFrom: a@b.example\r\n\r\n",
        b"Subject: notes\nfrom the meeting: Monday\r\nFrom: a@b.example\r\n\r\n",
        b"Subject: notes\rnot from : x\r\nFrom: a@b.example\r\n\r\n",
        b"X Y From: a@b.example\r\nFrom: a@b.example\r\n\r\n",
    ] {
        let section = parse(message);
        assert_eq!(section.defects(), [Defect::Malformed], "{:?}", bstr::BStr::new(message));
        assert_eq!(section.named("from").count(), 1, "{:?}", bstr::BStr::new(message));
    }
}

#[test]
fn f9_the_section_goes_on_behind_a_broken_line() {
    let section = parse(b"A: 1\r\nbroken\r\n goes on: here\r\nB: 2\r\n\r\nbody");
    assert_eq!(names(&section), ["A", "B"]);
    assert_eq!(section.body(), b"body");
}

#[test]
fn f9_a_leading_empty_line_leaves_an_empty_section() {
    let section = parse(b"\r\nSubject: x\r\n\r\nFrom: a@b.example\r\n");
    assert!(section.fields().is_empty());
    assert!(section.defects().is_empty());
    assert_eq!(section.body(), b"Subject: x\r\n\r\nFrom: a@b.example\r\n");
}

#[test]
fn f9_a_bare_lf_does_not_end_the_section() {
    let section = parse(b"A: 1\n\nB: 2\r\nC: 3\r\n\r\nbody");
    assert_eq!(names(&section), ["A", "C"]);
    assert_eq!(section.body(), b"body");
}

#[test]
fn g4_white_space_before_the_colon_is_accepted_and_flagged() {
    for message in [&b"From : a@b.example\r\n\r\n"[..], b"From\t:a@b.example\r\n\r\n", b"FROM \t : a@b.example"] {
        let section = parse(message);
        assert_eq!(section.defects(), [Defect::SpaceBeforeColon]);
        assert_eq!(section.named("From").count(), 1);
    }
}

#[test]
fn above_a_limit_every_field_is_still_found() {
    let limits = Limits { header_section_bytes: 60, header_field_bytes: 20, header_fields: 3, ..Limits::default() };
    for (message, over) in [
        (b"A: 1\r\nB: 2\r\nC: 3\r\n\r\nbody".to_vec(), false),
        (b"A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n".to_vec(), true),
        (b"A: 1\r\njunk\r\nB: 2\r\nC: 3\r\njunk\r\n\r\n".to_vec(), false),
        (b"A: 1\r\njunk\r\nB: 2\r\nC: 3\r\njunk\r\nD: 4\r\n 5\r\n\r\nE: 6\r\n".to_vec(), true),
        (b"A: 12345678901234567890\r\n\r\n".to_vec(), true),
        ([b"A: 12345678901\r\n".repeat(3), b"x".repeat(100)].concat(), true),
        ([&b"A: 1\r\n\r\n"[..], &b"x".repeat(100)].concat(), false),
    ] {
        let section = HeaderSection::parse(&message, &limits);
        assert_eq!(section.has(Defect::OverLimit), over, "{:?}", bstr::BStr::new(&message));
        let unlimited = parse(&message);
        assert_eq!(section.all_fields().collect::<Vec<_>>(), unlimited.fields());
        assert_eq!(section.body(), unlimited.body());
    }
}

#[test]
fn above_a_limit_few_fields_are_kept_and_those_that_decide_are_among_them() {
    let limits = Limits { header_fields: 3, ..Limits::default() };
    let message =
        [&b"A: 1\r\nB: 2\r\n"[..], &b"X: y\r\nFROM: a@b.example\r\nArc-Seal: 1\r\nDKIM-Signature: 2\r\n".repeat(1000), b"\r\n"]
            .concat();
    let section = HeaderSection::parse(&message, &limits);
    assert_eq!(names(&section), ["A", "B", "X", "FROM", "Arc-Seal", "DKIM-Signature", "FROM", "Arc-Seal", "DKIM-Signature"]);
    assert_eq!(section.named("From").count(), 2);
    assert_eq!(section.all_fields().count(), 4002);
}

#[test]
fn names_match_in_any_case_and_whole() {
    let section = parse(b"X-From: 1\r\nFrom-X: 2\r\nfROM: 3\r\nFrom : 4\r\n\r\n");
    let found: Vec<_> = section.named("From").map(|(index, field)| (index, field.value())).collect();
    assert_eq!(found, [(2, &b" 3\r\n"[..]), (3, b" 4\r\n")]);
}

proptest! {
    #[test]
    fn any_bytes_are_cut_without_loss(message in proptest::collection::vec(
        prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), Just(b'\t'), Just(b'F'), Just(0), any::<u8>()], 0..200)) {
        let section = parse(&message);
        let mut at = 0;
        for field in section.fields() {
            let span = section.span(field);
            prop_assert!(span.start >= at && span.end <= message.len());
            prop_assert_eq!(&message[span.clone()], field.raw);
            prop_assert_eq!(field.raw[field.colon], b':');
            at = span.end;
        }
        let skipped: usize = section.parts().filter(|part| part.field.is_none()).map(|part| part.span.len()).sum();
        let of_parts: Vec<_> = section.parts().filter_map(|part| Some((part.index, part.field?))).collect();
        prop_assert_eq!(of_parts, section.fields().iter().copied().enumerate().collect::<Vec<_>>());
        let fields: usize = section.fields().iter().map(|field| field.raw.len()).sum();
        let rest = message.len() - section.body().len() - fields - skipped;
        prop_assert!(rest == 0 || rest == 2, "only the empty line is in no part");
    }

    #[test]
    fn crlf_fields_come_back(fields in proptest::collection::vec(("[!-9;-~]{1,12}", "[ -~]{0,30}"), 0..20), body in ".{0,40}") {
        let mut message = String::new();
        for (name, value) in &fields {
            message += &format!("{name}:{value}\r\n");
        }
        message += "\r\n";
        message += &body;
        let section = parse(message.as_bytes());
        prop_assert!(section.defects().is_empty());
        prop_assert_eq!(section.fields().len(), fields.len());
        prop_assert_eq!(section.body(), body.as_bytes());
    }
}
