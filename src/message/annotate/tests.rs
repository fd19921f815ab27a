use super::RemovalReason as Reason;
use super::*;
use crate::limits::Limits;
use crate::message::summary::in_q;
use bstr::BStr;
use proptest::prelude::*;

const NEW: &[u8] = b"Return-Path: <a@b.example>\r\nX-DMARC-Verdict: PASS\r\n";

fn removed(message: &[u8]) -> Vec<(usize, String, Reason)> {
    let section = HeaderSection::parse(message, &Limits::default());
    forged(&section, &["mx.recv.example"], "X-").iter().map(|part| (part.index, part.name.clone(), part.reason)).collect()
}

fn annotate(message: &[u8]) -> Vec<u8> {
    let section = HeaderSection::parse(message, &Limits::default());
    let removed = forged(&section, &["mx.recv.example"], "X-");
    annotated(&section, NEW, &removed)
}

/// Asserts that the field alone is removed, with its continuation lines.
fn is_removed(field: &str, reason: Reason) {
    let message = format!("Subject: x\r\n{field}\r\nFrom: a@b.example\r\n\r\n{field}\r\n");
    let found = removed(message.as_bytes());
    assert_eq!(found.iter().map(|(index, _, reason)| (*index, *reason)).collect::<Vec<_>>(), [(1, reason)], "{field}");
    let expected = [NEW, b"Subject: x\r\nFrom: a@b.example\r\n\r\n", field.as_bytes(), b"\r\n"].concat();
    assert_eq!(BStr::new(&annotate(message.as_bytes())), BStr::new(&expected));
}

fn is_kept(field: &str) {
    let message = format!("Subject: x\r\n{field}\r\nFrom: a@b.example\r\n\r\nbody");
    assert_eq!(removed(message.as_bytes()), [], "{field}");
    assert_eq!(BStr::new(&annotate(message.as_bytes())), BStr::new(&[NEW, message.as_bytes()].concat()));
}

#[test]
fn r1_our_id_is_removed() {
    is_removed("Authentication-Results: mx.recv.example; dmarc=pass", Reason::OwnAuthservId);
}

#[test]
fn r2_our_id_in_another_case_folded_behind_a_comment_is_removed() {
    is_removed("Authentication-Results:\r\n (y) MX.Recv.Example (x) 1;\r\n\tspf=pass", Reason::OwnAuthservId);
}

#[test]
fn r3_our_id_in_quotes_is_removed() {
    is_removed("Authentication-Results: \"mx.recv.example\"; dmarc=pass", Reason::OwnAuthservId);
}

#[test]
fn r4_our_id_of_any_version_is_removed() {
    is_removed("Authentication-Results: mx.recv.example 99; dmarc=pass", Reason::OwnAuthservId);
}

#[test]
fn r5_our_id_behind_another_is_kept() {
    is_kept("Authentication-Results: evil.test; mx.recv.example; dmarc=pass");
}

#[test]
fn r6_a_longer_id_is_kept() {
    is_kept("Authentication-Results: mx.recv.example.evil.test; dmarc=pass");
}

#[test]
fn r7_white_space_before_the_colon_does_not_help() {
    is_removed("Authentication-Results : mx.recv.example; dmarc=pass", Reason::OwnAuthservId);
    is_removed("X-DMARC-Verdict\t: PASS", Reason::VerdictField);
}

#[test]
fn r8_ten_thousand_fields_are_all_removed_and_a_hundred_are_listed() {
    for forged_field in ["Authentication-Results: mx.recv.example; dmarc=pass\r\n", "X-DMARC-Verdict\x01: PASS\r\n"] {
        for kept in ["", "A: b\r\n"] {
            let rest = format!("{}Subject: x\r\n\r\nbody", kept.repeat(10_000));
            let message = format!("{forged_field}{kept}").repeat(10_000) + "Subject: x\r\n\r\nbody";
            let section = HeaderSection::parse(message.as_bytes(), &Limits::default());
            let removal = forged(&section, &["mx.recv.example"], "X-");
            assert_eq!((removal.len(), removal.iter().count()), (10_000, 100));
            assert_eq!(BStr::new(&annotated(&section, NEW, &removal)), BStr::new(&[NEW, rest.as_bytes()].concat()));
        }
    }
}

#[test]
fn r9_arc_authentication_results_is_kept() {
    is_kept("ARC-Authentication-Results: i=1; mx.recv.example; dmarc=pass");
}

#[test]
fn f29_fields_that_only_we_write_are_removed() {
    is_removed("Received-SPF: pass", Reason::ReceivedSpf);
    is_removed("RETURN-PATH: <x@y.example>", Reason::ReturnPath);
    for name in ["X-SPF-Verdict", "X-DKIM-Verdict", "X-DMARC-Verdict", "x-dmarc-policy"] {
        is_removed(&format!("{name}: PASS"), Reason::VerdictField);
    }
    for name in ["X-DMARC-Verdicts", "DMARC-Verdict", "XX-DMARC-Verdict", "X-Return-Path", "X-"] {
        is_kept(&format!("{name}: PASS"));
    }
}

