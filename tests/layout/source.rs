//! The declarations and paths of one source file, read from its tokens.
//!
//! Code under `#[cfg(test)]` is left out: a test may reach for whatever it needs.

use crate::tokens::{Token, tokens};
use std::collections::BTreeSet;

/// A `use` of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// The name that it binds; `*` when it binds all of a module.
    pub(crate) name: String,
    /// Whether others may take the name from here.
    pub(crate) is_public: bool,
}

/// A module: a file, or a block within one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The names of the modules that enclose it within the file, from the outside, and its own; empty for the file itself.
    pub(crate) within: Vec<String>,
    /// The modules that have files of their own.
    pub(crate) declared: Vec<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths of several names that stand in the code.
    pub(crate) paths: BTreeSet<Vec<String>>,
    /// Single names that stand in the code, apart from fields, methods and what is declared.
    pub(crate) names: BTreeSet<String>,
}

/// The modules of a file, itself first.
pub(crate) fn modules(text: &str) -> Vec<Module> {
    let mut reader = Reader { tokens: tokens(text), at: 0, modules: vec![Module::default()], open: vec![(0, 0)], depth: 0 };
    reader.read();
    reader.modules
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    modules: Vec<Module>,
    /// The modules around the next token, with the depth of braces that each is in.
    open: Vec<(usize, usize)>,
    depth: usize,
}

