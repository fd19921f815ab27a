//! Reads the grammar of RFC 8601 2.2 to the letter.
//!
//! RFC 8616 adds UTF-8 in quoted strings, local parts and domains.

use crate::dns::Domain;
use std::borrow::Cow;

/// A whole value of an Authentication-Results field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthResults {
    /// The authserv-id as written, without quotes.
    pub authserv_id: String,
    /// The version, if it is given.
    pub version: Option<u32>,
    /// The entries, one for each method. They are empty for `none`.
    pub results: Vec<MethodResult>,
}

/// One method with its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodResult {
    /// The method in lower case.
    pub method: String,
    /// The method's version, if it is given.
    pub version: Option<u32>,
    /// The result in lower case.
    pub result: String,
    /// The reason, without quotes.
    pub reason: Option<String>,
    /// The properties, in their order.
    pub properties: Vec<Property>,
}

/// A property, `ptype.property=pvalue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The type in lower case, such as `header`.
    pub ptype: String,
    /// The property in lower case, such as `from`.
    pub property: String,
    /// The value as written, without quotes.
    pub value: String,
}

/// The error for a value that RFC 8601 2.2 does not permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of the Authentication-Results value is not {expected}")]
pub struct InvalidAuthResults {
    /// The position in bytes at which reading stopped.
    pub at: usize,
    /// A description of what could have stood there.
    pub expected: &'static str,
}

/// Reads the text after the colon of an Authentication-Results field.
///
/// # Errors
/// Returns what RFC 8601 2.2 does not permit, and its position.
pub fn parse(value: &[u8]) -> Result<AuthResults, InvalidAuthResults> {
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    let mut cursor = Cursor::new(value);
    cursor.cfws()?;
    let authserv_id = cursor.value()?;
    let version = if cursor.cfws()? { cursor.version()? } else { None };
    cursor.cfws()?;
    let mut results = Vec::new();
    cursor.expect(b';')?;
    cursor.cfws()?;
    if cursor.takes_no_result() {
        cursor.cfws()?;
    } else {
        results.push(cursor.method_result()?);
        while cursor.peek().is_some() {
            cursor.expect(b';')?;
            cursor.cfws()?;
            results.push(cursor.method_result()?);
        }
    }
    if cursor.peek().is_some() { Err(cursor.error("the end")) } else { Ok(AuthResults { authserv_id, version, results }) }
}

/// A position in a value.
pub(super) struct Cursor<'v> {
    value: &'v [u8],
    at: usize,
}

impl<'v> Cursor<'v> {
    pub(super) fn new(value: &'v [u8]) -> Self {
        Self { value, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    /// Skips comments and folding white space, and returns whether there were any.
    pub(super) fn cfws(&mut self) -> Result<bool, InvalidAuthResults> {
        let start = self.at;
        let (mut depth, mut open) = (0_usize, 0);
        while let Some(byte) = self.peek() {
            match byte {
                b'(' => {
                    open = if depth == 0 { self.at } else { open };
                    depth += 1;
                }
                b')' if depth > 0 => depth -= 1,
                b'\\' if depth > 0 => self.at += 1,
                b' ' | b'\t' => {}
                // A value without its field may end in the field's CRLF.
                b'\r' if self.starts_fold() || self.rest() == b"\r\n" => self.at += 1,
                b'\r' | b'\n' | 0 => break,
                _ if depth > 0 => {}
                _ => break,
            }
            self.at += 1;
        }
        if depth > 0 {
            self.at = open;
            return Err(self.error("a closed comment"));
        }
        Ok(self.at > start)
    }

    /// Reads a `value` of RFC 2045 5.1: a token or a quoted-string, without its quotes.
    pub(super) fn value(&mut self) -> Result<String, InvalidAuthResults> {
        if self.peek() == Some(b'"') { self.quoted_string() } else { self.run("a token or quoted-string", is_token_byte) }
    }

    /// Reads a value as [`Self::value`] does, with UTF-8 in tokens, and at most `longest` octets.
    pub(super) fn authserv_id(&mut self, longest: usize) -> Result<Cow<'v, str>, InvalidAuthResults> {
        let error = self.error("an authserv-id");
        if self.peek() == Some(b'"') {
            // Every octet may be escaped, which doubles the length.
            let end = self.value.len().min(self.at + 2 * longest);
            let mut ahead = Self { value: self.value.get(..end).unwrap_or_default(), at: self.at };
            let id = ahead.quoted_string()?;
            self.at = ahead.at;
            return Ok(Cow::Owned(id));
        }
        let bytes = self.take_while(|byte| is_token_byte(byte) || !byte.is_ascii());
        match std::str::from_utf8(bytes) {
            Ok(id) if !id.is_empty() && id.len() <= longest => Ok(Cow::Borrowed(id)),
            _ => Err(error),
        }
    }

    pub(super) fn digits(&mut self) -> Option<&'v [u8]> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        (!digits.is_empty()).then_some(digits)
    }

