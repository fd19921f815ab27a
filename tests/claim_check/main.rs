//! Messages in an object store: files, a real S3-compatible server, and servers that fail in every way.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

mod failures;
mod moto;
mod responder;
mod stores;

use verdmarc::claim_check::{ClaimChecks, Fetched, Unfetched};
use verdmarc::config::ClaimCheck;
use verdmarc::event::raw::DataRef;

const MESSAGE: &[u8] = b"From: a@example.com\r\n\r\nhello\r\n";
const LIMIT: usize = 4 << 20;
const KEY_ID: &str = "AKIAEXAMPLE";
const SECRET: &str = "not-to-be-seen";

fn settings(prefixes: &[&str], endpoint: &str) -> ClaimCheck {
    ClaimCheck {
        prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
        endpoint: Some(endpoint.to_owned()),
        region: Some("eu-central-1".to_owned()),
        timeout_ms: 5_000,
        ..ClaimCheck::default()
    }
}

fn claims(settings: &ClaimCheck) -> ClaimChecks {
    let variables = [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ClaimChecks::with_environment(settings, LIMIT, &variables).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn fetch(claims: &ClaimChecks, url: &str, sha256: Option<[u8; 32]>) -> Result<Fetched, Unfetched> {
    runtime().block_on(claims.fetch(&DataRef { location: url.parse().unwrap(), sha256 }))
}

fn code(result: &Result<Fetched, Unfetched>) -> &'static str {
    match result {
        Ok(_) => "fetched",
        Err(Unfetched::Refused(refusal)) => refusal.code(),
        Err(Unfetched::Unavailable(_)) => "unavailable",
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().try_into().unwrap()
}
