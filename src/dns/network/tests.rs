//! Tests against a server on the loopback interface. Its answers depend on the name asked for.

use super::super::{QueryName, Record};
use super::*;
use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{self, RData};
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// The requests in order, each with its transport.
type Log = Arc<Mutex<Vec<(Message, Transport)>>>;

struct Server {
    address: SocketAddr,
    log: Log,
}

impl Server {
    async fn start(tcp: bool) -> Self {
        let (udp, listener) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(listener) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp.then_some(listener));
            }
        };
        let (address, log) = (udp.local_addr().unwrap(), Log::default());
        tokio::spawn(serve_udp(udp, log.clone()));
        if let Some(listener) = listener {
            let log = log.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve_tcp(stream, log.clone()));
                }
            });
        }
        Self { address, log }
    }

    fn resolver(&self) -> NetworkResolver {
        self.resolver_with(NetworkOptions { timeout: Duration::from_secs(5), attempts: 1, ..NetworkOptions::default() })
    }

    fn resolver_with(&self, options: NetworkOptions) -> NetworkResolver {
        NetworkResolver::with_servers(&[self.address], options).unwrap()
    }

    fn asked(&self) -> Vec<(String, Transport)> {
        let log = self.log.lock().unwrap();
        log.iter().map(|(request, transport)| (request.queries[0].name().to_lowercase().to_string(), *transport)).collect()
    }
}

async fn serve_udp(socket: UdpSocket, log: Log) {
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let request = Message::from_vec(&buffer[..length]).unwrap();
        let response = respond(&request, Transport::Udp);
        log.lock().unwrap().push((request, Transport::Udp));
        if let Some(response) = response {
            socket.send_to(&response, peer).await.unwrap();
        }
    }
}

async fn serve_tcp(mut stream: TcpStream, log: Log) {
    while let Ok(length) = stream.read_u16().await {
        let mut buffer = vec![0; length.into()];
        stream.read_exact(&mut buffer).await.unwrap();
        let request = Message::from_vec(&buffer).unwrap();
        let response = respond(&request, Transport::Tcp);
        log.lock().unwrap().push((request, Transport::Tcp));
        if let Some(response) = response {
            stream.write_u16(response.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&response).await.unwrap();
        }
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn txt(text: &str) -> RData {
    RData::TXT(TXT::from_bytes(text.as_bytes().chunks(255).collect()))
}

fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(name(target)))
}