    fn version(&mut self) -> Result<Option<u32>, InvalidAuthResults> {
        let error = self.error("a version");
        self.digits()
            .map(|digits| std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(error))
            .transpose()
    }

    /// Skips `none` if it stands alone, and returns whether it does.
    fn takes_no_result(&mut self) -> bool {
        let start = self.at;
        let is_none = self.keyword().is_ok_and(|word| word == "none") && !self.equals_follows();
        if !is_none {
            self.at = start;
        }
        is_none
    }

    fn equals_follows(&self) -> bool {
        let mut ahead = Self { value: self.value, at: self.at };
        ahead.cfws().is_ok() && matches!(ahead.peek(), Some(b'=' | b'/'))
    }

    fn method_result(&mut self) -> Result<MethodResult, InvalidAuthResults> {
        let method = self.keyword()?;
        self.cfws()?;
        let mut version = None;
        if self.peek() == Some(b'/') {
            self.at += 1;
            self.cfws()?;
            version = Some(self.version()?.ok_or_else(|| self.error("a version"))?);
            self.cfws()?;
        }
        self.expect(b'=')?;
        self.cfws()?;
        let result = self.keyword()?;
        let mut entry = MethodResult { method, version, result, reason: None, properties: Vec::new() };
        let mut spaced = self.cfws()?;
        while !matches!(self.peek(), None | Some(b';')) {
            if !spaced {
                return Err(self.error("white space"));
            }
            spaced = self.reason_or_property(&mut entry)?;
        }
        Ok(entry)
    }

