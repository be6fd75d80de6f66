//! The document of a policy: its version and its statements.

use super::json::{self, Json};
use super::statement::Statement;
use super::{Document, PolicyError, PolicyKind};
use crate::base::limits::POLICY_STATEMENTS_MAX;

pub(super) fn parse(bytes: &[u8], kind: PolicyKind<'_>) -> Result<Document, PolicyError> {
    let (text, document) = json::read(bytes)?;
    let mut members = Members::read(document, &["Version", "Id", "Statement"])?;
    members.optional_text("Id")?;
    // Without a version it is the older one, which has no variables.
    let variables = match members.optional("Version") {
        None => false,
        Some(Json::Text(version)) if version == "2008-10-17" => false,
        Some(Json::Text(version)) if version == "2012-10-17" => true,
        Some(_) => return Err(PolicyError::new("The policy must contain a valid version string")),
    };
    let statements = match members.required("Statement")? {
        Json::List(statements) => statements,
        statement => vec![statement],
    };
    if statements.is_empty() {
        return Err(PolicyError::new("Could not parse the policy: Statement is empty!"));
    }
    if statements.len() > POLICY_STATEMENTS_MAX {
        let message = format!("Policy has more than the maximum of {POLICY_STATEMENTS_MAX} statements");
        return Err(PolicyError::new(message));
    }
    let statements = statements.into_iter().map(|statement| Statement::read(statement, kind, variables));
    Ok(Document { text: text.to_owned(), statements: statements.collect::<Result<_, _>>()? })
}

/// The members of an object, each there once.
pub(super) struct Members(Vec<(String, Json)>);

impl Members {
    /// Those of an object that has no others than these.
    pub(super) fn read(value: Json, known: &[&str]) -> Result<Self, PolicyError> {
        let members = Self::read_any(value)?;
        match members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(PolicyError::about("Unknown field ", name)),
            None => Ok(Self(members)),
        }
    }

    /// Those of an object with names of any kind.
    pub(super) fn read_any(value: Json) -> Result<Vec<(String, Json)>, PolicyError> {
        let Json::Object(members) = value else {
            return Err(PolicyError::new("This policy contains invalid Json"));
        };
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair.first() == pair.last()) {
            Some(pair) => Err(PolicyError::about("Duplicate field ", pair.first().unwrap_or(&""))),
            None => Ok(members),
        }
    }

    /// Takes a member.
    pub(super) fn optional(&mut self, name: &str) -> Option<Json> {
        let position = self.0.iter().position(|(member, _)| member == name)?;
        Some(self.0.swap_remove(position).1)
    }

    /// Takes a member that has to be there.
    pub(super) fn required(&mut self, name: &str) -> Result<Json, PolicyError> {
        self.optional(name).ok_or_else(|| PolicyError::about("Missing required field ", name))
    }

    /// Takes whichever of two members is there, and whether it is the second, which inverts its meaning.
    pub(super) fn either(&mut self, name: &str, inverted: &str) -> Result<(Json, bool), PolicyError> {
        match (self.optional(name), self.optional(inverted)) {
            (Some(value), None) => Ok((value, false)),
            (None, Some(value)) => Ok((value, true)),
            (None, None) => Err(PolicyError::about("Missing required field ", name)),
            (Some(_), Some(_)) => Err(PolicyError::new(format!("Statement has both {name} and {inverted}"))),
        }
    }

    /// Checks a member that means nothing here.
    pub(super) fn optional_text(&mut self, name: &str) -> Result<(), PolicyError> {
        match self.optional(name) {
            None | Some(Json::Text(_)) => Ok(()),
            Some(_) => Err(PolicyError::new(format!("{name} must be a string"))),
        }
    }
}
