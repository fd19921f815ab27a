//! Finds settings that are each valid and do not go together: message sizes, and time-outs against
//! each other.

use super::kafka::Protocol;
use super::settings::Config;
use super::size::Size;
use jiff::SignedDuration;

/// Bytes of room for the headers that retries, dead letters and annotated messages add to a record
/// of mail.raw.
pub(crate) const HEADROOM: u64 = 1 << 20;
/// Largest amount of records that wait in the client library to be sent, in KiB. Further records
/// wait in this program.
pub(crate) const QUEUE_KIB: u64 = 96 << 10;
/// Age at its evaluation above which a message is counted in no report.
pub(crate) const LATE: SignedDuration = SignedDuration::from_hours(48);

/// Milliseconds of a session timeout that brokers accept by default (group.min.session.timeout.ms,
/// group.max.session.timeout.ms).
const SESSIONS_MS: std::ops::RangeInclusive<u64> = 6_000..=1_800_000;
/// Longest transaction timeout in milliseconds that brokers accept by default
/// (transaction.max.timeout.ms).
const LONGEST_TRANSACTION_MS: u64 = 900_000;

/// Adds the contradictions that cannot work. A start refuses them.
pub(super) fn errors(config: &Config, problems: &mut Vec<String>) {
    problems.extend([queue(config), largest_message(config), linger(config)].into_iter().flatten());
}

/// Returns warnings about settings that work, although probably not as they are meant.
pub(super) fn doubts(config: &Config) -> Vec<String> {
    let mut doubts = Vec::new();
    doubts.extend(structured(config));
    doubts.extend(dns(config));
    doubts.extend(drain(config));
    doubts.extend(brokers(config));
    doubts.extend(retries(config));
    doubts
}

/// Returns an error when the largest record exceeds the client library's queue. Such a record would
/// never find room, not even in an empty queue.
fn queue(config: &Config) -> Option<String> {
    let name = "queue.buffering.max.kbytes";
    let own = config.kafka.properties.0.get(name).and_then(|kib| kib.parse().ok());
    let (room, largest) = (own.unwrap_or(QUEUE_KIB).saturating_mul(1 << 10), u64::from(config.kafka.max_record_bytes));
    (largest > room).then(|| {
        format!(
            "kafka.max_record_bytes is {largest}, more than the client library holds of records to be sent, {room}: lower \
             kafka.max_record_bytes to {room}, or set `{name}` in kafka.properties to {} or more",
            largest.div_ceil(1 << 10)
        )
    })
}

fn largest_message(config: &Config) -> Option<String> {
    let (message, record) = (config.evaluation.limits.message_bytes as u64, u64::from(config.kafka.max_record_bytes));
    let needed = message.saturating_add(HEADROOM);
    (needed > record).then(|| {
        format!(
            "evaluation.limits.message_bytes is {message}, and a record of such a message with its headers takes {needed}, more than \
             kafka.max_record_bytes ({record}): raise kafka.max_record_bytes to {needed} and let the topics take as much, or lower \
             evaluation.limits.message_bytes to {}",
            record.saturating_sub(HEADROOM)
        )
    })
}

fn linger(config: &Config) -> Option<String> {
    let (linger, delivery) = (config.kafka.linger_ms, config.kafka.delivery_timeout_ms);
    (linger >= delivery).then(|| {
        format!(
            "kafka.linger_ms ({linger}) must be below kafka.delivery_timeout_ms ({delivery}): otherwise a record's time is over before \
             it is sent"
        )
    })
}

/// Returns a warning when a message of the largest size does not fit into a record in structured
/// mode.
/// Base64 takes four octets for three. The topic mail.raw takes smaller records than
/// `kafka.max_record_bytes`, because it leaves room for the headers of retries and dead letters.
fn structured(config: &Config) -> Option<String> {
    let (message, record) = (config.evaluation.limits.message_bytes as u64, u64::from(config.kafka.max_record_bytes));
    let needed = (message.div_ceil(3) * 4).saturating_add(2 * HEADROOM);
    (needed > record && largest_message(config).is_none()).then(|| {
        format!(
            "evaluation.limits.message_bytes is {message}; in structured mode (base64) such a message needs a kafka.max_record_bytes of \
             {needed}, which is {record}: producers that use structured mode cannot send messages above about {}",
            Size(record.saturating_sub(2 * HEADROOM) / 4 * 3)
        )
    })
}

fn dns(config: &Config) -> Vec<String> {
    let (limits, dns) = (&config.evaluation.limits, &config.dns);
    let (deadline, question) = (limits.dns_deadline_ms, dns.timeout_ms.saturating_mul(dns.attempts as u64));
    let mut doubts = Vec::new();
    if question > deadline {
        doubts.push(format!(
            "dns.timeout_ms ({}) times dns.attempts ({}) is more than evaluation.limits.dns_deadline_ms ({deadline}), the time for all \
             questions of a message: the last attempts are never finished; lower one of the first two or raise the deadline",
            dns.timeout_ms, dns.attempts
        ));
    }
    if limits.dns_after_decision_ms > deadline {
        doubts.push(format!(
            "evaluation.limits.dns_after_decision_ms ({}) is more than evaluation.limits.dns_deadline_ms ({deadline}), which ends first: \
             lower it",
            limits.dns_after_decision_ms
        ));
    }
    doubts
}

