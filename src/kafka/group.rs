//! A consumer group and where its positions come from.

use super::committed::Committed;
use super::error::Error;
use super::sole;
use crate::config::Kafka;

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// The group that read its topics before it: a position that this one lacks is taken over from there.
    pub former: Option<String>,
}

impl Group {
    /// A group that takes over nothing.
    pub fn alone(id: String) -> Self {
        Self { id, former: None }
    }

    /// Where it goes on in each partition of a topic, none where it begins at the beginning. A position that a process left in an open
    /// transaction is waited for.
    pub(super) fn positions(&self, kafka: &Kafka, topic: &str) -> Result<Vec<Option<Committed>>, Error> {
        let own = sole::positions(kafka, &self.id, topic)?;
        let Some(former) = self.former.as_deref().filter(|_| own.iter().any(Option::is_none)) else { return Ok(own) };
        let former = sole::positions(kafka, former, topic)?;
        Ok(own.into_iter().zip(former).map(|(own, former)| own.or(former)).collect())
    }
}
