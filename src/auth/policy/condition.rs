//! Conditions: an operator, a key of the request and the values it is compared with.
//!
//! All conditions of a statement have to hold. One holds if any of its values does; a negated one if none of them is equal.
//! A key that the request does not have fails every test but the negated ones, `Null`, `...IfExists` and `ForAllValues:`.
//! `ForAllValues:` wants each value of the request to pass and `ForAnyValue:` one of them, where empty values do not count.
//! A value of the request that is no number, date or address is equal to none.
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::comparison::{Decimal, Network, arn_matches, date};
use super::json::Json;
use super::statement::Effect;
use super::variables::{Syntax, Template, context_key};
use super::{ConditionContext, PolicyError};
use crate::base::limits::POLICY_VALUES_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// As contexts are asked for it.
    pub(super) key: String,
    pub(super) operator: Operator,
    pub(super) test: Test,
}

/// What an operator's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) quantifier: Quantifier,
    pub(super) if_exists: bool,
    pub(super) negated: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// Without a prefix, for keys that have one value.
    One,
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text { wildcards: bool, fold: bool },
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

/// How the request's value stands to the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Text(Vec<Template>),
    Numeric(Order, Vec<Decimal>),
    Date(Order, Vec<jiff::Timestamp>),
    Binary(Vec<Vec<u8>>),
    Address(Vec<Network>),
    Arn(Vec<Template>),
    /// Whether the key has to be absent.
    Null(Vec<bool>),
}

const EXACT: Kind = Kind::Text { wildcards: false, fold: false };
const ANY_CASE: Kind = Kind::Text { wildcards: false, fold: true };
const LIKE: Kind = Kind::Text { wildcards: true, fold: false };

/// The operators, what they compare and whether they are negated.
const OPERATORS: [(&str, Kind, bool); 27] = [
    ("StringEquals", EXACT, false),
    ("StringNotEquals", EXACT, true),
    ("StringEqualsIgnoreCase", ANY_CASE, false),
    ("StringNotEqualsIgnoreCase", ANY_CASE, true),
    ("StringLike", LIKE, false),
    ("StringNotLike", LIKE, true),
    ("NumericEquals", Kind::Numeric(Order::Equal), false),
    ("NumericNotEquals", Kind::Numeric(Order::Equal), true),
    ("NumericLessThan", Kind::Numeric(Order::Less), false),
    ("NumericLessThanEquals", Kind::Numeric(Order::LessOrEqual), false),
    ("NumericGreaterThan", Kind::Numeric(Order::Greater), false),
    ("NumericGreaterThanEquals", Kind::Numeric(Order::GreaterOrEqual), false),
    ("DateEquals", Kind::Date(Order::Equal), false),
    ("DateNotEquals", Kind::Date(Order::Equal), true),
    ("DateLessThan", Kind::Date(Order::Less), false),
    ("DateLessThanEquals", Kind::Date(Order::LessOrEqual), false),
    ("DateGreaterThan", Kind::Date(Order::Greater), false),
    ("DateGreaterThanEquals", Kind::Date(Order::GreaterOrEqual), false),
    ("Bool", Kind::Bool, false),
    ("BinaryEquals", Kind::Binary, false),
    ("IpAddress", Kind::Address, false),
    ("NotIpAddress", Kind::Address, true),
    ("ArnEquals", Kind::Arn, false),
    ("ArnLike", Kind::Arn, false),
    ("ArnNotEquals", Kind::Arn, true),
    ("ArnNotLike", Kind::Arn, true),
    ("Null", Kind::Null, false),
];

impl Operator {
    pub(super) fn parse(name: &str) -> Result<Self, PolicyError> {
        let unknown = || PolicyError::about("Invalid Condition type : ", name);
        let (quantifier, plain) = match name.split_once(':') {
            Some(("ForAllValues", plain)) => (Quantifier::All, plain),
            Some(("ForAnyValue", plain)) => (Quantifier::Any, plain),
            Some(_) => return Err(unknown()),
            None => (Quantifier::One, name),
        };
        let (plain, if_exists) = match plain.strip_suffix("IfExists") {
            Some(plain) => (plain, true),
            None => (plain, false),
        };
        let operator = OPERATORS.iter().find(|(known, ..)| *known == plain);
        let (_, kind, negated) = *operator.ok_or_else(unknown)?;
        // Null asks whether the key is there at all, which leaves nothing to quantify.
        match kind == Kind::Null && (if_exists || quantifier != Quantifier::One) {
            true => Err(unknown()),
            false => Ok(Self { quantifier, if_exists, negated, kind }),
        }
    }
}

