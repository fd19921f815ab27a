//! Reads RFC 5322 messages as bytes: header fields, author domain, limits, annotation.
//!
//! It uses no DNS, and decodes only what is needed.
//!
//! | file | content |
//! |---|---|
//! | `section` | the header section cut into fields, and its defects (F-9, F-20) |
//! | `normalise` | LF to CRLF, an mbox line on top |
//! | `unfold` | values of header fields without folding |
//! | `from` | the author domain of From (A4 to A7, F-1 to F-12) |
//! | `envelope` | the SMTP envelope |
//! | `explain` | the malformed line of a header section, for people |
//! | `results` | Authentication-Results: the writer (D-9), and the checks that passed |
//! | `invisible` | characters that readers may trim or not see |
//! | `annotate` | the message with this receiver's fields on top and without forged ones |
//! | `path` | RFC 5321 paths: MAIL FROM and HELO |
//! | `summary` | the fields of SES's `mail` block: headers, commonHeaders |
//! | `mbox` | the messages of an mbox file |

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
