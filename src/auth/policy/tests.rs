//! The policy language, rule by rule: what is refused, what matches, what decides.

use super::*;

mod canned;
mod conditions;
mod documents;
mod examples;
mod patterns;
mod public;
mod statements;
mod variables;

const BUCKET: &str = "pictures";
const OBJECT: &str = "arn:aws:s3:::pictures/cat.jpg";
const ALICE_ID: &str = "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90";

/// What a request is said to be, for keys in the form in which a context is asked.
struct Facts<'a>(&'a [(&'a str, &'a [&'a str])]);

impl ConditionContext for Facts<'_> {
    fn values(&self, key: &str) -> Option<Vec<String>> {
        let (_, values) = self.0.iter().find(|(known, _)| *known == key)?;
        Some(values.iter().map(|value| (*value).to_owned()).collect())
    }
}

const NO_FACTS: Facts<'static> = Facts(&[]);

/// Who asks, with what names this one has.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Caller {
    Anonymous,
    Root,
    Alice,
    /// A temporary credential of Alice's.
    Session,
    Bob,
}

impl Caller {
    fn judge(self, policy: &Policy, action: &str, resource: &str, context: &dyn ConditionContext) -> Verdict {
        let arns: &[&str] = match self {
            Self::Anonymous => &[],
            Self::Root => &["arn:aws:iam::000000000000:root"],
            Self::Alice => &["arn:aws:iam::000000000000:user/ALICE"],
            Self::Session => {
                &["arn:aws:sts::000000000000:assumed-role/ALICE/nightly", "arn:aws:iam::000000000000:user/ALICE"]
            }
            Self::Bob => &["arn:aws:iam::000000000000:user/BOB"],
        };
        let arns: Vec<_> = arns.iter().map(|arn| (*arn).to_owned()).collect();
        let id = |byte: &str| byte.repeat(32);
        let canonical_user_id = match self {
            Self::Alice | Self::Session => ALICE_ID.to_owned(),
            Self::Root => id("00"),
            Self::Anonymous | Self::Bob => id("b0"),
        };
        let principal = match self {
            Self::Anonymous => Principal::Anonymous,
            _ => Principal::User { arns: &arns, canonical_user_id: &canonical_user_id, root: self == Self::Root },
        };
        policy.evaluate(&PolicyRequest { principal, action, resource, context })
    }
}

fn bucket_policy(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text.as_bytes(), PolicyKind::Bucket(BUCKET))
}

fn identity_policy(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text.as_bytes(), PolicyKind::Identity)
}

/// An identity's policy of one statement that allows everything, with these further members.
fn allowing(members: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*",{members}}}}}"#)
}

fn message(outcome: Result<Policy, PolicyError>) -> String {
    outcome.map_or_else(|error| error.message, |policy| format!("accepted: {}", policy.text()))
}

/// What Alice gets for reading the cat.
fn of_alice(policy: &Policy, context: &dyn ConditionContext) -> Verdict {
    Caller::Alice.judge(policy, "s3:GetObject", OBJECT, context)
}