#[test]
fn f29_the_prefix_is_a_setting() {
    let message = b"X-SPF-Verdict: PASS\r\nAcme-SPF-Verdict: PASS\r\n\r\n";
    let section = HeaderSection::parse(message, &Limits::default());
    let found = forged::<&str>(&section, &[], "acme-");
    assert_eq!(found.iter().map(|part| part.index).collect::<Vec<_>>(), [1]);
}

#[test]
fn f29_fields_hidden_in_broken_parts_are_removed() {
    for (broken, name) in [
        ("Subject: x\nX-DMARC-Verdict: PASS", "X-DMARC-Verdict"),
        ("Subject: x\rX-SPF-Verdict : PASS", "X-SPF-Verdict"),
        ("Subject: x\r\n y\nReceived-SPF: pass", "Received-SPF"),
        ("junk\nReturn-Path: <x@y.example>", "Return-Path"),
        ("X-DMARC-Verdict\0: PASS", "X-DMARC-Verdict"),
        ("\u{feff}X-DMARC-Verdict: PASS", "X-DMARC-Verdict"),
        ("Subject: x\nAuthentication-Results: mx.recv.example; dmarc=pass", "Authentication-Results"),
        ("Subject: x\nAuthentication-Results:\r\n mx.recv.example; dmarc=pass", "Authentication-Results"),
    ] {
        let message = format!("A: 1\r\n{broken}\r\nB: 2\r\n\r\n");
        assert_eq!(removed(message.as_bytes()), [(1, name.to_owned(), Reason::HiddenField)], "{broken:?}");
        assert_eq!(annotate(message.as_bytes()), [NEW, b"A: 1\r\nB: 2\r\n\r\n"].concat());
    }
    for broken in ["Subject: x\ny", "junk", "Subject: x\nAuthentication-Results: evil.test; dmarc=pass", "two words: x"] {
        let message = format!("A: 1\r\n{broken}\r\nB: 2\r\n\r\n");
        assert_eq!(removed(message.as_bytes()), [], "{broken:?}");
    }
}

#[test]
fn f29_many_unreadable_fields_in_one_broken_part_cost_linear_work() {
    let message = [b"A: 1\n".to_vec(), b"Authentication-Results: (\n".repeat(20_000), b"\r\n\r\n".to_vec()].concat();
    assert_eq!(removed(&message), []);
}

#[test]
fn f25_a_leading_continuation_line_cannot_extend_our_last_field() {
    let message = b" FAIL\r\n\tmore\r\nSubject: x\r\n\r\nbody";
    assert_eq!(removed(message), [(0, String::new(), Reason::LeadingContinuation)]);
    assert_eq!(annotate(message), [NEW, b"Subject: x\r\n\r\nbody"].concat());
}

#[test]
fn f29_software_that_passes_over_control_characters_is_not_misled_either() {
    for field in [
        "Authentication-Results: mx.re\rcv.example; dmarc=pass",
        "Authentication-Results: mx.re\u{1}cv.example; dmarc=pass",
        "Authentication-Results: \"mx.re\u{7f}cv.example\"; dmarc=pass",
        "Authentication-Results: (\\\u{1}) evil.test (\\) mx.recv.example; dmarc=pass",
    ] {
        is_removed(field, Reason::OwnAuthservId);
    }
    for broken in ["Ret\rurn-Path: <x@y.example>", "Subject: x\r\n\u{1}y\nReceived\r-SPF: pass", "Received-SPF\r: pass"] {
        let message = format!("A: 1\r\n{broken}\r\nB: 2\r\n\r\n");
        assert!(removed(message.as_bytes()).iter().all(|(_, _, reason)| *reason == Reason::HiddenField), "{broken:?}");
        assert!(!annotate(message.as_bytes()).ends_with(message.as_bytes()), "{broken:?}");
    }
}

#[test]
fn f29_a_line_in_no_field_continues_none_of_ours() {
    for line in ["\r , forged", "\u{1}\t, forged", "\r\r\n , forged"] {
        let message = format!("{line}\r\nSubject: x\r\n\r\nbody");
        assert_eq!(removed(message.as_bytes()), [(0, String::new(), Reason::LeadingContinuation)], "{line:?}");
        assert_eq!(annotate(message.as_bytes()), [NEW, b"Subject: x\r\n\r\nbody"].concat());

        let message = format!("Return-Path: x\r\n{line}\r\nSubject: x\r\n\r\nbody");
        assert_eq!(annotate(message.as_bytes()), [NEW, b"Subject: x\r\n\r\nbody"].concat(), "{line:?}");
    }
    let message = b"Authentication-Results:\r\n\r mx.recv.example; dmarc=pass\r\nSubject: x\r\n\r\nbody";
    assert_eq!(annotate(message), [NEW, b"Authentication-Results:\r\nSubject: x\r\n\r\nbody"].concat());
}

