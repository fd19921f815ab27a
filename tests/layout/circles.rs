//! Circles of imports.

use crate::tree::Imports;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The nodes that can be reached from each node, over one arrow or more.
pub(crate) fn reached(arrows: &BTreeSet<(String, String)>) -> BTreeMap<String, BTreeSet<String>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        next.entry(from).or_default().push(to);
    }
    let from_each = next.keys().map(|start| {
        let mut seen = BTreeSet::new();
        let mut open = vec![*start];
        while let Some(node) = open.pop() {
            let fresh = next.get(node).into_iter().flatten().filter(|to| seen.insert((**to).to_owned()));
            open.extend(fresh.copied().collect::<Vec<_>>());
        }
        ((*start).to_owned(), seen)
    });
    from_each.collect()
}

/// The files of each circle: sets of files in which each imports each other over some way.
pub(crate) fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reached = reached(&imports.keys().cloned().collect());
    let is_way = |from: &str, to: &str| reached.get(from).is_some_and(|seen| seen.contains(to));
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for file in reached.keys().filter(|file| is_way(file, file)) {
        match circles.iter_mut().find(|circle| circle.first().is_some_and(|one| is_way(one, file) && is_way(file, one))) {
            Some(circle) => {
                circle.insert(file.clone());
            }
            None => circles.push(BTreeSet::from([file.clone()])),
        }
    }
    circles
}

/// A circle for people: its imports, with the names that make each.
pub(crate) fn shown(circle: &BTreeSet<String>, imports: &Imports) -> String {
    let mut text = format!("a circle of {} files:\n", circle.len());
    for ((from, to), names) in imports.iter().filter(|((from, to), _)| circle.contains(from) && circle.contains(to)) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = writeln!(text, "  {from} imports {} from {to}", names.join(", "));
    }
    text
}
