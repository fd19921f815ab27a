//! Evaluates SPF, DKIM, ARC and DMARC from values, given a [`crate::dns::Session`] and a clock.
//!
//! | file | content |
//! |---|---|
//! | `cause` | the causes of SPF and DKIM results, with their words for fields, reports and SES |
//! | `spf/` | RFC 7208 |
//! | `dkim/` | RFC 6376, 8301, 8463 |
//! | `arc` | RFC 8617 |
//! | `dmarc/` | RFC 9989: record, discovery, alignment, decision |
//! | `parse_cache` | records that were read before |

pub mod arc;
pub mod cause;
pub mod dkim;
pub mod dmarc;
mod parse_cache;
pub mod spf;
