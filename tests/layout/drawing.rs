//! docs/layout.md: the folders of `src/`, and which imports from which.

use crate::circles::reached;
use crate::tree::Imports;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

type Arrows = BTreeSet<(String, String)>;

/// The top-level module that a file belongs to; none for the root, which only declares them.
pub(crate) fn top_level(file: &str) -> Option<&str> {
    let module = file.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
    (module != "lib").then_some(module)
}

/// The folder below `folder` that a file belongs to; a file beside a folder of its name belongs to that. None outside of `folder`,
/// and for its files without folders.
fn below<'f>(folder: &str, file: &'f str, folders: &BTreeSet<&str>) -> Option<&'f str> {
    let first = file.strip_prefix(folder)?.strip_prefix('/')?.split('/').next()?.trim_end_matches(".rs");
    folders.contains(first).then_some(first)
}

/// The arrows between the nodes that files belong to.
pub(crate) fn arrows<'f>(imports: &'f Imports, node: impl Fn(&'f str) -> Option<&'f str>) -> Arrows {
    let between = imports.keys().filter_map(|(from, to)| Some((node(from)?.to_owned(), node(to)?.to_owned())));
    between.filter(|(from, to)| from != to).collect()
}

/// The arrows without those between whose ends others lead already. Those of a circle stay.
fn reduced(arrows: &Arrows) -> Arrows {
    let reached = reached(arrows);
    let is_way = |from: &str, to: &str| reached.get(from).is_some_and(|seen| seen.contains(to));
    let leads_already = |(from, to): &(String, String)| {
        arrows.iter().any(|(start, over)| start == from && over != to && is_way(over, to) && !is_way(over, from))
    };
    arrows.iter().filter(|arrow| is_way(&arrow.1, &arrow.0) || !leads_already(arrow)).cloned().collect()
}

fn graph(text: &mut String, arrows: &Arrows) {
    text.push_str("```mermaid\ngraph TD\n");
    for (from, to) in arrows {
        let _ = writeln!(text, "    {from} --> {to}");
    }
    text.push_str("```\n");
}

/// The document. Arrows to the modules of `everywhere` are left out of the drawing.
pub(crate) fn document(imports: &Imports, everywhere: &str) -> String {
    let mut text = format!(
        "# Layout\n\n\
         Made from the imports in `src/` by `tests/layout`, which fails where files import each other in a circle or a module imports \
         against the order of ARCHITECTURE.md; written again by `VERDMARC_WRITE_GOLDEN=1 cargo test --test layout`.\n\n\
         An arrow goes from a module to one that it imports from. Where a way leads from one to the other already, the direct arrow is \
         left out. `{everywhere}` may be imported by all and is not drawn.\n\n"
    );
    let all = arrows(imports, top_level);
    graph(&mut text, &reduced(&all.iter().filter(|(from, to)| from != everywhere && to != everywhere).cloned().collect()));
    text.push_str("\n| module | imports from |\n|---|---|\n");
    let mut rows: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (from, to) in &all {
        rows.entry(from).or_default().push(format!("`{to}`"));
    }
    for (module, imported) in rows {
        let _ = writeln!(text, "| `{module}` | {} |", imported.join(", "));
    }
    let kafka = "src/kafka";
    let files = imports.keys().flat_map(|(from, to)| [from.as_str(), to]);
    let folders: BTreeSet<&str> =
        files.filter_map(|file| file.strip_prefix(kafka)?.strip_prefix('/')?.split_once('/').map(|(folder, _)| folder)).collect();
    let within = arrows(imports, |file| below(kafka, file, &folders));
    if !within.is_empty() {
        let _ = writeln!(text, "\n## `{kafka}/`\n");
        graph(&mut text, &reduced(&within));
    }
    text
}