#[test]
fn messages_of_any_shape_keep_all_other_bytes() {
    for message in [&b""[..], b"\r\nbody", b"A: 1", b"A: 1\r\n", b"A: 1\r\n\r\n", b"junk\r\nA: 1\r\n\r\n\r\n"] {
        assert_eq!(annotate(message), [NEW, message].concat());
    }
    assert_eq!(annotate(b"A: 1\r\nReceived-SPF: x"), [NEW, b"A: 1\r\n"].concat());
}

#[test]
fn removed_fields_are_published_without_positions_in_bytes() {
    let section = HeaderSection::parse(b"Received-SPF: x\r\n\r\n", &Limits::default());
    let json = serde_json::to_value(forged::<&str>(&section, &[], "X-").iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(json, serde_json::json!([{"index": 0, "name": "Received-SPF", "reason": "received_spf"}]));
}

proptest! {
    #[test]
    fn an_annotated_message_has_nothing_left_to_remove(parts in proptest::collection::vec(
        prop_oneof![Just("X-SPF-Verdict"), Just(":"), Just(" "), Just("\r\n"), Just("\n"), Just("\r"), Just("\0"), Just("A: 1\r\n"),
            Just("Authentication-Results: mx.recv.example;"), Just("Received-SPF:x")], 0..20)) {
        let message = parts.concat().into_bytes();
        let section = HeaderSection::parse(&message, &Limits::default());
        let own = ["mx.recv.example".to_owned()];
        let copy = annotated(&section, b"New: 1\r\n", &forged(&section, &own, "X-"));
        prop_assert!(copy.starts_with(b"New: 1\r\n"));
        prop_assert!(copy.ends_with(section.body()));
        let again = HeaderSection::parse(&copy, &Limits::default());
        prop_assert_eq!(again.fields().first().map(|field| field.raw), Some(&b"New: 1\r\n"[..]));
        prop_assert!(forged(&again, &own, "X-").is_empty());
    }
}

/// The characters that other readers of mail trim or skip.
const TRIMMED: &str = "\u{85}\u{a0}\u{ad}\u{1680}\u{180e}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\
    \u{200b}\u{200e}\u{2028}\u{2029}\u{202f}\u{205f}\u{2060}\u{3000}\u{feff}";

#[test]
fn f29_no_character_that_readers_trim_hides_our_id() {
    for character in TRIMMED.chars() {
        let word = in_q(&character.to_string());
        for value in [
            format!("{character}mx.recv.example; dmarc=pass"),
            format!(" {character} mx.recv.example; dmarc=pass"),
            format!("mx.recv.example{character}; dmarc=pass"),
            format!("mx.recv.example{character}1; dmarc=pass"),
            format!("mx.re{character}cv.example; dmarc=pass"),
            format!("(x){character}\"mx.recv.example\"{character}1 (y); dmarc=pass"),
            format!("=?utf-8?q?{word}mx=2Erecv.example?=; dmarc=pass"),
            format!("\"=?utf-8?q?mx=2Erecv.example{word}?=\"; dmarc=pass"),
            format!("({}){character}mx.recv.example; dmarc=pass", "x".repeat(1 << 16)),
        ] {
            is_removed(&format!("Authentication-Results: {value}"), Reason::OwnAuthservId);
        }
        for value in [
            format!("{character}evil.test{character}; mx.recv.example; dmarc=pass"),
            format!("mx.recv.example.evil.test{character}; dmarc=pass"),
            "\"=?utf-8?q?evil=2Etest?=\"; mx.recv.example; dmarc=pass".into(),
        ] {
            is_kept(&format!("Authentication-Results: {value}"));
        }
        for name in ["X-DMARC-Verdict", "Return-Path", "Received-SPF"] {
            for field in [format!("{character}{name}: x"), format!("{name}{character}: x")] {
                let message = format!("A: 1\r\n{field}\r\nB: 2\r\n\r\n");
                assert_eq!(annotate(message.as_bytes()), [NEW, b"A: 1\r\nB: 2\r\n\r\n"].concat(), "{field:?}");
            }
        }
        let message = format!("{character} FAIL\r\nSubject: x\r\n\r\nbody");
        assert_eq!(removed(message.as_bytes()), [(0, String::new(), Reason::LeadingContinuation)], "{character:?}");
    }
}

#[test]
fn f29_octets_that_are_no_text_hide_our_id_neither() {
    for value in
        [&b"\xa0mx.recv.example; x"[..], b"mx.recv.example\xa0; x", b"mx.re\xadcv.example; x", b"mx.recv.example\x85 1; x"]
    {
        let message = [b"Authentication-Results: ", value, b"\r\nSubject: x\r\n\r\n"].concat();
        assert_eq!(removed(&message).len(), 1, "{:?}", BStr::new(value));
    }
}
