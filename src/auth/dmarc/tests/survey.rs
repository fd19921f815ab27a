//! Compares the search over completions with one that tries every combination.

use super::super::Record;
use super::super::judgement::{Pair, judge};
use super::super::knowledge::{Assumed, AtName, Completion, Existence, Knowledge, Stop};
use super::super::survey::Survey;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A small world: an author, its identifiers, records by name, and names that do not answer.
#[derive(Debug, Clone)]
struct World {
    author: Domain,
    identifiers: Vec<Identifier>,
    records: BTreeMap<Domain, Arc<Record>>,
    unknown: BTreeSet<Domain>,
    rules: DiscoveryRules,
}

impl World {
    /// Calls `decide` with more answers each time, until it asks for none.
    fn answer<T>(&self, decide: impl Fn(&Knowledge) -> Result<T, Stop>) -> T {
        let mut knowledge = Knowledge::default();
        loop {
            match decide(&knowledge) {
                Ok(decided) => return decided,
                Err(Stop::Ask(name)) => {
                    let at = if self.unknown.contains(&name) {
                        AtName::Unknown
                    } else {
                        self.records.get(&name).cloned().map_or(AtName::Absent, AtName::Record)
                    };
                    knowledge.learn(name, at);
                }
                Err(Stop::AskExistence) => knowledge.existence = Some(Existence::Exists),
                Err(Stop::Branch(name)) => panic!("{name} has no completion"),
            }
        }
    }

    /// Returns the pair on which all completions agree, if they do, and how many were judged.
    fn surveyed(&self) -> (Option<Pair>, usize) {
        self.answer(|knowledge| {
            let survey = Survey::of(&self.author, &self.identifiers, knowledge, self.rules)?;
            Ok((survey.agree.then_some(survey.first.pair), survey.steps))
        })
    }

    /// Finds the same pair by trying every combination of completions.
    fn exhausted(&self) -> Option<Pair> {
        self.answer(|knowledge| {
            let mut pairs = Vec::new();
            self.explore(&mut Assumed { knowledge, completions: Vec::new(), rules: self.rules }, &mut pairs)?;
            let first = pairs[0];
            Ok((first != Pair::Open && pairs.iter().all(|pair| *pair == first)).then_some(first))
        })
    }

    fn explore(&self, assumed: &mut Assumed<'_>, pairs: &mut Vec<Pair>) -> Result<(), Stop> {
        // Two pairs that differ settle the result.
        if pairs.first() != pairs.last() || pairs.first() == Some(&Pair::Open) {
            return Ok(());
        }
        match judge(&self.author, &self.identifiers, assumed) {
            Err(Stop::Branch(name)) => {
                for completion in Completion::of(&name, assumed.rules) {
                    assumed.completions.push((name.clone(), *completion));
                    let explored = self.explore(assumed, pairs);
                    assumed.completions.pop();
                    explored?;
                }
                Ok(())
            }
            Err(ask) => Err(ask),
            Ok(judged) => {
                pairs.push(judged.pair);
                Ok(())
            }
        }
    }
}

const SUFFIXES: [&str; 3] = ["com", "co.uk", "b.kobe.jp"];

/// Makes names that share long right ends, with up to ten labels and more.
fn name() -> impl Strategy<Value = String> {
    let near =
        (0..10usize).prop_map(|count| "a.b.c.d.e.f.g.h.i.".split_inclusive('.').skip(9 - count.min(9)).collect::<String>());
    let label = prop::sample::select(vec!["x.", "y."]);
    let own = prop_oneof![Just(String::new()), prop::collection::vec(label, 1..3).prop_map(|labels| labels.concat())];
    (own, near).prop_map(|(own, near)| own + &near)
}

fn certainty() -> impl Strategy<Value = Certainty> {
    prop_oneof![4 => Just(Certainty::Authenticated), 1 => Just(Certainty::Possible)]
}

fn record() -> impl Strategy<Value = Arc<Record>> {
    let tags = ["p=reject", "p=reject; psd=y", "p=none; psd=n", "p=quarantine; sp=reject", "p=reject; adkim=s; aspf=s"];
    prop::sample::select(tags.to_vec())
        .prop_map(|tags| Arc::new(Record::parse(format!("v=DMARC1; {tags}").as_bytes(), 10).unwrap()))
}

