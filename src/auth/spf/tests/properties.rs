//! Tests that the evaluation ends within its budget, whatever a record says.

use super::{Sender, Zone};
use crate::auth::spf::parse_record;
use crate::config::Limits;
use proptest::prelude::*;

/// Makes terms that often make sense, over a few names, so that records refer to each other.
fn terms() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "[a-d]\\.test",
        Just("%{l}.a.test".to_owned()),
        Just("%{p}.b.test".to_owned()),
        Just("%{ir}.%{d}".to_owned()),
        Just("%{H3r-}.%{s}.c.test".to_owned()),
        "\\PC{0,12}",
    ];
    let kind = prop_oneof![
        Just("a:"),
        Just("mx:"),
        Just("ptr:"),
        Just("include:"),
        Just("exists:"),
        Just("redirect="),
        Just("exp="),
        Just("?all"),
    ];
    let term = prop_oneof![8 => (kind, name).prop_map(|(kind, name)| kind.to_owned() + &name), 1 => "[ -~]{0,16}"];
    prop::collection::vec(term, 0..14).prop_map(|terms| terms.join(" "))
}

proptest! {
    #[test]
    fn f1_any_records_and_senders_end_within_the_budget(
        records in prop::collection::vec(terms(), 5),
        local_part in prop::collection::vec(any::<u8>(), 0..80),
        helo in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        ip in any::<std::net::IpAddr>(),
        questions in 0_usize..45,
    ) {
        let mut zone = Zone::default();
        for (name, terms) in ["example.com", "a.test", "b.test", "c.test", "d.test"].iter().zip(&records) {
            zone.add_txt(name, format!("v=spf1 {terms}").as_bytes());
            for number in 0..8 {
                zone.add(name, &format!("MX {number} h{number}.{name}"));
            }
        }
        let ip = ip.to_string();
        let sender = Sender { ip: &ip, helo: helo.as_deref(), local_part: &local_part, ..Sender::default() };
        let limits = Limits { spf_questions: questions, ..Limits::default() };
        let outcome = sender.check_within(&zone, &limits);
        prop_assert!(zone.asked().len() <= questions);
        for text in outcome.mechanism.iter().chain(&outcome.at) {
            prop_assert!(text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }

    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_record(&octets);
        let _ = parse_record(&[b"v=spf1 ", octets.as_slice()].concat());
    }
}
