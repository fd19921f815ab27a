//! SPF, DKIM, ARC and DMARC: values in, values out, given a [`crate::dns::Session`] and a clock.
//!
//! | file | what it holds |
//! |---|---|
//! | `cause` | every cause of an SPF or DKIM result, with its words for Authentication-Results, reports and SES |
//! | `spf/` | RFC 7208 |
//! | `dkim/` | RFC 6376, 8301, 8463 |
//! | `arc` | RFC 8617 |
//! | `dmarc/` | RFC 9989: record, discovery, alignment, decision |

pub mod arc;
pub mod cause;
pub mod dkim;
pub mod dmarc;
mod kept;
pub mod spf;
