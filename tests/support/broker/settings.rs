//! What the nodes are told.

use super::certificates::Certificates;
use std::fmt::Write;
use std::path::Path;

/// What a test may choose.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// A second listener, with TLS and with SCRAM-SHA-512 or OAUTHBEARER.
    pub tls_sasl: bool,
    /// Settings that come after the fixture's own.
    pub settings: &'static [(&'static str, &'static str)],
}

impl Options {
    /// Settings under which rules say who may do what; who came without a name may do everything.
    pub const ACLS: &'static [(&'static str, &'static str)] = &[
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("super.users", "User:ANONYMOUS"),
        ("allow.everyone.if.no.acl.found", "true"),
    ];

    /// Settings under which nobody may do anything without a rule, but who came without a name.
    pub const STRICT: &'static [(&'static str, &'static str)] = &[
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("super.users", "User:ANONYMOUS"),
        ("allow.everyone.if.no.acl.found", "false"),
    ];
}

/// Where one node listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub plain: u16,
    pub controller: u16,
    pub sasl: u16,
}

/// The same for every node. What waits for a timeout in production waits for about a second here.
const COMMON: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL"),
    ("auto.create.topics.enable", "false"),
    // A record of 57 MiB, and a request that holds one.
    ("message.max.bytes", "67108864"),
    ("replica.fetch.max.bytes", "67108864"),
    ("socket.request.max.bytes", "134217728"),
    ("num.partitions", "4"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "3000"),
    ("group.consumer.min.heartbeat.interval.ms", "500"),
    ("group.consumer.heartbeat.interval.ms", "500"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
    ("log.cleaner.backoff.ms", "200"),
    // The cleaner takes this from the heap when it starts; the default is a third of it.
    ("log.cleaner.dedupe.buffer.size", "8388608"),
    // A killed node comes back, and others take over from it, when its session has ended: 9 s by default.
    ("broker.heartbeat.interval.ms", "500"),
    ("broker.session.timeout.ms", "3000"),
];

/// `server.properties` of node `id`, one of those that listen on `ports`.
pub(super) fn properties(id: usize, ports: &[Ports], directory: &Path, tls: Option<&Certificates>, options: Options) -> String {
    let own = ports[id - 1];
    let voters: Vec<String> =
        ports.iter().enumerate().map(|(index, ports)| format!("{}@127.0.0.1:{}", index + 1, ports.controller)).collect();
    let (replicas, in_sync) = if ports.len() < 3 { (1, 1) } else { (3, 2) };
    let mut clients = format!("PLAINTEXT://127.0.0.1:{}", own.plain);
    if tls.is_some() {
        // By name, because that is what a client compares with the certificate.
        write!(clients, ",SASL_SSL://localhost:{}", own.sasl).unwrap();
    }
    let mut text = String::new();
    let mut set = |name: &str, value: &dyn std::fmt::Display| writeln!(text, "{name}={value}").unwrap();
    for (name, value) in COMMON {
        set(name, value);
    }
    set("node.id", &id);
    set("controller.quorum.voters", &voters.join(","));
    set("listeners", &format!("{clients},CONTROLLER://127.0.0.1:{}", own.controller));
    set("advertised.listeners", &clients);
    set("log.dirs", &directory.join("data").display());
    for name in ["default", "offsets.topic", "transaction.state.log"] {
        set(&format!("{name}.replication.factor"), &replicas);
    }
    for name in ["min.insync.replicas", "transaction.state.log.min.isr"] {
        set(name, &in_sync);
    }
    if let Some(tls) = tls {
        set("ssl.keystore.type", &"PEM");
        set("ssl.keystore.location", &tls.keystore.display());
        set("sasl.enabled.mechanisms", &"SCRAM-SHA-512,OAUTHBEARER");
        set(
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
            &"org.apache.kafka.common.security.scram.ScramLoginModule required;",
        );
        // Takes unsigned tokens: signatures are between the token endpoint and the broker.
        set(
            "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config",
            &"org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";",
        );
    }
    for (name, value) in options.settings {
        set(name, value);
    }
    text
}
