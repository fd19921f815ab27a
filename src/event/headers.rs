//! Reads and writes record headers, and the CloudEvents attributes and trace context in them.
//!
//! CloudEvents 1.0, Kafka protocol binding, binary mode: attribute `x` is header `ce_x` in UTF-8,
//! `datacontenttype` is `content-type`, and the value of the record is the data.

use super::TraceContext;
use jiff::Timestamp;
use std::borrow::Cow;

/// Prefix of the name of a header that holds an attribute.
pub const ATTRIBUTE: &str = "ce_";

/// Name of the header that holds the media type of the data.
pub const CONTENT_TYPE: &str = "content-type";

/// Media type of a message.
pub const MESSAGE: &str = "message/rfc822";

/// Media type of verdmarc's events.
pub const JSON: &str = "application/json";

/// Bytes of memory that a header takes besides its octets: its entry in the list, and the overhead
/// of two small allocations.
const OVERHEAD: usize = size_of::<(Box<str>, Option<Box<[u8]>>)>() + 32;

/// Record headers in order. Names may repeat, and values may be null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Box<str>, Option<Box<[u8]>>)>);

impl Headers {
    /// Returns an empty list with room for `count` headers.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds a header at the end.
    pub fn push(&mut self, name: &str, value: Option<&[u8]>) {
        self.0.push((name.into(), value.map(Into::into)));
    }

    /// Returns the list with a header added at the end.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.push(name, Some(value.as_ref()));
        self
    }

    /// Returns the first value under `name` that is not null. The case of names counts.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find_map(|(known, value)| if known == name { value } else { None })
    }

    /// Returns each name with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_deref()))
    }

    /// Returns the number of headers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no headers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes of all names and values together.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, |value| value.len())).sum()
    }

    /// Returns the estimated bytes that the headers take in memory, for a budget.
    pub fn weight(&self) -> usize {
        self.bytes() + self.len() * OVERHEAD
    }
}

impl<'a> FromIterator<(&'a str, Option<&'a [u8]>)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, Option<&'a [u8]>)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect())
    }
}

/// The attributes that every event of verdmarc carries.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// `ce_id`: unique among the events of one type and source.
    pub id: &'a str,
    /// `ce_source`: who produced the event.
    pub source: &'a str,
    /// `ce_type`: the type of the event, for example `verdmarc.verdict.v1`.
    pub kind: &'a str,
    /// `ce_time`: when the event happened.
    pub time: Timestamp,
    /// `content-type`.
    pub content_type: &'a str,
}

impl Attributes<'_> {
    /// Returns the attributes as headers, together with the trace that the message belongs to.
    pub fn headers(&self, trace: &Trace) -> Headers {
        let mut headers = Headers::with_capacity(8)
            .with("ce_specversion", "1.0")
            .with("ce_id", self.id)
            .with("ce_source", self.source)
            .with("ce_type", self.kind)
            .with("ce_time", format!("{:.3}", self.time))
            .with(CONTENT_TYPE, self.content_type);
        trace.push_to(&mut headers);
        headers
    }
}

/// W3C trace context of a record: as it came, or with a span of this process as the parent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`, when it is well formed.
    pub parent: Option<String>,
    /// `tracestate`; present only together with a parent.
    pub state: Option<String>,
}

/// Name of the header that holds the trace and the span in which a record was written.
const TRACEPARENT: &str = "traceparent";
/// Name of the header in which tracing systems add data of their own.
const TRACESTATE: &str = "tracestate";

impl Trace {
    /// Longest `tracestate` that is passed on, in bytes (W3C Trace Context 3.3.1.1 asks for at
    /// least 512).
    const MAX_STATE: usize = 512;

    /// Reads the context from the values of the two headers. A value that is not well formed is
    /// left out.
    pub fn new(parent: Option<&[u8]>, state: Option<&[u8]>) -> Self {
        let parent =
            parent.and_then(|value| std::str::from_utf8(value).ok()).filter(|value| TraceContext::parse(value).is_some());
        let state = state.filter(|value| value.len() <= Self::MAX_STATE && value.iter().all(|byte| matches!(byte, b' '..=b'~')));
        Self {
            state: parent.and(state).map(|value| String::from_utf8_lossy(value).into_owned()),
            parent: parent.map(str::to_owned),
        }
    }