/// Returns warnings about a drain that ends before messages can be finished. The next owner
/// evaluates them again.
fn drain(config: &Config) -> Vec<String> {
    let drain = config.verdict.drain_ms;
    let claims = !config.claim_check.prefixes.is_empty();
    let waits = [
        (true, "evaluation.limits.dns_deadline_ms", config.evaluation.limits.dns_deadline_ms, "wait for DNS"),
        (claims, "claim_check.timeout_ms", config.claim_check.timeout_ms, "wait for their object"),
    ];
    let longer = waits.into_iter().filter(|(applies, _, value, _)| *applies && *value > drain);
    let say = |(_, key, value, wait)| {
        format!(
            "verdict.drain_ms ({drain}) is less than {key} ({value}): messages that {wait} when a process stops are evaluated again by the \
             next one; raise verdict.drain_ms, and the grace period with it, or lower {key}"
        )
    };
    longer.map(say).collect()
}

/// Returns warnings about values that brokers refuse, or do not take from a client.
fn brokers(config: &Config) -> Vec<String> {
    let kafka = &config.kafka;
    let mut doubts = Vec::new();
    match kafka.protocol {
        Protocol::Classic if !SESSIONS_MS.contains(&kafka.session_timeout_ms) => doubts.push(format!(
            "kafka.session_timeout_ms is {}; brokers accept {} to {}, unless group.min.session.timeout.ms and \
             group.max.session.timeout.ms are set otherwise there",
            kafka.session_timeout_ms,
            SESSIONS_MS.start(),
            SESSIONS_MS.end()
        )),
        Protocol::Classic => {}
        Protocol::Consumer => {
            let defaults = super::Kafka::default();
            let set = [
                ("kafka.session_timeout_ms", kafka.session_timeout_ms != defaults.session_timeout_ms),
                ("kafka.heartbeat_interval_ms", kafka.heartbeat_interval_ms != defaults.heartbeat_interval_ms),
            ];
            doubts.extend(set.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| {
                format!(
                    "{key} has no effect with kafka.protocol = \"consumer\", where the brokers set it \
                     (group.consumer.session.timeout.ms, group.consumer.heartbeat.interval.ms): remove it"
                )
            }));
        }
    }
    if kafka.transaction_timeout_ms > LONGEST_TRANSACTION_MS {
        doubts.push(format!(
            "kafka.transaction_timeout_ms is {}; brokers accept at most {LONGEST_TRANSACTION_MS}, unless transaction.max.timeout.ms is set \
             otherwise there: lower it",
            kafka.transaction_timeout_ms
        ));
    }
    doubts
}

