//! What travels on topics: types, their headers, nothing else.
//!
//! | file | what it holds |
//! |---|---|
//! | `record` | records as they are read and written |
//! | `headers` | record headers and the CloudEvents attributes in them |
//! | `raw` | a record of mail.raw as a message and its envelope, or the reason why it is refused |
//! | `verdict`, `failure` | the events that are written |
//! | `report` | reports as they travel, and what a closed window came to |
//! | `control` | what operators ask of a role |
//! | `reason` | reason codes |
//! | `codes` | how a closed list of codes is declared |
//! | `lineage` | which record a message first came in |
//! | `dead_letter` | refused records with their reason |
//! | `redrive` | the dead-letter topic as it is read, and marks of what was put back |
//! | `topic_id` | what tells a topic from another of the same name |
//! | `trace_context` | the trace that a record belongs to |
//! | `schemas` | JSON Schemas of the events |

mod codes;
mod control;
pub mod dead_letter;
mod failure;
pub mod headers;
pub mod lineage;
pub mod raw;
mod reason;
mod record;
pub mod redrive;
mod report;
pub mod schemas;
mod settings;
mod time;
mod topic_id;
mod trace_context;
mod verdict;

pub use control::{CLOSE_WINDOWS, CloseWindows};
pub use dead_letter::DeadLetterReason;
pub use failure::{Disposition, DkimRow, FAILURE, FailureEvent, Override, Row, SpfRow};
pub use headers::Headers;
pub use lineage::Lineage;
pub use reason::Reason;
pub use record::{Clock, Output, Record, Stamp};
pub use report::{REPORT, ReportAttributes, WINDOW_CLOSED, WindowClosed};
pub use settings::EvaluationBlock;
pub use time::to_millis;
pub use topic_id::{NoTopicId, TopicId};
pub use trace_context::TraceContext;
pub use verdict::{
    Action, ArcBlock, Authentication, CopiedStatus, DkimBlock, DmarcBlock, EnvelopeBlock, EvidenceBlock, Input, Mail,
    NotificationType, PublishedPolicy, ReasonDetail, Receipt, SettingsBlock, SpfBlock, SpfScope, StatusBlock, SuggestedAction,
    VerdictEvent,
};
