//! Access keys and their tokens.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::Admin;
use super::call::{Call, Fields};
use super::reply::{AdminError, Reply};
use crate::app::keys::{KeyChange, NewKey};
use crate::auth::policy::{Policy, PolicyKind};
use crate::auth::{AccessKey, BearerToken};
use crate::base::limits::{ACCESS_KEY_NAME_MAX_CHARACTERS, TOKEN_LIFE_DEFAULT, TOKEN_LIFE_MAX};
use crate::config::credentials;

impl Admin {
    pub(super) async fn keys_call(&self, call: Call) -> Result<Reply, AdminError> {
        match call.method {
            Method::GET => {
                let page = call.page()?;
                let keys = self.keys.list();
                let mut later = keys.iter().filter(|key| key.access_key_id > page.after);
                let shown: Vec<&AccessKey> = later.by_ref().take(page.limit).collect();
                let next = shown.last().filter(|_| later.next().is_some()).map(|key| key.access_key_id.clone());
                Ok(Reply::Here(json!({ "keys": shown.into_iter().map(shown_key).collect::<Vec<_>>(), "next": next })))
            }
            Method::POST => {
                let fields = call.fields().await?;
                let key = self.keys.create(self.new_key(&fields)?).await?;
                tracing::info!(access_key = key.access_key_id, "an access key was made");
                let mut shown = shown_key(&key);
                if let Some(shown) = shown.as_object_mut() {
                    shown.insert("secretKey".to_owned(), Value::String(key.secret));
                }
                Ok(Reply::Made(shown))
            }
            _ => Err(AdminError::Method("GET, POST")),
        }
    }

    pub(super) async fn key_call(&self, call: Call, id: &str) -> Result<Reply, AdminError> {
        match call.method {
            Method::GET => Ok(Reply::Here(shown_key(&self.keys.get(id)?))),
            Method::PATCH => {
                let fields = call.fields().await?;
                let change = KeyChange {
                    enabled: fields.boolean("enabled")?,
                    policy: if fields.has("policy") { Some(policy(&fields, PolicyKind::Identity)?) } else { None },
                    name: if fields.has("name") { Some(name(&fields)?) } else { None },
                };
                let key = self.keys.change(id, change).await?;
                tracing::info!(access_key = id, enabled = key.enabled, "an access key was changed");
                Ok(Reply::Here(shown_key(&key)))
            }
            Method::DELETE => {
                self.keys.delete(id).await?;
                tracing::info!(access_key = id, "an access key was deleted");
                Ok(Reply::Done)
            }
            _ => Err(AdminError::Method("GET, PATCH, DELETE")),
        }
    }

    pub(super) async fn tokens_call(&self, call: Call, id: &str) -> Result<Reply, AdminError> {
        match call.method {
            Method::GET => {
                let tokens = self.keys.tokens(id)?;
                Ok(Reply::Here(json!({ "tokens": tokens.iter().map(shown_token).collect::<Vec<_>>() })))
            }
            Method::POST => {
                let fields = call.fields().await?;
                let narrowed = policy(&fields, PolicyKind::Session)?;
                let (text, token) = self.keys.create_token(id, narrowed, life(&fields)?).await?;
                tracing::info!(access_key = id, token = token.hash, "a token was made");
                let mut shown = shown_token(&token);
                if let Some(shown) = shown.as_object_mut() {
                    shown.insert("token".to_owned(), Value::String(text));
                }
                Ok(Reply::Made(shown))
            }
            Method::DELETE => {
                let ended = self.keys.end_tokens(id, None).await?;
                tracing::info!(access_key = id, tokens = ended, "tokens were ended");
                Ok(Reply::Done)
            }
            _ => Err(AdminError::Method("GET, POST, DELETE")),
        }
    }

    pub(super) async fn token_call(&self, call: Call, id: &str, token: &str) -> Result<Reply, AdminError> {
        match call.method {
            Method::DELETE => match self.keys.end_tokens(id, Some(token)).await? {
                0 => Err(AdminError::NoSuchToken),
                _ => {
                    tracing::info!(access_key = id, token, "a token was ended");
                    Ok(Reply::Done)
                }
            },
            _ => Err(AdminError::Method("DELETE")),
        }
    }

