//! Whether a statement lets the public in.
//!
//! It does when it allows something to everybody, unless a condition narrows that to a fixed value of one of a few keys: one
//! without wildcards and variables and, of addresses, no range that is wider than /8 (IPv4) or /32 (IPv6). A condition that
//! holds for requests without the key narrows nothing.
//!
//! Source: "The meaning of public" in
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>.

use super::condition::{Condition, Quantifier, Test};
use super::principal::Principals;
use super::statement::{Effect, Statement};

/// The keys that tell callers apart.
const NARROWING: [&str; 14] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

pub(super) fn is_public(statement: &Statement) -> bool {
    statement.effect == Effect::Allow
        && statement.principals.as_ref().is_none_or(Principals::are_everybody)
        && !statement.conditions.iter().any(narrows)
}

fn narrows(condition: &Condition) -> bool {
    let operator = condition.operator;
    let needs_the_key = !operator.negated && !operator.if_exists && operator.quantifier != Quantifier::All;
    let fixed = match &condition.test {
        Test::Text(values) | Test::Arn(values) => values.iter().all(|value| value.is_one_text()),
        Test::Address(networks) => networks.iter().all(|network| network.is_narrow()),
        Test::Numeric(..) | Test::Date(..) | Test::Binary(_) | Test::Null(_) => false,
    };
    needs_the_key && fixed && NARROWING.contains(&condition.key.as_str())
}
