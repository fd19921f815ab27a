use super::*;
use crate::limits::Limits;
use proptest::prelude::*;
use std::sync::LazyLock;

fn summarise(message: &[u8]) -> Summary<'_> {
    static MAIL_FROM: LazyLock<MailFrom> = LazyLock::new(|| MailFrom::Path("bounce@b.example".into()));
    summary(&HeaderSection::parse(message, &Limits::default()), &MAIL_FROM, 20)
}

#[test]
fn e3_fields_are_listed_and_summed_up() {
    let message =
        b"Received: from x\r\n by y\r\nFrom: \"Doe, Joe\" <a@b.example>, c@d.example\r\nTo: r@x.example\r\nTO: s@x.example,\r\n\
        Cc: (a, b) t@x.example\r\nReply-To: u@x.example\r\nSender: v@x.example\r\nDate: Mon, 1 Jan 2026 00:00:00 +0000\r\n\
        Message-ID: <1@b.example>\r\nSubject:  Hello\r\n\tworld\r\nSubject: again\r\n\r\nbody";
    let json = serde_json::to_value(summarise(message)).unwrap();
    assert_eq!(json["headersTruncated"], false);
    assert_eq!(json["headers"][0], serde_json::json!({"name": "Received", "value": "from x by y"}));
    assert_eq!(json["headers"].as_array().unwrap().len(), 11);
    assert_eq!(
        json["commonHeaders"],
        serde_json::json!({
            "returnPath": "bounce@b.example",
            "from": ["\"Doe, Joe\" <a@b.example>", "c@d.example"],
            "sender": "v@x.example",
            "replyTo": ["u@x.example"],
            "date": "Mon, 1 Jan 2026 00:00:00 +0000",
            "to": ["r@x.example", "s@x.example"],
            "cc": ["(a, b) t@x.example"],
            "messageId": "<1@b.example>",
            "subject": "Hello\tworld"
        })
    );
}

#[test]
fn e3_what_is_absent_is_left_out() {
    let none = HeaderSection::parse(b"\r\n", &Limits::default());
    let json = |mail_from| serde_json::to_value(summary(&none, &mail_from, 20)).unwrap();
    assert_eq!(json(MailFrom::Unknown)["commonHeaders"], serde_json::json!({"from": [], "to": []}));
    assert_eq!(json(MailFrom::Null)["commonHeaders"]["returnPath"], "<>");
    assert_eq!(json(MailFrom::Null)["headersTruncated"], false);
}

#[test]
fn encoded_words_are_decoded_in_common_headers_only() {
    let found = summarise(
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?ISE=?=\r\n from =?iso-8859-1?q?K=F6ln?=\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <a@b.example>\r\n\r\n",
    );
    assert_eq!(found.common_headers.subject.as_deref(), Some("Grüße!! from Köln"));
    assert_eq!(found.common_headers.from, ["Jürgen <a@b.example>"]);
    assert!(found.headers[0].value.starts_with("=?utf-8?q?Gr=C3=BC"));
}

#[test]
fn rfc2047_6_2_no_field_reads_as_another_once_it_is_decoded() {
    let message = ["From", "Sender", "Reply-To", "To", "Cc", "Bcc"]
        .map(|name| format!("{name}: =?utf-8?q?ceo=40legit.test=2C=0D=0Ax?= <x@attack.test>\r\n"))
        .concat()
        + "Subject: a =?utf-8?q?=0D=0Ab=E2=80=AEc?= \x01\r\nDate: \x02=?utf-8?q?x?=\r\nMessage-ID: <=?utf-8?q?x=3E?=\x7f>\r\n\r\n";
    let CommonHeaders { from, sender, reply_to, to, cc, bcc, subject, date, message_id, .. } =
        summarise(message.as_bytes()).common_headers;
    let expected = "\"ceo@legit.test,\u{fffd}\u{fffd}x\" <x@attack.test>";
    for list in [from, reply_to, to, cc, bcc] {
        assert_eq!(list, [expected]);
    }
    assert_eq!(sender.as_deref(), Some(expected));
    assert_eq!(subject.as_deref(), Some("a \u{fffd}\u{fffd}b\u{fffd}c \u{fffd}"));
    assert_eq!(date.as_deref(), Some("\u{fffd}=?utf-8?q?x?="));
    assert_eq!(message_id.as_deref(), Some("<=?utf-8?q?x=3E?=\u{fffd}>"));
}

