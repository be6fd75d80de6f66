//! The paths that code names, in imports and in place, with the groups of imports spread out and `crate`, `self` and
//! `super` resolved.

use crate::lexer::closing;
use crate::source::Source;

/// A path as code names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// From the root: `["crate", "store", "Error"]`, `["std", "fs", "read"]`; a glob ends in `*`.
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// Its first token.
    pub(crate) index: usize,
    /// In a `use`.
    pub(crate) imported: bool,
}

/// Every path with at least two elements, and every single name that is imported.
pub(crate) fn named(source: &Source) -> Vec<Named> {
    let tokens = &source.tokens;
    let mut found = Vec::new();
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut import_end = 0;
    let mut index = 0;
    while index < tokens.len() {
        inline.retain(|(_, end)| index <= *end);
        match source.word(index) {
            "mod" if source.word(index + 2) == "{" => {
                inline.push((source.word(index + 1).to_owned(), closing(tokens, index + 2)));
                index += 3;
                continue;
            }
            "use" => import_end = statement_end(source, index),
            _ => {}
        }
        let begins = is_name(source.word(index)) && (index == 0 || source.word(index - 1) != "::");
        let continues = source.word(index + 1) == "::";
        if !begins || !continues {
            index += 1;
            continue;
        }
        let mut paths = Vec::new();
        let end = spread(source, index, Vec::new(), &mut paths);
        let here: Vec<_> = inline.iter().map(|(name, _)| name.clone()).collect();
        let imported = index < import_end;
        found.extend(paths.into_iter().map(|(path, at)| Named {
            path: resolve(source, &here, path),
            line: tokens[at].line,
            index: at,
            imported,
        }));
        index = end;
    }
    found
}

fn is_name(word: &str) -> bool {
    word.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

fn statement_end(source: &Source, index: usize) -> usize {
    (index..source.tokens.len()).find(|at| source.word(*at) == ";").unwrap_or(source.tokens.len())
}

/// Follows a path from `index`, each member of a group as a path of its own; the index behind it.
fn spread(source: &Source, index: usize, before: Vec<String>, paths: &mut Vec<(Vec<String>, usize)>) -> usize {
    let start = index;
    let mut path = before;
    let mut index = index;
    loop {
        match source.word(index) {
            "{" => {
                let end = closing(&source.tokens, index);
                let mut member = index + 1;
                while member < end {
                    member = spread(source, member, path.clone(), paths);
                    while member < end && source.word(member) != "," {
                        member += 1;
                    }
                    member += 1;
                }
                return end + 1;
            }
            word if is_name(word) || word == "*" => {
                path.push(word.to_owned());
                index += 1;
            }
            _ => break,
        }
        if source.word(index) != "::" {
            break;
        }
        index += 1;
    }
    paths.push((path, start));
    index.max(start + 1)
}

/// `self` and `super` from where they stand; `wharf` is the crate, seen from the program and from tests.
fn resolve(source: &Source, inline: &[String], path: Vec<String>) -> Vec<String> {
    let absolute = |module: Vec<String>, rest: &[String]| {
        std::iter::once("crate".to_owned()).chain(module).chain(rest.iter().cloned()).collect()
    };
    let ups = path.iter().take_while(|element| matches!(element.as_str(), "self" | "super")).count();
    match (path[0].as_str(), source.module()) {
        ("wharf", _) => absolute(Vec::new(), &path[1..]),
        ("self" | "super", Some(mut module)) => {
            module.extend(inline.iter().cloned());
            let levels = path[..ups].iter().filter(|element| *element == "super").count();
            module.truncate(module.len().saturating_sub(levels));
            absolute(module, &path[ups..])
        }
        _ => path,
    }
}

#[test]
fn paths_are_spread_and_resolved() {
    let text = "use crate::a::{self, b::C, d::{E, F as G}};\nuse std::fs;\nfn f(x: super::H) { self::i(); std::io::j(); K { l } }\n\
                mod tests { use super::*; use super::super::m; }\npub(crate) fn n() {}";
    let source = Source::new("src/p/q.rs", text);
    let all: Vec<_> = named(&source).into_iter().map(|named| named.path.join("::")).collect();
    let expected = [
        "crate::a::self",
        "crate::a::b::C",
        "crate::a::d::E",
        "crate::a::d::F",
        "std::fs",
        "crate::p::H",
        "crate::p::q::i",
        "std::io::j",
        "crate::p::q::*",
        "crate::p::m",
    ];
    assert_eq!(all, expected);
    assert_eq!(named(&source).iter().filter(|named| named.imported).count(), 7);
}
