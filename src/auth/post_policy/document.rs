//! The policy of a form: a document in JSON with a time at which it ends, and conditions on the fields and on the size of the
//! file.
//!
//! Beyond the documentation and as Amazon S3 does: the bounds of a size may be strings; a condition on a field that is not
//! there fails, even one that allows any value; a condition without the dollar sign fails; the bucket of the request is a
//! field that has to be covered, too. Unlike Amazon S3, checksums of the file need no condition, for they can only make an
//! upload fail.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::fields::PostFields;
use crate::auth::error::{AuthError, AuthErrorCode};
use crate::base::clock::Timestamp;
use crate::base::digest::ChecksumAlgorithm;

/// Fields that need no condition, besides those whose names begin with [`IGNORED`].
const UNCOVERED: [&str; 6] = ["x-amz-signature", "awsaccesskeyid", "signature", "policy", "file", "content-md5"];
const IGNORED: &str = "x-ignore-";

/// What a signer allows.
#[derive(Clone, Debug, PartialEq)]
pub struct PostPolicy {
    /// The last moment at which it holds.
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    /// As it stands in the policy; a simple one as the `eq` it means.
    written: Vec<Value>,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Is {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        prefix: String,
    },
    Size(SizeRange),
    /// Nothing satisfies it.
    Never,
}

/// How many bytes the file may have, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl SizeRange {
    /// Every size.
    pub const ANY: Self = Self { min: 0, max: u64::MAX };

    fn and(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }
}

/// `InvalidPolicyDocument`.
pub(super) fn invalid(reason: &str) -> AuthError {
    AuthError::new(AuthErrorCode::InvalidPolicyDocument, format!("Invalid Policy: {reason}"))
}

/// The refusal of a form that came too late.
pub(super) fn expired() -> AuthError {
    denied("Policy expired.")
}

fn denied(reason: &str) -> AuthError {
    AuthError::new(AuthErrorCode::AccessDenied, format!("Invalid according to Policy: {reason}"))
}

fn no_json() -> AuthError {
    invalid("Invalid JSON.")
}

impl PostPolicy {
    /// Reads the policy in the base64 of its field, which may be broken into lines.
    pub(super) fn parse(text: &str) -> Result<Self, AuthError> {
        let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let json = BASE64.decode(packed).map_err(|_| invalid("invalid Base64 encoding."))?;
        let Ok(Value::Object(members)) = serde_json::from_slice(&json) else { return Err(no_json()) };
        if let Some(unknown) = members.keys().find(|name| !["expiration", "conditions"].contains(&name.as_str())) {
            return Err(invalid(&format!("Unexpected: '{unknown}'")));
        }
        let expiration = members.get("expiration").ok_or_else(|| invalid("Policy missing expiration."))?;
        let expiration = read_expiration(expiration)?;
        let conditions = members.get("conditions").ok_or_else(|| invalid("Policy missing conditions."))?;
        let conditions = conditions.as_array().ok_or_else(|| invalid("Invalid 'conditions' value: must be a List."))?;
        Ok(Self { expiration, conditions: conditions.iter().map(Condition::read).collect::<Result<_, _>>()? })
    }

    /// Judges a form for this bucket by everything but its file, and says how large that may be.
    ///
    /// # Errors
    /// `AccessDenied` for a policy that has expired, a condition that fails and a field without one.
    pub fn check(&self, fields: &PostFields, bucket: &str, now: Timestamp) -> Result<SizeRange, AuthError> {
        if now > self.expiration {
            return Err(expired());
        }
        let mut range = SizeRange::ANY;
        for condition in &self.conditions {
            if let Rule::Size(size) = &condition.rule {
                range = range.and(*size);
            } else if !condition.holds(fields, bucket) {
                return Err(denied(&format!("Policy Condition failed: {}", condition.text())));
            }
        }
        // The bucket that the client says it means is the one of the address, which the conditions are about.
        if fields.get("bucket").is_some_and(|named| named != bucket) {
            return Err(denied(&format!("Policy Condition failed: [\"eq\", \"$bucket\", \"{bucket}\"]")));
        }
        let address = [("bucket", "bucket")].into_iter().filter(|_| fields.get("bucket").is_none());
        match fields.names().chain(address).find(|(name, _)| !self.covers(name)) {
            Some((_, name)) => Err(denied(&format!("Extra input fields: {name}"))),
            None => Ok(range),
        }
    }

