//! Calculates how long a process takes to stop, and so how long a supervisor must wait.

use super::{Config, Roles};
use std::time::Duration;

/// Time that a stop takes after the drain at most. Ending the open transaction and leaving the
/// group take up to ten seconds each where brokers do not answer.
const BESIDES: Duration = Duration::from_secs(20);

/// Returns the longest time from SIGTERM to the end of a process that runs these roles, which stop
/// side by side.
pub fn longest_stop(config: &Config, roles: Roles) -> Duration {
    drain(config, roles).1 + BESIDES
}

/// Returns the longest drain among the roles, with the setting that gives it.
fn drain(config: &Config, roles: Roles) -> (&'static str, Duration) {
    let drains = [
        (roles.verdict, "verdict.drain_ms", config.verdict.drain_ms),
        (roles.aggregate, "aggregate.drain_ms", config.aggregate.drain_ms),
    ];
    let drains = drains.into_iter().filter(|(runs, ..)| *runs).map(|(_, key, value)| (key, Duration::from_millis(value)));
    drains.max_by_key(|(_, drain)| *drain).unwrap_or(("verdict.drain_ms", Duration::ZERO))
}

/// Returns an error text when `grace`, the time before the process is killed, is too short, with
/// the remedy; `None` when it is long enough.
pub fn too_short(config: &Config, roles: Roles, grace: Duration) -> Option<String> {
    let (longest, (key, drain)) = (longest_stop(config, roles), drain(config, roles));
    (grace < longest).then(|| {
        let lower = grace.checked_sub(BESIDES).filter(|lower| !lower.is_zero());
        let lower = lower.map(|lower| format!(", or lower {key} to {}", lower.as_millis())).unwrap_or_default();
        format!(
            "grace period: a stop takes up to {} s ({key} = {}, and {} s more where brokers do not answer), and the process is killed \
             after {} s: raise the grace period to {} s or more{lower}",
            longest.as_millis().div_ceil(1000),
            drain.as_millis(),
            BESIDES.as_secs(),
            grace.as_secs(),
            longest.as_millis().div_ceil(1000)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grace_period_holds_the_longest_drain_and_the_end_of_the_transaction() {
        let mut config = Config::default();
        (config.verdict.drain_ms, config.aggregate.drain_ms) = (10_000, 25_500);
        let roles = |verdict, aggregate| Roles { verdict, aggregate };
        for (roles, grace, expected) in [
            (roles(true, false), 30, None),
            (roles(true, false), 29, Some("verdict.drain_ms = 10000")),
            (roles(false, true), 45, Some("aggregate.drain_ms = 25500")),
            (roles(false, true), 46, None),
            (roles(true, true), 45, Some("aggregate.drain_ms = 25500")),
        ] {
            let said = too_short(&config, roles, Duration::from_secs(grace));
            assert_eq!(said.is_some(), expected.is_some(), "{roles:?} {grace}: {said:?}");
            assert!(said.is_none_or(|said| said.contains(expected.unwrap())), "{roles:?} {grace}");
        }
        assert_eq!(
            too_short(&config, roles(false, true), Duration::from_secs(30)).unwrap(),
            "grace period: a stop takes up to 46 s (aggregate.drain_ms = 25500, and 20 s more where brokers do not answer), and the \
             process is killed after 30 s: raise the grace period to 46 s or more, or lower aggregate.drain_ms to 10000"
        );
        let none = too_short(&config, roles(true, false), Duration::from_secs(20)).unwrap();
        assert!(none.ends_with("raise the grace period to 30 s or more"), "{none}");
    }
}
