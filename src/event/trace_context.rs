//! Reads and writes `traceparent`, the W3C trace context that a record carries.

use std::fmt;

/// The content of a `traceparent` (W3C Trace Context 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span in which the record was written.
    pub span_id: [u8; 8],
    /// The trace flags; see [`TraceContext::is_sampled`].
    pub flags: u8,
}

/// The flag that says that the trace is recorded.
const SAMPLED: u8 = 1;

/// The version that W3C Trace Context declares invalid.
const NO_VERSION: u8 = 0xff;

impl TraceContext {
    /// Reads `version-traceid-parentid-flags` in lower-case hexadecimal; `None` when it is not well
    /// formed, or when an id is all zeros.
    pub fn parse(value: &str) -> Option<Self> {
        let mut fields = value.split('-');
        let [version] = hexadecimal(fields.next()?)?;
        let trace_id = hexadecimal(fields.next()?)?;
        let span_id = hexadecimal(fields.next()?)?;
        let [flags] = hexadecimal(fields.next()?)?;
        let is_valid = version != NO_VERSION && trace_id != [0; 16] && span_id != [0; 8] && fields.next().is_none();
        is_valid.then_some(Self { trace_id, span_id, flags })
    }

    /// Returns whether the writer of the record recorded the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Display for TraceContext {
    /// Writes a `traceparent` of version 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, span_id) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{:02x}", self.flags)
    }
}

/// Reads exactly `N` octets in lower-case hexadecimal.
fn hexadecimal<const N: usize>(field: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut octets = [0; N];
    if field.len() != 2 * N {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(field.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *octet = digit(high)? << 4 | digit(low)?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_traceparent_is_read_only_when_it_is_well_formed() {
        let cases = [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(true)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", Some(false)),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", Some(true)),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(true)),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
            ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None),
            ("00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01", None),
            ("", None),
        ];
        for (value, sampled) in cases {
            assert_eq!(TraceContext::parse(value).map(|context| context.is_sampled()), sampled, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(trace_id: [u8; 16], span_id: [u8; 8], flags: u8) {
            let context = TraceContext { trace_id, span_id, flags };
            let read = TraceContext::parse(&context.to_string());
            prop_assert_eq!(read, (trace_id != [0; 16] && span_id != [0; 8]).then_some(context));
        }

        #[test]
        fn no_value_panics(value in "\\PC*") {
            let _ = TraceContext::parse(&value);
        }
    }
}