    /// Reads a single entry as [`Self::method_result`] does, but skips unreadable properties.
    ///
    /// Returns `None` if a property of `needed` cannot be read, or if a quote cannot, or if the
    /// entry does not begin with a method and a result.
    pub(super) fn lax_method_result(&mut self, needed: &[&str]) -> Option<MethodResult> {
        self.cfws().ok()?;
        let method = self.keyword().ok()?;
        self.cfws().ok()?;
        self.expect(b'=').ok()?;
        self.cfws().ok()?;
        let mut entry =
            MethodResult { method, version: None, result: self.keyword().ok()?, reason: None, properties: Vec::new() };
        while self.cfws().ok()? || self.peek().is_some() {
            let start = self.at;
            if self.peek().is_some() && self.reason_or_property(&mut entry).is_err() {
                self.at = start;
                let skipped = self.take_while(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
                let name = skipped.split(|byte| *byte == b'=').next().unwrap_or_default();
                let is_needed = needed.iter().any(|needed| name.eq_ignore_ascii_case(needed.as_bytes()));
                // An unreadable property is not an absent one.
                // An unreadable quote could hold anything.
                if skipped.is_empty() || is_needed || skipped.contains(&b'"') {
                    return None;
                }
            }
        }
        Some(entry)
    }

    /// Reads one `reason=` or property, and returns whether white space or a comment follows it.
    fn reason_or_property(&mut self, entry: &mut MethodResult) -> Result<bool, InvalidAuthResults> {
        let word = self.keyword()?;
        self.cfws()?;
        if word == "reason" && self.peek() == Some(b'=') && entry.reason.is_none() && entry.properties.is_empty() {
            self.at += 1;
            self.cfws()?;
            entry.reason = Some(self.value()?);
            return self.cfws();
        }
        self.expect(b'.')?;
        self.cfws()?;
        let property = self.keyword()?;
        self.cfws()?;
        self.expect(b'=')?;
        self.cfws()?;
        let value = self.property_value()?;
        entry.properties.push(Property { ptype: word, property, value });
        self.cfws()
    }

    /// Reads a `pvalue`: a token, a quoted-string, or a domain with or without a local part.
    fn property_value(&mut self) -> Result<String, InvalidAuthResults> {
        let start = self.at;
        let quoted = if self.peek() == Some(b'"') { Some(self.quoted_string()?) } else { None };
        if let Some(text) = &quoted
            && self.peek() != Some(b'@')
        {
            return Ok(text.clone());
        }
        let expected = "a token, quoted-string or domain";
        let text = self.run(expected, |byte| !matches!(byte, 0..=b' ' | b'(' | b')' | b';' | b'"' | 0x7f))?;
        let error = InvalidAuthResults { at: start, expected };
        match text.rsplit_once('@') {
            Some((local, domain)) => {
                let plain = local.is_empty() || local.split('.').all(|atom| !atom.is_empty() && !atom.contains(is_local_special));
                Domain::parse(domain).map_err(|_| error)?;
                if !plain {
                    return Err(error);
                }
                Ok(quoted.map_or(text.clone(), |quoted| format!("\"{quoted}\"{text}")))
            }
            None if text.bytes().all(is_token_byte) || Domain::parse(&text).is_ok() => Ok(text),
            None => Err(error),
        }
    }

    /// Reads a keyword, the Ldh-str of RFC 5321 4.1.2, and returns it in lower case.
    fn keyword(&mut self) -> Result<String, InvalidAuthResults> {
        let start = self.at;
        let word = self.run("a keyword", |byte| byte.is_ascii_alphanumeric() || byte == b'-')?;
        if word.ends_with('-') {
            return Err(InvalidAuthResults { at: start, expected: "a keyword" });
        }
        Ok(word.to_ascii_lowercase())
    }

    fn quoted_string(&mut self) -> Result<String, InvalidAuthResults> {
        let error = self.error("a closed quoted-string");
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match self.peek().ok_or(error)? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    text.push(self.peek().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).ok_or(error)?);
                }
                b'\r' if self.starts_fold() => self.at += 1,
                b'\r' | b'\n' | 0 => return Err(error),
                byte => text.push(byte),
            }
            self.at += 1;
        }
        self.at += 1;
        String::from_utf8(text).map_err(|_| error)
    }

    fn run(&mut self, expected: &'static str, permits: impl Fn(u8) -> bool) -> Result<String, InvalidAuthResults> {
        let error = self.error(expected);
        let bytes = self.take_while(permits);
        let text = std::str::from_utf8(bytes).map_err(|_| error)?;
        if text.is_empty() { Err(error) } else { Ok(text.to_owned()) }
    }

    fn take_while(&mut self, permits: impl Fn(u8) -> bool) -> &'v [u8] {
        let rest = self.rest();
        let taken = rest.get(..rest.iter().position(|byte| !permits(*byte)).unwrap_or(rest.len())).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn expect(&mut self, byte: u8) -> Result<(), InvalidAuthResults> {
        if self.peek() != Some(byte) {
            return Err(self.error(match byte {
                b';' => "`;`",
                b'=' => "`=`",
                _ => "`.`",
            }));
        }
        self.at += 1;
        Ok(())
    }

    fn starts_fold(&self) -> bool {
        matches!(self.rest(), [b'\r', b'\n', b' ' | b'\t', ..])
    }

    fn rest(&self) -> &'v [u8] {
        self.value.get(self.at..).unwrap_or_default()
    }

    fn error(&self, expected: &'static str) -> InvalidAuthResults {
        InvalidAuthResults { at: self.at, expected }
    }
}

/// Returns whether `byte` may be in a token (RFC 2045 5.1): visible ASCII without tspecials.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !br#"()<>@,;:\"/[]?="#.contains(&byte)
}

/// Returns whether a character is ASCII that no dot-atom of RFC 5321 holds.
fn is_local_special(character: char) -> bool {
    character.is_ascii() && !character.is_ascii_alphanumeric() && !"!#$%&'*+-/=?^_`{|}~".contains(character)
}
