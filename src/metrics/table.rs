//! The table of all metrics. The instruments, the output of `/metrics` and docs/metrics.md come
//! from it.

use super::labels::{self, Label};

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sum since the process started.
    Counter,
    /// A sum with a fraction since the process started.
    CounterF,
    /// A number at the moment.
    Gauge,
    /// A number with a fraction at the moment.
    GaugeF,
    /// A distribution.
    Histogram,
}

impl Kind {
    /// Returns the word of Prometheus for the kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter | Self::CounterF => "counter",
            Self::Gauge | Self::GaugeF => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The moment at which something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It is counted when it happens.
    Seen,
    /// It is counted when the transaction that holds it is committed. Work that is repeated after
    /// an abort or a crash is counted once.
    Committed,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// The name in OpenTelemetry.
    pub name: &'static str,
    /// The name in Prometheus, which follows from that name, the unit and the kind.
    pub prometheus: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The unit, as UCUM writes it. Braces hold a word for the things that are counted.
    pub unit: &'static str,
    /// The labels.
    pub labels: &'static [Label],
    /// The moment at which something is counted.
    pub when: When,
    /// The help text, which can be understood alone.
    pub help: &'static str,
}

/// Declares the metrics and the list of them.
macro_rules! metrics {
    ($($constant:ident = $name:literal, $prometheus:literal, $kind:ident, $unit:literal, [$($label:ident),*], $when:ident, $help:literal;)+) => {
        $(
            #[doc = $help]
            pub static $constant: Metric = Metric {
                name: $name,
                prometheus: $prometheus,
                kind: Kind::$kind,
                unit: $unit,
                labels: &[$(labels::$label),*],
                when: When::$when,
                help: $help,
            };
        )+

        /// All metrics, in the order of the documentation.
        pub static ALL: &[&Metric] = &[$(&$constant),+];
    };
}

