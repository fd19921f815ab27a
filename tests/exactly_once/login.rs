//! Who is let in by the brokers.

use crate::broker::{Broker, Options, PASSWORD, Right, USER, beside_others, eventually};
use crate::fleet::Fleet;
use crate::stream::{Stream, mail};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::NamedTempFile;

const LIMIT: Duration = Duration::from_mins(3);

/// Processes that talk to the listener with TLS and SASL.
fn over_tls(broker: &Broker, stream: &Stream, mechanism: &str) -> Fleet {
    let mut fleet = stream.fleet();
    fleet.set("KAFKA__BROKERS", &broker.sasl_bootstrap());
    fleet.set("KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SASL_SSL");
    fleet.set("KAFKA__PROPERTIES__SASL_MECHANISM", mechanism);
    fleet.set("KAFKA__PROPERTIES__SSL_CA_LOCATION", broker.ca_pem().to_str().unwrap());
    fleet
}

/// A file with [`PASSWORD`].
fn secret() -> NamedTempFile {
    let secret = NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), format!("{PASSWORD}\n")).unwrap();
    secret
}

fn assert_another_secret_is_refused(fleet: &Fleet, secret: &NamedTempFile) {
    std::fs::write(secret.path(), "guessed").unwrap();
    let mut process = fleet.start("wrong", &[]);
    assert_eq!(process.exit_code(), Some(4));
    assert!(process.has_logged("uthentication"));
    assert!(fleet.logged("guessed").is_empty() && fleet.logged(PASSWORD).is_empty(), "a secret in a log");
}

#[test]
fn tls_and_scram_let_the_right_password_in_and_say_what_is_wrong_with_another() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options { tls_sasl: true, ..Options::default() });
        let stream = Stream::new(&broker, "scram-", 2);
        let mut fleet = over_tls(&broker, &stream, "SCRAM-SHA-512");
        let secret = secret();
        fleet.set("KAFKA__PROPERTIES__SASL_USERNAME", USER);
        fleet.set("KAFKA__PROPERTY_FILES__SASL_PASSWORD", secret.path().to_str().unwrap());
        let process = fleet.start("right", &[]);
        stream.produce(mail(50));
        stream.wait_until_done(Duration::from_mins(1));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);

        assert_another_secret_is_refused(&fleet, &secret);
    });
}

#[test]
fn oauthbearer_takes_tokens_from_an_oidc_endpoint_again_and_again_and_says_when_it_gets_none() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options { tls_sasl: true, ..Options::default() });
        let stream = Stream::new(&broker, "oidc-", 2);
        let endpoint = TokenEndpoint::start();
        let secret = secret();
        let mut fleet = over_tls(&broker, &stream, "OAUTHBEARER");
        fleet.set("KAFKA__PROPERTIES__SASL_OAUTHBEARER_METHOD", "oidc");
        fleet.set("KAFKA__PROPERTIES__SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", &format!("http://{}/token", endpoint.address));
        fleet.set("KAFKA__PROPERTIES__SASL_OAUTHBEARER_CLIENT_ID", USER);
        fleet.set("KAFKA__PROPERTY_FILES__SASL_OAUTHBEARER_CLIENT_SECRET", secret.path().to_str().unwrap());
        let process = fleet.start("right", &[]);
        stream.produce(mail(50));
        stream.wait_until_done(Duration::from_mins(1));
        // Every client has its token by now, and each asks for another before its lifetime is over.
        let given = endpoint.given();
        eventually("new tokens", || (endpoint.given() > given + 2).then_some(()));
        stream.produce(mail(50));
        stream.wait_until_done(Duration::from_mins(1));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);

        assert_another_secret_is_refused(&fleet, &secret);
    });
}

