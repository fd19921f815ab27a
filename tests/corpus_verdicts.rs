//! The generated corpus: every verdict equals what its generator made the message for.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

#[path = "support/corpus/mod.rs"]
mod corpus;

use corpus::{ARRIVAL, Case, Corpus, ExpectedSignature, Scenario};
use jiff::Timestamp;
use std::collections::BTreeSet;
use verdmarc::auth::cause::ResultWord;
use verdmarc::config::Evaluation;
use verdmarc::dns::Zone;
use verdmarc::message::{Envelope, MailFrom};
use verdmarc::verdict::{Verdict, evaluate};

fn envelope(case: &Case) -> Envelope {
    Envelope {
        client_ip: Some(case.client_ip),
        helo: Some(case.helo.clone()),
        mail_from: if case.mail_from.is_empty() { MailFrom::Null } else { MailFrom::Path(case.mail_from.clone()) },
        arrival: Timestamp::from_second(ARRIVAL).ok(),
        ..Envelope::default()
    }
}

async fn judge(corpus: &Corpus) -> Vec<Verdict> {
    let zone = Zone::from_json(&corpus.zone.to_json()).unwrap();
    let now = Timestamp::from_second(ARRIVAL).unwrap();
    let settings = Evaluation::default();
    let mut verdicts = Vec::new();
    for case in &corpus.cases {
        verdicts.push(evaluate(&case.message, &envelope(case), &zone, now, &settings).await);
    }
    verdicts
}

#[tokio::test]
async fn every_verdict_of_the_corpus_is_the_expected_one() {
    let corpus = Corpus::generate(1, 600);
    let mut differences = Vec::new();
    for (case, verdict) in corpus.cases.iter().zip(judge(&corpus).await) {
        let expected = &case.expected;
        let found = (verdict.spf, verdict.dkim, verdict.dmarc, verdict.dmarc_policy);
        let wanted = (expected.spf_status(), expected.dkim, expected.dmarc, expected.dmarc_policy);
        if found != wanted {
            differences.push(format!("{}: found {found:?}, expected {wanted:?}", case.id));
        }
        if verdict.authentication.spf.result != expected.spf {
            differences
                .push(format!("{}: found spf {:?}, expected {:?}", case.id, verdict.authentication.spf.result, expected.spf));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences, the first:\n{}",
        differences.len(),
        differences[..differences.len().min(10)].join("\n")
    );
}

#[test]
fn a_seed_makes_the_same_octets() {
    let (one, two) = (Corpus::generate(7, 40), Corpus::generate(7, 40));
    assert_eq!(one.zone.to_json(), two.zone.to_json());
    for (one, two) in one.cases.iter().zip(&two.cases) {
        assert!(one.message == two.message && one.expected == two.expected, "{}", one.id);
    }
    assert!(Corpus::generate(8, 40).cases[0].message != one.cases[0].message);
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn the_corpus_looks_like_real_mail() {
    let corpus = Corpus::generate(1, 2000);
    let count = corpus.cases.len() as f64;
    let near = |value: f64, wanted: f64, tolerance: f64| {
        assert!((value / wanted - 1.0).abs() <= tolerance, "{value} is not near {wanted}");
    };
    let mut sizes: Vec<_> = corpus.cases.iter().map(|case| case.message.len()).collect();
    sizes.sort_unstable();
    near(sizes[sizes.len() / 2] as f64, 20_000.0, 0.1);
    near(sizes.iter().sum::<usize>() as f64 / count, 36_000.0, 0.1);
    assert!((300_000..=905_000).contains(sizes.last().unwrap()), "the largest has {:?} octets", sizes.last());

    let signatures: Vec<&ExpectedSignature> = corpus.cases.iter().flat_map(|case| &case.expected.signatures).collect();
    near(signatures.len() as f64 / count, 1.13, 0.05);
    let ed25519 = signatures.iter().filter(|signature| signature.algorithm == "ed25519-sha256").count();
    near(ed25519 as f64 / signatures.len() as f64, 0.1, 0.35);
    let share = |scenario| corpus.cases.iter().filter(|case| case.scenario == scenario).count() as f64 / count;
    near(share(Scenario::Direct), 0.75, 0.1);
    near(share(Scenario::Spoof), 0.1, 0.25);

    for case in &corpus.cases {
        let end = memchr::memmem::find(&case.message, b"\r\n\r\n").unwrap();
        let fields =
            case.message[..end].split(|&octet| octet == b'\n').filter(|line| !line.starts_with(b" ") && !line.starts_with(b"\t"));
        let fields = fields.count();
        assert!((30..=50).contains(&fields), "{} has {fields} fields", case.id);
        assert!(case.message.split(|&octet| octet == b'\n').all(|line| line.len() < 998), "{} has a long line", case.id);
        assert!(case.expected.signatures.len() <= 2, "{}", case.id);
    }
    let senders: BTreeSet<_> =
        corpus.cases.iter().filter_map(|case| case.mail_from.rsplit_once('@')).map(|(_, domain)| domain).collect();
    assert!(senders.len() > 300, "{} sender domains", senders.len());
    let words: BTreeSet<_> = corpus.cases.iter().map(|case| case.expected.spf).collect();
    for word in [ResultWord::Pass, ResultWord::Fail, ResultWord::SoftFail, ResultWord::Neutral, ResultWord::None] {
        assert!(words.contains(&word), "no message has spf={word}");
    }
}
