//! What the other folders of this layer build on.

pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod headers;
pub(crate) mod lease;
pub(crate) mod log;
pub(crate) mod partition;
pub(crate) mod secrets;
pub(crate) mod stop;
pub(crate) mod throttle;
