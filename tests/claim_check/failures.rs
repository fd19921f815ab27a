//! Stores that fail: nobody's message is lost over that, and nothing is asked for that was not allowed.

use super::responder::{Responder, head};
use super::{KEY_ID, LIMIT, MESSAGE, SECRET, claims, code, fetch, settings};
use proptest::prelude::*;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use verdmarc::claim_check::{ClaimChecks, Unfetched};
use verdmarc::config::ClaimCheck;

const URL: &str = "s3://mail/in/m";

fn of(responder: &Responder) -> ClaimChecks {
    claims(&settings(&["s3://mail/in/"], &responder.endpoint()))
}

fn unavailable(claims: &ClaimChecks) -> String {
    match fetch(claims, URL, None) {
        Err(Unfetched::Unavailable(reason)) => reason,
        other => panic!("{}", code(&other)),
    }
}

#[test]
fn errors_that_pass_are_outlived() {
    let responder = Responder::start(|number, method| match (number, method) {
        (0 | 1 | 3, _) => head(503, 0),
        (_, "HEAD") => head(200, MESSAGE.len() as u64),
        _ => [&head(200, MESSAGE.len() as u64), MESSAGE].concat(),
    });
    assert_eq!(&*fetch(&of(&responder), URL, None).unwrap(), MESSAGE);
    assert_eq!(responder.methods(), ["HEAD", "HEAD", "HEAD", "GET", "GET"]);
}

#[test]
fn errors_that_stay_are_told_and_are_no_refusal() {
    for (status, most_requests) in [(500, 100), (503, 100), (403, 1), (401, 1), (400, 1)] {
        let responder = Responder::start(move |_, _| head(status, 0));
        let settings = ClaimCheck { timeout_ms: 1_500, ..settings(&["s3://mail/in/"], &responder.endpoint()) };
        let started = Instant::now();
        let reason = unavailable(&claims(&settings));
        assert!(reason.contains(&status.to_string()) && reason.contains(URL), "{reason}");
        let requests = responder.methods().len();
        assert!(requests <= most_requests && (requests > 2) == (most_requests > 1), "{status}: {requests}");
        assert!(started.elapsed() < Duration::from_secs(2), "{status}: {:?}", started.elapsed());
    }
}

#[test]
fn a_missing_object_is_refused_at_once() {
    let responder = Responder::start(|_, _| head(404, 0));
    assert_eq!(code(&fetch(&of(&responder), URL, None)), "claim_check_missing");
    assert_eq!(responder.methods(), ["HEAD"]);
}

#[test]
fn of_an_object_that_is_too_large_no_byte_is_asked_for() {
    let responder = Responder::with_object(LIMIT as u64 + 1, MESSAGE);
    assert_eq!(code(&fetch(&of(&responder), URL, None)), "too_large");
    assert_eq!(responder.methods(), ["HEAD"]);
}

#[test]
fn outside_the_prefixes_no_request_is_made() {
    let responder = Responder::with_object(MESSAGE.len() as u64, MESSAGE);
    let claims = of(&responder);
    for url in ["s3://mail/out/m", "s3://mail/in2/m", "s3://mail2/in/m", "S3://MAIL/in/m", "gs://mail/in/m", "file:///mail/in/m"]
    {
        assert_eq!(code(&fetch(&claims, url, None)), "claim_check_prefix", "{url}");
    }
    assert_eq!(responder.requests(), Vec::<String>::new());
}

#[test]
fn more_or_less_than_was_said_is_not_taken() {
    let said = MESSAGE.len() as u64;
    for (sent, is_taken) in [(vec![b'x'; 64 << 20], false), (MESSAGE[1..].to_vec(), true)] {
        let responder = Responder::with_object(said, &sent);
        let reason = unavailable(&of(&responder));
        assert!(reason.contains("changed"), "{reason}");
        assert_eq!((responder.next_is_taken(), responder.next_is_taken()), (true, is_taken));
    }
    let cut = Responder::start(move |_, method| match method {
        "HEAD" => head(200, said),
        _ => [&head(200, said), &MESSAGE[1..]].concat(),
    });
    assert!(unavailable(&of(&cut)).contains(URL));
}

#[test]
fn a_server_that_stays_silent_is_asked_again_and_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    let started = Instant::now();
    let settings = ClaimCheck { timeout_ms: 1_000, ..settings(&["s3://mail/in/"], &endpoint) };
    unavailable(&claims(&settings));
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    assert!(connections.load(Ordering::SeqCst) > 1);
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let settings = ClaimCheck { timeout_ms: 500, ..settings(&["s3://mail/in/"], &endpoint) };
    unavailable(&claims(&settings));
}

#[test]
fn credentials_stand_in_no_reason() {
    let document = format!("<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>");
    let responder = Responder::start(move |_, method| match method {
        "HEAD" => head(200, MESSAGE.len() as u64),
        _ => [head(403, document.len() as u64), document.clone().into_bytes()].concat(),
    });
    let reason = unavailable(&of(&responder));
    assert!(reason.contains("403") && !reason.contains(KEY_ID) && !reason.contains(SECRET), "{reason}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_the_reference_only_paths_below_the_prefix_are_asked_for(
        start in prop_oneof![Just("s3://mail/in/"), Just("S3://mail/"), Just("s3://mail/%69n/")],
        rest in r"([a-z.~@:;=&+]|%2[EF5e]|%5[Cc]|%3[Ff]|%23|%20|%C3%A9|%0A|/|\.\./|%2e%2e/|%252e|in/){0,8}",
    ) {
        thread_local! {
            static SERVER: (Responder, ClaimChecks) = {
                let responder = Responder::start(|_, _| head(404, 0));
                let claims = of(&responder);
                (responder, claims)
            };
        }
        let url = format!("{start}{rest}");
        if url.parse::<verdmarc::location::Location>().is_ok() {
            SERVER.with(|(responder, claims)| {
                fetch(claims, &url, None).err();
                for request in responder.requests() {
                    let path = request.strip_prefix("HEAD ").unwrap();
                    assert!(path.starts_with("/mail/in/") && !path.contains(['?', '#', '\\']), "{url}: {path}");
                    assert!(!path.split('/').skip(1).any(|part| matches!(part, "" | "." | "..")), "{url}: {path}");
                }
            });
        }
    }
}
