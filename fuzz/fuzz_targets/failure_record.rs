//! Whatever lies in mail.failures or mail.windows, nothing panics, and what is counted comes out again (F.3).

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use verdmarc::aggregate::{Intake, Restore, Settings, State, read};
use verdmarc::config::Config;
use verdmarc::dns::Domain;
use verdmarc::event::{CloseWindows, Headers, Record, ReportAttributes};

fuzz_target!(|data: &[u8]| {
    let (key, value) = data.split_at(data.len().min(18));
    let mut restore = Restore::new(Arc::new(settings()), 0, 1).unchecked();
    if restore.take(key, Some(value)).is_ok() {
        let _ = restore.finish(None, None).map(close);
    }
    let headers = Headers::default().with("ce_type", "verdmarc.failure.v1");
    let record = Record {
        topic: "mail.failures".into(),
        partition: 0,
        offset: 0,
        timestamp: None,
        key: None,
        value: Some(data.to_vec()),
        headers: Some(headers),
    };
    if let Ok(Intake::Failure(event)) = read(&record) {
        let mut state = State::new(Arc::new(settings()), 0, 1);
        let counted = state.count(&event, event.arrival.as_second());
        let asks = !event.report_addresses.is_empty();
        assert_eq!(close(state), u64::from(counted && asks));
    }
});

/// Messages in the reports of everything that is held.
fn close(mut state: State) -> u64 {
    let now = jiff::Timestamp::UNIX_EPOCH;
    state.advance(1);
    state.control(&CloseWindows { at: None });
    state.freeze(1, 0);
    let mut messages = 0;
    for _ in 0..8 {
        for output in state.cut(1, now, true) {
            messages += ReportAttributes::read(&output.headers).map_or(0, |report| report.messages);
        }
        state.committed();
    }
    messages
}

fn settings() -> Settings {
    let mut config = Config::default();
    config.receiver.domain = Domain::parse("mx.example").ok();
    (config.receiver.organization, config.receiver.contact) = (Some("x".into()), Some("x@mx.example".into()));
    (config.aggregate.report_rows, config.aggregate.group_rows, config.aggregate.group_bytes) = (100, 100, 1 << 20);
    Settings::of(&config).unwrap()
}
