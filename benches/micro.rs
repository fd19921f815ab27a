//! The pieces of one evaluation, each by itself, in the order of the data path.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/support/corpus/mod.rs"]
mod corpus;
#[allow(dead_code, reason = "the throughput benchmark uses the rest")]
#[path = "support/judge.rs"]
mod judge;

use corpus::{Case, Corpus, Scenario};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use judge::Judge;
use serde_json::json;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::runtime::Runtime;
use verdmarc::auth::dkim::{BodyHashes, Canonicalization};
use verdmarc::auth::dmarc::{DiscoveryRules, Dmarc};
use verdmarc::auth::spf::{Identity, check_host};
use verdmarc::config::{Discovery, Limits};
use verdmarc::dns::{Budgets, Domain, Session, Zone};
use verdmarc::message::{HeaderSection, author};
use verdmarc::verdict::{FieldWriter, pvalue};

const BUDGETS: Budgets = Budgets { discovery: 20, dkim_keys: 10, spf: 40, arc_keys: 10 };

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let corpus = Corpus::generate(1, 300);
    let case = small_signed(&corpus);
    message(&mut criterion, case);
    dkim(&mut criterion, case);
    spf(&mut criterion, &runtime);
    dmarc(&mut criterion, &runtime);
    verdict(&mut criterion, &runtime, &corpus, case);
    criterion.final_summary();
}

/// The smallest message with one signature that is as its domain intends.
fn small_signed(corpus: &Corpus) -> &Case {
    let intended = |case: &&Case| case.scenario == Scenario::Direct && case.work.len() == 1;
    corpus.cases.iter().filter(intended).min_by_key(|case| case.message.len()).unwrap()
}

fn message(criterion: &mut Criterion, case: &Case) {
    let limits = Limits::default();
    let section = HeaderSection::parse(&case.message, &limits);
    let mut group = criterion.benchmark_group("message");
    group.bench_function("header section", |bencher| {
        bencher.iter(|| HeaderSection::parse(black_box(&case.message), &limits));
    });
    group.bench_function("author domain", |bencher| bencher.iter(|| author(black_box(&section))));
}

fn dkim(criterion: &mut Criterion, case: &Case) {
    let limits = Limits::default();
    let text = HeaderSection::parse(&case.message, &limits).body().to_vec();
    let mut group = criterion.benchmark_group("dkim");
    for size in [4 << 10, 64 << 10, 1 << 20] {
        let body: Vec<u8> = text.iter().copied().cycle().take(size).collect();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("relaxed body hash", size), |bencher| {
            // Hashes are computed once, so that each run needs its own.
            bencher.iter_batched(
                || BodyHashes::new(&body),
                |hashes| hashes.hash(Canonicalization::Relaxed),
                BatchSize::SmallInput,
            );
        });
    }
}

/// Two includes, the second of which matches.
fn spf(criterion: &mut Criterion, runtime: &Runtime) {
    let zone = Zone::from_json(&json!({
        "example.com": [["TXT", "v=spf1 include:_spf.a.test include:_spf.b.test mx -all"]],
        "_spf.a.test": [["TXT", "v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:1::/48 ?all"]],
        "_spf.b.test": [["TXT", "v=spf1 a:out.b.test ip4:203.0.113.0/25 -all"]],
        "out.b.test": [["A", "192.0.2.9"]],
    }))
    .unwrap();
    let limits = Limits::default();
    let domain = Domain::parse("example.com").unwrap();
    let identity = Identity {
        client_ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        helo: Some(b"out.b.test"),
        local_part: b"bounce",
        domain: &domain,
    };
    criterion.benchmark_group("spf").bench_function("check_host", |bencher| {
        bencher
            .iter(|| runtime.block_on(async { check_host(&Session::new(&zone, BUDGETS), black_box(&identity), &limits).await }));
    });
}

/// The record stands at the organizational domain, two labels above the author domain.
fn dmarc(criterion: &mut Criterion, runtime: &Runtime) {
    let zone = Zone::from_json(&json!({
        "_dmarc.example.com": [["TXT", "v=DMARC1; p=reject; sp=quarantine; rua=mailto:reports@example.com"]],
        "a.news.example.com": [["A", "192.0.2.1"]],
    }))
    .unwrap();
    let author = Domain::parse("a.news.example.com").unwrap();
    let rules = DiscoveryRules { discovery: Discovery::TreeWalk, psl_guard: true, report_addresses: 10 };
    criterion.benchmark_group("dmarc").bench_function("discovery", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let session = Session::new(&zone, BUDGETS);
                let mut dmarc = Dmarc::new(&session, black_box(&author).clone(), rules, 12);
                dmarc.discover().await;
                dmarc.decide(&[]).await
            })
        });
    });
}

fn verdict(criterion: &mut Criterion, runtime: &Runtime, corpus: &Corpus, case: &Case) {
    let judge = Judge::new(&corpus.zone.to_json());
    let envelope = judge::envelope(case);
    let mut group = criterion.benchmark_group("verdict");
    group.bench_function("Authentication-Results", |bencher| bencher.iter(|| results(black_box("news.example.com"))));
    group.bench_function(BenchmarkId::new("evaluate", case.message.len()), |bencher| {
        bencher.iter(|| runtime.block_on(judge.verdict(black_box(&case.message), &envelope)));
    });
}

/// A field as it is written for a message with one signature.
fn results(domain: &str) -> String {
    let mut field = FieldWriter::new("Authentication-Results");
    field.part(&["mx.receiver.example"]).glue(";").line(&["spf=pass"]).part(&["reason=\"client permitted\""]);
    field.part(&["smtp.mailfrom=", &pvalue(domain, 253)]).glue(";").line(&["dkim=pass"]).part(&["reason=\"good signature\""]);
    for (property, value) in [("header.d=", domain), ("header.i=", "@news.example.com"), ("header.s=", "s1")] {
        field.part(&[property, &pvalue(value, 253)]);
    }
    field.glue(";").line(&["dmarc=pass"]).part(&["policy.dmarc=reject"]).part(&["header.from=", &pvalue(domain, 253)]);
    field.finish()
}
