//! One sender's DNS that does not answer beside honest mail: verdicts stay right, and sockets few.
//!
//! Servers on the loopback interface; each test has the process to itself, because it counts what the process has open.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use jiff::Timestamp;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;
use verdmarc::config::Evaluation;
use verdmarc::dns::{Cache, CacheLimits, NetworkOptions, NetworkResolver, PlaceLimits};
use verdmarc::event::Reason;
use verdmarc::message::{Envelope, MailFrom};
use verdmarc::verdict::{Verdict, evaluate};

/// Times that a question is sent to a server, each from a socket of its own.
const SOCKETS: usize = 3;

/// One test after the other, and with as many files as may be open at all.
fn alone(test: impl Future<Output = ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Answers for the domains that begin with `good`, says nothing for those that begin with `dead`. Keys of good domains are
/// aliases into one provider's domain, where each name must be asked for by itself.
struct Server {
    address: SocketAddr,
    /// Questions about dead names.
    unanswered: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (address, unanswered) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counter = unanswered.clone();
        // Threads, so that a busy runtime does not make it slow, and one that only reads, so that nothing is lost. They end with the
        // process.
        let (sender, receiver) = std::sync::mpsc::channel::<(Vec<u8>, SocketAddr)>();
        let answering = socket.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                sender.send((buffer[..length].to_vec(), peer)).unwrap();
            }
        });
        std::thread::spawn(move || {
            for (request, peer) in receiver {
                let Ok(request) = Message::from_vec(&request) else { continue };
                match respond(&request) {
                    Some(response) => drop(answering.send_to(&response, peer)),
                    None => drop(counter.fetch_add(1, Ordering::Relaxed)),
                }
            }
        });
        Self { address, unanswered }
    }

    fn resolver(&self) -> Arc<Cache<NetworkResolver>> {
        let options = NetworkOptions { attempts: 2, places: PlaceLimits::default(), ..NetworkOptions::default() };
        let network = NetworkResolver::with_servers(&[self.address], options).unwrap();
        Arc::new(Cache::new(network, CacheLimits::default()))
    }
}

fn respond(request: &Message) -> Option<Vec<u8>> {
    let query = request.queries.first()?;
    let asked = query.name().to_lowercase().to_ascii();
    let domain = asked.trim_end_matches('.').rsplit('.').take(2).collect::<Vec<_>>();
    if domain.last()?.starts_with("dead") {
        return None;
    }
    let mut response = Message::response(request.metadata.id, OpCode::Query);
    response.add_query(query.clone());
    let text = match asked.split('.').next()? {
        _ if query.query_type() != RecordType::TXT => None,
        "_dmarc" if domain.len() == 2 && domain[1].starts_with("good") => Some("v=DMARC1; p=reject"),
        name if name.starts_with("good") => Some("v=spf1 ip4:192.0.2.1 -all"),
        "key" => {
            let target = Name::from_ascii(format!("{}.provider.example.", domain[1])).unwrap();
            response.add_answer(Record::from_rdata(query.name().clone(), 300, RData::CNAME(CNAME(target))));
            return response.to_vec().ok();
        }
        _ if domain.last() == Some(&"provider") => Some("v=DKIM1; p="),
        _ => None,
    };
    match text {
        Some(text) => {
            let data = RData::TXT(TXT::new(vec![text.to_owned()]));
            response.add_answer(Record::from_rdata(query.name().clone(), 300, data));
        }
        None => response.metadata.response_code = ResponseCode::NXDomain,
    }
    response.to_vec().ok()
}

/// A signature with the right hash of an empty body, so that its key is asked for.
fn signature(domain: &str, selector: &str) -> String {
    format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector}; h=from; \
         bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
    )
}

async fn judge(
    resolver: Arc<Cache<NetworkResolver>>,
    domain: String,
    client: &str,
    signatures: String,
    settings: &Evaluation,
) -> Verdict {
    let message = format!("{signatures}From: a@{domain}\r\nSubject: x\r\n\r\n");
    let envelope = Envelope {
        client_ip: Some(client.parse().unwrap()),
        helo: Some(format!("mail.{domain}")),
        mail_from: MailFrom::Path(format!("a@{domain}")),
        ..Envelope::default()
    };
    evaluate(message.as_bytes(), &envelope, &resolver, Timestamp::now(), settings).await
}

/// Mail with ten signatures of a domain that does not answer, under as many selectors.
async fn junk(resolver: Arc<Cache<NetworkResolver>>, number: usize, domain: String, settings: Arc<Evaluation>) {
    let signatures = (0..10).map(|index| signature(&domain, &format!("s{number}-{index}"))).collect();
    judge(resolver, domain, "198.51.100.7", signatures, &settings).await;
}

