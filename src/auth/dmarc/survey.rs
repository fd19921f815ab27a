//! Surveys the results that unknown answers could bring about (A43), without trying every
//! combination of answers.
//!
//! An unknown name has up to five completions, so seven such names have 78 125 combinations.
//! Far fewer of them can give different results, because a walk goes from the longest name to the
//! shortest, and keeps only the shortest record that it has met:
//!
//! - On the author's own walk, one name decides. A record that ends the walk leaves all shorter
//!   names unread. Of the records that do not end the walk, only the shortest counts.
//!   So at most one of these names is assumed to hold a record.
//! - All other unknown names are on an identifier's walk, before it meets the author's walk.
//!   Their records can keep the identifier from being aligned, which `psd=y` always does.
//!   They can never align it. So either none of these names holds a record, which aligns as much
//!   as possible, or all of them hold `psd=y`, which aligns as little as possible.

use super::judgement::{Identifier, Judged, Pair, judge};
use super::knowledge::{Assumed, Completion, DiscoveryRules, Knowledge, Stop};
use super::{Psd, walk_names};
use crate::dns::Domain;

/// The results under all completions of the unknown names.
pub(super) struct Survey<'k> {
    /// The judgement if no unknown name holds a record.
    pub(super) first: Judged<'k>,
    /// True when every completion gives the pair of the first judgement, and that pair is not open.
    pub(super) agree: bool,
    /// The number of completions that were judged.
    /// It is at most two for each record that a name of the author's walk could hold, and two more.
    pub(super) steps: usize,
}

impl<'k> Survey<'k> {
    /// Judges completions until two disagree.
    ///
    /// # Errors
    /// Returns the question that must be asked first.
    pub(super) fn of(
        author: &Domain,
        identifiers: &[Identifier],
        knowledge: &'k Knowledge,
        rules: DiscoveryRules,
    ) -> Result<Self, Stop> {
        let mut unknown = Unknown::of(author, knowledge, rules);
        let first = judge(author, identifiers, &unknown.assumed)?;
        let agree = first.pair != Pair::Open;
        let mut survey = Self { first, agree, steps: 1 };
        for deviation in unknown.deviations() {
            if !survey.agree {
                break;
            }
            unknown.assume(deviation);
            survey.agree = judge(author, identifiers, &unknown.assumed)?.pair == survey.first.pair;
            survey.steps += 1;
        }
        Ok(survey)
    }
}

/// A difference from the completion under which no unknown name holds a record.
#[derive(Clone, Copy)]
struct Deviation {
    /// The position of a name of the author's walk among the unknown names, and its content.
    on_walk: Option<(usize, Completion)>,
    /// The content of every unknown name beside the author's walk.
    beside: Completion,
}

/// The unknown names, with a completion for each.
struct Unknown<'k> {
    assumed: Assumed<'k>,
    /// For each of the completions, true when its name is on the author's walk.
    on_walk: Vec<bool>,
}

impl<'k> Unknown<'k> {
    fn of(author: &Domain, knowledge: &'k Knowledge, rules: DiscoveryRules) -> Self {
        let completions: Vec<_> = knowledge.unknown().map(|name| (name.clone(), Completion::NoRecord)).collect();
        let on_walk = completions.iter().map(|(unknown, _)| walk_names(author).any(|name| name == *unknown)).collect();
        Self { assumed: Assumed { knowledge, completions, rules }, on_walk }
    }

    /// Returns every deviation that could lead to a result of its own.
    fn deviations(&self) -> Vec<Deviation> {
        let mut beside = vec![Completion::NoRecord];
        if self.on_walk.contains(&false) {
            beside.push(Completion::Valid(Psd::Yes));
        }
        let records = self.assumed.completions.iter().zip(&self.on_walk).enumerate().filter(|(_, (_, on_walk))| **on_walk);
        let records: Vec<_> = records
            .flat_map(|(place, ((name, _), _))| Completion::of(name, self.assumed.rules).iter().map(move |held| (place, *held)))
            .filter(|(_, held)| *held != Completion::NoRecord)
            .map(Some)
            .chain([None])
            .collect();
        let all =
            beside.into_iter().flat_map(|beside| records.iter().map(move |on_walk| Deviation { on_walk: *on_walk, beside }));
        // Without any deviation, the first judgement would be repeated.
        all.filter(|deviation| deviation.on_walk.is_some() || deviation.beside != Completion::NoRecord).collect()
    }

    fn assume(&mut self, deviation: Deviation) {
        for (place, ((_, held), on_walk)) in self.assumed.completions.iter_mut().zip(&self.on_walk).enumerate() {
            *held = match deviation.on_walk {
                Some((deviating, completion)) if deviating == place => completion,
                _ if *on_walk => Completion::NoRecord,
                _ => deviation.beside,
            };
        }
    }
}
