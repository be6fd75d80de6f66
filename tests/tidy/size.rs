//! How large files, functions and tests beside their code may grow.

use crate::lexer::closing;
use crate::source::{Source, test_items};

const FILE_MAX_LINES: usize = 800;
const FUNCTION_MAX_LINES: usize = 80;
/// Tests beyond this stand in a file of their own.
const INLINE_TESTS_MAX_LINES: usize = 150;

pub(crate) fn check(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_MAX_LINES {
        broken.push(format!("1: {lines} lines, {FILE_MAX_LINES} are allowed"));
    }
    let span = |start: usize, end: usize| source.tokens[end].line - source.tokens[start].line + 1;
    for (name, start, end) in functions(source) {
        let lines = span(start, end);
        if lines > FUNCTION_MAX_LINES {
            let line = source.tokens[start].line;
            broken.push(format!("{line}: fn {name} has {lines} lines, {FUNCTION_MAX_LINES} are allowed"));
        }
    }
    for (start, end) in test_items(&source.tokens) {
        let lines = span(start, end);
        if lines > INLINE_TESTS_MAX_LINES {
            let line = source.tokens[start].line;
            broken.push(format!(
                "{line}: {lines} lines of tests, beyond {INLINE_TESTS_MAX_LINES} they take a file of their own"
            ));
        }
    }
    broken
}

/// Name, first and last token of every function with a body.
fn functions(source: &Source) -> Vec<(&str, usize, usize)> {
    let named = |index: &usize| source.word(*index) == "fn" && !matches!(source.word(index + 1), "(" | "");
    (0..source.tokens.len())
        .filter(named)
        .filter_map(|start| {
            let mut at = start;
            while !matches!(source.word(at), "{" | ";" | "") {
                at = if matches!(source.word(at), "(" | "[") { closing(&source.tokens, at) + 1 } else { at + 1 };
            }
            (source.word(at) == "{").then(|| (source.word(start + 1), start, closing(&source.tokens, at)))
        })
        .collect()
}

#[test]
fn what_is_too_large_is_caught() {
    let body = "    x();\n".repeat(FUNCTION_MAX_LINES);
    let function = format!("fn f(a: [u8; 4]) -> [u8; 2] where A: B {{\n{body}}}\n");
    assert_eq!(crate::found(check, "src/x.rs", &function).len(), 1);
    assert_eq!(crate::found(check, "src/x.rs", &"\n".repeat(FILE_MAX_LINES + 1)).len(), 1);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn t() {}\n".repeat(INLINE_TESTS_MAX_LINES));
    assert_eq!(crate::found(check, "src/x.rs", &tests).len(), 1);
}

#[test]
fn what_fits_passes() {
    let body = "    x();\n".repeat(FUNCTION_MAX_LINES - 2);
    let function = format!("trait T {{ fn g(&self); }}\nfn f(h: fn() -> u8) {{\n{body}}}\n");
    assert_eq!(crate::found(check, "src/x.rs", &function.repeat(2)), Vec::<String>::new());
}
