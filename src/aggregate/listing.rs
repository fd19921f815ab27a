//! Lists the groups that are being counted, for people.

use super::closing::Closing;
use super::open::Open;
use super::state::State;
use super::window::{Calendar, Window};
use crate::auth::dmarc::ReportAddress;
use crate::dns::Domain;
use serde::Serialize;

/// A group of rows that is not reported yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenGroup {
    /// The domain that the report will be about.
    pub policy_domain: Domain,
    /// The period that the report will cover.
    pub window: Window,
    /// 0, or higher for messages that came late.
    pub generation: u32,
    /// Number of rows.
    pub rows: usize,
    /// Number of messages in the rows.
    pub messages: u64,
    /// The addresses at which reports were asked for when a message was last seen.
    pub addresses: Vec<ReportAddress>,
    /// When the window is due, in Unix seconds; `None` while it is being closed.
    pub due: Option<i64>,
}

impl State {
    /// Returns every group, in no particular order.
    pub fn open_groups(&self) -> impl Iterator<Item = OpenGroup> {
        self.windows.iter().flat_map(|(window, open)| open.listed(*window, &self.settings.calendar))
    }
}

impl Open {
    fn listed(&self, window: Window, calendar: &Calendar) -> impl Iterator<Item = OpenGroup> {
        let due = Some(self.due(window, calendar));
        let taking = self.groups.values().map(move |group| (group, due));
        let closing = self.closing.iter().flat_map(Closing::groups).map(|group| (group, None));
        taking.chain(closing).map(move |(group, due)| OpenGroup {
            policy_domain: group.about.policy_domain.clone(),
            window,
            generation: group.about.generation,
            rows: group.rows.len(),
            messages: group.rows.messages(),
            addresses: group.about.policy.rua.clone(),
            due,
        })
    }
}