/// A domain's own mail passes, mail that only claims to be fails.
async fn honest(resolver: Arc<Cache<NetworkResolver>>, number: usize) {
    let domain = format!("good{number}.example");
    let client = if number.is_multiple_of(2) { "192.0.2.1" } else { "198.51.100.9" };
    let verdict = judge(resolver, domain.clone(), client, signature(&domain, "key"), &patient()).await;
    let expected = if number.is_multiple_of(2) { ("PASS", "PASS", "FAIL") } else { ("FAIL", "FAIL", "FAIL") };
    let found = (verdict.dmarc.as_str(), verdict.spf.as_str(), verdict.dkim.as_str());
    let evidence = serde_json::to_string(&verdict.evidence).unwrap();
    assert_eq!(found, expected, "{domain}: {evidence}");
    assert!(!verdict.has(Reason::DeadlineExceeded), "{domain}");
    asked_once(&verdict);
}

/// The settings as they are, but for the time that open questions have after a decision: a busy machine may need it.
fn patient() -> Evaluation {
    let mut settings = Evaluation::default();
    settings.limits.dns_after_decision_ms = settings.limits.dns_deadline_ms;
    settings
}

/// However often a question was sent, the evidence holds it once.
fn asked_once(verdict: &Verdict) {
    let evidence = serde_json::to_value(&verdict.evidence).unwrap();
    let answers = evidence["answers"].as_array().unwrap();
    let questions: BTreeSet<_> = answers.iter().map(|answer| (answer["name"].to_string(), answer["type"].to_string())).collect();
    assert_eq!(questions.len(), answers.len());
    assert!(answers.iter().all(|answer| answer["rcode"] != "NETWORK"), "{answers:?}");
}

/// Honest mail in the middle of junk, of the domains that `dead` names.
async fn beside(dead: impl Fn(usize) -> String, most: usize) {
    let server = Server::start();
    let resolver = server.resolver();
    let before = open_files();
    let highest = Arc::new(AtomicUsize::new(0));
    let counter = {
        let highest = highest.clone();
        tokio::spawn(async move {
            loop {
                highest.fetch_max(open_files(), Ordering::Relaxed);
                sleep(Duration::from_millis(10)).await;
            }
        })
    };
    // Junk gets little time, so that all of it is judged within the test. The flood goes on for as long as the honest
    // mail's deadline, so that nobody is answered only because it has passed.
    let mut settings = Evaluation::default();
    settings.limits.dns_deadline_ms = 3_000;
    let settings = Arc::new(settings);
    let mut flood = JoinSet::new();
    for number in 0..3_000 {
        let judged = junk(resolver.clone(), number, dead(number), settings.clone());
        flood.spawn(async move {
            sleep(Duration::from_millis(5) * u32::try_from(number).unwrap()).await;
            judged.await;
        });
    }
    let mut mails = JoinSet::new();
    for number in 0..30 {
        mails.spawn(honest(resolver.clone(), number));
        sleep(Duration::from_millis(300)).await;
    }
    while let Some(judged) = mails.join_next().await {
        judged.unwrap();
    }
    while let Some(judged) = flood.join_next().await {
        judged.unwrap();
    }
    let unanswered = server.unanswered.load(Ordering::Relaxed);
    assert!(unanswered >= 64, "the dead domains were asked {unanswered} times only");
    // When nobody waits any more, nothing is in flight.
    let patience = Instant::now() + Duration::from_secs(10);
    while open_files() > before + 8 || resolver.flights() > 0 {
        assert!(Instant::now() < patience, "{} flights and {} files are left", resolver.flights(), open_files());
        sleep(Duration::from_millis(20)).await;
    }
    counter.abort();
    let highest = highest.load(Ordering::Relaxed) - before;
    assert!(highest <= most, "{highest} files were open");
}

#[test]
fn three_thousand_mails_of_one_dead_zone_leave_honest_mail_alone() {
    alone(beside(|_| "dead.example".into(), 64 * SOCKETS + 100));
}

#[test]
fn three_thousand_dead_zones_leave_honest_mail_alone() {
    alone(beside(|number| format!("dead{number}.example"), PlaceLimits::default().all * SOCKETS + 100));
}

#[test]
fn a_lack_of_file_descriptors_decides_no_verdict() {
    alone(lacking());
}

async fn lacking() {
    let server = Server::start();
    let resolver = server.resolver();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // The lowest number that is free: with it as the limit nothing can be opened.
    let free = {
        use std::os::fd::AsRawFd as _;
        u64::try_from(std::fs::File::open("/dev/null").unwrap().as_raw_fd()).unwrap()
    };
    setrlimit(Resource::RLIMIT_NOFILE, free, hard).unwrap();
    let mail = tokio::spawn(honest(resolver.clone(), 0));
    let spoof = tokio::spawn(honest(resolver, 1));
    sleep(Duration::from_secs(1)).await;
    assert!(std::fs::File::open("/dev/null").is_err(), "files can be opened");
    assert!(!mail.is_finished() && !spoof.is_finished());
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    mail.await.unwrap();
    spoof.await.unwrap();
}
