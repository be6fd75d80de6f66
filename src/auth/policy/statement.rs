//! One statement of a policy: read from its elements, and whether it speaks of a request.

use super::condition::{Condition, Operator};
use super::document::Members;
use super::json::Json;
use super::principal::Principals;
use super::resource::Reach;
use super::variables::Template;
use super::{PolicyError, PolicyKind, PolicyRequest, action, resource};
use crate::base::limits::POLICY_VALUES_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    /// Whom it speaks of; none in a policy that belongs to somebody.
    pub(super) principals: Option<Principals>,
    actions: Choice,
    resources: Choice,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// What is listed or, inverted, everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    listed: Vec<Template>,
    inverted: bool,
}

const ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Statement {
    /// Reads one, of a policy whose texts may have variables or not.
    pub(super) fn read(value: Json, kind: PolicyKind<'_>, variables: bool) -> Result<Self, PolicyError> {
        let mut members = Members::read(value, &ELEMENTS)?;
        members.optional_text("Sid")?;
        let effect = match members.required("Effect")? {
            Json::Text(text) if text == "Allow" => Effect::Allow,
            Json::Text(text) if text == "Deny" => Effect::Deny,
            Json::Text(text) => return Err(PolicyError::about("Invalid effect: ", &text)),
            _ => return Err(PolicyError::new("Invalid effect: it must be a string")),
        };
        let principals = principals(&mut members, kind, effect)?;
        let (actions, not_actions) = members.either("Action", "NotAction")?;
        let invalid = || PolicyError::new("Policy has invalid action");
        let actions: Vec<_> =
            strings(actions, invalid)?.iter().map(|text| action::read(text, kind)).collect::<Result<_, _>>()?;
        let (resources, not_resources) = members.either("Resource", "NotResource")?;
        let invalid = || PolicyError::new("Policy has invalid resource");
        let resources = strings(resources, invalid)?;
        let resources = resources.iter().map(|text| resource::read(text, kind, variables));
        let (resources, reaches): (Vec<_>, Vec<_>) = resources.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        if matches!(kind, PolicyKind::Bucket(_)) && !not_actions && !not_resources {
            let reach = reaches.into_iter().fold(Reach::NONE, Reach::or);
            if !actions.iter().all(|action| Reach::of_action(action).meets(reach)) {
                return Err(PolicyError::new("Action does not apply to any resource(s) in statement"));
            }
        }
        Ok(Self {
            effect,
            principals,
            actions: Choice { listed: actions, inverted: not_actions },
            resources: Choice { listed: resources, inverted: not_resources },
            conditions: conditions(members.optional("Condition"), kind, variables)?,
        })
    }

    /// Whether it speaks of a request.
    pub(super) fn applies(&self, request: &PolicyRequest<'_>) -> bool {
        let chosen = |choice: &Choice, text| {
            let mut matches = choice.listed.iter().map(|listed| match listed.matches(text, request.context) {
                // What a variable without a value excepts is unknown: nothing is allowed because of that.
                None => choice.inverted && self.effect == Effect::Allow,
                Some(matches) => matches,
            });
            matches.any(|matches| matches) != choice.inverted
        };
        self.principals.as_ref().is_none_or(|principals| principals.include(request.principal, self.effect))
            && chosen(&self.actions, request.action)
            && chosen(&self.resources, request.resource)
            && self.conditions.iter().all(|condition| condition.holds(request.context, self.effect))
    }
}

fn principals(members: &mut Members, kind: PolicyKind<'_>, effect: Effect) -> Result<Option<Principals>, PolicyError> {
    if matches!(kind, PolicyKind::Identity | PolicyKind::Session) {
        return match members.optional("Principal").or_else(|| members.optional("NotPrincipal")) {
            Some(_) => Err(PolicyError::new("Policy document should not specify a principal.")),
            None => Ok(None),
        };
    }
    let (value, inverted) = members.either("Principal", "NotPrincipal")?;
    if inverted && effect == Effect::Allow {
        // It would allow everybody else in the world.
        return Err(PolicyError::new("Allow with NotPrincipal is not allowed."));
    }
    Principals::read(value, inverted).map(Some)
}

fn conditions(value: Option<Json>, kind: PolicyKind<'_>, variables: bool) -> Result<Vec<Condition>, PolicyError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let mut conditions = Vec::new();
    for (name, keys) in Members::read_any(value)? {
        let operator = Operator::parse(&name)?;
        let keys = Members::read_any(keys)?;
        if keys.is_empty() {
            return Err(PolicyError::about("Missing condition key for ", &name));
        }
        for (key, values) in keys {
            let family = key.split_once(':').filter(|(family, name)| !family.is_empty() && !name.is_empty());
            let known = family.is_some_and(|(family, _)| match kind {
                PolicyKind::Identity | PolicyKind::Session => family.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                PolicyKind::Bucket(_) => ["aws", "s3", "wharf"].iter().any(|known| family.eq_ignore_ascii_case(known)),
            });
            if !known {
                return Err(PolicyError::new("Policy has an invalid condition key"));
            }
            conditions.push(Condition::read(operator, &key, values, variables)?);
        }
    }
    Ok(conditions)
}

/// A text or a list of texts, at least one of them.
pub(super) fn strings(value: Json, invalid: impl Fn() -> PolicyError) -> Result<Vec<String>, PolicyError> {
    let values = match value {
        Json::List(values) => values,
        value => vec![value],
    };
    if values.is_empty() || values.len() > POLICY_VALUES_MAX {
        return Err(invalid());
    }
    let text = |value| match value {
        Json::Text(text) => Ok(text),
        _ => Err(invalid()),
    };
    values.into_iter().map(text).collect()
}