fn respond(request: &Message, transport: Transport) -> Option<Vec<u8>> {
    let query = request.queries.first()?;
    let mut response = Message::response(request.metadata.id, OpCode::Query);
    response.add_query(query.clone());
    let code = |response: &mut Message, code| response.metadata.response_code = code;
    let answer = |response: &mut Message, owner: &str, ttl, data| {
        response.add_answer(rr::Record::from_rdata(name(owner), ttl, data));
    };
    let soa = |response: &mut Message| {
        let soa = SOA::new(name("ns.test."), name("h.test."), 1, 2, 3, 4, 120);
        response.add_authority(rr::Record::from_rdata(name("test."), 900, RData::SOA(soa)));
    };
    let asked = query.name().to_lowercase().to_ascii();
    match asked.as_str() {
        "all.test." => {
            response.metadata.authentic_data = request.metadata.authentic_data;
            answer(&mut response, "all.test.", 50, RData::A(A::new(192, 0, 2, 1)));
            answer(&mut response, "all.test.", 300, RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));
            answer(&mut response, "all.test.", 300, RData::MX(MX::new(10, name("MX.Test."))));
            answer(&mut response, "all.test.", 200, RData::MX(MX::new(0, Name::root())));
            answer(&mut response, "ALL.test.", 300, RData::TXT(TXT::from_bytes(vec![b"v=spf1 ", b"\xff-all"])));
            answer(&mut response, "other.test.", 1, RData::TXT(TXT::from_bytes(vec![b"not asked for"])));
            answer(&mut response, "all.test.", 300, RData::PTR(PTR(Name::from_labels([&b"A.b\\ \xff"[..], b"Test"]).unwrap())));
        }
        "nx.test." => {
            code(&mut response, ResponseCode::NXDomain);
            soa(&mut response);
        }
        "nodata.test." => soa(&mut response),
        "bare.test." => code(&mut response, ResponseCode::NXDomain),
        "servfail.test." => code(&mut response, ResponseCode::ServFail),
        "refused.test." => code(&mut response, ResponseCode::Refused),
        "formerr.test." => code(&mut response, ResponseCode::FormErr),
        "notimp.test." => code(&mut response, ResponseCode::NotImp),
        "silent.test." => return None,
        "garbage.test." => {
            let mut bytes = request.metadata.id.to_be_bytes().to_vec();
            bytes.extend([0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xFF, 0xC0, 0x0C, 0xC0]);
            return Some(bytes);
        }
        "short.test." | "big.test." | "many.test." if transport == Transport::Udp => response.metadata.truncation = true,
        "short.test." => answer(&mut response, "short.test.", 300, txt(&"x".repeat(4000))),
        "big.test." => answer(&mut response, "big.test.", 300, txt(&"x".repeat(16 * 1024 + 1))),
        "many.test." => (0..150).for_each(|number| answer(&mut response, "many.test.", 300, txt(&format!("{number}")))),
        "whole.test." => {
            answer(&mut response, "Whole.test.", 300, cname("Middle.test."));
            answer(&mut response, "middle.test.", 30, cname("end.test."));
            answer(&mut response, "end.test.", 300, txt("end"));
        }
        "dark.test." => answer(&mut response, "dark.test.", 40, cname("silent.test.")),
        "part.test." => answer(&mut response, "part.test.", 40, cname("all.test.")),
        "lost.test." => {
            answer(&mut response, "lost.test.", 40, cname("nowhere.test."));
            code(&mut response, ResponseCode::NXDomain);
            soa(&mut response);
        }
        "empty.test." => {
            answer(&mut response, "empty.test.", 300, cname("nodata.test."));
            soa(&mut response);
        }
        "loop.test." => {
            answer(&mut response, "loop.test.", 300, cname("pool.test."));
            answer(&mut response, "pool.test.", 300, cname("loop.test."));
        }
        _ if asked.starts_with("link") => {
            let number: u32 = asked.trim_start_matches("link").trim_end_matches(".test.").parse().unwrap();
            match number {
                0 => answer(&mut response, &asked, 300, txt("end")),
                _ => answer(&mut response, &asked, 300, cname(&format!("link{}.test.", number - 1))),
            }
        }
        _ => {
            let owner = query.name().clone();
            response.add_answer(rr::Record::from_rdata(owner, 300, txt("echo")));
        }
    }
    Some(response.to_vec().unwrap())
}

async fn ask(resolver: &NetworkResolver, name: &str, rtype: RecordType) -> Answer {
    let question = Question::new(QueryName::new(name).unwrap(), rtype);
    assert_eq!(resolver.at_hand(&question), None);
    (*resolver.resolve(&question).await).clone()
}

fn text(text: &[u8]) -> Outcome {
    Outcome::of(vec![Record::Txt(text.into())])
}

#[tokio::test]
async fn records_of_every_type_are_read() {
    let server = Server::start(true).await;
    let resolver = server.resolver();
    for (rtype, ttl, records) in [
        (RecordType::A, 50, vec![Record::A([192, 0, 2, 1].into())]),
        (RecordType::Aaaa, 300, vec![Record::Aaaa("2001:db8::1".parse().unwrap())]),
        (RecordType::Mx, 200, vec![Record::Mx(10, "mx.test".into()), Record::Mx(0, "".into())]),
        (RecordType::Txt, 300, vec![Record::Txt(b"v=spf1 \xff-all".as_slice().into())]),
        (RecordType::Ptr, 300, vec![Record::Ptr(r"a\046b\092\032\255.test".into())]),
    ] {
        let expected = Answer { outcome: Outcome::of(records), ttl, authenticated: true };
        assert_eq!(ask(&resolver, "all.test", rtype).await, expected);
    }
    let log = server.log.lock().unwrap();
    for (request, transport) in log.iter() {
        assert_eq!(*transport, Transport::Udp);
        assert!(request.metadata.recursion_desired && request.metadata.authentic_data && request.edns.is_some());
    }
    assert_eq!(log.len(), 5);
}

