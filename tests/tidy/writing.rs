//! How things are called and written.

use crate::lexer::closing;
use crate::paths::named;
use crate::source::Source;

/// Names for a place where anything could be: what is in it has a better one.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];
/// Unfinished work is an issue, not a word in the code.
const UNFINISHED: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
const UNFINISHED_MACROS: [&str; 3] = ["dbg", "todo", "unimplemented"];

/// Files and modules have names that say what is in them.
pub(crate) fn names(source: &Source) -> Vec<String> {
    let empty = |name: &str| name.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word));
    let files = source.path.trim_end_matches(".rs").split('/').filter(|name| empty(name)).map(|name| (1, name));
    let modules = (0..source.tokens.len())
        .filter(|index| source.word(*index) == "mod")
        .map(|index| (source.tokens[index].line, source.word(index + 1)))
        .filter(|(_, name)| empty(name));
    files.chain(modules).map(|(line, name)| format!("{line}: the name {name} says nothing")).collect()
}

/// A head on every file; no unfinished work, no ignored tests, no macros of our own.
pub(crate) fn words(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    if !source.text.starts_with("//!") {
        broken.push("1: the file does not begin with //!".to_owned());
    }
    for (index, line) in source.comments.lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let Some(word) = words.find(|word| UNFINISHED.contains(word)) {
            broken.push(format!("{}: {word}", index + 1));
        }
    }
    for (index, token) in source.tokens.iter().enumerate() {
        let word = token.text.as_str();
        let followed = source.word(index + 1) == "!";
        let ignored =
            word == "ignore" && index > 0 && matches!(source.word(index - 1), "[" | ",") && in_attribute(source, index);
        if UNFINISHED.contains(&word) || (followed && UNFINISHED_MACROS.contains(&word)) || ignored {
            broken.push(format!("{}: {word}", token.line));
        }
        if word == "macro_rules" {
            broken.push(format!("{}: a macro of our own", token.line));
        }
    }
    broken
}

/// Lints are lifted with a reason; globs hide where a name comes from, save in tests, which see all of their parent.
pub(crate) fn attributes_and_imports(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    for index in 0..source.tokens.len() {
        if !matches!(source.word(index), "allow" | "expect")
            || source.word(index + 1) != "("
            || !in_attribute(source, index)
        {
            continue;
        }
        let end = closing(&source.tokens, index + 1);
        if !(index..end).any(|at| source.reads(at, &["reason", "="])) {
            broken.push(format!("{}: {} without a reason", source.tokens[index].line, source.word(index)));
        }
    }
    for named in named(source).into_iter().filter(|named| named.path.last().is_some_and(|last| last == "*")) {
        let parent = source.is_test(named.index) && source.reads(named.index, &["super", "::", "*", ";"]);
        if named.imported && !parent {
            broken.push(format!("{}: glob import of {}", named.line, named.path.join("::")));
        }
    }
    broken
}

/// Whether the innermost `#[` or `#![` that began before the token is still open.
fn in_attribute(source: &Source, index: usize) -> bool {
    let opens = |at: &usize| source.reads(*at, &["#", "["]) || source.reads(*at, &["#", "!", "["]);
    (0..index).rev().find(opens).is_some_and(|start| {
        let bracket = if source.word(start + 1) == "[" { start + 1 } else { start + 2 };
        closing(&source.tokens, bracket) > index
    })
}

#[test]
fn names_that_say_nothing_are_caught() {
    for (path, text) in [
        ("src/utils.rs", ""),
        ("src/store/common/mod.rs", ""),
        ("src/s3/xml_helpers.rs", ""),
        ("src/s3/mod.rs", "mod session_manager;"),
    ] {
        assert_eq!(crate::found(names, path, text).len(), 1, "{path}: {text}");
    }
    let good = "use hyper_util::rt; // utils\nmod prefix; fn common_prefixes() {}";
    assert_eq!(crate::found(names, "src/s3/listing.rs", good), Vec::<String>::new());
}

#[test]
fn unfinished_work_is_caught() {
    for text in [
        "fn f() {}",
        "//! x\n// TODO: finish",
        "//! x (FIXME)",
        "//! x\n/* XXX */",
        "//! x\nfn f() { dbg!(g()); }",
        "//! x\nfn f() { todo!() }",
        "//! x\nfn f() { unimplemented!() }",
        "//! x\n#[test]\n#[ignore]\nfn t() {}",
        "//! x\n#[ignore = \"slow\"]\nfn t() {}",
        "//! x\n#[cfg_attr(debug_assertions, ignore)]\nfn t() {}",
        "//! x\nmacro_rules! m { () => {} }",
    ] {
        assert_eq!(crate::found(words, "src/x.rs", text).len(), 1, "{text}");
    }
    let good = "//! x\nfn f() { say(\"TODO\"); g(a, ignore); h([ignore]) } // XXXX";
    assert_eq!(crate::found(words, "src/x.rs", good), Vec::<String>::new());
}

#[test]
fn bare_attributes_and_globs_are_caught() {
    for text in [
        "#[allow(dead_code)]\nfn f() {}",
        "#![expect(missing_docs)]",
        "#[cfg_attr(test, allow(unused))]\nfn f() {}",
        "use crate::a::*;",
        "use super::*;",
        "#[cfg(test)]\nmod tests { use crate::a::{b, c::*}; }",
    ] {
        assert_eq!(crate::found(attributes_and_imports, "src/x.rs", text).len(), 1, "{text}");
    }
    for text in [
        "#[expect(unsafe_code, reason = \"a system call\")]\nfn f() { g().expect(x) }",
        "#[derive(Debug)]\nfn allow(a: u8) { allow(1); expect(2) }",
        "#[cfg(test)]\nmod tests { use super::*; }",
    ] {
        assert_eq!(crate::found(attributes_and_imports, "src/x.rs", text), Vec::<String>::new(), "{text}");
    }
}