#[test]
fn a_role_without_the_right_to_read_is_not_ready_and_says_so_again_until_it_has_it() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options { tls_sasl: true, settings: Options::ACLS });
        let stream = Stream::new(&broker, "rights-", 2);
        let raw = stream.topic("mail.raw");
        let mut fleet = over_tls(&broker, &stream, "SCRAM-SHA-512");
        let secret = secret();
        fleet.set("KAFKA__PROPERTIES__SASL_USERNAME", USER);
        fleet.set("KAFKA__PROPERTY_FILES__SASL_PASSWORD", secret.path().to_str().unwrap());
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        broker.deny(&raw, Right::Read, true);
        stream.produce(mail(20));
        let process = fleet.start("a", &[]);
        process.wait_for("\"assigned\"");
        let refused = "the brokers refuse a right, and reading waits for it";
        let warnings = || fleet.logged(refused).into_iter().filter(|line| line.contains(&raw)).count();
        eventually("a warning that names the topic", || (warnings() == 1).then_some(()));
        assert_eq!(process.ask("/livez"), "live\n");
        assert_eq!(process.ask("/readyz"), "not ready: verdict: the brokers refuse a right, see the log\n");
        std::thread::sleep(Duration::from_secs(10));
        assert!(process.ask("/metrics").contains("verdmarc_ready{role=\"verdict\"} 0\n"));
        eventually("the same warning again", || (warnings() == 2).then_some(()));

        broker.deny(&raw, Right::Read, false);
        stream.wait_until_done(Duration::from_mins(1));
        eventually("readiness", || (process.ask("/readyz") == "ready\n").then_some(()));
        broker.deny(&raw, Right::Read, true);
        eventually("no readiness", || process.ask("/readyz").contains("refuse a right").then_some(()));
        broker.deny(&raw, Right::Read, false);
        eventually("readiness without new mail", || (process.ask("/readyz") == "ready\n").then_some(()));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

#[test]
fn a_role_without_the_right_to_write_a_topic_names_it() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options { tls_sasl: true, settings: Options::ACLS });
        let stream = Stream::new(&broker, "writes-", 2);
        let failures = stream.topic("mail.failures");
        let mut fleet = over_tls(&broker, &stream, "SCRAM-SHA-512");
        let secret = secret();
        fleet.set("KAFKA__PROPERTIES__SASL_USERNAME", USER);
        fleet.set("KAFKA__PROPERTY_FILES__SASL_PASSWORD", secret.path().to_str().unwrap());
        broker.deny(&failures, Right::Write, true);
        stream.produce(mail(20));
        let mut process = fleet.start("a", &[]);
        assert_eq!(process.exit_code(), Some(4));
        let said = fleet.logged(&format!("cannot write to {failures}"));
        assert!(said.iter().any(|line| line.contains("AuthorizationFailed")));

        broker.deny(&failures, Right::Write, false);
        let process = fleet.start("a", &[]);
        stream.wait_until_done(Duration::from_mins(1));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

/// Gives [`USER`] tokens for his password (RFC 6749 section 4.4), valid for a few seconds and not signed.
struct TokenEndpoint {
    address: SocketAddr,
    given: Arc<AtomicUsize>,
}

const LIFETIME: Duration = Duration::from_secs(5);

impl TokenEndpoint {
    /// It ends with the test binary.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let given = Arc::new(AtomicUsize::new(0));
        let counter = given.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up early asks again.
                if answer(stream).unwrap_or(false) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { address, given }
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }
}

/// Answers one request; whether it got a token.
fn answer(stream: TcpStream) -> std::io::Result<bool> {
    let mut reader = BufReader::new(&stream);
    let (mut authorized, mut length) = (false, 0);
    let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            authorized |= name.eq_ignore_ascii_case("authorization") && value == credentials;
            length = if name.eq_ignore_ascii_case("content-length") { value.parse().unwrap() } else { length };
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    authorized &= String::from_utf8_lossy(&body).contains("grant_type=client_credentials");
    let (status, body) = if authorized {
        let answer = json!({ "access_token": token(), "token_type": "Bearer", "expires_in": LIFETIME.as_secs() });
        ("200 OK", answer.to_string())
    } else {
        ("401 Unauthorized", json!({ "error": "invalid_client" }).to_string())
    };
    write!(
        &stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(authorized)
}

/// A JSON Web Token without signature (RFC 7519 section 6).
fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = json!({ "sub": USER, "iat": now.as_secs(), "exp": (now + LIFETIME).as_secs() });
    let encoded = |part: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.", encoded(json!({ "alg": "none" })), encoded(claims))
}