    /// A key as the fields want it, with what they leave open drawn.
    fn new_key(&self, fields: &Fields) -> Result<NewKey, AdminError> {
        let drawn = credentials::generate(self.rng.as_ref());
        let wrong = |field: &str, problem: String| AdminError::invalid(format!("\"{field}\": {problem}"));
        let access_key_id = match fields.text("accessKey")? {
            Some(text) => credentials::access_key(text).map_err(|problem| wrong("accessKey", problem))?,
            None => drawn.access_key,
        };
        let secret = match fields.text("secretKey")? {
            Some(text) => credentials::secret_key(text).map_err(|problem| wrong("secretKey", problem))?,
            None => drawn.secret_key,
        };
        Ok(NewKey {
            access_key_id,
            secret: secret.expose().to_owned(),
            name: name(fields)?,
            policy: policy(fields, PolicyKind::Identity)?,
            enabled: fields.boolean("enabled")?.unwrap_or(true),
        })
    }
}

fn name(fields: &Fields) -> Result<Option<String>, AdminError> {
    let Some(name) = fields.text("name")? else { return Ok(None) };
    if name.chars().count() > ACCESS_KEY_NAME_MAX_CHARACTERS || name.chars().any(char::is_control) {
        let rule = format!("at most {ACCESS_KEY_NAME_MAX_CHARACTERS} characters, none of them a control character");
        return Err(AdminError::invalid(format!("\"name\" must be {rule}")));
    }
    Ok(Some(name.to_owned()))
}

fn life(fields: &Fields) -> Result<Duration, AdminError> {
    let seconds = fields.number("expiresIn")?.unwrap_or(TOKEN_LIFE_DEFAULT.as_secs());
    if (1..=TOKEN_LIFE_MAX.as_secs()).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    let message = format!("\"expiresIn\" must be a number of seconds from 1 to {}", TOKEN_LIFE_MAX.as_secs());
    Err(AdminError::Invalid(message))
}

/// A canned policy by its name, or a document's text. Not a document as it is: of a member that stands in it twice only one would
/// be left, and nobody told.
fn policy(fields: &Fields, kind: PolicyKind<'_>) -> Result<Option<Policy>, AdminError> {
    let text = match fields.value("policy") {
        None => return Ok(None),
        Some(Value::String(text)) => match Policy::canned(text) {
            Some(canned) => return Ok(Some(canned)),
            None if !text.trim_start().starts_with('{') => {
                let names = Policy::CANNED.join(", ");
                return Err(AdminError::invalid(format!("\"policy\" must be one of {names}, or a policy document")));
            }
            None => text.clone(),
        },
        Some(_) => return Err(AdminError::invalid("\"policy\" must be a text: a name, or a document in quotes")),
    };
    Ok(Some(Policy::parse(text.as_bytes(), kind)?))
}

fn shown_key(key: &AccessKey) -> Value {
    json!({
        "accessKey": key.access_key_id,
        "name": key.name,
        "enabled": key.enabled,
        "policy": key.policy.as_ref().map(shown_policy),
        "created": key.created.iso8601(),
    })
}

fn shown_token(token: &BearerToken) -> Value {
    json!({
        "id": token.hash,
        "accessKey": token.access_key_id,
        "policy": token.policy.as_ref().map(shown_policy),
        "created": token.created.iso8601(),
        "expires": token.expires.iso8601(),
    })
}

/// The name of a canned policy, or the document.
fn shown_policy(policy: &Policy) -> Value {
    let canned = Policy::CANNED.iter().find(|name| Policy::canned(name).is_some_and(|canned| canned == *policy));
    match canned {
        Some(name) => Value::String((*name).to_owned()),
        None => serde_json::from_str(policy.text()).unwrap_or_else(|_| Value::String(policy.text().to_owned())),
    }
}
