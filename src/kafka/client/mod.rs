//! Makes the clients of librdkafka: their settings, their contexts, and the questions
//! that they ask brokers.

pub(crate) mod background;
pub(crate) mod committed;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod group;
pub(crate) mod instance;
pub(crate) mod log_id;
pub(crate) mod lookup;
pub(crate) mod native;
pub(crate) mod read_range;
pub(crate) mod rebootstrap;
pub(crate) mod settings;
pub(crate) mod start_position;
pub(crate) mod written;
