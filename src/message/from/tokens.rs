//! Cuts the value of an address field at quotes, comments, brackets and separators.
//!
//! It takes linear time, and one octet of memory for each octet of the value, on any input.
//! A quote, comment or angle bracket that is never closed is ordinary text, as people write it in
//! names.

use std::ops::Range;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::message) enum Kind {
    /// Any other text.
    Text,
    /// A quoted string with its quotes.
    Quoted,
    /// A comment with its parentheses, and with the comments that are nested in it.
    Comment,
    /// The text from `<` to the next `>`, with no other `<` in between.
    Angle,
    /// A `<` that is not closed before the next one.
    StrayAngle,
    Comma,
    Semicolon,
}

impl Kind {
    pub(in crate::message) fn separates(self) -> bool {
        matches!(self, Self::Comma | Self::Semicolon)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::message) struct Token {
    pub(in crate::message) kind: Kind,
    pub(in crate::message) span: Range<usize>,
}

/// The tokens of a value, without gaps.
pub(in crate::message) struct Tokens<'v> {
    pub(in crate::message) text: &'v [u8],
    /// The marks of each octet.
    marks: Vec<u8>,
    stray: bool,
    /// The position of the last semicolon.
    /// It is kept because every piece of a list may ask whether one follows it.
    last_semicolon: Option<usize>,
}

/// The mark of an octet at which a token begins. This octet tells the token's kind.
const START: u8 = 1;
/// The mark of the first octet of a token that is not [`Kind::Text`].
const SPECIAL: u8 = 1 << 1;
/// The mark of a parenthesis that opens a balanced comment.
const OPENS: u8 = 1 << 2;
/// The mark of an octet after a backslash, which is no parenthesis, whatever it is.
const ESCAPED: u8 = 1 << 3;
/// The mark of an octet in an address that was read strictly.
const ADDRESS: u8 = 1 << 4;
/// The mark of a comma or semicolon that separates.
const SEPARATES: u8 = 1 << 5;

