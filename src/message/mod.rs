//! RFC 5322 as bytes: header fields, author domain, limits, annotation. No DNS, no decoding of what is not needed.
//!
//! | file | what it holds |
//! |---|---|
//! | `section` | the header section cut into fields, and what is wrong with it (F-9, F-20) |
//! | `normalise` | LF to CRLF, an mbox line on top |
//! | `unfold` | values of header fields without folding |
//! | `from` | the author domain of From (A4 to A7, F-1 to F-11) |
//! | `explain` | which line of a header section is malformed, for people |
//! | `results` | reading Authentication-Results: whose they are (D-9), what they say passed |
//! | `invisible` | which characters readers may trim or not see |
//! | `annotate` | the message with our fields on top and forged ones removed |
//! | `path` | RFC 5321 paths: MAIL FROM and HELO |
//! | `summary` | the fields of SES's `mail` block: headers, commonHeaders |
//! | `mbox` | several messages in one file |

mod annotate;
mod envelope;
mod explain;
mod from;
mod invisible;
pub mod mbox;
mod normalise;
mod path;
mod results;
mod section;
mod summary;
mod unfold;

pub use annotate::{Removal, RemovalReason, Removed, annotated, forged};
pub use envelope::{Envelope, MailFrom, Submission};
pub use explain::explain_malformed;
pub use from::{Author, AuthorError, author, explain_author};
pub use normalise::{Normalised, normalise};
pub use path::{Path, helo_domain};
pub use results::{
    AuthResults, AuthservId, InvalidAuthResults, MethodResult, Passed, Property, authserv_id, claims,
    parse as parse_auth_results, passes,
};
pub use section::{Defect, Field, HeaderSection};
pub use summary::{CommonHeaders, Header, Summary, summary};