#[tokio::test]
async fn a44_negative_answers_and_errors_are_told_apart() {
    let server = Server::start(true).await;
    let resolver = server.resolver();
    let temporary = Outcome::TempError;
    for (name, expected, ttl) in [
        ("nx.test", Outcome::NxDomain, 120),
        ("nodata.test", Outcome::NoData, 120),
        ("bare.test", Outcome::NxDomain, 0),
        ("servfail.test", temporary(Unanswered::ServFail), 0),
        ("refused.test", temporary(Unanswered::Refused), 0),
        ("notimp.test", temporary(Unanswered::ServFail), 0),
        ("formerr.test", Outcome::Invalid, 0),
        ("garbage.test", Outcome::Invalid, 0),
    ] {
        let answer = ask(&resolver, name, RecordType::Txt).await;
        assert_eq!((answer.outcome, answer.ttl), (expected, ttl), "{name}");
    }
}

#[tokio::test]
async fn a44_silence_is_a_timeout_after_the_given_tries() {
    let server = Server::start(true).await;
    let options = NetworkOptions { timeout: Duration::from_millis(100), attempts: 3, ..NetworkOptions::default() };
    let answer = ask(&server.resolver_with(options), "silent.test", RecordType::Txt).await;
    assert_eq!(answer.outcome, Outcome::TempError(Unanswered::Timeout));
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a44_a_closed_port_is_no_answer() {
    let server = Server::start(true).await;
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let options = NetworkOptions { timeout: Duration::from_millis(200), attempts: 1, ..NetworkOptions::default() };
    let closed = NetworkResolver::with_servers(&[free], options).unwrap();
    let outcome = ask(&closed, "a.test", RecordType::Txt).await.outcome;
    assert!(matches!(outcome, Outcome::TempError(Unanswered::Network | Unanswered::Timeout)), "{outcome:?}");
    let both = NetworkResolver::with_servers(&[free, server.address], options).unwrap();
    assert_eq!(ask(&both, "a.test", RecordType::Txt).await.outcome, text(b"echo"));
    assert!(matches!(NetworkResolver::with_servers(&[], options), Err(NetworkError::NoServers)));
}

#[tokio::test]
async fn truncated_answers_are_fetched_over_tcp() {
    let server = Server::start(true).await;
    let resolver = server.resolver();
    assert_eq!(ask(&resolver, "short.test", RecordType::Txt).await.outcome, text(&[b'x'; 4000]));
    let asked = server.asked();
    assert_eq!(asked, [("short.test.".to_owned(), Transport::Udp), ("short.test.".to_owned(), Transport::Tcp)]);
}

#[tokio::test]
async fn a44_truncated_without_tcp_is_temporary() {
    let server = Server::start(false).await;
    let options = NetworkOptions { timeout: Duration::from_millis(300), attempts: 1, ..NetworkOptions::default() };
    let outcome = ask(&server.resolver_with(options), "short.test", RecordType::Txt).await.outcome;
    assert_eq!(outcome, Outcome::TempError(Unanswered::Network));
}

#[tokio::test]
async fn f38_answers_over_16_kib_are_invalid_many_records_are_not() {
    let server = Server::start(true).await;
    let resolver = server.resolver();
    assert_eq!(ask(&resolver, "big.test", RecordType::Txt).await.outcome, Outcome::Invalid);
    assert_eq!(ask(&resolver, "many.test", RecordType::Txt).await.records().len(), 150);
}

#[tokio::test]
async fn f38_aliases_are_followed_for_eight_links() {
    let server = Server::start(true).await;
    let resolver = server.resolver();
    for (name, expected, ttl, questions) in [
        ("whole.test", text(b"end"), 30, 1),
        ("part.test", text(b"v=spf1 \xff-all"), 40, 2),
        ("lost.test", Outcome::NxDomain, 40, 1),
        ("empty.test", Outcome::NoData, 120, 1),
        ("loop.test", Outcome::TempError(Unanswered::ServFail), 0, 1),
        ("link8.test", text(b"end"), 300, 9),
        ("link9.test", Outcome::TempError(Unanswered::ServFail), 0, 9),
    ] {
        let before = server.asked().len();
        let answer = ask(&resolver, name, RecordType::Txt).await;
        assert_eq!((answer.outcome, answer.ttl), (expected, ttl), "{name}");
        assert_eq!(server.asked().len() - before, questions, "{name}");
    }
}

#[tokio::test]
async fn an_alias_into_a_domain_that_does_not_answer_counts_for_the_domain_that_has_it() {
    let server = Server::start(true).await;
    let options = NetworkOptions { timeout: Duration::from_millis(400), attempts: 2, ..NetworkOptions::default() };
    let resolver = server.resolver_with(options);
    let silent = || ["dark.test", "silent.test", "part.test", "all.test"].map(|domain| resolver.places.is_silent(domain));
    assert_eq!(ask(&resolver, "part.test", RecordType::Txt).await.outcome, text(b"v=spf1 \xff-all"));
    assert_eq!(ask(&resolver, "dark.test", RecordType::Txt).await.outcome, Outcome::TempError(Unanswered::Timeout));
    assert_eq!(silent(), [true, false, false, false]);
    assert_eq!(ask(&resolver, "silent.test", RecordType::Txt).await.outcome, Outcome::TempError(Unanswered::Timeout));
    assert_eq!(silent(), [true, true, false, false]);
}

#[tokio::test]
async fn a_question_that_waits_for_an_answer_gives_way_to_others_and_is_asked_again() {
    let server = Server::start(true).await;
    let options = NetworkOptions {
        timeout: Duration::from_secs(2),
        attempts: 1,
        places: PlaceLimits { all: 1, each: 1 },
        ..NetworkOptions::default()
    };
    let resolver = server.resolver_with(options);
    let start = Instant::now();
    let silent = async {
        assert_eq!(ask(&resolver, "silent.test", RecordType::Txt).await.outcome, Outcome::TempError(Unanswered::Timeout));
        start.elapsed()
    };
    let echo = async {
        sleep(Duration::from_millis(50)).await;
        assert_eq!(ask(&resolver, "echo.test", RecordType::Txt).await.outcome, text(b"echo"));
        start.elapsed()
    };
    let (silent, echo) = tokio::join!(silent, echo);
    assert!(echo < silent, "{echo:?} {silent:?}");
    // The question was sent before it gave way, and again afterwards.
    assert!(server.asked().iter().filter(|(name, _)| name == "silent.test.").count() >= 2);
}

#[test]
fn questions_in_flight_are_as_many_as_the_descriptors_suffice_for() {
    for (all, descriptors, servers, expected) in
        [(1_000, usize::MAX, 3, 1_000), (1_000, 600, 1, 200), (1_000, 600, 2, 100), (1_000, 600, 3, 100), (50, 600, 3, 50)]
    {
        let places = PlaceLimits { all, each: 64 };
        let options = NetworkOptions { places, descriptors, ..NetworkOptions::default() };
        assert_eq!(options.affordable(servers), PlaceLimits { all: expected, each: 64 });
    }
}

#[tokio::test]
async fn names_are_asked_as_they_are() {
    let server = Server::start(true).await;
    let resolver = server.resolver();
    for name in [r#"a b\046"!%{x}\.test"#, "caf\u{e9}.test", "localhost", "x.invalid", "1.0.0.127.in-addr.arpa", "single"] {
        assert_eq!(ask(&resolver, name, RecordType::Txt).await.outcome, text(b"echo"), "{name}");
        let log = server.log.lock().unwrap();
        let labels: Vec<_> = log.last().unwrap().0.queries[0].name().iter().map(<[u8]>::to_vec).collect();
        assert_eq!(labels, name.split('.').map(|label| label.as_bytes().to_vec()).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn f38_random_case_is_sent_and_answers_are_read_in_any_case() {
    let server = Server::start(true).await;
    let options = NetworkOptions { case_randomization: true, attempts: 1, ..NetworkOptions::default() };
    let resolver = server.resolver_with(options);
    let sixty = format!("{}.test", "abcdefghij".repeat(6));
    assert_eq!(ask(&resolver, &sixty, RecordType::Txt).await.outcome, text(b"echo"));
    assert_eq!(ask(&resolver, "whole.test", RecordType::Txt).await.outcome, text(b"end"));
    let log = server.log.lock().unwrap();
    assert_ne!(log[0].0.queries[0].name().to_ascii(), format!("{sixty}."));
}
