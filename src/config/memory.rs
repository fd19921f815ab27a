//! Predicts how much memory roles take at most with given settings, and checks a limit against
//! that.

use super::contradictions::HEADROOM;
use super::settings::Config;
use super::size::Size;
use std::fmt;

/// The roles that run in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// True when the process runs the verdict role.
    pub verdict: bool,
    /// True when the process runs the aggregate role.
    pub aggregate: bool,
}

/// Bytes that a process takes besides its budgets: code, threads, connections, and records that the
/// client library reads ahead.
const PROCESS: u64 = 200 << 20;
/// Bytes that each further pipeline takes besides its budgets.
const FURTHER_PIPELINE: u64 = 32 << 20;
/// Number of times that the value of a record counts until it is evaluated: as it came, decoded,
/// and annotated.
const COPIES: u64 = 3;
/// Bytes of a row on its way to mail.windows, in this program and in the client library's queue.
const ROW: u64 = 1 << 10;

/// The most memory that a process takes, by the settings that it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: &'static str,
    bytes: u64,
    /// How its setting can be lowered; `None` where lowering it is not advisable.
    lower: Option<Lower>,
}

/// A setting that takes `times` bytes of memory for every `parts` bytes of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lower {
    parts: u64,
    times: u64,
    /// The lowest value to advise. A lower one would save nothing, or would be another way to run
    /// the role.
    least: u64,
}

impl Part {
    fn fixed(name: &'static str, bytes: u64) -> Self {
        Self { name, bytes, lower: None }
    }

    fn setting(name: &'static str, bytes: u64) -> Self {
        Self { name, bytes, lower: Some(Lower { parts: 1, times: 1, least: bytes / 4 }) }
    }
}

