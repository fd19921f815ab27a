//! Counts how much text a summary may still keep.

use bstr::{ByteSlice as _, ByteVec as _};
use std::borrow::Cow;

/// The number of bytes that may still be kept.
pub(super) struct Room(pub(super) usize);

impl Room {
    /// Keeps as much as there is room for. Octets that are not UTF-8 become U+FFFD.
    pub(super) fn keep<'m>(&mut self, bytes: Cow<'m, [u8]>) -> Cow<'m, str> {
        self.keep_text(match bytes {
            Cow::Borrowed(bytes) => bytes.get(..=self.0).unwrap_or(bytes).to_str_lossy(),
            Cow::Owned(mut bytes) => {
                bytes.truncate(self.0 + 1);
                Cow::Owned(bytes.into_string_lossy())
            }
        })
    }

    /// Keeps the text if it fits whole. Otherwise uses the room up, and returns `None`.
    pub(super) fn keep_whole<'m>(&mut self, text: Cow<'m, str>) -> Option<Cow<'m, str>> {
        if self.0 == 0 {
            return None;
        }
        let rest = self.0.checked_sub(text.len());
        self.0 = rest.unwrap_or(0);
        rest.map(|_| text)
    }

    /// Keeps as much as there is room for. A text that does not fit whole uses the room up.
    pub(super) fn keep_text<'m>(&mut self, text: Cow<'m, str>) -> Cow<'m, str> {
        let Some(rest) = self.0.checked_sub(text.len()) else {
            let end = text.floor_char_boundary(self.0);
            self.0 = 0;
            return match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or_default()),
                Cow::Owned(mut text) => {
                    text.truncate(end);
                    Cow::Owned(text)
                }
            };
        };
        self.0 = rest;
        text
    }
}
