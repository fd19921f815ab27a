//! The records and events on Kafka topics: their types, headers and schemas, without any
//! evaluation.
//!
//! | file | contents |
//! |---|---|
//! | `record` | records as they are read and written |
//! | `headers` | record headers and the CloudEvents attributes in them |
//! | `raw` | a record of mail.raw as a message and its envelope, or the reason why it is refused |
//! | `verdict`, `failure` | the events that are written |
//! | `report` | headers of aggregate reports, and the summary of a closed window |
//! | `control` | requests that operators make of a role |
//! | `reason` | reason codes |
//! | `codes` | the declaration of a closed list of codes |
//! | `lineage` | the record in which a message first came, in headers |
//! | `dead_letter` | dead letters: refused records with their reason |
//! | `redrive` | the dead-letter topic as it is read, and marks that say which letters were put
//! back |
//! | `topic_id` | ids of topics |
//! | `trace_context` | the trace that a record belongs to |
//! | `settings` | settings of an evaluation as events carry them |
//! | `time` | times as SES writes them |
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
