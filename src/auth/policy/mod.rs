//! Placeholder until the policy engine is merged.
#![allow(missing_docs, reason = "placeholder")]
#[derive(Clone, Copy, Debug)]
pub enum PolicyKind<'a> {
    Identity,
    Session,
    Bucket(&'a str),
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(String);
impl Policy {
    pub const CANNED: [&str; 4] = ["readwrite", "readonly", "writeonly", "owner"];
    pub fn parse(text: &[u8], _kind: PolicyKind<'_>) -> Result<Self, PolicyError> {
        Ok(Self(String::from_utf8_lossy(text).into_owned()))
    }
    pub fn canned(name: &str) -> Option<Self> {
        Self::CANNED.contains(&name).then(|| Self(name.to_owned()))
    }
    pub fn evaluate(&self, _request: &PolicyRequest<'_>) -> Verdict {
        Verdict::Silent
    }
    pub fn is_public(&self) -> bool {
        false
    }
    pub fn text(&self) -> &str {
        &self.0
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Deny,
    Allow,
    Silent,
}
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    Anonymous,
    User { arns: &'a [String], canonical_user_id: &'a str, root: bool },
}
pub struct PolicyRequest<'a> {
    pub principal: Principal<'a>,
    pub action: &'a str,
    pub resource: &'a str,
    pub context: &'a dyn ConditionContext,
}
pub trait ConditionContext {
    fn values(&self, key: &str) -> Option<Vec<String>>;
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    pub message: String,
}
