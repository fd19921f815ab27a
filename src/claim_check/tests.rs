use super::*;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use proptest::prelude::*;
use std::os::unix::fs::symlink;
use std::path::Path;

const INSIDE: &[u8] = b"From: a@example.com\r\n\r\ninside\r\n";
const OUTSIDE: &[u8] = b"secret";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn settings(prefixes: &[&str]) -> config::ClaimCheck {
    config::ClaimCheck {
        prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
        timeout_ms: 2_000,
        ..config::ClaimCheck::default()
    }
}

fn reference(url: &str) -> DataRef {
    DataRef { location: url.parse().unwrap(), sha256: None }
}

fn code(result: Result<Fetched, Unfetched>) -> &'static str {
    match result {
        Ok(_) => "fetched",
        Err(Unfetched::Refused(refusal)) => refusal.code(),
        Err(Unfetched::Unavailable(_)) => "unavailable",
    }
}

/// Makes a spool. Prefix `mail/` is allowed. It holds messages and links to everywhere, and secrets
/// lie around it.
fn spool() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["mail/a/b", "mail2"] {
        std::fs::create_dir_all(at(name)).unwrap();
    }
    for name in ["mail/m", "mail/a/m", "mail/a/b/m", "mail/%2e%2e", "mail/..m", "mail/a/x y", "mail/a/m#1", "mail/a/m#x"] {
        std::fs::write(at(name), INSIDE).unwrap();
    }
    for name in ["m", "secret", "mail2/m"] {
        std::fs::write(at(name), OUTSIDE).unwrap();
    }
    symlink("../../secret", at("mail/a/out")).unwrap();
    symlink("..", at("mail/up")).unwrap();
    symlink(at("mail2"), at("mail/a/mail2")).unwrap();
    symlink("a/m", at("mail/in")).unwrap();
    symlink("loop", at("mail/loop")).unwrap();
    directory
}

fn spool_url(directory: &Path, below: &str) -> String {
    format!("file://{}/{below}", directory.canonicalize().unwrap().display())
}

#[test]
fn files_are_followed_only_to_where_they_may_lie() {
    let directory = spool();
    let claims = ClaimChecks::new(&settings(&[&spool_url(directory.path(), "mail/")]), 1000).unwrap();
    for (below, expected) in [
        ("mail/m", "fetched"),
        ("mail/a/b/m", "fetched"),
        ("mail/%252e%252e", "fetched"),
        ("mail/a/x%20y", "fetched"),
        ("mail/a/m%23x", "fetched"),
        ("mail/a/m%231", "claim_check_reference"),
        ("mail/in", "fetched"),
        ("mail/a/out", "claim_check_prefix"),
        ("mail/up/secret", "claim_check_prefix"),
        ("mail/up/mail/m", "fetched"),
        ("mail/a/mail2/m", "claim_check_prefix"),
        ("mail2/m", "claim_check_prefix"),
        ("secret", "claim_check_prefix"),
        ("mail", "claim_check_prefix"),
        ("mail/a", "claim_check_missing"),
        ("mail/none", "claim_check_missing"),
        ("mail/m/x", "claim_check_missing"),
        ("mail/loop", "unavailable"),
    ] {
        let fetched = runtime().block_on(claims.fetch(&reference(&spool_url(directory.path(), below))));
        if let Ok(fetched) = &fetched {
            assert_eq!(&**fetched, INSIDE);
        }
        assert_eq!(code(fetched), expected, "{below}");
    }
}

#[test]
fn a_pipe_is_no_message_and_nobody_waits_for_its_writer() {
    let directory = spool();
    let made = std::process::Command::new("mkfifo").arg(directory.path().join("mail/pipe")).status().unwrap();
    assert!(made.success());
    let claims = ClaimChecks::new(&settings(&[&spool_url(directory.path(), "mail/")]), 1000).unwrap();
    let fetched = runtime().block_on(claims.fetch(&reference(&spool_url(directory.path(), "mail/pipe"))));
    assert_eq!(code(fetched), "claim_check_missing");
}

#[test]
fn a_directory_that_is_not_there_is_a_disk_that_is_not_there() {
    let directory = spool();
    let claims = ClaimChecks::new(&settings(&[&spool_url(directory.path(), "unmounted/")]), 1000).unwrap();
    let fetched = runtime().block_on(claims.fetch(&reference(&spool_url(directory.path(), "unmounted/m"))));
    assert_eq!(code(fetched), "unavailable");
}

