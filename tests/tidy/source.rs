//! One file of the tree, taken apart.

use crate::lexer::{Token, closing, split, tokens};

/// A file with everything the checks ask of it.
pub(crate) struct Source {
    /// From the root of the repository: `src/store/mod.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Comments alone, line by line as in the file.
    pub(crate) comments: String,
    pub(crate) tokens: Vec<Token>,
    /// For each token, whether it is test code.
    in_test: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let split = split(text);
        let tokens = tokens(&split.code);
        let whole = path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/");
        let mut in_test = vec![whole; tokens.len()];
        for (start, end) in test_items(&tokens) {
            in_test[start..=end].fill(true);
        }
        Self { path: path.to_owned(), text: text.to_owned(), comments: split.comments, tokens, in_test }
    }

    /// Whether the token stands in test code: below `#[cfg(test)]`, in a file `tests.rs`, or in `tests/`.
    pub(crate) fn is_test(&self, index: usize) -> bool {
        self.in_test[index]
    }

    /// Where in the crate the file stands: `["store", "blob"]` for `src/store/blob/mod.rs` and `src/store/blob.rs`; none
    /// outside `src`.
    pub(crate) fn module(&self) -> Option<Vec<String>> {
        let path = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let mut module: Vec<_> = path.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
            module.pop();
        }
        Some(module)
    }

    /// The text of the token at `index`, empty behind the end.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| &token.text)
    }

    /// Whether the tokens from `index` on are exactly `words`.
    pub(crate) fn reads(&self, index: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, word)| self.word(index + offset) == *word)
    }
}

/// First and last token of each item below `#[cfg(test)]`.
pub(crate) fn test_items(tokens: &[Token]) -> Vec<(usize, usize)> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let starts = tokens.windows(ATTRIBUTE.len()).enumerate();
    let starts = starts.filter(|(_, window)| window.iter().map(|token| token.text.as_str()).eq(ATTRIBUTE));
    starts
        .map(|(start, _)| {
            let mut end = start + ATTRIBUTE.len();
            while end + 1 < tokens.len() && !matches!(tokens[end].text.as_str(), "{" | ";") {
                end = if matches!(tokens[end].text.as_str(), "(" | "[") { closing(tokens, end) + 1 } else { end + 1 };
            }
            (start, if tokens[end].text == "{" { closing(tokens, end) } else { end })
        })
        .collect()
}

#[test]
fn test_code_is_known() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { c } }\nfn d() {}\n#[cfg(test)]\nuse e;\nfn f() {}";
    let source = Source::new("src/x.rs", text);
    let tested = |word: &str| source.is_test(source.tokens.iter().position(|token| token.text == word).unwrap());
    assert!(["b", "c", "e"].into_iter().all(tested));
    assert!(!["a", "d", "f"].into_iter().any(tested));
    assert!(Source::new("src/x/tests.rs", "a").is_test(0));
}

#[test]
fn modules_are_where_their_files_are() {
    let module = |path| Source::new(path, "").module().map(|module| module.join("::"));
    assert_eq!(module("src/lib.rs").as_deref(), Some(""));
    assert_eq!(module("src/store/mod.rs").as_deref(), Some("store"));
    assert_eq!(module("src/store/meta/local.rs").as_deref(), Some("store::meta::local"));
    assert_eq!(module("tests/tidy.rs"), None);
}