    /// Reads the context through `value`, which returns the value of the header of a given name.
    pub fn of<'a>(value: impl Fn(&str) -> Option<Cow<'a, [u8]>>) -> Self {
        Self::new(value(TRACEPARENT).as_deref(), value(TRACESTATE).as_deref())
    }

    /// Reads the context from a record's headers. A header without `ce_` takes precedence over the
    /// CloudEvents attribute.
    pub fn of_headers(headers: &Headers) -> Self {
        Self::of(|name| headers.get(name).or_else(|| headers.get(&format!("{ATTRIBUTE}{name}"))).map(Cow::Borrowed))
    }

    /// Returns the `traceparent` of a record that verdmarc wrote; `None` when it is absent or not
    /// well formed.
    pub fn parent_of(headers: &Headers) -> Option<TraceContext> {
        headers.get(TRACEPARENT).and_then(|value| TraceContext::parse(std::str::from_utf8(value).ok()?))
    }

    /// Returns the parent in parsed form.
    pub fn context(&self) -> Option<TraceContext> {
        self.parent.as_deref().and_then(TraceContext::parse)
    }

    /// Returns the same trace with `span` as the parent.
    #[must_use]
    pub fn within(&self, span: TraceContext) -> Self {
        Self { parent: Some(span.to_string()), state: self.state.clone() }
    }

    /// Adds the headers of the context to `headers`.
    pub fn push_to(&self, headers: &mut Headers) {
        for (name, value) in [(TRACEPARENT, &self.parent), (TRACESTATE, &self.state)] {
            if let Some(value) = value {
                headers.push(name, Some(value.as_bytes()));
            }
        }
    }

    /// Puts this context in the place of the one in `headers`.
    pub fn replace_in(&self, headers: &mut Headers) {
        headers.0.retain(|(name, _)| !matches!(&**name, TRACEPARENT | TRACESTATE));
        self.push_to(headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn trace_context_passes_only_when_well_formed() {
        let cases: [(&[u8], bool); 6] = [
            (PARENT.as_bytes(), true),
            (b"00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false),
            (b"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx: y", false),
            (b"\xff", false),
        ];
        for (value, passes) in cases {
            let trace = Trace::new(Some(value), Some(b"vendor=1"));
            assert_eq!(trace.parent.is_some(), passes, "{}", String::from_utf8_lossy(value));
            assert_eq!(trace.state.is_some(), passes, "a state travels only beside its parent");
        }
    }

    #[test]
    fn a_span_of_ours_takes_the_place_of_the_parent_and_the_state_stays() {
        let span = TraceContext { trace_id: [1; 16], span_id: [2; 8], flags: 1 };
        let came = Trace::new(Some(PARENT.as_bytes()), Some(b"vendor=1"));
        let within = came.within(span);
        assert_eq!((within.context(), within.state.as_deref()), (Some(span), Some("vendor=1")));
        assert_eq!(Trace::default().within(span).state, None, "there was no state");
        let mut headers = Headers::default().with("traceparent", PARENT).with("x", "y").with("tracestate", "vendor=1");
        within.replace_in(&mut headers);
        assert_eq!(Trace::of_headers(&headers), within);
        assert_eq!((headers.len(), headers.get("x")), (3, Some(&b"y"[..])));
    }

    #[test]
    fn a_header_of_the_trace_comes_before_the_attribute() {
        let of = |headers: &Headers| Trace::of_headers(headers).context().map(|context| context.span_id[0]);
        let other = PARENT.replace("b7ad", "11ad");
        assert_eq!(of(&Headers::default().with("ce_traceparent", PARENT)), Some(0xb7));
        assert_eq!(of(&Headers::default().with("ce_traceparent", PARENT).with("traceparent", &other)), Some(0x11));
        assert_eq!(of(&Headers::default()), None);
    }

    #[test]
    fn events_carry_the_attributes_of_the_kafka_binding() {
        let trace = Trace::new(Some(PARENT.as_bytes()), None);
        let time = "2026-05-04T03:02:01.5Z".parse().unwrap();
        let attributes =
            Attributes { id: "7", source: "/verdmarc", kind: "verdmarc.verdict.v1", time, content_type: "application/json" };
        let headers = attributes.headers(&trace);
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
        assert_eq!(text("ce_specversion").as_deref(), Some("1.0"));
        assert_eq!(text("ce_time").as_deref(), Some("2026-05-04T03:02:01.500Z"));
        assert_eq!(text("content-type").as_deref(), Some("application/json"));
        assert_eq!(text("traceparent").as_deref(), Some(PARENT));
        assert_eq!(text("tracestate"), None);
    }
}