impl Memory {
    /// Returns the memory of a process that runs these roles.
    pub fn of(config: &Config, roles: Roles) -> Self {
        let mut parts = vec![Part::fixed("the process itself", PROCESS)];
        let mut pipelines = 0;
        if roles.verdict {
            parts.extend(Self::of_verdicts(config));
            pipelines += 1 + u64::from(config.verdict.retries);
        }
        if roles.aggregate {
            parts.extend(Self::of_counting(config));
            pipelines += 1;
        }
        if pipelines > 1 {
            parts.push(Part::fixed("further consumer groups", (pipelines - 1) * FURTHER_PIPELINE));
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
        Self { parts }
    }

    fn of_verdicts(config: &Config) -> Vec<Part> {
        let (budget, largest) =
            (config.verdict.budget_bytes as u64, COPIES * u64::from(config.kafka.max_record_bytes).saturating_sub(HEADROOM));
        // One record is read even when it alone exceeds the budget.
        let held = if largest > budget {
            Part::fixed("one record of the largest size (kafka.max_record_bytes)", largest)
        } else {
            Part { name: "verdict.budget_bytes", bytes: budget, lower: Some(Lower { parts: 1, times: 1, least: largest }) }
        };
        let mut parts = vec![held, Part::setting("dns.cache_bytes", config.dns.cache_bytes)];
        if !config.claim_check.prefixes.is_empty() {
            // One object is fetched even when it alone exceeds the budget.
            let room = config.claim_check.budget_bytes.max(config.evaluation.limits.message_bytes);
            parts.push(Part::setting("claim_check.budget_bytes", room as u64));
        }
        parts
    }

    fn of_counting(config: &Config) -> [Part; 2] {
        let settings = &config.aggregate;
        let rows = settings.process_bytes as u64;
        [
            // Reading pauses only when the rows hold a quarter more than the budget.
            Part {
                name: "aggregate.process_bytes and a quarter",
                bytes: rows.saturating_add(rows / 4),
                lower: Some(Lower { parts: 4, times: 5, least: rows / 4 }),
            },
            Part::fixed("aggregate.budget_records of 1 KiB", (settings.budget_records as u64).saturating_mul(ROW)),
        ]
    }

    /// Returns the sum of all parts, in bytes.
    pub fn total(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
    }

    /// Returns an error text when `limit` is too low, with the remedy; `None` when it is high
    /// enough.
    pub fn beyond(&self, limit: Size) -> Option<String> {
        let (total, Size(limit)) = (self.total(), limit);
        let excess = total.checked_sub(limit).filter(|excess| *excess > 0)?;
        let lower = self.parts.iter().find_map(|part| part.lowered(excess)).unwrap_or_default();
        Some(format!(
            "memory: these settings take up to {self}; the limit is {}: raise the limit to {} or more{lower}",
            Size(limit),
            Size(total.checked_next_multiple_of(1 << 20).unwrap_or(total))
        ))
    }
}

impl Part {
    /// Returns the advice to lower the setting; `None` where that alone is not enough.
    fn lowered(&self, excess: u64) -> Option<String> {
        let Lower { parts, times, least } = self.lower?;
        let lower = (self.bytes / times * parts).checked_sub(excess.div_ceil(times) * parts)? >> 20 << 20;
        let key = self.name.split(' ').next()?;
        (lower >= least.max(1)).then(|| format!(", or lower {key} to {lower} ({})", Size(lower)))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.parts.iter().map(|part| format!("{} {}", part.name, Size(part.bytes))).collect();
        write!(formatter, "{} ({})", Size(self.total()), parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERDICT: Roles = Roles { verdict: true, aggregate: false };
    const AGGREGATE: Roles = Roles { verdict: false, aggregate: true };
    const MIB: u64 = 1 << 20;

    fn with(change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        change(&mut config);
        config
    }

    #[test]
    fn a_role_takes_its_budgets_and_a_fixed_part() {
        let none = |_: &mut Config| {};
        let claims = |config: &mut Config| config.claim_check.prefixes = vec!["s3://mail/in/".parse().unwrap()];
        for (config, roles, expected) in vec![
            (with(none), VERDICT, 200 + 256 + 64),
            (with(|config| config.verdict.retries = true), VERDICT, 200 + 256 + 64 + 32),
            (with(|config| config.verdict.budget_bytes = 512 << 20), VERDICT, 200 + 512 + 64),
            // One record of 56 MiB is read, and counts three times.
            (with(|config| config.verdict.budget_bytes = 1 << 20), VERDICT, 200 + 3 * 56 + 64),
            (with(|config| config.dns.cache_bytes = 1 << 20), VERDICT, 200 + 256 + 1),
            (with(claims), VERDICT, 200 + 256 + 64 + 256),
            (with(|config| (claims(config), config.claim_check.budget_bytes = 1 << 20).0), VERDICT, 200 + 256 + 64 + 40),
            (with(|config| config.claim_check.budget_bytes = 8 << 30), VERDICT, 200 + 256 + 64),
            (with(none), AGGREGATE, 200 + 5 * 1024 + 196),
            (with(|config| config.aggregate.process_bytes = 512 << 20), AGGREGATE, 200 + 640 + 196),
            (with(|config| config.aggregate.budget_records = 1024), AGGREGATE, 200 + 5 * 1024 + 1),
            (with(none), Roles { verdict: true, aggregate: true }, 200 + 256 + 64 + 5 * 1024 + 196 + 32),
        ] {
            let memory = Memory::of(&config, roles);
            assert_eq!(memory.total().div_ceil(MIB), expected, "{memory}");
        }
        let endless = with(|config| config.aggregate.process_bytes = usize::MAX);
        assert_eq!(Memory::of(&endless, AGGREGATE).total(), u64::MAX);
    }

    #[test]
    fn a_limit_that_is_too_low_names_the_settings_their_values_and_what_to_change() {
        let memory = Memory::of(&Config::default(), VERDICT);
        assert_eq!(memory.beyond(Size(520 * MIB)), None);
        assert_eq!(
            memory.beyond(Size(512 * MIB)).unwrap(),
            "memory: these settings take up to 520 MiB (verdict.budget_bytes 256 MiB, the process itself 200 MiB, dns.cache_bytes \
             64 MiB); the limit is 512 MiB: raise the limit to 520 MiB or more, or lower verdict.budget_bytes to 260046848 (248 MiB)"
        );
        let far = memory.beyond(Size(128 * MIB)).unwrap();
        assert!(far.ends_with("the limit is 128 MiB: raise the limit to 520 MiB or more"), "{far}");
        // The largest record takes 168 MiB, whatever the budget is.
        let near = memory.beyond(Size(400 * MIB)).unwrap();
        assert!(near.ends_with("raise the limit to 520 MiB or more"), "{near}");
        let rows = Memory::of(&with(|config| config.aggregate.process_bytes = 1 << 30), AGGREGATE);
        let said = rows.beyond(Size(rows.total() - 100 * MIB)).unwrap();
        assert!(said.ends_with("or lower aggregate.process_bytes to 989855744 (944 MiB)"), "{said}");
    }

    #[test]
    fn what_was_advised_fits() {
        for roles in [VERDICT, AGGREGATE] {
            let mut config = Config::default();
            config.aggregate.process_bytes = 2 << 30;
            let limit = Size(Memory::of(&config, roles).total() - 77_777_777);
            let said = Memory::of(&config, roles).beyond(limit).unwrap();
            let (_, advice) = said.split_once("or lower ").unwrap();
            let value: usize = advice.split(' ').nth(2).unwrap().parse().unwrap();
            if roles.verdict {
                config.verdict.budget_bytes = value;
            } else {
                config.aggregate.process_bytes = value;
            }
            assert_eq!(Memory::of(&config, roles).beyond(limit), None, "{said}");
        }
    }
}
