//! Client objects of the library: their settings, their contexts, and what brokers are asked with them.

pub(crate) mod background;
pub(crate) mod committed;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod group;
pub mod instance;
pub(crate) mod log_id;
pub(crate) mod lookup;
pub(crate) mod native;
pub(crate) mod rebootstrap;
pub(crate) mod settings;
pub(crate) mod start_position;
