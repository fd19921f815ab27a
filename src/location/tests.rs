use super::*;
use proptest::prelude::*;

fn location(url: &str) -> Result<Location, Malformed> {
    url.parse()
}

fn prefix(url: &str) -> Prefix {
    url.parse().unwrap()
}

#[test]
fn a_url_has_one_meaning_or_none() {
    let long = format!("s3://mail/{}", "x".repeat(MAX_KEY));
    let too_long = format!("{long}x");
    let cases: &[(&str, Result<&str, Malformed>)] = &[
        ("s3://mail/in/m-1.eml", Ok("in/m-1.eml")),
        ("S3://mail/in/m-1.eml", Ok("in/m-1.eml")),
        ("file:///var/spool/m%201", Ok("var/spool/m 1")),
        ("s3://mail/%C3%A9", Ok("é")),
        ("s3://mail/in/%252e%252e/x", Ok("in/%2e%2e/x")),
        ("s3://mail/a:b@c=d+e", Ok("a:b@c=d+e")),
        (&long, Ok(&long[10..])),
        (&too_long, Err(Malformed::TooLong)),
        ("mail/in/m-1.eml", Err(Malformed::Scheme)),
        ("http://169.254.169.254/latest", Err(Malformed::Scheme)),
        ("s3:mail/in", Err(Malformed::Scheme)),
        (" s3://mail/in", Err(Malformed::Scheme)),
        ("s3://mail", Err(Malformed::Container)),
        ("s3:///mail/in", Err(Malformed::Container)),
        ("s3://me@mail/in", Err(Malformed::Container)),
        ("s3://mail:443/in", Err(Malformed::Container)),
        ("s3://mail%2Fother/in", Err(Malformed::Container)),
        ("s3://../in", Err(Malformed::Container)),
        ("s3://mail..x/in", Err(Malformed::Container)),
        ("s3://.mail/in", Err(Malformed::Container)),
        ("file://localhost/etc/passwd", Err(Malformed::Container)),
        ("s3://mail/in?versionId=1", Err(Malformed::Character)),
        ("s3://mail/in#x", Err(Malformed::Character)),
        ("s3://mail/in\\..\\x", Err(Malformed::Character)),
        ("s3://mail/a b", Err(Malformed::Character)),
        ("s3://mail/a\tb", Err(Malformed::Character)),
        ("s3://mail/é", Err(Malformed::Character)),
        ("s3://mail/in/../x", Err(Malformed::Segment)),
        ("s3://mail/in/%2e%2E/x", Err(Malformed::Segment)),
        ("s3://mail/in/.%2e/x", Err(Malformed::Segment)),
        ("s3://mail/./x", Err(Malformed::Segment)),
        ("s3://mail//x", Err(Malformed::Segment)),
        ("s3://mail/in%2fx", Err(Malformed::Segment)),
        ("s3://mail/in%5c..%5cx", Err(Malformed::Segment)),
        ("s3://mail/in%00", Err(Malformed::Segment)),
        ("s3://mail/in%0a", Err(Malformed::Segment)),
        ("s3://mail/in%ff", Err(Malformed::Segment)),
        ("s3://mail/in%c0%ae", Err(Malformed::Segment)),
        ("s3://mail/in%", Err(Malformed::Segment)),
        ("s3://mail/in%2", Err(Malformed::Segment)),
        ("s3://mail/in%zz", Err(Malformed::Segment)),
        ("s3://mail/in/", Err(Malformed::Directory)),
        ("s3://mail/", Err(Malformed::Directory)),
        ("s3://mail//", Err(Malformed::Segment)),
        ("file:////etc/passwd", Err(Malformed::Segment)),
    ];
    for (url, expected) in cases {
        let key = location(url).map(|location| location.key());
        assert_eq!(key.as_deref(), expected.as_ref().map(|key| *key), "{url}");
    }
}

#[test]
fn a_prefix_ends_with_a_slash_and_holds_what_lies_below() {
    let cases = [
        ("s3://mail/in/", "s3://mail/in/x", true),
        ("s3://mail/in/", "S3://mail/in/a/b", true),
        ("s3://mail/", "s3://mail/x", true),
        ("s3://mail/%69n/", "s3://mail/i%6E/x", true),
        ("s3://mail/in/", "s3://mail/in", false),
        ("s3://mail/in/", "s3://mail/inner/x", false),
        ("s3://mail/in/", "s3://mail/x/in/y", false),
        ("s3://mail/in/", "s3://Mail/in/x", false),
        ("s3://mail/in/", "s3://mail.example/in/x", false),
        ("s3://mail/in/", "s3://mai/l/in/x", false),
        ("s3://mail/in/", "s3://mail/In/x", false),
        ("s3://mail/in/", "gs://mail/in/x", false),
        ("file:///mail/in/", "s3://mail/in/x", false),
        ("s3://mail/%252e%252e/", "s3://mail/%252e%252e/x", true),
    ];
    for (below, url, holds) in cases {
        assert_eq!(prefix(below).holds(&location(url).unwrap()), holds, "{below} {url}");
    }
    assert_eq!("s3://mail/in".parse::<Prefix>(), Err(Malformed::OpenPrefix));
    assert_eq!("s3://mail/in/../".parse::<Prefix>(), Err(Malformed::Segment));
}

#[cfg(not(feature = "gcs"))]
#[test]
fn a_prefix_that_this_build_cannot_reach_names_the_feature() {
    assert_eq!("gs://mail/".parse::<Prefix>(), Err(Malformed::NotBuilt("gcs")));
}

proptest! {
    #[test]
    fn what_is_read_is_written_as_it_was_meant(url in r"(s3://mail|file://|S3://b)(/([a-c.%/@]|%2[05eEfF]|%C3%A9|é|\\|\?){0,12})?") {
        if let Ok(location) = location(&url) {
            prop_assert_eq!(location.to_string().parse(), Ok(location.clone()));
            prop_assert!(location.segments.iter().all(|part| !matches!(part.as_str(), "" | "." | "..") && !part.contains('/')));
        }
        if let Ok(below) = url.parse::<Prefix>() {
            prop_assert_eq!(below.to_string().parse(), Ok(below));
        }
    }
}
