//! Makes the header part of SES's `mail` block (E-3), for people and filters, never for decisions.

mod decoded;
mod elements;
mod room;

use super::envelope::MailFrom;
use super::section::{Field, HeaderSection};
use super::unfold::unfold;
use bstr::ByteSlice as _;
use decoded::{address, without_controls};
use elements::elements;
use room::Room;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) use decoded::decode;
#[cfg(test)]
pub(super) use decoded::in_q;

/// The longest text in `headers`, and in `commonHeaders`, in bytes.
const MAX_BYTES: usize = 10 << 10;

/// The `headersTruncated`, `headers` and `commonHeaders` of SES's `mail` block.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary<'m> {
    /// True when `headers` holds only the first 10 KiB of names and values.
    pub headers_truncated: bool,
    /// The header fields from the top.
    pub headers: Vec<Header<'m>>,
    /// The usual fields, decoded, with at most 10 KiB of text.
    pub common_headers: CommonHeaders<'m>,
}

/// A header field, unfolded. Octets that are not UTF-8 are U+FFFD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Header<'m> {
    /// The name of the field.
    pub name: Cow<'m, str>,
    /// The value of the field. Encoded words in it are not decoded.
    pub value: Cow<'m, str>,
}

/// The usual fields, unfolded.
///
/// Encoded words are decoded in Subject, in names and in comments.
/// A decoded name that would read as something else is quoted (RFC 2047 6.2).
/// Octets that are not UTF-8, control characters, line separators, and characters that reverse the
/// direction of writing become U+FFFD.
/// An element of addresses for which there is no room is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommonHeaders<'m> {
    /// The path of MAIL FROM: `<>` for the null path, absent when it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_path: Option<Cow<'m, str>>,
    /// The elements of From, as many as `limits.from_mailboxes` says.
    pub from: Vec<Cow<'m, str>>,
    /// The content of Sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Cow<'m, str>>,
    /// The elements of Reply-To.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<Cow<'m, str>>,
    /// The content of Date as it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Cow<'m, str>>,
    /// The elements of To.
    pub to: Vec<Cow<'m, str>>,
    /// The elements of Cc.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<Cow<'m, str>>,
    /// The elements of Bcc.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<Cow<'m, str>>,
    /// The content of Message-ID with its angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Cow<'m, str>>,
    /// The content of Subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Cow<'m, str>>,
}

/// Sums up a header section, with at most `most_authors` elements of From.
///
/// The work is bounded by the 10 KiB that are kept, and by one look at each field's name.
pub fn summary<'m>(section: &HeaderSection<'m>, mail_from: &'m MailFrom, most_authors: usize) -> Summary<'m> {
    let mut room = Room(MAX_BYTES);
    let mut headers = Vec::with_capacity(section.fields().len().min(64));
    for field in section.all_fields() {
        if room.0 == 0 {
            break;
        }
        let name = room.keep(field.name().into());
        headers.push(Header { name, value: room.keep(Value::of(&field, room.0).bytes) });
    }
    let headers_truncated = room.0 == 0 && !section.fields().is_empty();
    let mut common_headers = common_headers(section, mail_from);
    common_headers.from.truncate(most_authors);
    Summary { headers_truncated, headers, common_headers }
}

fn common_headers<'m>(section: &HeaderSection<'m>, mail_from: &'m MailFrom) -> CommonHeaders<'m> {
    let mut room = Room(MAX_BYTES);
    let mut common = CommonHeaders {
        return_path: match mail_from {
            MailFrom::Unknown => None,
            MailFrom::Null => Some("<>".into()),
            MailFrom::Path(path) => Some(room.keep_text(without_controls(path.into()))),
        },
        ..CommonHeaders::default()
    };
    for field in section.all_fields() {
        if room.0 == 0 {
            break;
        }
        let Some(slot) = Common::of(&field) else { continue };
        let value = Value::of(&field, room.0);
        match slot {
            Common::Text(form, slot) => {
                let slot = slot(&mut common);
                if slot.is_none() {
                    *slot = value.keep(form, &mut room);
                }
            }
            Common::List(slot) => value.keep_elements(slot(&mut common), &mut room),
        }
    }
    common
}