    fn covers(&self, name: &str) -> bool {
        let condition = |condition: &Condition| match &condition.rule {
            Rule::Is { field, .. } | Rule::StartsWith { field, .. } => field == name,
            Rule::Size(_) | Rule::Never => false,
        };
        let checksum = ChecksumAlgorithm::from_header(name).is_some() || name == "x-amz-checksum-algorithm";
        checksum || UNCOVERED.contains(&name) || name.starts_with(IGNORED) || self.conditions.iter().any(condition)
    }
}

/// A time in UTC as ISO 8601 writes it: `2007-12-01T12:00:00.000Z`, the fraction optional.
fn read_expiration(value: &Value) -> Result<Timestamp, AuthError> {
    let text = value.as_str().ok_or_else(no_json)?;
    let in_utc = text.ends_with('Z') && text.get(10..11) == Some("T");
    let moment = text.parse::<jiff::Timestamp>().ok().filter(|_| in_utc);
    let moment = moment.ok_or_else(|| invalid(&format!("Invalid 'expiration' value: '{text}'")))?;
    // What ended before 1970 has ended.
    Ok(Timestamp(u64::try_from(moment.as_millisecond()).unwrap_or(0)))
}

impl Condition {
    fn read(value: &Value) -> Result<Self, AuthError> {
        match value {
            Value::Object(members) => Self::simple(members),
            Value::Array(items) => Self::listed(items),
            _ => Err(invalid("Invalid condition test: must be a List or Object.")),
        }
    }

    /// `{"field": "value"}`.
    fn simple(members: &Map<String, Value>) -> Result<Self, AuthError> {
        let mut members = members.iter();
        let (Some((name, value)), None) = (members.next(), members.next()) else {
            let reason = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.";
            return Err(invalid(reason));
        };
        let value = value.as_str().ok_or_else(|| match value {
            Value::Null => no_json(),
            _ => invalid("Invalid Simple-Condition: value must be a string."),
        })?;
        Ok(Self {
            written: vec!["eq".into(), format!("${name}").into(), value.into()],
            rule: Rule::Is { field: name.to_ascii_lowercase(), value: value.to_owned() },
        })
    }

    /// `["operation", ...]`.
    fn listed(items: &[Value]) -> Result<Self, AuthError> {
        let operation = items.first().ok_or_else(|| invalid("Invalid Condition: missing operation identifier."))?;
        let operation = operation.as_str().ok_or_else(no_json)?.to_ascii_lowercase();
        if !["eq", "starts-with", "content-length-range"].contains(&operation.as_str()) {
            return Err(invalid(&format!("Invalid Condition: unknown operation '{operation}'.")));
        }
        let [_, first, second] = items else {
            return Err(invalid(&format!("Invalid {operation}: wrong number of arguments.")));
        };
        let rule = match operation.as_str() {
            "content-length-range" => match (bound(first)?, bound(second)?) {
                (Some(min), Some(max)) => Rule::Size(SizeRange { min, max }),
                _ => Rule::Never,
            },
            operation => {
                let (Value::String(field), Value::String(value)) = (first, second) else { return Err(no_json()) };
                let field = field.strip_prefix('$').map(str::to_ascii_lowercase);
                let value = value.to_owned();
                match (field, operation) {
                    (None, _) => Rule::Never,
                    (Some(field), "eq") => Rule::Is { field, value },
                    (Some(field), _) => Rule::StartsWith { field, prefix: value },
                }
            }
        };
        Ok(Self { written: items.to_vec(), rule })
    }

    fn holds(&self, fields: &PostFields, bucket: &str) -> bool {
        let value_of = |field: &str| if field == "bucket" { Some(bucket) } else { fields.get(field) };
        match &self.rule {
            Rule::Is { field, value } => value_of(field) == Some(value),
            Rule::StartsWith { field, prefix } => value_of(field).is_some_and(|value| match field.as_str() {
                // A list, each of whose members has to begin so.
                "content-type" => value.split(',').all(|member| member.trim_start().starts_with(prefix.as_str())),
                _ => value.starts_with(prefix.as_str()),
            }),
            Rule::Size(_) => true,
            Rule::Never => false,
        }
    }

    /// As refusals quote it.
    fn text(&self) -> String {
        let items: Vec<_> = self.written.iter().map(Value::to_string).collect();
        format!("[{}]", items.join(", "))
    }
}

/// A number of bytes, or the text of one. Other texts make a condition that fails, other values no condition at all.
fn bound(value: &Value) -> Result<Option<u64>, AuthError> {
    match value {
        Value::String(text) => Ok(text.parse().ok()),
        value => value.as_u64().map(Some).ok_or_else(no_json),
    }
}