impl<'v> Tokens<'v> {
    pub(in crate::message) fn of(text: &'v [u8]) -> Self {
        let mut tokens = Self { text, marks: vec![0; text.len()], stray: false, last_semicolon: None };
        tokens.mark_comments();
        let mut quotes_close = true;
        let mut in_text = false;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let special = match byte {
                b'"' if quotes_close => {
                    let end = quoted_end(text, at);
                    // If this quote never closes, no quote after it can close.
                    // Searching again would cost the length of the value each time.
                    quotes_close = end.is_some();
                    end
                }
                b'(' if tokens.has(at, OPENS) => Some(tokens.comment_end(at)),
                b'<' => Some(angle_end(text, at).unwrap_or(at + 1)),
                b',' | b';' => Some(at + 1),
                _ => None,
            };
            tokens.stray |= match (byte, special) {
                (b'"' | b'(' | b'>', None) => true,
                (b'<', Some(end)) => end == at + 1,
                _ => false,
            };
            match special {
                Some(_) if matches!(byte, b',' | b';') => {
                    tokens.set(at..at + 1, START | SPECIAL | SEPARATES);
                    if byte == b';' {
                        tokens.last_semicolon = Some(at);
                    }
                }
                Some(_) => tokens.set(at..at + 1, START | SPECIAL),
                None if !in_text => tokens.set(at..at + 1, START),
                None => {}
            }
            in_text = special.is_none();
            at = special.unwrap_or(at + 1);
        }
        tokens
    }

    /// Returns the tokens of the whole text.
    pub(in crate::message) fn all(&self) -> Within<'_, 'v> {
        self.within(0..self.text.len())
    }

    /// Returns the tokens of a part of the text, which begins and ends with a whole token.
    pub(in crate::message) fn within(&self, span: Range<usize>) -> Within<'_, 'v> {
        Within { tokens: self, span }
    }

    pub(in crate::message) fn bytes(&self, token: &Token) -> &'v [u8] {
        self.text.get(token.span.clone()).unwrap_or_default()
    }

    /// Returns the position of the first comma or semicolon from `at` on that separates.
    pub(in crate::message) fn separator(&self, at: usize) -> Option<usize> {
        self.marks.get(at..)?.iter().position(|mark| mark & SEPARATES != 0).map(|ahead| at + ahead)
    }

    /// Returns the position of the last semicolon that separates.
    pub(in crate::message) fn last_semicolon(&self) -> Option<usize> {
        self.last_semicolon
    }

    /// Returns whether a quote, parenthesis or angle bracket is unmatched.
    pub(in crate::message) fn has_stray(&self) -> bool {
        self.stray
    }

    /// Returns the position after the white space and the comments at `at`.
    pub(in crate::message) fn skip_comments(&self, mut at: usize) -> usize {
        loop {
            match self.text.get(at) {
                Some(b' ' | b'\t') => at += 1,
                Some(b'(') if self.has(at, START | SPECIAL) => at = self.comment_end(at),
                _ => return at,
            }
        }
    }

    /// Marks the address at `span`.
    pub(in crate::message) fn mark_address(&mut self, span: Range<usize>) {
        self.set(span, ADDRESS);
    }

    /// Returns whether the octet at this position is in an address.
    pub(in crate::message) fn is_in_address(&self, at: usize) -> bool {
        self.has(at, ADDRESS)
    }

    /// Returns the parts of the text outside the addresses, one after the other.
    pub(in crate::message) fn outside_addresses(&self) -> impl Iterator<Item = &'v [u8]> {
        let mut parts = self.marks.chunk_by(|before, mark| before & ADDRESS == mark & ADDRESS);
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                let part = parts.next()?;
                let span = at..at + part.len();
                at = span.end;
                if part.first().is_some_and(|mark| mark & ADDRESS == 0) {
                    return self.text.get(span);
                }
            }
        })
    }

    fn has(&self, at: usize, bits: u8) -> bool {
        self.marks.get(at).is_some_and(|mark| mark & bits == bits)
    }

    fn set(&mut self, span: Range<usize>, bits: u8) {
        self.marks.get_mut(span).unwrap_or_default().iter_mut().for_each(|mark| *mark |= bits);
    }

    fn token(&self, span: Range<usize>) -> Token {
        let kind = match self.text.get(span.start) {
            _ if !self.has(span.start, SPECIAL) => Kind::Text,
            Some(b'"') => Kind::Quoted,
            Some(b'(') => Kind::Comment,
            Some(b',') => Kind::Comma,
            Some(b';') => Kind::Semicolon,
            _ if span.len() == 1 => Kind::StrayAngle,
            _ => Kind::Angle,
        };
        Token { kind, span }
    }

    /// Marks escaped octets, and each parenthesis that opens a balanced comment.
    ///
    /// A balanced comment has a closing parenthesis of its own on its right.
    fn mark_comments(&mut self) {
        if memchr::memchr(b'(', self.text).is_none() {
            return;
        }
        let mut at = 0;
        while let Some(backslash) = self.text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
            at += backslash + 2;
            self.set(at - 1..at.min(self.text.len()), ESCAPED);
        }
        let mut closing = 0_usize;
        for (byte, mark) in self.text.iter().zip(&mut self.marks).rev().filter(|(_, mark)| **mark & ESCAPED == 0) {
            match byte {
                b')' => closing += 1,
                b'(' if closing > 0 => {
                    closing -= 1;
                    *mark |= OPENS;
                }
                _ => {}
            }
        }
    }

    /// Returns the position after the balanced comment at `open`.
    fn comment_end(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        let rest = self.text.get(open..).unwrap_or_default().iter().zip(self.marks.get(open..).unwrap_or_default());
        for (at, (byte, mark)) in rest.enumerate() {
            match byte {
                _ if mark & ESCAPED != 0 => {}
                b'(' => depth += 1,
                b')' if depth <= 1 => return open + at + 1,
                b')' => depth -= 1,
                _ => {}
            }
        }
        self.text.len()
    }
}

/// An iterator over tokens, from either end.
#[derive(Clone)]
pub(in crate::message) struct Within<'t, 'v> {
    tokens: &'t Tokens<'v>,
    span: Range<usize>,
}

impl Within<'_, '_> {
    fn marks(&self) -> &[u8] {
        self.tokens.marks.get(self.span.clone()).unwrap_or_default()
    }
}

impl Iterator for Within<'_, '_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let (_, behind) = self.marks().split_first()?;
        let length = 1 + behind.iter().position(|mark| mark & START != 0).unwrap_or(behind.len());
        let start = self.span.start;
        self.span.start += length;
        Some(self.tokens.token(start..start + length))
    }
}

impl DoubleEndedIterator for Within<'_, '_> {
    fn next_back(&mut self) -> Option<Token> {
        let start = self.span.start + self.marks().iter().rposition(|mark| mark & START != 0)?;
        let end = std::mem::replace(&mut self.span.end, start);
        Some(self.tokens.token(start..end))
    }
}

/// Returns the position after the quote that closes the one at `open`, if there is one.
fn quoted_end(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Returns the position after the `>` that closes the `<` at `open`, if there is one.
fn angle_end(text: &[u8], open: usize) -> Option<usize> {
    let end = open + 1 + memchr::memchr2(b'<', b'>', text.get(open + 1..)?)?;
    (text.get(end) == Some(&b'>')).then_some(end + 1)
}
