//! Texts of a policy that are compared with something of the request: with wildcards in some elements and with variables,
//! `${aws:username}`, since version 2012-10-17 of the language.
//!
//! `${key, 'default'}` has a value in any case; `${*}`, `${?}` and `${$}` are those characters themselves. What a variable
//! puts in is taken literally, wildcards in it too. Text without variables is made a [`Pattern`] once.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.

use std::borrow::Cow;

use super::ConditionContext;
use super::pattern::{Pattern, Token};
use crate::base::limits::{POLICY_PATTERN_MAX_CHARACTERS, POLICY_VARIABLE_MAX_CHARACTERS};

/// How a text is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Syntax {
    /// Whether `${...}` means a variable.
    pub(super) variables: bool,
    /// Whether `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// Whether case makes no difference.
    pub(super) fold: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
    /// The pattern of a text without variables.
    fixed: Option<Pattern>,
    fold: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Token(Token),
    Variable { key: String, default: Option<String> },
}

/// A condition key as contexts are asked for it: what stands behind the first slash is somebody's own name, such as a tag's,
/// and keeps its case.
pub(super) fn context_key(written: &str) -> String {
    match written.split_once('/') {
        Some((family, name)) => format!("{}/{name}", family.to_ascii_lowercase()),
        None => written.to_ascii_lowercase(),
    }
}

/// Without differences of case. Character by character, so that a part of a text folds as it does in the whole.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

impl Template {
    /// Reads a text. One that is too long or has a variable that does not end is none.
    pub(super) fn parse(text: &str, syntax: Syntax) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if syntax.variables && rest.starts_with("${") {
                let (part, behind) = variable(rest)?;
                parts.push(part);
                rest = behind;
                continue;
            }
            rest = rest.get(character.len_utf8()..)?;
            match character {
                '*' if syntax.wildcards => parts.push(Part::Token(Token::Any)),
                '?' if syntax.wildcards => parts.push(Part::Token(Token::One)),
                character if syntax.fold => parts.extend(character.to_lowercase().map(Token::Literal).map(Part::Token)),
                character => parts.push(Part::Token(Token::Literal(character))),
            }
        }
        if parts.len() > POLICY_PATTERN_MAX_CHARACTERS {
            return None;
        }
        let mut template = Self { parts, fixed: None, fold: syntax.fold };
        template.fixed = template.literal().map(|tokens| Pattern::new(&tokens));
        Some(template)
    }

    /// The tokens of a text without variables.
    pub(super) fn literal(&self) -> Option<Vec<Token>> {
        let token = |part: &Part| match part {
            Part::Token(token) => Some(*token),
            Part::Variable { .. } => None,
        };
        self.parts.iter().map(token).collect()
    }

    /// Whether it means one text alone: it has neither variables nor wildcards.
    pub(super) fn is_one_text(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Token(Token::Literal(_))))
    }

    /// With its variables replaced; nothing where one has no value, or several, or too long a one.
    pub(super) fn tokens(&self, context: &dyn ConditionContext) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        for part in &self.parts {
            match part {
                Part::Token(token) => tokens.push(*token),
                Part::Variable { key, default } => {
                    let value = value_of(key, context).or_else(|| default.clone())?;
                    let value = if self.fold { folded(&value) } else { value };
                    tokens.extend(value.chars().map(Token::Literal));
                }
            }
            if tokens.len() > POLICY_PATTERN_MAX_CHARACTERS {
                return None;
            }
        }
        Some(tokens)
    }

    /// Whether the text is the one of the request; nothing where a variable leaves that open.
    pub(super) fn matches(&self, text: &str, context: &dyn ConditionContext) -> Option<bool> {
        let text = if self.fold { Cow::Owned(folded(text)) } else { Cow::Borrowed(text) };
        match &self.fixed {
            Some(pattern) => Some(pattern.matches(&text)),
            None => self.tokens(context).map(|tokens| Pattern::new(&tokens).matches(&text)),
        }
    }

    /// Like [`Self::matches`] for a text without variables.
    pub(super) fn matches_alone(&self, text: &str) -> bool {
        let text = if self.fold { Cow::Owned(folded(text)) } else { Cow::Borrowed(text) };
        self.fixed.as_ref().is_some_and(|pattern| pattern.matches(&text))
    }
}

/// A key with several values has none that a variable could mean, nor has one with a value that is too long.
fn value_of(key: &str, context: &dyn ConditionContext) -> Option<String> {
    let mut values = context.values(key)?.into_iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    (value.chars().count() <= POLICY_VARIABLE_MAX_CHARACTERS).then_some(value)
}

/// Reads a variable at the beginning of a text, and what is behind it.
fn variable(text: &str) -> Option<(Part, &str)> {
    let inside = text.strip_prefix("${")?;
    for character in ['*', '?', '$'] {
        if let Some(behind) = inside.strip_prefix(character).and_then(|rest| rest.strip_prefix('}')) {
            return Some((Part::Token(Token::Literal(character)), behind));
        }
    }
    let end = inside.find([',', '}'])?;
    let (key, rest) = inside.split_at_checked(end)?;
    let key = key.trim();
    if !key.contains(':') || key.contains(['$', '{']) {
        return None;
    }
    let key = context_key(key);
    if let Some(behind) = rest.strip_prefix('}') {
        return Some((Part::Variable { key, default: None }, behind));
    }
    let default = rest.strip_prefix(',')?.trim_start().strip_prefix('\'')?;
    let (default, rest) = default.split_once('\'')?;
    let behind = rest.trim_start().strip_prefix('}')?;
    Some((Part::Variable { key, default: Some(default.to_owned()) }, behind))
}
