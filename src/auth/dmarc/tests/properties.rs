use super::super::{Record, walk_names};
use super::*;
use proptest::prelude::*;

fn label() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn name_below_com() -> impl Strategy<Value = String> {
    prop::collection::vec(label(), 1..10).prop_map(|labels| format!("{}.com", labels.join(".")))
}

/// Finds the organizational domain by a literal reading of RFC 9989 4.10.
///
/// It lists the names, collects the records and applies the three rules.
fn model(start: &Domain, psd_of: &dyn Fn(&str) -> Option<char>) -> String {
    let labels: Vec<_> = start.labels().collect();
    let suffix = |count: usize| labels[labels.len() - count..].join(".");
    let mut names = vec![suffix(labels.len())];
    let mut left = if labels.len() < 8 { labels.len() - 1 } else { 7 };
    while left > 0 {
        names.push(suffix(left));
        left -= 1;
    }
    let mut found = Vec::new();
    for name in names {
        if let Some(psd) = psd_of(&name) {
            found.push((name, psd));
            if psd != 'u' {
                break;
            }
        }
    }
    if let Some((name, _)) = found.iter().find(|(_, psd)| *psd == 'n') {
        return name.clone();
    }
    if let Some((name, _)) = found.iter().find(|(name, psd)| *psd == 'y' && *name != start.as_str()) {
        return suffix(name.split('.').count() + 1);
    }
    found.last().map_or_else(|| start.to_string(), |(name, _)| name.clone())
}

proptest! {
    #[test]
    fn f3_a_record_is_read_from_any_octets(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Record::parse(&text, 10);
        let mut record = b"v=DMARC1;".to_vec();
        record.extend(text);
        prop_assert!(Record::parse(&record, 10).is_some());
    }

    #[test]
    fn f3_walks_end_within_eight_names(name in name_below_com()) {
        let start = domain(&name);
        let names: Vec<_> = walk_names(&start).collect();
        prop_assert!(names.len() <= 8);
        prop_assert!(names.windows(2).all(|pair| pair[0].is_at_or_below(&pair[1])));
    }

    #[test]
    fn f3_the_organizational_domain_agrees_with_a_literal_reading(
        author in name_below_com(),
        records in prop::collection::btree_map(prop_oneof![name_below_com(), Just("com".to_owned())], prop::sample::select(vec!['u', 'y', 'n']), 0..6),
        signer in name_below_com(),
    ) {
        let mut case = case(&author, &[]).dkim(&signer).guard_off();
        // The author has a record of its own, so that alignment alone decides.
        let mut records = records;
        records.entry(author.clone()).or_insert('u');
        for (name, psd) in &records {
            case = case.text(name, &format!("v=DMARC1; p=reject; psd={psd}"));
        }
        let psd_of = |name: &str| records.get(name).copied();
        let aligned = author == signer || model(&domain(&author), &psd_of) == model(&domain(&signer), &psd_of);
        prop_assert_eq!(case.judge().result == DmarcResult::Pass, aligned, "{:?} {:?}", records, case.judge());
    }

    #[test]
    fn a43_an_error_never_turns_a_certain_result_into_another(
        author in name_below_com(),
        records in prop::collection::btree_map(prop_oneof![name_below_com(), Just("com".to_owned())], prop::sample::select(vec!['u', 'y', 'n']), 0..4),
        signer in name_below_com(),
        broken in prop_oneof![name_below_com(), Just("com".to_owned())],
    ) {
        // A public suffix that does not answer is not assumed to say psd=n
        // (Decisions: unknown answers).
        prop_assume!(broken != "com" || records.get("com") != Some(&'n'));
        let mut whole = case(&author, &[]).dkim(&signer);
        for (name, psd) in &records {
            whole = whole.text(name, &format!("v=DMARC1; p=reject; psd={psd}"));
        }
        let mut damaged = whole.clone();
        damaged.zone.insert(format!("_dmarc.{broken}"), json!([["SERVFAIL"]]));
        let (whole, damaged) = (whole.judge(), damaged.judge());
        prop_assert!(damaged.result == DmarcResult::TempError || (damaged.result == whole.result && (whole.result != DmarcResult::Fail || damaged.effective == whole.effective)),
            "{whole:?} {damaged:?}");
    }
}
