//! Record headers, and the attributes that CloudEvents keeps in them.
//!
//! CloudEvents 1.0, Kafka protocol binding, binary mode: attribute `x` is header `ce_x` in UTF-8, `datacontenttype` is
//! `content-type`, the value of the record is the data.

use super::TraceContext;
use jiff::Timestamp;
use std::borrow::Cow;

/// Prefix of an attribute's header.
pub const ATTRIBUTE: &str = "ce_";

/// Header of the data's media type.
pub const CONTENT_TYPE: &str = "content-type";

/// Media type of a message.
pub const MESSAGE: &str = "message/rfc822";

/// Media type of our events.
pub const JSON: &str = "application/json";

/// Beside its octets a header takes its place in the list, and the rest of two small blocks.
const OVERHEAD: usize = size_of::<(Box<str>, Option<Box<[u8]>>)>() + 32;

/// Record headers in order. Names may repeat, values may be null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Box<str>, Option<Box<[u8]>>)>);

impl Headers {
    /// No headers, with room for `count`.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds one at the end.
    pub fn push(&mut self, name: &str, value: Option<&[u8]>) {
        self.0.push((name.into(), value.map(Into::into)));
    }

    /// Adds one at the end.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.push(name, Some(value.as_ref()));
        self
    }

    /// The first value under this name that is not null. Names are compared as they are.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find_map(|(known, value)| if known == name { value } else { None })
    }

    /// Name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_deref()))
    }

    /// Number of headers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of names and values.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, |value| value.len())).sum()
    }

    /// Bytes that they hold in memory, near enough for a budget.
    pub fn weight(&self) -> usize {
        self.bytes() + self.len() * OVERHEAD
    }
}

impl<'a> FromIterator<(&'a str, Option<&'a [u8]>)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, Option<&'a [u8]>)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect())
    }
}

/// The attributes that every event of ours carries.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// `ce_id`: unique among the events of one type and source.
    pub id: &'a str,
    /// `ce_source`: who made it.
    pub source: &'a str,
    /// `ce_type`: what it is, say `verdmarc.verdict.v1`.
    pub kind: &'a str,
    /// `ce_time`: when it happened.
    pub time: Timestamp,
    /// `content-type`.
    pub content_type: &'a str,
}

impl Attributes<'_> {
    /// The attributes as headers, with the trace that the message belongs to.
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

/// W3C trace context of a record: as it came, or with a span of ours as the parent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`, when it is well formed.
    pub parent: Option<String>,
    /// `tracestate`, only beside a parent.
    pub state: Option<String>,
}

/// Header of the trace and the span that a record was written in.
const TRACEPARENT: &str = "traceparent";
/// Header of what tracing systems add to that.
const TRACESTATE: &str = "tracestate";

impl Trace {
    /// Longest `tracestate` that is passed on (W3C Trace Context 3.3.1.1 asks for at least 512).
    const MAX_STATE: usize = 512;

    /// The context, from headers whose values may be anything: what is not well formed is left out.
    pub fn new(parent: Option<&[u8]>, state: Option<&[u8]>) -> Self {
        let parent =
            parent.and_then(|value| std::str::from_utf8(value).ok()).filter(|value| TraceContext::parse(value).is_some());
        let state = state.filter(|value| value.len() <= Self::MAX_STATE && value.iter().all(|byte| matches!(byte, b' '..=b'~')));
        Self {
            state: parent.and(state).map(|value| String::from_utf8_lossy(value).into_owned()),
            parent: parent.map(str::to_owned),
        }
    }

    /// The context, from what stands under the names of its two headers.
    pub fn of<'a>(value: impl Fn(&str) -> Option<Cow<'a, [u8]>>) -> Self {
        Self::new(value(TRACEPARENT).as_deref(), value(TRACESTATE).as_deref())
    }

    /// The context of a record whatever else it holds, as far as its headers tell.
    pub fn of_headers(headers: &Headers) -> Self {
        Self::of(|name| headers.get(name).or_else(|| headers.get(&format!("{ATTRIBUTE}{name}"))).map(Cow::Borrowed))
    }

    /// What `traceparent` of a record of ours says.
    pub fn parent_of(headers: &Headers) -> Option<TraceContext> {
        headers.get(TRACEPARENT).and_then(|value| TraceContext::parse(std::str::from_utf8(value).ok()?))
    }

    /// What the parent says.
    pub fn context(&self) -> Option<TraceContext> {
        self.parent.as_deref().and_then(TraceContext::parse)
    }

    /// The same trace, with another span as the parent.
    #[must_use]
    pub fn within(&self, span: TraceContext) -> Self {
        Self { parent: Some(span.to_string()), state: self.state.clone() }
    }

    /// Adds the context to `headers`.
    pub fn push_to(&self, headers: &mut Headers) {
        for (name, value) in [(TRACEPARENT, &self.parent), (TRACESTATE, &self.state)] {
            if let Some(value) = value {
                headers.push(name, Some(value.as_bytes()));
            }
        }
    }

    /// Puts the context in the place of the one that `headers` have.
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
