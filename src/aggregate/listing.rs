//! What is being counted now, for people.

use super::closing::Closing;
use super::state::{Open, State};
use super::window::Window;
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
    /// Every group, by window and policy domain.
    pub fn open_groups(&self) -> Vec<OpenGroup> {
        let mut groups: Vec<OpenGroup> = self.windows.iter().flat_map(|(window, open)| self.of_window(*window, open)).collect();
        groups.sort_by(|a, b| (a.window, &a.policy_domain, a.generation).cmp(&(b.window, &b.policy_domain, b.generation)));
        groups
    }

    fn of_window(&self, window: Window, open: &Open) -> Vec<OpenGroup> {
        let due = Some(self.due(window, open));
        let taking = open.groups.values().map(|group| (group, due));
        let closing = open.closing.iter().flat_map(Closing::groups).map(|group| (group, None));
        let listed = taking.chain(closing).map(|(group, due)| OpenGroup {
            policy_domain: group.about.policy_domain.clone(),
            window,
            generation: group.about.generation,
            rows: group.rows.len(),
            messages: group.rows.messages(),
            addresses: group.about.policy.rua.clone(),
            due,
        });
        listed.collect()
    }
}
