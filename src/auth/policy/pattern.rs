//! Texts with wildcards: `*` for any characters, none included, and `?` for exactly one.
//!
//! A pattern is cut at its stars. What stands before the first and behind the last is compared where it has to be; each
//! piece in between is looked for from left to right and taken where it ends first, which can never be wrong, so nothing is
//! ever tried again. A piece is looked for with one bit for each of its characters (Shift-And: Baeza-Yates and Gonnet, "A new
//! approach to text searching", 1992), 64 of them in a step: the work is the length of the text times the length of the
//! longest piece over 64, whatever they hold.

use std::collections::HashMap;

const WORD_BITS: usize = u64::BITS as usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// This character.
    Literal(char),
    /// Any one character.
    One,
    /// Any characters.
    Any,
}

impl Token {
    fn accepts(self, character: Option<char>) -> bool {
        match self {
            Self::Literal(expected) => character == Some(expected),
            Self::One => character.is_some(),
            Self::Any => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    head: Vec<Token>,
    middle: Vec<Piece>,
    /// None in a pattern without a star, whose text ends where the head does.
    tail: Option<Vec<Token>>,
}

impl Pattern {
    pub(super) fn new(tokens: &[Token]) -> Self {
        let mut pieces = tokens.split(|token| *token == Token::Any);
        let head = pieces.next().unwrap_or_default().to_vec();
        let tail = pieces.next_back().map(<[Token]>::to_vec);
        Self { head, middle: pieces.filter(|piece| !piece.is_empty()).map(Piece::new).collect(), tail }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.compare(text, &mut 0)
    }

    /// Counts what it compares, so that a test can tell how the work grows.
    pub(super) fn compare(&self, text: &str, steps: &mut usize) -> bool {
        let mut rest = text.chars();
        let mut equal = |token: &Token, character| {
            *steps += 1;
            token.accepts(character)
        };
        if !self.head.iter().all(|token| equal(token, rest.next())) {
            return false;
        }
        let Some(tail) = &self.tail else { return rest.next().is_none() };
        if !tail.iter().rev().all(|token| equal(token, rest.next_back())) {
            return false;
        }
        self.middle.iter().all(|piece| piece.skip_past(&mut rest, steps))
    }
}

/// What stands between two stars.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    length: usize,
    /// For each character in it the positions where it may stand, those of `?` included.
    places: HashMap<char, Vec<u64>>,
    /// Where any other character may stand.
    wild: Vec<u64>,
}

impl Piece {
    fn new(tokens: &[Token]) -> Self {
        let mut wild = vec![0; tokens.len().div_ceil(WORD_BITS)];
        for (position, _) in tokens.iter().enumerate().filter(|(_, token)| **token == Token::One) {
            mark(&mut wild, position);
        }
        let mut places: HashMap<char, Vec<u64>> = HashMap::new();
        for (position, token) in tokens.iter().enumerate() {
            if let Token::Literal(character) = token {
                mark(places.entry(*character).or_insert_with(|| wild.clone()), position);
            }
        }
        Self { length: tokens.len(), places, wild }
    }

    /// Moves `rest` behind the first occurrence.
    fn skip_past(&self, rest: &mut std::str::Chars<'_>, steps: &mut usize) -> bool {
        // Bit n: the last n + 1 characters are the first n + 1 of the piece.
        let mut begun = vec![0_u64; self.wild.len()];
        for character in rest {
            let places = self.places.get(&character).unwrap_or(&self.wild);
            let mut carry = 1;
            for (word, allowed) in begun.iter_mut().zip(places) {
                *steps += 1;
                let shifted = (*word << 1) | carry;
                carry = *word >> (WORD_BITS - 1);
                *word = shifted & allowed;
            }
            let last = 1 << ((self.length - 1) % WORD_BITS);
            if begun.last().is_some_and(|word| word & last != 0) {
                return true;
            }
        }
        false
    }
}

fn mark(words: &mut [u64], position: usize) {
    if let Some(word) = words.get_mut(position / WORD_BITS) {
        *word |= 1 << (position % WORD_BITS);
    }
}
