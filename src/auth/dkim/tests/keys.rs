//! Tests of key records and of the answers that hold them.

use super::signer::{TestKey, sign};
use super::support::{Case, TxtZone};
use super::{MESSAGE, NAME, TAGS, replaced};
use crate::auth::cause::{DkimCause, DkimWeight};
use crate::auth::dkim::SignatureOutcome;
use crate::config::TestingKey;
use crate::dns::{Outcome, Unanswered};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

fn outcome(zone: &TxtZone, tags: &str) -> SignatureOutcome {
    Case::new(zone).verify(&sign(MESSAGE, tags, TestKey::Rsa)).remove(0)
}

fn cause_of_record(record: &str) -> DkimCause {
    outcome(&TxtZone::default().with(NAME, &[record]), TAGS).cause
}

fn with_tags(tags: &str) -> String {
    format!("v=DKIM1; {tags}; {}", TestKey::Rsa.public_tags())
}

#[test]
fn g5_key_tags_are_honoured() {
    use DkimCause as C;
    for (tags, cause) in [
        ("h=sha256", C::Valid),
        ("h=sha1 : sha256", C::Valid),
        ("h=sha1", C::KeyNotForThis),
        ("s=email", C::Valid),
        ("s=*", C::Valid),
        ("s=tlsrpt", C::KeyNotForThis),
        ("s=tlsrpt:email", C::Valid),
        ("t=s", C::Valid),
        ("g=other; n=note; x=y", C::Valid),
        ("t=y", C::ValidTestingKey),
        ("t=s : y", C::ValidTestingKey),
        ("h=sha256; h=sha256", C::KeyMalformed),
        ("h=sha256;;", C::KeyMalformed),
        ("bogus", C::KeyMalformed),
    ] {
        assert_eq!(cause_of_record(&with_tags(tags)), cause, "{tags}");
    }
}

#[test]
fn key_records_are_read_strictly() {
    use DkimCause as C;
    let key = TestKey::Rsa.public_tags();
    let p = key.trim_start_matches("k=rsa; ");
    for (record, cause) in [
        (p.to_owned(), C::Valid),
        (format!(" v = DKIM1 ; {} ;", p.replace("MIIB", "MI \t IB")), C::Valid),
        (format!("{p}; v=DKIM1"), C::KeyMalformed),
        (format!("v=DKIM2; {p}"), C::KeyMalformed),
        (format!("v=dkim1; {p}"), C::KeyMalformed),
        (format!("v=DKIM1; k=ed25519; {p}"), C::KeyNotForThis),
        (format!("v=DKIM1; k=dsa; {p}"), C::KeyNotForThis),
        ("v=DKIM1; p=".to_owned(), C::KeyRevoked),
        ("v=DKIM1; k=ed25519; p= ".to_owned(), C::KeyRevoked),
        ("v=DKIM1; p=!!!".to_owned(), C::KeyMalformed),
        ("v=DKIM1; p=AAAA".to_owned(), C::KeyMalformed),
        ("v=DKIM1".to_owned(), C::KeyMalformed),
        (String::new(), C::KeyMalformed),
        ("v=spf1 -all".to_owned(), C::KeyMalformed),
    ] {
        assert_eq!(cause_of_record(&record), cause, "{record}");
    }
}

#[test]
fn rfc8463_ed25519_keys_have_32_octets() {
    let tags = TAGS.replace("rsa-sha256", "ed25519-sha256");
    for octets in [31, 33] {
        let record = format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(vec![1; octets]));
        assert_eq!(outcome(&TxtZone::default().with(NAME, &[&record]), &tags).cause, DkimCause::KeyMalformed);
    }
    assert_eq!(outcome(&super::zone(), &tags).cause, DkimCause::KeyNotForThis);
}

#[test]
fn a44_answers_without_a_key_are_told_apart() {
    use DkimCause as C;
    for (outcome_of_dns, cause) in [
        (Outcome::NxDomain, C::KeyNotFound),
        (Outcome::NoData, C::KeyNotFound),
        (Outcome::Invalid, C::KeyMalformed),
        (Outcome::TempError(Unanswered::Timeout), C::KeyUnanswered),
        (Outcome::TempError(Unanswered::ServFail), C::KeyUnanswered),
        (Outcome::TempError(Unanswered::Deadline), C::KeyUnanswered),
    ] {
        assert_eq!(outcome(&TxtZone::default().with_outcome(NAME, outcome_of_dns), TAGS).cause, cause);
    }
}

#[test]
fn several_key_records_give_the_same_result_in_any_order() {
    let other = TestKey::Rsa.record().replace("p=MIIB", "p=MIIC");
    let good = TestKey::Rsa.record();
    let weak = format!("v=DKIM1; p={}", STANDARD.encode(rsa_public_key(512)));
    for (records, cause) in [
        (vec![good.as_str(), &other], DkimCause::Valid),
        (vec![&good, &weak], DkimCause::Valid),
        (vec![&good, "v=DKIM1; p=", "no key record"], DkimCause::Valid),
        (vec![&weak, "v=DKIM1; p="], DkimCause::KeyRevoked),
        (vec!["v=DKIM1; p=AAAA", "v=DKIM1; t=y; p=AAAA"], DkimCause::KeyMalformed),
    ] {
        let mut reversed = records.clone();
        reversed.reverse();
        for records in [records, reversed] {
            assert_eq!(outcome(&TxtZone::default().with(NAME, &records), TAGS).cause, cause, "{records:?}");
        }
    }
}

