//! Stores that work.

use super::moto::Moto;
use super::{LIMIT, MESSAGE, claims, code, fetch, settings, sha256};

#[test]
fn a_file_is_the_message() {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().canonicalize().unwrap();
    std::fs::write(spool.join("m 1.eml"), MESSAGE).unwrap();
    std::fs::write(spool.join("large.eml"), vec![b'x'; LIMIT + 1]).unwrap();
    std::fs::write(spool.join("empty.eml"), b"").unwrap();
    let claims = claims(&settings(&[&format!("file://{}/", spool.display())], "http://unused.example"));
    let url = |name: &str| format!("file://{}/{name}", spool.display());
    assert_eq!(&*fetch(&claims, &url("m%201.eml"), Some(sha256(MESSAGE))).unwrap(), MESSAGE);
    for (url, sha256, expected) in [
        (url("m%201.eml"), Some([7; 32]), "claim_check_checksum"),
        (url("none.eml"), None, "claim_check_missing"),
        (url("large.eml"), None, "too_large"),
        (url("empty.eml"), None, "claim_check_empty"),
        ("file:///etc/hostname".to_owned(), None, "claim_check_prefix"),
        ("s3://mail/in/m".to_owned(), None, "claim_check_prefix"),
    ] {
        assert_eq!(code(&fetch(&claims, &url, sha256)), expected, "{url}");
    }
}

#[test]
fn an_object_of_an_s3_compatible_server_is_the_message() {
    let moto = Moto::start();
    for bucket in ["mail", "other"] {
        moto.create(bucket);
    }
    let (large, too_large) = (vec![b'x'; LIMIT], vec![b'x'; LIMIT + 1]);
    let keys: [(&str, &[u8]); 6] = [
        ("in/m", MESSAGE),
        ("in/2026/é +%2e%2e=&~", MESSAGE),
        ("in/largest", &large),
        ("in/too-large", &too_large),
        ("in/empty", b""),
        ("out/m", b"secret"),
    ];
    for (key, bytes) in keys {
        moto.put("mail", key, bytes);
    }
    moto.put("other", "in/m", b"secret");
    let claims = claims(&settings(&["s3://mail/in/", "s3://not-there/"], &moto.endpoint()));
    let (right, wrong) = (Some(sha256(MESSAGE)), Some(sha256(b"")));
    for (url, sha256, expected) in [
        ("s3://mail/in/m", None, "fetched"),
        ("s3://mail/in/m", right, "fetched"),
        ("S3://mail/%69n/2026/%C3%A9%20%2B%252e%252e%3D%26~", right, "fetched"),
        ("s3://mail/in/largest", None, "fetched"),
        ("s3://mail/in/m", wrong, "claim_check_checksum"),
        ("s3://mail/in/none", None, "claim_check_missing"),
        ("s3://not-there/m", None, "claim_check_missing"),
        ("s3://mail/in/too-large", None, "too_large"),
        ("s3://mail/in/empty", None, "claim_check_empty"),
        ("s3://mail/out/m", None, "claim_check_prefix"),
        ("s3://other/in/m", None, "claim_check_prefix"),
    ] {
        let fetched = fetch(&claims, url, sha256);
        assert_eq!(code(&fetched), expected, "{url}: {:?}", fetched.err());
        if let Ok(bytes) = fetched {
            assert!(*bytes == *MESSAGE || *bytes == *large, "{url}");
        }
    }
}
