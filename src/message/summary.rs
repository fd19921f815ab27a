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
mod tests;
