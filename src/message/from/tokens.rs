//! The value of an address field cut into what is quoted, commented, bracketed and separated, in one linear pass.
//!
//! A quote, comment or angle bracket that is never closed is ordinary text, as people write it in names.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything else.
    Text,
    /// A quoted string, quotes included.
    Quoted,
    /// A comment, nested ones and parentheses included.
    Comment,
    /// `<` to the next `>`, with no other `<` in between.
    Angle,
    /// `<` that is not closed before the next.
    StrayAngle,
    Comma,
    Semicolon,
}

impl Kind {
    pub(super) fn separates(self) -> bool {
        matches!(self, Self::Comma | Self::Semicolon)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

/// The tokens of a value, without gaps.
pub(super) struct Tokens<'v> {
    pub(super) text: &'v [u8],
    list: Vec<Token>,
    stray: bool,
}

impl<'v> Tokens<'v> {
    pub(super) fn of(text: &'v [u8]) -> Self {
        let mut tokens = Self { text, list: Vec::with_capacity(8), stray: false };
        let comments = comments(text);
        let mut quotes_close = true;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let token = match byte {
                b'"' if quotes_close => {
                    let end = quoted_end(text, at);
                    // Behind a quote that never closes no other can: searching again would cost its length each time.
                    quotes_close = end.is_some();
                    end.map(|end| (Kind::Quoted, end))
                }
                b'(' => closing(&comments, at).map(|close| (Kind::Comment, close + 1)),
                b'<' => Some(angle_end(text, at).map_or((Kind::StrayAngle, at + 1), |end| (Kind::Angle, end))),
                b',' => Some((Kind::Comma, at + 1)),
                b';' => Some((Kind::Semicolon, at + 1)),
                _ => None,
            };
            tokens.stray |= matches!((byte, &token), (b'"' | b'(' | b'>', None) | (_, Some((Kind::StrayAngle, _))));
            let (kind, end) = token.unwrap_or((Kind::Text, at + 1));
            tokens.push(kind, at..end);
            at = end;
        }
        tokens
    }

    pub(super) fn all(&self) -> &[Token] {
        &self.list
    }

    pub(super) fn bytes(&self, token: &Token) -> &'v [u8] {
        self.text.get(token.span.clone()).unwrap_or_default()
    }

    /// Whether a quote, parenthesis or angle bracket stands alone.
    pub(super) fn has_stray(&self) -> bool {
        self.stray
    }

    /// The position behind the white space and comments at `at`.
    pub(super) fn skip_comments(&self, mut at: usize) -> usize {
        loop {
            match self.text.get(at) {
                Some(b' ' | b'\t') => at += 1,
                Some(b'(') => {
                    match self.list.binary_search_by_key(&at, |token| token.span.start).map(|index| self.list.get(index)) {
                        Ok(Some(token)) if token.kind == Kind::Comment => at = token.span.end,
                        _ => return at,
                    }
                }
                _ => return at,
            }
        }
    }

    fn push(&mut self, kind: Kind, span: Range<usize>) {
        match self.list.last_mut() {
            Some(last) if kind == Kind::Text && last.kind == Kind::Text => last.span.end = span.end,
            _ => self.list.push(Token { kind, span }),
        }
    }
}

/// The position behind the quote that closes the one at `open`.
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

/// The position behind the `>` that closes the `<` at `open`.
fn angle_end(text: &[u8], open: usize) -> Option<usize> {
    let end = open + 1 + memchr::memchr2(b'<', b'>', text.get(open + 1..)?)?;
    (text.get(end) == Some(&b'>')).then_some(end + 1)
}

/// Each parenthesis that opens a balanced comment with the one that closes it, in the order of their openings.
fn comments(text: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    if memchr::memchr(b'(', text).is_none() {
        return found;
    }
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'(' => open.push(at),
            b')' => found.extend(open.pop().map(|start| (start, at))),
            _ => {}
        }
        at += 1;
    }
    found.sort_unstable();
    found
}

fn closing(comments: &[(usize, usize)], open: usize) -> Option<usize> {
    let index = comments.binary_search_by_key(&open, |(open, _)| *open).ok()?;
    comments.get(index).map(|(_, close)| *close)
}
