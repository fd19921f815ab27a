//! The modules of a crate, and which file takes which names from which other file.

use crate::source::{self, Import, Module};
use std::collections::{BTreeMap, BTreeSet};

/// The place of a module: the names of the modules around it and its own.
type Place = Vec<String>;

/// The names that one file takes from another, by the two.
pub(crate) type Imports = BTreeMap<(String, String), BTreeSet<String>>;

/// The modules of a crate.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    modules: BTreeMap<Place, (String, Module)>,
}

/// How many names may stand for each other in a row.
const DEEPEST: usize = 16;

impl Tree {
    /// Reads a crate whose root is `src/lib.rs`; `text` says what stands in a file, none where there is no such file.
    pub(crate) fn of(text: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut tree = Self::default();
        let root = text("src/lib.rs").expect("a crate has a src/lib.rs");
        tree.add(&[], "src/lib.rs", &root, text);
        tree
    }

    fn add(&mut self, place: &[String], file: &str, content: &str, text: &dyn Fn(&str) -> Option<String>) {
        for module in source::modules(content) {
            let place = [place, &module.within].concat();
            for name in &module.declared {
                let child = [place.as_slice(), std::slice::from_ref(name)].concat();
                let path = format!("src/{}", child.join("/"));
                let files = [format!("{path}.rs"), format!("{path}/mod.rs")];
                let (file, content) = files
                    .iter()
                    .find_map(|file| Some((file, text(file)?)))
                    .unwrap_or_else(|| panic!("there is neither {} nor {}", files[0], files[1]));
                self.add(&child, file, &content, text);
            }
            self.modules.insert(place, (file.to_owned(), module));
        }
    }

    /// The imports between different files. A name that a module hands on is taken from where it is declared, and handing it on is
    /// no import.
    pub(crate) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (place, (file, module)) in &self.modules {
            let used = module.imports.iter().filter(|import| !import.is_public || module.names.contains(&import.name));
            let paths = used.map(|import| &import.path).chain(&module.paths);
            for (target, name) in paths.filter_map(|path| self.find(place, path, 0)) {
                if let Some((from, _)) = self.modules.get(&target)
                    && from != file
                {
                    imports.entry((file.clone(), from.clone())).or_default().insert(name);
                }
            }
        }
        imports
    }

    /// The module that declares what a path names in `place`, and its name; none when it is of another crate or of `place` itself.
    fn find(&self, place: &[String], path: &[String], depth: usize) -> Option<(Place, String)> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Place::new(),
            "self" => place.to_vec(),
            "super" => parent(place)?,
            name => match self.child(place, name) {
                Some(child) => child,
                None => return self.handed_on(place, name, rest, depth),
            },
        };
        let mut found = first.clone();
        while let Some((name, after)) = rest.split_first() {
            found.clone_from(name);
            at = if name == "super" {
                parent(&at)?
            } else if let Some(child) = self.child(&at, name) {
                child
            } else {
                return self.handed_on(&at, name, after, depth).or(Some((at, found)));
            };
            rest = after;
        }
        Some((at, found))
    }

    fn child(&self, place: &[String], name: &str) -> Option<Place> {
        let child = [place, &[name.to_owned()]].concat();
        self.modules.contains_key(&child).then_some(child)
    }

    /// What a name stands for that a module has from elsewhere, and the names behind it.
    fn handed_on(&self, place: &[String], name: &str, rest: &[String], depth: usize) -> Option<(Place, String)> {
        let (_, module) = self.modules.get(place)?;
        let Import { path, .. } = module.imports.iter().find(|import| import.name == name)?;
        // A macro is handed on by the module that declares it.
        if depth == DEEPEST || path.as_slice() == [name] {
            return None;
        }
        self.find(place, &[path, rest].concat(), depth + 1)
    }
}

fn parent(place: &[String]) -> Option<Place> {
    place.split_last().map(|(_, parent)| parent.to_vec())
}
