//! What a caller may do: AWS's policy language for identities, sessions and buckets, read once and judged per request.
//!
//! Pure: no store, no clock, no HTTP. A caller of this module says who asks for which action on which resource, and answers
//! what a condition wants to know of the request; how several policies work together is the caller's to decide.
//!
//! A document is refused when anything in it is not understood (an unknown element, operator or kind of principal, a member
//! that comes twice), because a policy that is half understood allows what its author forbade. Names of elements and
//! operators are those of AWS, letter by letter; names of actions and of condition keys are compared without their case.
//! Inside a document an explicit denial wins whatever the order of the statements.
//!
//! Where this goes beyond AWS or stays behind it:
//! - There is one account, [`ACCOUNT_ID`](super::ACCOUNT_ID). A principal of another account, of a service or of an identity provider parses and
//!   is nobody. The account itself means the root key where something is allowed and everybody with a key where something
//!   is denied. `arn:aws:iam:::user/NAME`, which users of MinIO and Ceph write, is a user of the account.
//! - A bucket's policy may write the bucket's name with wildcards (`arn:aws:s3:::*`), as Ceph and MinIO accept; it is only
//!   ever asked about its own bucket. A lone `*` is refused, as by AWS.
//! - A variable without a value matches nothing. Where a test is negated, AWS takes that for a match; here it is one in a
//!   denial alone, so that a missing value never allows anything.
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html> and its neighbours; the
//! sentences of refusals are those that Amazon S3 is known to answer.

use std::fmt;
use std::sync::Arc;

use statement::{Effect, Statement};

mod action;
mod canned;
mod comparison;
mod condition;
mod document;
mod json;
mod pattern;
mod principal;
mod public;
mod resource;
mod statement;
#[cfg(test)]
mod tests;
mod variables;

/// Whose policy a document is; the rules for reading it differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind<'a> {
    /// Of an access key. Has no principals.
    Identity,
    /// Of a temporary credential, narrowing what its parent may do. Has no principals.
    Session,
    /// Of the bucket with this name. Has principals, and resources in that bucket alone.
    Bucket(&'a str),
}

/// A policy that was read and understood. Cloning it is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(Arc<Document>);

#[derive(Debug, PartialEq, Eq)]
struct Document {
    text: String,
    statements: Vec<Statement>,
}

/// What one policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement denies it.
    Deny,
    /// No statement denies it and one allows it.
    Allow,
    /// No statement speaks of it.
    Silent,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    /// Somebody without credentials.
    Anonymous,
    /// Somebody with a key.
    User {
        /// The ARNs that name the caller: a temporary credential has its own and that of its parent.
        arns: &'a [String],
        /// The canonical user id, which a policy may name instead.
        canonical_user_id: &'a str,
        /// Whether this is the root key.
        root: bool,
    },
}

/// A request, as far as policies are about it.
#[derive(Clone, Copy)]
pub struct PolicyRequest<'a> {
    /// Who asks.
    pub principal: Principal<'a>,
    /// The action, as `s3:GetObject`.
    pub action: &'a str,
    /// The resource, as `arn:aws:s3:::bucket/key`.
    pub resource: &'a str,
    /// What conditions and variables ask about.
    pub context: &'a dyn ConditionContext,
}

impl fmt::Debug for PolicyRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, action, resource, context: _ } = self;
        f.debug_struct("PolicyRequest")
            .field("principal", principal)
            .field("action", action)
            .field("resource", resource)
            .finish_non_exhaustive()
    }
}

/// Answers what conditions and variables ask about a request.
pub trait ConditionContext {
    /// The values of a key, none if the request has no such key. The key comes in lower case up to its first slash and as
    /// written behind it: `aws:sourceip`, `s3:existingobjecttag/Team`.
    fn values(&self, key: &str) -> Option<Vec<String>>;
}

/// Why a document is no policy, as the message of S3's `MalformedPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PolicyError {
    /// The sentence for the client.
    pub message: String,
}

impl PolicyError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// A refusal that quotes the document, at a length that fits an answer.
    fn about(message: &str, quoted: &str) -> Self {
        let quoted: String = quoted.chars().filter(|character| !character.is_control()).take(64).collect();
        Self::new(format!("{message}{quoted}"))
    }
}

impl Policy {
    /// The names of the canned policies.
    pub const CANNED: [&str; 4] = canned::NAMES;

    /// Reads a document.
    ///
    /// # Errors
    /// The first thing in it that is wrong or not understood.
    pub fn parse(text: &[u8], kind: PolicyKind<'_>) -> Result<Self, PolicyError> {
        document::parse(text, kind).map(|document| Self(Arc::new(document)))
    }

    /// The identity policy of this name, one of [`Self::CANNED`].
    pub fn canned(name: &str) -> Option<Self> {
        Self::parse(canned::text(name)?.as_bytes(), PolicyKind::Identity).ok()
    }

    /// Judges a request by this policy alone.
    pub fn evaluate(&self, request: &PolicyRequest<'_>) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in self.0.statements.iter().filter(|statement| statement.applies(request)) {
            match statement.effect {
                Effect::Deny => return Verdict::Deny,
                Effect::Allow => verdict = Verdict::Allow,
            }
        }
        verdict
    }

    /// Whether a bucket's policy lets the public in, by AWS's meaning of the word.
    pub fn is_public(&self) -> bool {
        self.0.statements.iter().any(public::is_public)
    }

    /// The document as it came.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}