/// The place of a field in the common headers.
enum Common<'m> {
    /// A text, from the first field of this name.
    Text(Form, for<'c> fn(&'c mut CommonHeaders<'m>) -> &'c mut Option<Cow<'m, str>>),
    /// A list of the elements of all fields of this name.
    List(for<'c> fn(&'c mut CommonHeaders<'m>) -> &'c mut Vec<Cow<'m, str>>),
}

impl Common<'_> {
    fn of(field: &Field<'_>) -> Option<Self> {
        let name = field.name();
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        Some(match name.len() {
            2 if is("To") => Self::List(|common| &mut common.to),
            2 if is("Cc") => Self::List(|common| &mut common.cc),
            3 if is("Bcc") => Self::List(|common| &mut common.bcc),
            4 if is("From") => Self::List(|common| &mut common.from),
            4 if is("Date") => Self::Text(Form::AsWritten, |common| &mut common.date),
            6 if is("Sender") => Self::Text(Form::Address, |common| &mut common.sender),
            7 if is("Subject") => Self::Text(Form::Words, |common| &mut common.subject),
            8 if is("Reply-To") => Self::List(|common| &mut common.reply_to),
            10 if is("Message-ID") => Self::Text(Form::AsWritten, |common| &mut common.message_id),
            _ => return None,
        })
    }
}

/// The form of a value, which decides how it is decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A value in which no encoded word can occur, so that it is not decoded.
    AsWritten,
    /// A text for people.
    Words,
    /// A value with names, comments and addresses.
    Address,
}

impl Form {
    fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        without_controls(match self {
            Self::AsWritten => bytes.to_str_lossy(),
            Self::Words => decode(bytes),
            Self::Address => address(bytes),
        })
    }
}

/// The value of a field, without line breaks and without the white space around it.
struct Value<'m> {
    bytes: Cow<'m, [u8]>,
    /// True when the field has more of the value than there is room for.
    cut: bool,
}

impl<'m> Value<'m> {
    /// Takes the value of a field, but not much more of it than there is room for.
    fn of(field: &Field<'m>, room: usize) -> Self {
        let value = field.value().trim_ascii();
        let part = value.get(..room + 1);
        Self { bytes: unfold(part.unwrap_or(value)), cut: part.is_some_and(|part| part.len() < value.len()) }
    }

    /// Keeps as much of the value as there is room for. An address is kept whole or not at all.
    fn keep(self, form: Form, room: &mut Room) -> Option<Cow<'m, str>> {
        if form == Form::Address && self.cut {
            room.0 = 0;
            return None;
        }
        let text = match self.bytes {
            Cow::Borrowed(bytes) => form.decode(bytes),
            Cow::Owned(bytes) => Cow::Owned(form.decode(&bytes).into_owned()),
        };
        if form == Form::Address { room.keep_whole(text) } else { Some(room.keep_text(text)) }
    }

    /// Keeps the elements of an address list for which there is room, each of them whole.
    ///
    /// An element that was cut in a quoted name would read as something else.
    fn keep_elements(self, list: &mut Vec<Cow<'m, str>>, room: &mut Room) {
        let cut = self.cut;
        let whole = |elements: &mut Vec<&[u8]>| elements.truncate(elements.len() - usize::from(cut && !elements.is_empty()));
        match self.bytes {
            Cow::Borrowed(value) => {
                let mut elements = elements(value);
                whole(&mut elements);
                list.extend(elements.into_iter().map_while(|element| room.keep_whole(Form::Address.decode(element))));
            }
            Cow::Owned(value) => {
                let mut elements = elements(&value);
                whole(&mut elements);
                let owned = |element| Cow::Owned(Form::Address.decode(element).into_owned());
                list.extend(elements.into_iter().map_while(|element| room.keep_whole(owned(element))));
            }
        }
        if cut {
            room.0 = 0;
        }
    }
}

impl CommonHeaders<'_> {
    /// Returns the same fields without borrowing from the message.
    pub fn into_owned(self) -> CommonHeaders<'static> {
        let text = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        let list = |list: Vec<Cow<'_, str>>| list.into_iter().map(|text| Cow::Owned(text.into_owned())).collect();
        CommonHeaders {
            return_path: text(self.return_path),
            from: list(self.from),
            sender: text(self.sender),
            reply_to: list(self.reply_to),
            date: text(self.date),
            to: list(self.to),
            cc: list(self.cc),
            bcc: list(self.bcc),
            message_id: text(self.message_id),
            subject: text(self.subject),
        }
    }
}

#[cfg(test)]
mod tests {
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
        let message = b"Received: from x\r\n by y\r\nFrom: \"Doe, Joe\" <a@b.example>, c@d.example\r\nTo: r@x.example\r\nTO: s@x.example,\r\n\
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
        let texts =
            [&common.return_path, &common.sender, &common.date, &common.message_id, &common.subject].into_iter().flatten();
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
        for value in
            ["x".repeat(20_000), "\u{ff}".repeat(6_000), "a@b.example,".repeat(2_000), "=?utf-8?q?=C3=BC?= ".repeat(2_000)]
        {
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
}