#[test]
fn e3_an_address_is_listed_whole_or_not_at_all() {
    let name = "x".repeat(MAX_BYTES);
    for field in [
        format!("From: a@b.example, \"ceo@legit.test {name}\" <x@attack.test>\r\nTo: c@d.example\r\n\r\n"),
        format!("From: a@b.example,\r\n =?utf-8?q?ceo=40legit.test_{}?= <x@attack.test>\r\n\r\n", "=41".repeat(6000)),
    ] {
        let common = summarise(field.as_bytes()).common_headers;
        assert_eq!((common.from, common.to.len()), (vec!["a@b.example".into()], 0));
    }
    let sender = format!("Sender: \"ceo@legit.test {name}\" <x@attack.test>\r\n\r\n");
    assert_eq!(summarise(sender.as_bytes()).common_headers.sender, None);
}

#[test]
fn f36_octets_that_are_not_utf8_are_replaced() {
    let found = summarise(b"Subject: a\xffb\r\nFrom: J\xfcrgen =?utf-8?q?x?= <a@b.example>\r\n\r\n");
    assert_eq!(found.common_headers.subject.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(found.headers[0].value, "a\u{fffd}b");
    assert_eq!(found.common_headers.from, ["J\u{fffd}rgen x <a@b.example>"]);
}

fn bytes(found: &Summary<'_>) -> (usize, usize) {
    let common = &found.common_headers;
    let texts = [&common.return_path, &common.sender, &common.date, &common.message_id, &common.subject].into_iter().flatten();
    let lists = [&common.from, &common.reply_to, &common.to, &common.cc, &common.bcc].into_iter().flatten();
    (
        found.headers.iter().map(|header| header.name.len() + header.value.len()).sum(),
        texts.chain(lists).map(|text| text.len()).sum(),
    )
}

#[test]
fn f1_the_addresses_of_from_are_listed_up_to_their_limit() {
    let message = format!("From: {}\r\n\r\n", "a@b.example, ".repeat(21));
    let found = summarise(message.as_bytes());
    assert_eq!(found.common_headers.from, ["a@b.example"; 20]);
}

#[test]
fn e3_both_parts_are_cut_at_ten_kibibytes() {
    for value in ["x".repeat(20_000), "\u{ff}".repeat(6_000), "a@b.example,".repeat(2_000), "=?utf-8?q?=C3=BC?= ".repeat(2_000)] {
        let message = format!("To: {value}\r\nSubject: x\r\n\r\n");
        let found = summarise(message.as_bytes());
        let (headers, common) = bytes(&found);
        assert!(found.headers_truncated);
        assert!(headers <= MAX_BYTES && headers > MAX_BYTES - 4, "{headers}");
        assert!(common <= MAX_BYTES, "{common}");
    }
    assert!(!summarise(&[b"A: ".to_vec(), b"x".repeat(MAX_BYTES - 2), b"\r\n\r\n".to_vec()].concat()).headers_truncated);
    assert!(summarise(&[b"A: ".to_vec(), b"x".repeat(MAX_BYTES), b"\r\n\r\n".to_vec()].concat()).headers_truncated);
    let message = [b"A:\r\n".repeat(20_000), b"\r\n".to_vec()].concat();
    let many = summarise(&message);
    assert!(many.headers_truncated && many.headers.len() == MAX_BYTES);
}

proptest! {
    #[test]
    fn any_fields_are_summed_up_within_bounds(values in proptest::collection::vec(proptest::collection::vec(
        prop_oneof![Just(b'='), Just(b'?'), Just(b'q'), Just(b'b'), Just(b','), Just(b'"'), Just(b'\n'), Just(b' '), any::<u8>()], 0..60), 0..6)) {
        let mut message = Vec::new();
        for value in values {
            message.extend_from_slice(b"Subject: =?utf-8?");
            message.extend_from_slice(&value);
            message.extend_from_slice(b"\r\nTo: ");
            message.extend_from_slice(&value);
            message.extend_from_slice(b"\r\n");
        }
        let (headers, common) = bytes(&summarise(&message));
        prop_assert!(headers <= MAX_BYTES && common <= MAX_BYTES);
    }
}
