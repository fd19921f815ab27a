//! Which file of `src/` imports from which: no circles, one order of the top-level modules, and the drawing in docs/layout.md.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends where it fails")]

mod circles;
mod drawing;
mod source;
mod tokens;
mod tree;

use circles::{circles, shown};
use drawing::{document, top_level};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use tree::{Imports, Tree};

/// The module that all others may import.
const EVERYWHERE: &str = "metrics";
/// The files from which that module imports: lists of codes.
const EVERYWHERE_IMPORTS: [&str; 2] = ["src/event/reason.rs", "src/event/dead_letter/reason.rs"];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

static IMPORTS: LazyLock<Imports> =
    LazyLock::new(|| Tree::of(&|file| std::fs::read_to_string(Path::new(ROOT).join(file)).ok()).imports());

/// The top-level modules in the order of ARCHITECTURE.md. A module imports from those of later places, and from none of its own place.
fn order() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
    let (_, rest) = text.split_once("Dependencies point one way: `").expect("ARCHITECTURE.md states the order");
    let order = rest.split('`').next().unwrap_or_default();
    order.split('→').map(|place| place.split([',', '|']).map(|module| module.trim().to_owned()).collect()).collect()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let found: Vec<String> = circles(&IMPORTS).iter().map(|circle| shown(circle, &IMPORTS)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_folders_of_the_stream_layer_import_in_one_direction() {
    let folder = |file: &str| Some(format!("src/kafka/{}", file.strip_prefix("src/kafka/")?.split_once('/')?.0));
    let mut folders = Imports::new();
    for ((from, to), names) in &*IMPORTS {
        if let (Some(upper), Some(lower)) = (folder(from), folder(to))
            && upper != lower
        {
            folders.entry((upper, lower)).or_default().extend(names.iter().cloned());
        }
    }
    let found: Vec<String> = circles(&folders).iter().map(|circle| shown(circle, &folders)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn top_level_modules_import_in_one_order() {
    let order = order();
    let place = |wanted: &str| {
        let place = order.iter().position(|modules| modules.iter().any(|module| module == wanted));
        place.unwrap_or_else(|| panic!("ARCHITECTURE.md names no place for {wanted}"))
    };
    let mut wrong = String::new();
    for ((from, to), names) in &*IMPORTS {
        let (Some(upper), Some(lower)) = (top_level(from), top_level(to)) else { continue };
        let is_right = match (upper, lower) {
            _ if upper == lower || lower == EVERYWHERE => true,
            (EVERYWHERE, _) => EVERYWHERE_IMPORTS.contains(&to.as_str()),
            _ => place(upper) < place(lower),
        };
        if !is_right {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            wrong += &format!("{from} imports {} from {to}\n", names.join(", "));
        }
    }
    assert!(wrong.is_empty(), "against the order of ARCHITECTURE.md:\n{wrong}");
}

#[test]
fn the_drawing_is_that_of_the_imports() {
    let path = Path::new(ROOT).join("docs/layout.md");
    let drawn = document(&IMPORTS, EVERYWHERE);
    if std::env::var_os("VERDMARC_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &drawn).expect("docs/ can be written to");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), drawn, "VERDMARC_WRITE_GOLDEN=1 writes it again");
}

/// The imports of a crate that is made up: files below `src/`, and what stands in them.
fn imports_of(files: &[(&str, &str)]) -> Imports {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    Tree::of(&|file| files.get(file.strip_prefix("src/")?).map(|text| (*text).to_owned())).imports()
}

#[test]
fn a_circle_is_found_with_the_names_that_make_it() {
    let imports = imports_of(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::{self, B as Other}; pub struct A;"),
        ("b/mod.rs", "mod d; use super::c::C; pub struct B;"),
        ("b/d.rs", "use super::B;"),
        ("c.rs", "pub struct C(crate::a::A);"),
    ]);
    let found = circles(&imports);
    assert_eq!(found.len(), 1, "{found:?}");
    let expected = "a circle of 3 files:\n  \
                    src/a.rs imports B, b from src/b/mod.rs\n  \
                    src/b/mod.rs imports C from src/c.rs\n  \
                    src/c.rs imports A from src/a.rs\n";
    assert_eq!(shown(&found[0], &imports), expected);
}

#[test]
fn circles_that_share_no_file_are_found_one_by_one() {
    let imports = imports_of(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::a::A; use crate::c::C;"),
        ("c.rs", "use crate::d::D;"),
        ("d.rs", "use crate::c::C;"),
    ]);
    let files: Vec<Vec<String>> = circles(&imports).into_iter().map(|circle| circle.into_iter().collect()).collect();
    assert_eq!(files, [["src/a.rs", "src/b.rs"], ["src/c.rs", "src/d.rs"]]);
}

#[test]
fn a_module_that_hands_names_on_makes_no_circle() {
    let imports = imports_of(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; mod c; pub use b::B; pub(crate) use c::{C, c};"),
        ("a/b.rs", "use super::C; pub struct B(C);"),
        ("a/c.rs", "pub struct C; pub fn c() { crate::a::c::C::new() }"),
    ]);
    assert_eq!(imports.keys().collect::<Vec<_>>(), [&("src/a/b.rs".to_owned(), "src/a/c.rs".to_owned())]);
    assert!(circles(&imports).is_empty());
}

#[test]
fn a_module_that_uses_what_it_hands_on_imports_it() {
    for code in ["struct Own(B);", "fn own() { b() }", "fn own() { b::b() }"] {
        let imports = imports_of(&[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", &format!("mod b; pub use b::{{B, b}}; {code} pub struct A;")),
            ("a/b.rs", "use super::A; pub struct B(A); pub fn b() {}"),
        ]);
        assert_eq!(circles(&imports).len(), 1, "{code}");
    }
}

#[test]
fn what_is_for_tests_alone_makes_no_circle() {
    let imports = imports_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; #[cfg(test)] mod tests;"),
        ("b.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
    ]);
    assert!(circles(&imports).is_empty());
}
