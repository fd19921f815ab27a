//! The id of a topic, which tells it from another topic of the same name (KIP-516).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The id of a topic. A topic that is deleted and created again gets another id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicId([u8; 16]);

/// The error for a text that is not the id of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a topic, which is 22 characters of base64url and not zero")]
pub struct NoTopicId;

impl TopicId {
    /// Returns the id with these octets; `None` for zero, by which brokers say that they know no
    /// ids.
    pub fn new(octets: [u8; 16]) -> Option<Self> {
        (octets != [0; 16]).then_some(Self(octets))
    }
}

/// Writes the id as Kafka's own tools show it.
impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for TopicId {
    type Err = NoTopicId;

    fn from_str(text: &str) -> Result<Self, NoTopicId> {
        let mut octets = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut octets) {
            Ok(16) => Self::new(octets).ok_or(NoTopicId),
            _ => Err(NoTopicId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_kafkas_tools_show_it_and_read_strictly() {
        let id = TopicId::new(*b"\xff\xfe0123456789abcd").unwrap();
        assert_eq!(id.to_string(), "__4wMTIzNDU2Nzg5YWJjZA");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(TopicId::new([0; 16]), None);
        for text in
            ["", "-", "__4wMTIzNDU2Nzg5YWJjZ", "__4wMTIzNDU2Nzg5YWJjZAA", "//4wMTIzNDU2Nzg5YWJjZA", "AAAAAAAAAAAAAAAAAAAAAA"]
        {
            assert_eq!(text.parse::<TopicId>(), Err(NoTopicId), "{text}");
        }
    }
}
