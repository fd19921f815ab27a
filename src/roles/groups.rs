//! The groups of the verdict role: which of them reads which topic.

use crate::config::Config;
use crate::kafka::Group;

/// The name of the verdict role, and of its group after the prefix.
pub const NAME: &str = "verdict";
/// The name of the pipeline that reads retries, and of its group after the prefix.
pub const LANE: &str = "verdict-retries";

/// Returns the group that reads retries. Positions that it lacks are taken over from the group of
/// mail.raw, which read the retries before this group existed.
pub fn lane(config: &Config) -> Group {
    Group { id: config.group(LANE), former: Some(config.group(NAME)) }
}

/// Returns the group that would read a topic for this role.
pub fn reader(config: &Config, topic: &str) -> Group {
    let is_retry = config.topics.all_retries().any(|retry| retry == topic);
    if is_retry { lane(config) } else { Group::alone(config.group(NAME)) }
}
