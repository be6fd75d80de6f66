//! Principals: whom a bucket's policy speaks of.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.

use super::json::Json;
use super::statement::{Effect, strings};
use super::{PolicyError, Principal};
use crate::auth::ACCOUNT_ID;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principals {
    entries: Vec<Entry>,
    /// Whether everybody else is meant.
    inverted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Everybody,
    /// An account, by its number or as its root.
    Account(String),
    /// A user, role or session, by its ARN.
    Arn(String),
    CanonicalUser(String),
    /// A service or an identity provider, which never sends requests here.
    Nobody,
}

fn invalid() -> PolicyError {
    PolicyError::new("Invalid principal in policy")
}

impl Principals {
    /// Reads the value of `Principal` or, inverted, of `NotPrincipal`.
    pub(super) fn read(value: Json, inverted: bool) -> Result<Self, PolicyError> {
        let groups = match value {
            Json::Text(text) if text == "*" => return Ok(Self { entries: vec![Entry::Everybody], inverted }),
            Json::Object(groups) if !groups.is_empty() => groups,
            _ => return Err(invalid()),
        };
        let mut entries = Vec::new();
        let mut seen = Vec::new();
        for (group, names) in groups {
            if seen.contains(&group) {
                return Err(invalid());
            }
            for name in strings(names, invalid)? {
                let entry = match group.as_str() {
                    "AWS" => aws(&name),
                    "CanonicalUser" => canonical_user(&name),
                    "Service" | "Federated" => (!name.is_empty()).then_some(Entry::Nobody),
                    _ => None,
                };
                entries.push(entry.ok_or_else(invalid)?);
            }
            seen.push(group);
        }
        Ok(Self { entries, inverted })
    }

    /// Whether the one who asks is meant, in a statement with this effect.
    pub(super) fn include(&self, caller: Principal<'_>, effect: Effect) -> bool {
        // An account that is denied something is denied it for all its keys. Excepting the account from a denial excepts
        // its root alone, as with AWS, where the user has to be excepted, too.
        let whole_account = effect == Effect::Deny && !self.inverted;
        self.entries.iter().any(|entry| entry.names(caller, whole_account)) != self.inverted
    }

    /// Whether everybody is meant.
    pub(super) fn are_everybody(&self) -> bool {
        self.inverted || self.entries.contains(&Entry::Everybody)
    }
}

impl Entry {
    fn names(&self, caller: Principal<'_>, whole_account: bool) -> bool {
        let Principal::User { arns, canonical_user_id, root } = caller else { return *self == Self::Everybody };
        match self {
            Self::Everybody => true,
            Self::Account(account) => account == ACCOUNT_ID && (root || whole_account),
            Self::Arn(arn) => arns.contains(arn),
            Self::CanonicalUser(id) => id == canonical_user_id,
            Self::Nobody => false,
        }
    }
}

fn aws(name: &str) -> Option<Entry> {
    if name == "*" {
        return Some(Entry::Everybody);
    }
    if name.len() == ACCOUNT_ID.len() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Entry::Account(name.to_owned()));
    }
    let (service, rest) = name.strip_prefix("arn:aws:")?.split_once("::")?;
    let (account, resource) = rest.split_once(':')?;
    // AWS has letters there, too: `cloudfront`. Ceph has tenants.
    let well_formed = account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !resource.contains(['*', '?'])
        && !resource.contains("${");
    let account = if account.is_empty() { ACCOUNT_ID } else { account };
    let is_named =
        |kinds: &[&str]| resource.split_once('/').is_some_and(|(kind, name)| kinds.contains(&kind) && !name.is_empty());
    let known = match service {
        "iam" if resource == "root" => return well_formed.then(|| Entry::Account(account.to_owned())),
        "iam" => is_named(&["user", "role"]),
        "sts" => is_named(&["assumed-role", "federated-user"]),
        _ => false,
    };
    (known && well_formed).then(|| Entry::Arn(format!("arn:aws:{service}::{account}:{resource}")))
}

fn canonical_user(id: &str) -> Option<Entry> {
    let well_formed = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then(|| Entry::CanonicalUser(id.to_ascii_lowercase()))
}
