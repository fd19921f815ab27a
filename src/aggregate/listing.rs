//! What is being counted now, for people.

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
    /// Whom the report will be about.
    pub policy_domain: Domain,
    /// What it will cover.
    pub window: Window,
    /// 0, or higher for messages that came late.
    pub generation: u32,
    /// Rows.
    pub rows: usize,
    /// Messages in them.
    pub messages: u64,
    /// Where reports were asked for when a message was last seen.
    pub addresses: Vec<ReportAddress>,
    /// When the window is due, Unix seconds; none when it is being closed.
    pub due: Option<i64>,
}

impl State {
    /// Every group, in no order.
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
