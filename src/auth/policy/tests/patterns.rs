//! Wildcards, against an oracle that tries everything, and how the work grows.

use super::super::pattern::{Pattern, Token};
use crate::base::rng::SeededRng;

fn tokens(text: &str) -> Vec<Token> {
    let token = |character| match character {
        '*' => Token::Any,
        '?' => Token::One,
        character => Token::Literal(character),
    };
    text.chars().map(token).collect()
}

fn matches(pattern: &str, text: &str) -> bool {
    Pattern::new(&tokens(pattern)).matches(text)
}

/// The definition: each beginning of the pattern against each beginning of the text.
fn oracle(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut row: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for token in tokens(pattern) {
        let mut next = vec![token == Token::Any && row[0]];
        for end in 1..=text.len() {
            next.push(match token {
                Token::Any => row[end] || next[end - 1],
                Token::One => row[end - 1],
                Token::Literal(expected) => row[end - 1] && text[end - 1] == expected,
            });
        }
        row = next;
    }
    row[text.len()]
}

#[test]
fn wildcards() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "anything/at all", true),
        ("?", "", false),
        ("?", "é", true),
        ("??", "é", false),
        ("?*?", "ab", true),
        ("?*?", "a", false),
        ("a*", "a", true),
        ("*a", "ba", true),
        ("a*a", "a", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("*aab*", "aaab", true),
        ("*a?c*", "aabcc", true),
        ("***", "x", true),
        ("arn:aws:s3:::*/x", "arn:aws:s3:::b/deep/x", true),
        ("日?語*", "日本語です", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} and {text}");
    }
}

#[test]
fn random_patterns_match_what_the_oracle_says() {
    let rng = SeededRng::new(20_121_017);
    let draw = |alphabet: &[char], length_max: u64| -> String {
        let length = rng.below(length_max + 1);
        (0..length).map(|_| alphabet[usize::try_from(rng.below(alphabet.len() as u64)).unwrap()]).collect()
    };
    let mut matching = 0;
    for _ in 0..40_000 {
        let pattern = draw(&['a', 'a', 'b', 'ß', '*', '*', '?'], 9);
        let text = draw(&['a', 'a', 'b', 'ß'], 12);
        let expected = oracle(&pattern, &text);
        matching += u32::from(expected);
        assert_eq!(matches(&pattern, &text), expected, "{pattern} and {text}");
    }
    assert!((4_000..36_000).contains(&matching), "{matching} of the random pairs match");
}

#[test]
fn random_long_pieces_match_what_the_oracle_says() {
    // Pieces of more than a word of bits, cut out of the text so that most of them are found.
    let rng = SeededRng::new(64);
    let below = |bound: usize| usize::try_from(rng.below(bound as u64)).unwrap();
    let mut matching = 0;
    for round in 0..300 {
        let text: String = (0..400).map(|_| if below(3) == 0 { 'b' } else { 'a' }).collect();
        let start = below(150);
        let mut piece: Vec<char> = text[start..start + 60 + below(140)].chars().collect();
        for _ in 0..below(6) {
            let position = below(piece.len());
            piece[position] = '?';
        }
        if round % 3 == 0 {
            let position = below(piece.len());
            piece[position] = 'c';
        }
        let pattern = format!("*{}*", piece.iter().collect::<String>());
        let expected = oracle(&pattern, &text);
        matching += u32::from(expected);
        assert_eq!(matches(&pattern, &text), expected, "{pattern} and {text}");
    }
    assert!((150..280).contains(&matching), "{matching} of the random pairs match");
}

#[test]
fn no_pattern_takes_more_than_a_step_for_each_character_and_word() {
    // Each of these takes exponential time, or the product of both lengths, where a matcher goes back.
    let text = "a".repeat(10_000);
    for (pattern, words) in [
        ("*a".repeat(500) + "*b", 1),
        ("*a".repeat(500) + "b", 1),
        ("*".to_owned() + &"a".repeat(60) + "b*", 1),
        ("*".to_owned() + &"?".repeat(60) + "b*", 1),
        ("*".to_owned() + &"a".repeat(1_000) + "b*", 16),
        ("*".to_owned() + &"?a".repeat(500) + "b*", 16),
    ] {
        let mut steps = 0;
        assert!(!Pattern::new(&tokens(&pattern)).compare(&text, &mut steps), "{pattern}");
        let bound = (text.len() + pattern.len()) * words;
        assert!(steps <= bound, "{steps} steps, {bound} would do: {pattern}");
    }
}