fn world() -> impl Strategy<Value = World> {
    let names = (
        prop::sample::select(SUFFIXES.to_vec()),
        name(),
        prop::collection::vec((name(), any::<bool>(), certainty(), prop::bool::weighted(0.3)), 0..4),
        prop::collection::vec((name(), record()), 0..4),
        prop::option::weighted(0.8, record()),
        prop::collection::vec(name(), 0..4),
    );
    let rules = (any::<bool>(), prop_oneof![6 => Just(Discovery::TreeWalk), 1 => Just(Discovery::Psl)]);
    (names, rules).prop_map(|((suffix, author, identifiers, records, own, unknown), (psl_guard, discovery))| {
        let whole = |name: &str| domain(&format!("{name}{suffix}"));
        let author = whole(&author);
        let silent = identifiers.iter().filter(|(.., silent)| *silent).map(|(name, ..)| name);
        let unknown = unknown.iter().chain(silent).map(|name| whole(name)).filter(|name| *name != author).collect();
        let identifiers = identifiers.iter().map(|(name, spf, certainty, _)| Identifier {
            domain: Some(whole(name)),
            mechanism: if *spf { Mechanism::Spf } else { Mechanism::Dkim },
            certainty: *certainty,
        });
        let own = own.map(|own| (author.clone(), own));
        World {
            identifiers: identifiers.collect(),
            records: records.into_iter().map(|(name, record)| (whole(&name), record)).chain(own).collect(),
            unknown,
            rules: DiscoveryRules { discovery, psl_guard, report_addresses: 10 },
            author,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn a43_the_search_gives_what_every_combination_gives(world in world()) {
        let (pair, steps) = world.surveyed();
        prop_assert_eq!(pair, world.exhausted());
        prop_assert!(steps <= 66, "{} steps", steps);
    }
}

/// Returns a world with ten valid signatures and no answer from the author's seven parents.
fn many(signers: impl Fn(usize) -> String) -> World {
    let author = domain("a.b.c.d.e.f.g.com");
    let record = Arc::new(Record::parse(b"v=DMARC1; p=reject", 10).unwrap());
    let identifiers = (0..10).map(|number| Identifier {
        domain: Some(domain(&signers(number))),
        mechanism: Mechanism::Dkim,
        certainty: Certainty::Authenticated,
    });
    World {
        identifiers: identifiers.collect(),
        records: [(author.clone(), record)].into(),
        unknown: (1..=7).map(|count| author.rightmost(count)).collect(),
        rules: DiscoveryRules { discovery: Discovery::TreeWalk, psl_guard: true, report_addresses: 10 },
        author,
    }
}

#[test]
fn a43_ten_signatures_and_seven_unknown_parents_are_judged_in_few_steps() {
    // The judgements: four records at each of six names, three at the public suffix, and no record.
    const ALL: usize = 6 * 4 + 3 + 1;
    let others = many(|number| format!("x{number}.evil.com"));
    assert_eq!(others.surveyed(), (Some(Pair::Fail(Policy::Reject)), ALL));
    let own = many(|number| if number == 9 { "a.b.c.d.e.f.g.com".into() } else { format!("x{number}.evil.com") });
    assert_eq!(own.surveyed(), (Some(Pair::Pass(Policy::Reject)), ALL));

    // The names of the signers' own domain give no answer either.
    let mut silent = many(|number| format!("x{number}.evil.com"));
    silent.unknown.extend((0..10).map(|number| domain(&format!("x{number}.evil.com"))));
    silent.unknown.insert(domain("evil.com"));
    assert_eq!(silent.surveyed().0, Some(Pair::Fail(Policy::Reject)));
    assert!(silent.surveyed().1 <= 2 * ALL);
}

#[test]
fn a43_a_sender_cannot_make_the_search_end_in_a_temporary_error() {
    // There are more than four thousand combinations, none of which aligns anything.
    let mut spoof = case("a.b.c.d.e.f.g.com", &[("a.b.c.d.e.f.g.com", "p=reject")]).dkim("x.evil.com");
    for count in 1..=7 {
        spoof = spoof.servfail(domain("a.b.c.d.e.f.g.com").rightmost(count).as_str());
    }
    spoof.fails(Policy::Reject, "a.b.c.d.e.f.g.com");
    spoof.dkim("a.b.c.d.e.f.g.com").passes();
}

#[test]
fn a43_names_of_a_signer_that_do_not_answer_can_only_keep_it_from_being_aligned() {
    let world = |unknown: &[&str]| {
        let mut world = many(|_| "s.x.g.com".into());
        world.unknown = unknown.iter().map(|name| domain(name)).collect();
        world.records.insert(domain("g.com"), Arc::new(Record::parse(b"v=DMARC1; p=none", 10).unwrap()));
        world
    };
    assert_eq!(world(&[]).surveyed(), (Some(Pair::Pass(Policy::Reject)), 1));
    assert_eq!(world(&["x.g.com"]).surveyed(), (None, 2));
    assert_eq!(world(&["s.x.g.com", "x.g.com"]).surveyed(), (None, 2));
}