impl Condition {
    /// Reads a key and its values, of a policy whose texts may have variables or not.
    pub(super) fn read(operator: Operator, key: &str, values: Json, variables: bool) -> Result<Self, PolicyError> {
        let invalid = |value: &String| PolicyError::about("Invalid value in Condition: ", value);
        let values = texts(key, values)?;
        fn each<T>(values: &[String], read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, &String> {
            values.iter().map(|value| read(value).ok_or(value)).collect()
        }
        let template = |wildcards, fold| {
            let syntax = Syntax { variables, wildcards, fold };
            move |value: &str| Template::parse(value, syntax)
        };
        let truth = |value: &str| match value.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        let test = match operator.kind {
            Kind::Text { wildcards, fold } => each(&values, template(wildcards, fold)).map(Test::Text),
            Kind::Arn => each(&values, template(true, false)).map(Test::Arn),
            Kind::Bool => each(&values, |value| {
                let known = truth(value).is_some() || (variables && value.contains("${"));
                template(false, true)(value).filter(|_| known)
            })
            .map(Test::Text),
            Kind::Numeric(order) => each(&values, Decimal::parse).map(|values| Test::Numeric(order, values)),
            Kind::Date(order) => each(&values, date).map(|values| Test::Date(order, values)),
            Kind::Binary => each(&values, |value| BASE64.decode(value).ok()).map(Test::Binary),
            Kind::Address => each(&values, Network::parse).map(Test::Address),
            Kind::Null => each(&values, truth).map(Test::Null),
        };
        Ok(Self { key: context_key(key), operator, test: test.map_err(invalid)? })
    }

    /// Whether it holds, in a statement with this effect.
    pub(super) fn holds(&self, context: &dyn ConditionContext, effect: Effect) -> bool {
        let values = context.values(&self.key).filter(|values| !values.is_empty());
        if let Test::Null(absent) = &self.test {
            return absent.contains(&values.is_none());
        }
        let Operator { quantifier, if_exists, negated, .. } = self.operator;
        let Some(mut values) = values else {
            return match quantifier {
                _ if if_exists => true,
                Quantifier::All => true,
                Quantifier::Any => false,
                Quantifier::One => negated,
            };
        };
        if quantifier != Quantifier::One {
            values.retain(|value| !value.is_empty());
        }
        let mut passing = values.iter().map(|value| match self.test.equals(value, context) {
            Some(equal) => equal != negated,
            // A variable without a value never helps the one who asks.
            None => negated && effect == Effect::Deny,
        });
        match (quantifier, negated) {
            (Quantifier::All, _) | (Quantifier::One, true) => passing.all(|passes| passes),
            (Quantifier::Any, _) | (Quantifier::One, false) => passing.any(|passes| passes),
        }
    }
}

impl Test {
    /// Whether a value of the request stands to one of the policy's as it should. Nothing where it does to none of them and
    /// a variable without a value is among them.
    fn equals(&self, value: &str, context: &dyn ConditionContext) -> Option<bool> {
        match self {
            Self::Text(expected) => any(expected.iter().map(|expected| expected.matches(value, context))),
            Self::Arn(expected) => {
                any(expected.iter().map(|expected| expected.tokens(context).map(|tokens| arn_matches(&tokens, value))))
            }
            Self::Numeric(order, expected) => Some(ordered(Decimal::parse(value), *order, expected)),
            Self::Date(order, expected) => Some(ordered(date(value), *order, expected)),
            Self::Binary(expected) => Some(BASE64.decode(value).is_ok_and(|value| expected.contains(&value))),
            Self::Address(expected) => {
                Some(value.parse().is_ok_and(|address| expected.iter().any(|network| network.contains(address))))
            }
            Self::Null(_) => Some(false),
        }
    }
}

fn any(matches: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut open = false;
    for matches in matches {
        match matches {
            Some(true) => return Some(true),
            Some(false) => {}
            None => open = true,
        }
    }
    (!open).then_some(false)
}

fn ordered<T: Ord>(value: Option<T>, order: Order, expected: &[T]) -> bool {
    let stands = |value: &T, expected: &T| match order {
        Order::Equal => value == expected,
        Order::Less => value < expected,
        Order::LessOrEqual => value <= expected,
        Order::Greater => value > expected,
        Order::GreaterOrEqual => value >= expected,
    };
    value.is_some_and(|value| expected.iter().any(|expected| stands(&value, expected)))
}

/// The values of a key: a text, a number or a truth, or a list of those.
fn texts(key: &str, values: Json) -> Result<Vec<String>, PolicyError> {
    let values = match values {
        Json::List(values) => values,
        value => vec![value],
    };
    if values.is_empty() || values.len() > POLICY_VALUES_MAX {
        return Err(PolicyError::about("Invalid number of values in Condition for key ", key));
    }
    let text = |value| match value {
        Json::Text(text) | Json::Number(text) => Ok(text),
        Json::Bool(truth) => Ok(truth.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => {
            Err(PolicyError::about("Invalid value in Condition for key ", key))
        }
    };
    values.into_iter().map(text).collect()
}