#[test]
fn rfc6376_6_1_2_three_key_records_are_tried() {
    let good = TestKey::Rsa.record();
    // In octet order these come before a record that begins with its version.
    let before = ["p=a", "p=b", "p=c"];
    assert_eq!(outcome(&TxtZone::default().with(NAME, &[before[0], before[1], &good]), TAGS).cause, DkimCause::Valid);
    let zone = TxtZone::default().with(NAME, &[&before[..], &[good.as_str()]].concat());
    assert_ne!(outcome(&zone, TAGS).cause, DkimCause::Valid);
}

/// Returns an RSAPublicKey with a modulus of `bits` bits, all ones, and the exponent 65537.
fn rsa_public_key(bits: usize) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x83], &length[1..], content].concat()
    };
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= (8 - bits % 8) % 8;
    modulus.insert(0, 0);
    element(0x30, &[element(2, &modulus), element(2, &[1, 0, 1])].concat())
}

#[test]
fn f21_h18_h19_rsa_keys_outside_1024_to_4096_bits_are_refused_unparsed() {
    for (bits, cause) in [
        (512, DkimCause::KeySize),
        (768, DkimCause::KeySize),
        (1023, DkimCause::KeySize),
        (4097, DkimCause::KeySize),
        (16384, DkimCause::KeySize),
        (65536, DkimCause::KeySize),
    ] {
        let record = format!("v=DKIM1; p={}", STANDARD.encode(rsa_public_key(bits)));
        let outcome = outcome(&TxtZone::default().with(NAME, &[&record]), TAGS);
        assert_eq!((outcome.cause, outcome.key_bits), (cause, u32::try_from(bits).ok()), "{bits}");
        assert_eq!(outcome.cause.word().as_str(), "permerror");
    }
    assert_eq!(outcome(&super::zone(), TAGS).key_bits, Some(2048));
}

#[test]
fn f21_testing_keys_count_or_not_by_setting() {
    use DkimCause as C;
    let zone = TxtZone::default().with(NAME, &[&with_tags("t=y")]);
    let signed = sign(MESSAGE, TAGS, TestKey::Rsa);
    let messages = [signed.clone(), replaced(&signed, "Lunch", "Launch"), replaced(&signed, "noon", "one")];
    for (setting, causes) in [
        (TestingKey::Count, [C::ValidTestingKey, C::TestingKey, C::TestingKey]),
        (TestingKey::Literal, [C::TestingKey, C::TestingKey, C::TestingKey]),
    ] {
        for (message, cause) in messages.iter().zip(causes) {
            let outcome = Case { testing_key: setting, ..Case::new(&zone) }.verify(message).remove(0);
            assert_eq!((outcome.cause, outcome.testing_key), (cause, true), "{setting:?}");
        }
    }
    assert_eq!(C::TestingKey.weight(), DkimWeight::Absent);
}

#[test]
fn a_failure_stands_when_the_key_cannot_be_had() {
    let changed = replaced(&sign(MESSAGE, TAGS, TestKey::Rsa), "noon", "one");
    for outcome in [Outcome::NxDomain, Outcome::TempError(Unanswered::Timeout), Outcome::Invalid] {
        let zone = TxtZone::default().with_outcome(NAME, outcome);
        assert_eq!(Case::new(&zone).verify(&changed)[0].cause, DkimCause::BodyHashMismatch);
    }
}

#[test]
fn identities_lie_at_or_below_the_domain_and_t_s_forbids_below() {
    let strict = TxtZone::default().with(NAME, &[&with_tags("t=s")]);
    for (identity, cause, cause_when_strict) in [
        ("@example.com", DkimCause::Valid, DkimCause::Valid),
        ("ann@Example.COM", DkimCause::Valid, DkimCause::Valid),
        ("ann@mail.example.com", DkimCause::Valid, DkimCause::IdentityMismatch),
        ("ann@badexample.com", DkimCause::IdentityMismatch, DkimCause::IdentityMismatch),
        ("ann@com", DkimCause::IdentityMismatch, DkimCause::IdentityMismatch),
        ("example.com", DkimCause::IdentityMismatch, DkimCause::IdentityMismatch),
    ] {
        let tags = TAGS.replace("; h=", &format!("; i={identity}; h="));
        assert_eq!(outcome(&super::zone(), &tags).cause, cause, "{identity}");
        assert_eq!(outcome(&strict, &tags).cause, cause_when_strict, "{identity}");
        assert_eq!(outcome(&strict, &tags).identity.as_deref(), Some(identity));
    }
}