#[test]
fn a_file_that_another_took_the_place_of_is_noticed() {
    let directory = spool();
    let claims = ClaimChecks::new(&settings(&[&spool_url(directory.path(), "mail/")]), 1000).unwrap();
    let reference = reference(&spool_url(directory.path(), "mail/a/m"));
    let found = runtime().block_on(async {
        let prefixes: Vec<_> = claims.prefixes.iter().collect();
        let object = Object::find(&claims.stores[reference.location.root()], &reference.location, &prefixes).await.unwrap();
        std::fs::rename(directory.path().join("mail/a"), directory.path().join("mail/old")).unwrap();
        std::fs::write(directory.path().join("mail2/m"), [b'x'; INSIDE.len()]).unwrap();
        symlink("../mail2", directory.path().join("mail/a")).unwrap();
        object.read().await
    });
    assert!(matches!(&found, Err(Unfetched::Unavailable(reason)) if reason.contains("changed")), "{found:?}");
}

/// Returns claims on a store in memory that holds one object.
fn in_memory(max_bytes: usize, budget_bytes: usize, object: &'static [u8]) -> ClaimChecks {
    let settings = config::ClaimCheck { budget_bytes, ..settings(&["s3://mail/in/"]) };
    let mut claims = ClaimChecks::with_environment(&settings, max_bytes, &[]).unwrap();
    let store = InMemory::new();
    runtime().block_on(store.put(&"in/m".into(), object.into())).unwrap();
    claims.stores.insert("s3://mail/in/".parse::<Prefix>().unwrap().root().clone(), Arc::new(store));
    claims
}

#[test]
fn size_and_checksum_decide() {
    let right = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, INSIDE).as_ref().try_into().unwrap();
    for (object, max_bytes, sha256, expected) in [
        (INSIDE, INSIDE.len(), None, "fetched"),
        (INSIDE, INSIDE.len() - 1, None, "too_large"),
        (INSIDE, 1000, Some(right), "fetched"),
        (INSIDE, 1000, Some([0; 32]), "claim_check_checksum"),
        (b"", 1000, None, "claim_check_empty"),
    ] {
        let claims = in_memory(max_bytes, 1 << 20, object);
        let fetched = runtime().block_on(claims.fetch(&DataRef { sha256, ..reference("s3://mail/in/m") }));
        assert_eq!(code(fetched), expected);
    }
}

#[test]
fn fetched_messages_share_the_room_in_memory() {
    let claims = in_memory(1 << 20, PLACE, INSIDE);
    runtime().block_on(async {
        let reference = reference("s3://mail/in/m");
        let first = claims.fetch(&reference).await.unwrap();
        let second = claims.fetch(&reference);
        tokio::pin!(second);
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut second).await.is_err(), "there is room for one");
        drop(first);
        assert_eq!(&*second.await.unwrap(), INSIDE);
    });
    let large: &[u8] = &[b'x'; 5 * PLACE];
    assert_eq!(code(runtime().block_on(in_memory(1 << 20, PLACE, large).fetch(&reference("s3://mail/in/m")))), "fetched");
}

#[test]
fn what_a_store_says_is_cut_before_its_document() {
    let said = "status code: 403 Forbidden: <?xml?><Error><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
    let error = object_store::Error::Generic { store: "S3", source: said.into() };
    assert_eq!(object::brief(&error), "Generic S3 error: status code: 403 Forbidden");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn whatever_the_reference_only_messages_below_the_prefix_are_read(
        start in prop_oneof![4 => Just("mail/"), 1 => Just("mail"), 1 => Just("")],
        steps in prop::collection::vec(
            prop_oneof![
                2 => prop::sample::select(&["m", "a", "b", "in", "up", "mail", "mail2", "secret", "..m", "loop", "x%20y", "%252e%252e"][..]),
                1 => prop::sample::select(&["a/out", "up/secret", "up/m", "up/mail2/m", "a/mail2/m", "up/mail/m"][..]),
                1 => prop::sample::select(
                    &["", ".", "..", "%2e%2e", "%2e.", "..%2f", "..%5c", "..;", "%c0%ae", "m?x", "m#x", "a\\..\\..", "../secret"][..]
                ),
            ],
            1..5,
        ),
    ) {
        // Unlike a static, a thread-local directory is removed in the end.
        thread_local!(static SPOOL: tempfile::TempDir = spool());
        let at = |below: &str| SPOOL.with(|spool| spool_url(spool.path(), below));
        let claims = ClaimChecks::new(&settings(&[&at("mail/")]), 1000).unwrap();
        let url = at(&format!("{start}{}", steps.join("/")));
        if let Ok(location) = url.parse() {
            let fetched = runtime().block_on(claims.fetch(&DataRef { location, sha256: None }));
            prop_assert!(fetched.as_deref().map_or(true, |bytes| bytes == INSIDE), "{url}");
        }
    }
}
