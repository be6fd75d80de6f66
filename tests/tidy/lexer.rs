//! Just enough of Rust's lexical grammar to tell code from comments and texts, and to walk over the words of the code.

/// A file's text twice: each copy as long as the original, with everything that is not its own blanked.
pub(crate) struct Split {
    /// Without comments and without the inside of texts and characters.
    pub(crate) code: String,
    /// Comments alone.
    pub(crate) comments: String,
}

/// A word or a punctuation mark of code; `::` is one mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

/// Tells code, comments and texts apart.
pub(crate) fn split(text: &str) -> Split {
    let characters: Vec<char> = text.chars().collect();
    let mut kinds = Vec::with_capacity(characters.len());
    while kinds.len() < characters.len() {
        let at = kinds.len();
        let rest = &characters[at..];
        let after_word = at > 0 && is_word(characters[at - 1]);
        let (kind, length) = match rest {
            ['/', '/', ..] => (Kind::Comment, rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())),
            ['/', '*', ..] => (Kind::Comment, block_comment(rest)),
            ['"', ..] => (Kind::Text, quoted(rest, '"')),
            ['r', ..] if !after_word || characters[at - 1] == 'b' => match raw(rest) {
                Some(length) => (Kind::Text, length),
                None => (Kind::Code, 1),
            },
            ['\'', ..] if is_character(rest) => (Kind::Text, quoted(rest, '\'')),
            _ => (Kind::Code, 1),
        };
        kinds.extend(std::iter::repeat_n(kind, length));
    }
    let only = |wanted: Kind| {
        let keep = |(c, kind): (&char, &Kind)| if *kind == wanted || *c == '\n' { *c } else { ' ' };
        characters.iter().zip(&kinds).map(keep).collect()
    };
    Split { code: only(Kind::Code), comments: only(Kind::Comment) }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a block comment; they nest.
fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a text between two `quote`s, with escapes.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `r"..."` or `r#"..."#`; none for a raw identifier or any other word.
fn raw(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None;
    }
    let start = hashes + 2;
    let closes =
        |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((start..rest.len()).find(closes).map_or(rest.len(), |at| at + 1 + hashes))
}

/// A character begins here and not a lifetime.
fn is_character(rest: &[char]) -> bool {
    matches!(rest, ['\'', '\\', ..] | ['\'', _, '\'', ..])
}

/// The words and marks of code.
pub(crate) fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            let (token, after) = rest.split_at(length);
            tokens.push(Token { text: token.to_owned(), line: index + 1 });
            rest = after.trim_start();
        }
    }
    tokens
}

/// The index of the mark that closes the one at `open`; the last index when nothing does.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len().saturating_sub(1)
}

#[test]
fn comments_and_texts_are_not_code() {
    let text =
        "a /* b /* c */ d */ e // f\ng(\"h \\\" i\", r#\"j \" k\"#, br\"l\", 'm', '\\'', b'n') 'o: p r#type // q";
    let split = split(text);
    let words: Vec<_> =
        tokens(&split.code).into_iter().map(|token| token.text).filter(|t| t.chars().all(is_word)).collect();
    assert_eq!(words, ["a", "e", "g", "b", "b", "o", "p", "r", "type"]);
    assert!(split.comments.contains("c */ d") && split.comments.contains("f") && split.comments.contains("// q"));
    assert!(!split.comments.contains('h'));
    assert_eq!(split.code.lines().count(), text.lines().count());
}