metrics! {
    RECORDS_READ = "verdmarc.records.read", "verdmarc_records_read_total", Counter, "{record}", [ROLE], Seen,
        "Records that the role has read.";
    RECORDS_WRITTEN = "verdmarc.records.written", "verdmarc_records_written_total", Counter, "{record}", [ROLE], Committed,
        "Records that the role has written in transactions that were committed.";
    RECORDS_REFUSED = "verdmarc.records.refused", "verdmarc_records_refused_total", Counter, "{record}", [ROLE], Seen,
        "Records that broke the producer's contract, among them those whose dead letters are not committed yet.";
    RECORDS_LEFT = "verdmarc.records.left", "verdmarc_records_left_total", Counter, "{record}", [ROLE], Seen,
        "Records that were read, not finished, and left to the next owner of their partition.";
    RECORDS_HELD = "verdmarc.records.held", "verdmarc_records_held", Gauge, "{record}", [ROLE, HELD], Seen,
        "Records in memory: pending ones are not finished, done ones wait for their commit.";
    LAG = "verdmarc.lag", "verdmarc_lag", Gauge, "{record}", [ROLE], Seen,
        "Offsets between the committed positions of the partitions of this process and the ends of their logs; of the role verdict-retries, the backlog of retries.";
    OLDEST_AGE = "verdmarc.oldest_record.age", "verdmarc_oldest_record_age_seconds", GaugeF, "s", [ROLE], Seen,
        "Age of the oldest record that was read and is not committed, by its timestamp; 0 when there is none.";
    PARTITIONS = "verdmarc.partitions", "verdmarc_partitions", Gauge, "{partition}", [ROLE, PARTITION], Seen,
        "Partitions of this process by state: starting ones wait for their position or state, paused ones for room, for DNS or for their time.";
    PARTITIONS_BEGUN_AGAIN = "verdmarc.partitions.begun_again", "verdmarc_partitions_begun_again_total", Counter, "{partition}", [ROLE], Seen,
        "Partitions that were begun again because their topic is gone, or was made anew, or its log was cut off.";
    PARTITIONS_CUT_OFF = "verdmarc.partitions.cut_off", "verdmarc_partitions_cut_off_total", Counter, "{partition}", [ROLE], Seen,
        "Partitions that were read on from the end of a log of which the brokers had lost records.";
    BUDGET_USE = "verdmarc.budget.use", "verdmarc_budget_use_ratio", GaugeF, "1", [ROLE, BUDGET], Seen,
        "Part of the role's memory budget that is used; at 1 reading pauses.";
    STOPPED_FOR_REFUSALS = "verdmarc.stopped_for_refusals", "verdmarc_stopped_for_refusals", Gauge, "", [ROLE], Seen,
        "1 while the role reads nothing more because most of its last records were refused, else 0.";
    READY = "verdmarc.ready", "verdmarc_ready", Gauge, "", [ROLE], Seen,
        "1 while the role is ready, that is reads records, else 0.";
    TRANSACTIONS = "verdmarc.transactions", "verdmarc_transactions_total", Counter, "{transaction}", [ROLE, TRANSACTION], Seen,
        "Transactions of the role by their outcome; what an aborted one held is written again.";
    TRANSACTION_ABORTS = "verdmarc.transactions.aborts", "verdmarc_transactions_aborts_total", Counter, "{transaction}", [ROLE, ABORT], Seen,
        "Transactions of the role that were aborted, by the reason.";
    TRANSACTION_DURATION = "verdmarc.transaction.duration", "verdmarc_transaction_duration_seconds", Histogram, "s", [ROLE, TRANSACTION], Seen,
        "Time that a transaction took from its begin to its end.";
    BATCH_DURATION = "verdmarc.batch.duration", "verdmarc_batch_duration_seconds", Histogram, "s", [ROLE], Seen,
        "Time that a batch took from the moment when it was cut until the role had settled it, committed or aborted.";
    STATISTICS_UNREADABLE = "verdmarc.statistics.unreadable", "verdmarc_statistics_unreadable_total", Counter, "{report}", [ROLE], Seen,
        "Statistics of librdkafka that could not be read.";
    BROKER_CONNECTIONS = "verdmarc.broker.connections", "verdmarc_broker_connections", Gauge, "{connection}", [ROLE, CONNECTION], Seen,
        "Connections of the role's consumer to brokers, by state.";
    BROKER_LATENCY = "verdmarc.broker.request.latency", "verdmarc_broker_request_latency_seconds", GaugeF, "s", [ROLE, LATENCY], Seen,
        "Time that the slowest broker took to answer the role's consumer within the last seconds; where nothing comes it waits half a second first.";
    VERDICTS = "verdmarc.verdicts", "verdmarc_verdicts_total", Counter, "{message}", [STATUS, POLICY], Committed,
        "Verdicts that were published, by DMARC status and, where that is FAIL, the policy to apply.";
    REASONS = "verdmarc.verdict.reasons", "verdmarc_verdict_reasons_total", Counter, "{verdict}", [REASON], Committed,
        "Reason codes in verdicts that were published, each once a verdict.";
    DEAD_LETTERS = "verdmarc.dead_letters", "verdmarc_dead_letters_total", Counter, "{record}", [DEAD_LETTER], Committed,
        "Records of any role that became dead letters, by the reason.";
    RETRIES = "verdmarc.retries", "verdmarc_retries_total", Counter, "{message}", [], Committed,
        "Messages that were put into a topic for retries because DNS failed for now.";
    FAILURES_WRITTEN = "verdmarc.failures.written", "verdmarc_failures_written_total", Counter, "{message}", [], Committed,
        "DMARC failures that were written to the failures topic for aggregate reports.";
    UNREPORTED = "verdmarc.messages.unreported", "verdmarc_messages_unreported_total", Counter, "{message}", [UNREPORTED], Committed,
        "Messages that failed DMARC and are in no report: evaluated too late, without a client that a report can name, or with a verdict that lacks what stands in a row.";
    PROCESS_DURATION = "messaging.process.duration", "messaging_process_duration_seconds", Histogram, "s", [MESSAGING_OPERATION, MESSAGING_SYSTEM], Seen,
        "Time that the evaluation of a message took, the wait for DNS included.";
    MESSAGE_LATENCY = "verdmarc.message.latency", "verdmarc_message_latency_seconds", Histogram, "s", [], Committed,
        "Time from the arrival of a message until its verdict was committed.";
    DNS_QUESTIONS = "verdmarc.dns.questions", "verdmarc_dns_questions_total", Counter, "{question}", [DNS], Seen,
        "DNS questions that left the cache, by their outcome.";
    DNS_CACHE = "verdmarc.dns.cache", "verdmarc_dns_cache_total", Counter, "{question}", [CACHE], Seen,
        "DNS questions of evaluations: answered by the cache, joined to one that was being asked, or asked.";
    DNS_IN_FLIGHT = "verdmarc.dns.in_flight", "verdmarc_dns_in_flight", Gauge, "{question}", [], Seen,
        "DNS questions that wait for the answer of a server.";
    DNS_WAITING = "verdmarc.dns.waiting", "verdmarc_dns_waiting", Gauge, "{question}", [], Seen,
        "DNS questions that wait because as many as the limits allow are in flight.";
    DNS_DURATION = "verdmarc.dns.duration", "verdmarc_dns_duration_seconds", Histogram, "s", [], Seen,
        "Time that a DNS question took that left the cache, the wait for its turn included.";
    CLAIM_CHECKS = "verdmarc.claim_checks", "verdmarc_claim_checks_total", Counter, "{message}", [CLAIM_CHECK], Seen,
        "References to messages in an object store: fetched, refused, or not available for now and tried again.";
    FAILURES_COUNTED = "verdmarc.failures.counted", "verdmarc_failures_counted_total", Counter, "{message}", [ROLE], Committed,
        "DMARC failures that were counted in rows of aggregate reports.";
    FAILURES_MERGED = "verdmarc.failures.merged", "verdmarc_failures_merged_total", Counter, "{message}", [ROLE], Committed,
        "DMARC failures that were counted in rows which were merged because there were too many.";
    FAILURES_TOO_LATE = "verdmarc.failures.too_late", "verdmarc_failures_too_late_total", Counter, "{message}", [ROLE], Committed,
        "DMARC failures that became dead letters because their window is over.";
    FAILURES_UNREADABLE = "verdmarc.failures.unreadable", "verdmarc_failures_unreadable_total", Counter, "{record}", [ROLE], Committed,
        "Records of the failures topic that could not be read and became dead letters.";
    FAILURES_SKIPPED = "verdmarc.failures.skipped", "verdmarc_failures_skipped_total", Counter, "{record}", [ROLE], Committed,
        "Records of the failures topic that were passed over because this version does not know their type.";
    FAILURES_RESTORED = "verdmarc.failures.restored", "verdmarc_failures_restored_total", Counter, "{message}", [ROLE], Seen,
        "DMARC failures in rows that were restored from the windows topic; the trace of a report does not lead to their messages.";
    REPORTS = "verdmarc.reports", "verdmarc_reports_total", Counter, "{report}", [ROLE], Committed,
        "Aggregate reports that were written to the reports topic.";
    MESSAGES_REPORTED = "verdmarc.messages.reported", "verdmarc_messages_reported_total", Counter, "{message}", [ROLE], Committed,
        "Messages that are counted in the aggregate reports that were written.";
    MESSAGES_UNADDRESSED = "verdmarc.messages.no_reporting_address", "verdmarc_messages_no_reporting_address_total", Counter, "{message}", [ROLE], Committed,
        "Messages of closed windows whose policy domain asks for no reports.";
    WINDOWS_CLOSED = "verdmarc.windows.closed", "verdmarc_windows_closed_total", Counter, "{window}", [ROLE], Committed,
        "Windows of aggregate reports that were closed, counted by partition and generation.";
    WINDOWS_OPEN = "verdmarc.windows.open", "verdmarc_windows_open", Gauge, "{window}", [ROLE], Seen,
        "Windows of aggregate reports that have rows, counted by partition.";
    WINDOWS_LAST_CLOSED = "verdmarc.windows.last_closed.timestamp", "verdmarc_windows_last_closed_timestamp_seconds", Gauge, "s", [ROLE], Committed,
        "Time at which this process closed a window last, in seconds since 1970; 0 when it closed none.";
    WINDOWS_NEXT_CLOSE = "verdmarc.windows.next_close.timestamp", "verdmarc_windows_next_close_timestamp_seconds", Gauge, "s", [ROLE], Seen,
        "Time at which the next window with rows is to be closed, in seconds since 1970; 0 when there is none.";
    GROUPS_OPEN = "verdmarc.groups.open", "verdmarc_groups_open", Gauge, "{group}", [ROLE], Seen,
        "Policy domains that have rows, counted by window and policy.";
    ROWS_OPEN = "verdmarc.rows.open", "verdmarc_rows_open", Gauge, "{row}", [ROLE], Seen,
        "Rows of aggregate reports that are being counted.";
    STATE_SIZE = "verdmarc.state.size", "verdmarc_state_size_bytes", Gauge, "By", [ROLE], Seen,
        "Memory that rows which are being counted take, about.";
    PARTITIONS_RESTORED = "verdmarc.partitions.restored", "verdmarc_partitions_restored", Gauge, "{partition}", [ROLE], Seen,
        "Partitions whose rows this process holds.";
    STATE_RESTORED = "verdmarc.state.records.restored", "verdmarc_state_records_restored_total", Counter, "{record}", [ROLE], Seen,
        "Records of the windows topic, the changelog of rows, that were read to restore the rows.";
    STATE_TO_RESTORE = "verdmarc.state.records.to_restore", "verdmarc_state_records_to_restore", Gauge, "{record}", [ROLE], Seen,
        "Records of the windows topic, about, that are still to be read to restore rows.";
    RESTORE_DURATION = "verdmarc.restore.duration", "verdmarc_restore_duration_seconds", Histogram, "s", [], Seen,
        "Time that it took to restore the rows of a partition.";
    SENTINEL = "verdmarc.sentinel", "verdmarc_sentinel_total", Counter, "", [SENTINEL], Seen,
        "Contradictions in the bookkeeping of which records are done and committed; anything but 0 is a fault of verdmarc.";
    TRACES = "verdmarc.traces", "verdmarc_traces_total", Counter, "{message}", [TRACE], Seen,
        "Messages that were to be traced: sampled, or kept out by the limit of traces per second.";
    TELEMETRY_EXPORTS = "verdmarc.telemetry.exports", "verdmarc_telemetry_exports_total", Counter, "{export}", [SIGNAL, EXPORT], Seen,
        "Exports of telemetry to the collector, by signal and outcome.";
    TELEMETRY_DROPPED = "verdmarc.telemetry.dropped", "verdmarc_telemetry_dropped_total", Counter, "{item}", [DROPPED], Seen,
        "Spans and log records that were dropped because the collector did not take them in time.";
    BUILD_INFO = "verdmarc.build.info", "verdmarc_build_info", Gauge, "", [VERSION], Seen,
        "The version of verdmarc that runs, always 1.";
    CPU_TIME = "process.cpu.time", "process_cpu_time_seconds_total", CounterF, "s", [CPU], Seen,
        "CPU time that this process has used.";
    MEMORY_USAGE = "process.memory.usage", "process_memory_usage_bytes", Gauge, "By", [], Seen,
        "Memory of this process that is resident.";
    FILE_DESCRIPTORS = "process.unix.file_descriptor.count", "process_unix_file_descriptor_count", Gauge, "{file_descriptor}", [], Seen,
        "File descriptors that this process has open.";
    THREADS = "process.thread.count", "process_thread_count", Gauge, "{thread}", [], Seen,
        "Threads that this process has.";
    UPTIME = "process.uptime", "process_uptime_seconds", GaugeF, "s", [], Seen,
        "Time since this process began to run its roles.";
}