/// Returns a warning when a message whose retries have all failed is too old for a report.
fn retries(config: &Config) -> Option<String> {
    let delays: u64 = config.verdict.retry_delays_s.iter().fold(0, |sum, delay| sum.saturating_add(*delay));
    let late = LATE.as_secs().unsigned_abs();
    let horizon = u64::from(config.aggregate.horizon_s);
    let uncounted = match late.min(horizon) <= delays {
        false => return None,
        true if late <= horizon => format!("a message that is evaluated more than {late} s after its arrival"),
        true => format!("what comes more than aggregate.horizon_s ({horizon}) after its window"),
    };
    config.verdict.retries.then(|| {
        format!("verdict.retry_delays_s add up to {delays} s, and {uncounted} is counted in no report: shorten the delays")
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    /// Settings, and the texts that must stand in the error. No texts: the settings go together.
    const ERRORS: [(&str, &[&str]); 8] = [
        ("[kafka]\nmax_record_bytes = 100663296\n", &[]),
        (
            "[kafka]\nmax_record_bytes = 100663297\n",
            &["kafka.max_record_bytes is 100663297", "lower kafka.max_record_bytes to 100663296", "to 98305 or more"],
        ),
        ("[kafka]\nmax_record_bytes = 200000000\nproperties.'queue.buffering.max.kbytes' = 262144\n", &[]),
        (
            "[kafka]\nmax_record_bytes = 60000000\nproperties.'queue.buffering.max.kbytes' = 1024\n",
            &["kafka.max_record_bytes is 60000000", "holds of records to be sent, 1048576"],
        ),
        ("[evaluation.limits]\nmessage_bytes = 58720256\n", &[]),
        (
            "[evaluation.limits]\nmessage_bytes = 58720257\n",
            &[
                "evaluation.limits.message_bytes is 58720257",
                "kafka.max_record_bytes (59768832)",
                "raise kafka.max_record_bytes to 59768833",
                "lower evaluation.limits.message_bytes to 58720256",
            ],
        ),
        ("[kafka]\nlinger_ms = 9999\n", &[]),
        ("[kafka]\nlinger_ms = 10000\n", &["kafka.linger_ms (10000) must be below kafka.delivery_timeout_ms (10000)"]),
    ];

    #[test]
    fn what_cannot_work_together_is_refused_with_keys_values_and_what_to_change() {
        for (settings, expected) in ERRORS {
            match load(settings, &[]) {
                Ok(_) => assert!(expected.is_empty(), "{settings} is accepted"),
                Err(error) => {
                    assert!(!expected.is_empty() && error.lines().count() == 1, "{settings}: {error}");
                    for part in expected {
                        assert!(error.contains(part), "`{part}` is missing in: {error}");
                    }
                }
            }
        }
    }

    /// Settings, and the texts that must stand in the only warning. No texts: there is no warning.
    const DOUBTS: [(&str, &[&str]); 22] = [
        ("", &[]),
        ("[evaluation.limits]\nmessage_bytes = 43253760\n", &[]),
        (
            "[evaluation.limits]\nmessage_bytes = 52428800\n",
            &[
                "evaluation.limits.message_bytes is 52428800",
                "a kafka.max_record_bytes of 72002220",
                "messages above about 42 MiB",
            ],
        ),
        ("[dns]\ntimeout_ms = 7500\n", &[]),
        (
            "[dns]\ntimeout_ms = 7501\n",
            &["dns.timeout_ms (7501) times dns.attempts (2)", "evaluation.limits.dns_deadline_ms (15000)"],
        ),
        ("[dns]\nattempts = 6\n", &["dns.timeout_ms (3000) times dns.attempts (6)"]),
        ("[evaluation.limits]\ndns_after_decision_ms = 15000\n", &[]),
        (
            "[evaluation.limits]\ndns_after_decision_ms = 15001\n",
            &["evaluation.limits.dns_after_decision_ms (15001)", "evaluation.limits.dns_deadline_ms (15000)"],
        ),
        ("[verdict]\ndrain_ms = 15000\n", &[]),
        (
            "[verdict]\ndrain_ms = 14999\n",
            &["verdict.drain_ms (14999) is less than evaluation.limits.dns_deadline_ms (15000)", "raise verdict.drain_ms"],
        ),
        ("[claim_check]\ntimeout_ms = 30000\n", &[]),
        (
            "[claim_check]\ntimeout_ms = 30000\nprefixes = ['s3://mail/']\n",
            &["verdict.drain_ms (20000) is less than claim_check.timeout_ms (30000)", "lower claim_check.timeout_ms"],
        ),
        ("[kafka]\nsession_timeout_ms = 6000\nheartbeat_interval_ms = 2000\n", &[]),
        (
            "[kafka]\nsession_timeout_ms = 5999\nheartbeat_interval_ms = 1000\n",
            &["kafka.session_timeout_ms is 5999", "6000 to 1800000", "group.min.session.timeout.ms"],
        ),
        ("[kafka]\nsession_timeout_ms = 1800001\nmax_poll_interval_ms = 1800001\n", &["kafka.session_timeout_ms is 1800001"]),
        ("[kafka]\nprotocol = 'consumer'\n", &[]),
        (
            "[kafka]\nprotocol = 'consumer'\nsession_timeout_ms = 30000\n",
            &["kafka.session_timeout_ms has no effect with kafka.protocol = \"consumer\""],
        ),
        (
            "[kafka]\nprotocol = 'consumer'\nheartbeat_interval_ms = 1000\n",
            &["kafka.heartbeat_interval_ms has no effect with kafka.protocol = \"consumer\""],
        ),
        ("[kafka]\ntransaction_timeout_ms = 900001\n", &["kafka.transaction_timeout_ms is 900001", "at most 900000"]),
        ("[verdict]\nretries = true\nretry_delays_s = [86399, 86400]\n", &[]),
        (
            "[verdict]\nretries = true\nretry_delays_s = [86400, 86400]\n",
            &["verdict.retry_delays_s add up to 172800 s", "more than 172800 s after its arrival is counted in no report"],
        ),
        (
            "[aggregate]\nhorizon_s = 100000\n[verdict]\nretries = true\nretry_delays_s = [50000, 50000]\n",
            &["verdict.retry_delays_s add up to 100000 s", "aggregate.horizon_s (100000)"],
        ),
    ];

    #[test]
    fn what_is_probably_meant_otherwise_is_a_warning_with_keys_values_and_what_to_change() {
        for (settings, expected) in DOUBTS {
            let said = super::doubts(&load(settings, &[]).unwrap());
            assert_eq!(said.len(), usize::from(!expected.is_empty()), "{settings}: {said:?}");
            for part in expected {
                assert!(said[0].contains(part), "`{part}` is missing in: {}", said[0]);
            }
        }
    }
}
