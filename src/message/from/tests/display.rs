//! Tests of the text beside the address: display names and comments.

use super::*;
use crate::message::summary::in_q;

#[test]
fn an_address_of_another_domain_in_the_phrase_only_sets_the_flag() {
    evaluated(&[
        ("\"a@victim.com\" <b@evil.com>", "evil.com", false, true),
        ("a@victim.com <b@evil.com>", "evil.com", false, true),
        ("\"Joe <a@victim.com>\" <b@evil.com>", "evil.com", false, true),
        ("Joe (a@victim.com) <b@evil.com>", "evil.com", false, true),
        ("<b@evil.com> (a@victim.com)", "evil.com", false, true),
        ("b@evil.com (a@victim.com)", "evil.com", false, true),
        ("Joe (see <a@victim.com>) <b@evil.com>", "evil.com", false, true),
        ("\"a@x.example, b\" <c@y.example>", "y.example", false, true),
        ("\"a@xn--bcher-kva.example\" <b@bücher.example>", "xn--bcher-kva.example", false, false),
        ("a@B.EXAMPLE. <b@b.example>", "b.example", false, false),
        ("a@localhost <b@b.example>", "b.example", false, false),
        ("a@sub.b.example <b@b.example>", "b.example", false, true),
        ("Sales, a@victim.com <b@evil.com>", "evil.com", false, true),
        ("a@victim.com: Bob <b@evil.com>;", "evil.com", false, true),
    ]);
}

#[test]
fn f7_an_address_of_another_domain_in_encoded_words_sets_the_flag_too() {
    evaluated(&[
        ("=?utf-8?q?ceo=40victim=2Ecom?= <b@evil.com>", "evil.com", false, true),
        ("=?utf-8?b?Y2VvQHZpY3RpbS5jb20=?= <b@evil.com>", "evil.com", false, true),
        ("=?utf-8?q?ceo=40vic?= =?utf-8?q?tim=2Ecom?= <b@evil.com>", "evil.com", false, true),
        ("\"=?utf-8?q?ceo=40victim.com?=\" <b@evil.com>", "evil.com", false, true),
        ("b@evil.com (=?utf-8?q?ceo=40victim.com?=)", "evil.com", false, true),
        ("Joe <a@evil.com>, =?utf-8?q?ceo=40victim.com?= <b@evil.com>", "evil.com", true, true),
        ("=?utf-8?q?b=40evil.com?= <b@evil.com>", "evil.com", false, false),
        ("=?utf-8?q?Joe?= <\"a@victim.com\"@evil.com>", "evil.com", false, false),
        // A quote is unmatched, but nobody takes a decoded address for the author's.
        ("=?utf-8?q?ceo=40victim.com?= \" <b@evil.com>", "evil.com", false, true),
    ]);
}

#[test]
fn f7_an_address_that_people_see_sets_the_flag_whatever_stands_around_it() {
    for trimmed in "\u{a0}\u{3000}\u{200b}\u{2028}\u{ad}\u{feff}\u{202e}\u{85}\u{1680}\u{2060}".chars() {
        let word = in_q(&trimmed.to_string());
        for value in [
            format!("ceo@victim.com{trimmed}<b@evil.com>"),
            format!("\"ceo@victim.com{trimmed}\" <b@evil.com>"),
            format!("b@evil.com ({trimmed}ceo@victim.com)"),
            format!("=?utf-8?q?ceo=40victim.com{word}?= <b@evil.com>"),
        ] {
            assert!(from_value(&value).unwrap().display_address, "{value:?}");
        }
    }
    evaluated(&[
        ("ceo\u{ff20}victim.com <b@evil.com>", "evil.com", false, true),
        ("ceo\u{fe6b}victim.com <b@evil.com>", "evil.com", false, true),
        ("=?utf-8?q?ceo=EF=BC=A0victim=EF=BC=8Ecom?= <b@evil.com>", "evil.com", false, true),
        ("ceo\u{200b}@\u{200b}vic\u{ad}tim.com <b@evil.com>", "evil.com", false, true),
        ("ceo@victim.com\u{2026} <b@evil.com>", "evil.com", false, true),
        ("b\u{ff20}evil.com\u{a0}<b@evil.com>", "evil.com", false, false),
        ("Jürgen\u{a0}Müller <b@evil.com>", "evil.com", false, false),
        ("株式会社\u{3000}営業 <b@evil.com>", "evil.com", false, false),
    ]);
}

#[test]
fn a_comment_may_hold_an_angle_bracket() {
    evaluated(&[
        ("x@evil.com (I <3 you)", "evil.com", false, false),
        ("(I <3 you) x@evil.com", "evil.com", false, false),
        ("Joe <x@evil.com> (-> home <-)", "evil.com", false, false),
        ("x@evil.com (I <3 you), y@evil.com", "evil.com", true, false),
    ]);
    refused(
        Unparsable,
        &[
            "x@evil.com (I <3 you) (ceo@victim.com)",
            "x@evil.com (I <3 ceo@victim.com)",
            "x@evil.com (<) (ceo@victim.com>)",
            "x@evil.com (<ceo@victim.com>) (<3)",
            "u@evil.com (<), v@evil.com (ceo@victim.com> <)",
        ],
    );
}

#[test]
fn a_stray_delimiter_beside_an_address_of_another_domain_is_unparsable() {
    let hidden = [
        "a@victim.com \"x <b@evil.com>",
        "\"a@victim.com <b@evil.com>",
        "a@victim.com (<b@evil.com>",
        "a@victim.com> <b@evil.com>",
        "<a@victim.com <b@evil.com>",
        "I <3 a@victim.com <b@evil.com>",
    ];
    refused(Unparsable, &hidden);
}