impl Reader {
    fn read(&mut self) {
        let mut is_public = false;
        while let Some(token) = self.peek(0) {
            match token {
                Token::Mark('#') if self.is_test_attribute() => self.skip_item(),
                Token::Word(word) if word == "pub" => {
                    self.at += 1;
                    if self.is_mark(0, '(') {
                        self.skip_group();
                    }
                    is_public = true;
                    continue;
                }
                // `use<'a>` of a type is no declaration.
                Token::Word(word) if word == "use" && !self.is_mark(1, '<') => {
                    self.at += 1;
                    self.tree(&[], is_public);
                }
                Token::Word(word) if word == "mod" => self.module(),
                Token::Word(_) => self.path(),
                Token::Mark('{') => {
                    self.depth += 1;
                    self.at += 1;
                }
                Token::Mark('}') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.open.len() > 1 && self.open.last().is_some_and(|(_, depth)| *depth == self.depth) {
                        self.open.pop();
                    }
                    self.at += 1;
                }
                Token::Mark(_) | Token::Colons => self.at += 1,
            }
            is_public = false;
        }
    }

    fn peek(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).cloned()
    }

    fn word(&self, ahead: usize) -> Option<String> {
        match self.tokens.get(self.at + ahead) {
            Some(Token::Word(word)) => Some(word.clone()),
            _ => None,
        }
    }

    fn is_mark(&self, ahead: usize, mark: char) -> bool {
        self.tokens.get(self.at + ahead) == Some(&Token::Mark(mark))
    }

    fn is_colons(&self, ahead: usize) -> bool {
        self.tokens.get(self.at + ahead) == Some(&Token::Colons)
    }

    fn current(&mut self) -> &mut Module {
        let index = self.open.last().map_or(0, |(index, _)| *index);
        &mut self.modules[index]
    }

    fn is_test_attribute(&self) -> bool {
        let said = [Some("cfg"), None, Some("test"), None];
        self.is_mark(1, '[')
            && said.iter().zip(2..).all(|(word, ahead)| word.is_none_or(|word| self.word(ahead).as_deref() == Some(word)))
            && self.is_mark(5, ')')
    }

    /// Skips what the attribute at hand belongs to, with the further attributes before it.
    fn skip_item(&mut self) {
        while self.is_mark(0, '#') {
            self.at += 1;
            self.skip_group();
        }
        while let Some(token) = self.peek(0) {
            match token {
                Token::Mark(';') => {
                    self.at += 1;
                    return;
                }
                Token::Mark('{') => return self.skip_group(),
                Token::Mark('(' | '[') => self.skip_group(),
                _ => self.at += 1,
            }
        }
    }

    /// Skips everything up to the bracket that closes the one at hand.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek(0) {
            self.at += 1;
            match token {
                Token::Mark('(' | '[' | '{') => depth += 1,
                Token::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads one branch of a `use`: names, then braces, a star, or another name for the last one.
    fn tree(&mut self, before: &[String], is_public: bool) {
        let mut path = before.to_vec();
        loop {
            if self.is_colons(0) {
                self.at += 1;
            } else if self.is_mark(0, '{') {
                self.at += 1;
                while !self.is_mark(0, '}') && self.at < self.tokens.len() {
                    if self.is_mark(0, ',') {
                        self.at += 1;
                    } else {
                        self.tree(&path, is_public);
                    }
                }
                self.at += 1;
                return;
            } else if self.is_mark(0, '*') {
                self.at += 1;
                self.current().imports.push(Import { path, name: "*".to_owned(), is_public });
                return;
            } else {
                let Some(word) = self.word(0) else {
                    self.at += 1;
                    return;
                };
                self.at += 1;
                if word != "self" || path.is_empty() {
                    path.push(word);
                }
                if !self.is_colons(0) {
                    break;
                }
            }
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if self.word(0).as_deref() == Some("as") {
            name = self.word(1).unwrap_or_default();
            self.at += 2;
        }
        self.current().imports.push(Import { path, name, is_public });
    }

    fn module(&mut self) {
        let Some(name) = self.word(1) else {
            self.at += 1;
            return;
        };
        self.at += 2;
        if self.is_mark(0, ';') {
            self.current().declared.push(name);
        } else if self.is_mark(0, '{') {
            let mut within = self.current().within.clone();
            within.push(name);
            self.open.push((self.modules.len(), self.depth));
            self.modules.push(Module { within, ..Module::default() });
            self.depth += 1;
            self.at += 1;
        }
    }

    /// Reads a path in the code, or a single name.
    fn path(&mut self) {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).cloned();
        let mut path: Vec<String> = self.word(0).into_iter().collect();
        self.at += 1;
        while self.is_colons(0) {
            let Some(word) = self.word(1) else { break };
            path.push(word);
            self.at += 2;
        }
        let is_reached_through_a_value = matches!(before, Some(Token::Mark('.') | Token::Colons));
        let is_declared = matches!(&before, Some(Token::Word(word)) if word == "fn");
        if is_reached_through_a_value || is_declared {
            return;
        }
        let [name] = path.as_slice() else {
            self.current().paths.insert(path);
            return;
        };
        // What is in lower case and not called is a variable or a field.
        if name.starts_with(char::is_uppercase) || self.is_mark(0, '(') || self.is_mark(0, '!') {
            let name = name.clone();
            self.current().names.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(text: &str) -> Vec<String> {
        let modules = modules(text);
        let shown = |import: &Import| {
            let public = if import.is_public { "pub " } else { "" };
            format!("{public}{} as {}", import.path.join("::"), import.name)
        };
        modules.iter().flat_map(|module| module.imports.iter().map(shown)).collect()
    }

    #[test]
    fn a_use_is_read_whatever_its_form() {
        let text = "
            use a::b;
            use crate::{c::{self, D as E, f::{G, *}},
                /* not this: h, */ i};
            pub(in crate::x) use super::super::j::K as _; // use z::z;
            fn f() { use self::l::M; }
        ";
        let expected = [
            "a::b as b",
            "crate::c as c",
            "crate::c::D as E",
            "crate::c::f::G as G",
            "crate::c::f as *",
            "crate::i as i",
            "pub super::super::j::K as _",
            "self::l::M as M",
        ];
        assert_eq!(imports(text), expected);
    }

    #[test]
    fn text_and_lifetimes_are_no_code() {
        let text = r##"
            const A: &str = "\"; use a::a;";
            const B: &str = r#""; use b::b; "#;
            fn f<'a>(x: &'a str) -> impl Sized + use<'a> { let c = ['"', '\'', '\u{22}', 'x']; (x, c) }
            /* /* use c::c; */ use d::d; */
            use e::e;
        "##;
        assert_eq!(imports(text), ["e::e as e"]);
    }

    #[test]
    fn what_is_for_tests_alone_is_left_out() {
        let text = "
            #[cfg(test)]
            pub(super) use a::a;
            #[cfg(test)]
            #[path = \"x.rs\"]
            mod b;
            #[cfg(test)]
            fn f(x: [u8; 2]) { c::c(); }
            #[cfg(feature = \"grpc\")]
            mod d;
            #[cfg(test)]
            mod tests { use e::e; mod g; }
            use h::h;
        ";
        assert_eq!(imports(text), ["h::h as h"]);
        assert_eq!(modules(text)[0].declared, ["d"]);
        assert_eq!(modules(text)[0].paths, BTreeSet::new());
    }

    #[test]
    fn paths_and_names_in_the_code_are_read() {
        let text = "
            fn f(a: super::A) -> crate::b::B { c::d(); e.g::<H>().i(); Self::j(); k(l) }
            mod m { use super::n; fn o() { P { q: r } } }
            use s::t;
        ";
        let modules = modules(text);
        let paths: Vec<String> = modules[0].paths.iter().map(|path| path.join("::")).collect();
        assert_eq!(paths, ["Self::j", "c::d", "crate::b::B", "super::A"]);
        let names = |module: &Module| module.names.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&modules[0]), ["H", "k"]);
        assert_eq!((modules[1].within.as_slice(), names(&modules[1])), (&["m".to_owned()][..], vec!["P".to_owned()]));
        assert_eq!((modules[0].imports.len(), modules[1].imports.len()), (1, 1));
    }
}
