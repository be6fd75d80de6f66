//! Credentials that a POST form carries in its fields, and the policy they sign.
//!
//! The string that is signed is the policy as it came, in base64; everything else of the form is protected by the policy's
//! conditions alone, so every field has to be covered by one. Fields are judged after `${filename}` has been put in.
//! A form lives as long as its policy says, but with signature version 4 no longer than a presigned URL may.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html>; the sentences are those that Amazon
//! S3 answered LocalStack's tests (`TestS3PresignedPost`) and the authors of upload libraries with.

use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::credential::{Credential, parse_amz_date};
use super::error::{AuthError, AuthErrorCode};
use super::sigv4::{self, ALGORITHM, S3};
use super::{Authenticated, Authenticator, Identity, QueryMechanism, presign};
use super::{KeyIdentity, RequestHead, SignaturePlace, Signed, sigv2};
use crate::base::clock::Timestamp;
use crate::base::limits::{CLOCK_SKEW_MAX, PRESIGN_MAX};

mod document;
mod fields;

pub use document::{PostPolicy, SizeRange};
pub use fields::PostFields;

const ARGUMENT: AuthErrorCode = AuthErrorCode::InvalidArgument;

/// What a form says of who sent it.
#[derive(Debug)]
pub struct FormCredentials {
    /// Who signed its policy.
    pub identity: Identity,
    /// What the signer allows. A form without credentials has none that anybody signed.
    pub policy: Option<PostPolicy>,
    /// How it was signed, unless nobody signed it.
    pub signed: Option<Signed>,
}

impl Authenticator {
    /// What is known of the sender of a form by its head: nothing yet.
    ///
    /// # Errors
    /// `InvalidRequest` for a head that carries credentials too.
    pub fn before_form(&self, head: RequestHead<'_>) -> Result<Authenticated, AuthError> {
        let in_header = head.headers.contains_key(http::header::AUTHORIZATION);
        if in_header || presign::mechanism(head.query) != QueryMechanism::None {
            let message = "A POST form carries its credentials in its fields; none are accepted in the Authorization header or \
                           in the query.";
            return Err(AuthError::new(AuthErrorCode::InvalidRequest, message));
        }
        Ok(Authenticated::nobody())
    }

    /// Authenticates a form by its fields. A form without any credentials is anonymous.
    ///
    /// # Errors
    /// Whatever is wrong with the credentials or with the document of the policy, whose conditions are not judged yet.
    pub fn authenticate_form(&self, fields: &PostFields, now: Timestamp) -> Result<FormCredentials, AuthError> {
        let has = |names: &[&str]| names.iter().any(|name| fields.get(name).is_some());
        let (identity, version) = match (
            has(&SIGV4_FIELDS.map(|(field, _)| field)),
            has(&SIGV2_FIELDS.map(|(field, _)| field)),
        ) {
            (false, false) => return Ok(FormCredentials { identity: Identity::Anonymous, policy: None, signed: None }),
            (true, true) => return Err(AuthError::two_mechanisms()),
            (true, false) => (self.verify_form_sigv4(fields, now)?, ALGORITHM),
            (false, true) if self.sigv2_presign => (self.verify_form_sigv2(fields, now)?, sigv2::ALGORITHM),
            (false, true) => {
                let message = "POST forms signed with signature version 2 are not accepted where --sigv2-presign is off. Please \
                               sign with AWS4-HMAC-SHA256.";
                return Err(AuthError::new(AuthErrorCode::NotImplemented, message));
            }
        };
        let policy = PostPolicy::parse(policy_text(fields)?)?;
        let at = fields.get("x-amz-date").and_then(parse_amz_date);
        let signed = Signed { place: SignaturePlace::Form, version, at };
        Ok(FormCredentials { identity: Identity::Key(identity), policy: Some(policy), signed: Some(signed) })
    }

    fn verify_form_sigv4(&self, fields: &PostFields, now: Timestamp) -> Result<Arc<KeyIdentity>, AuthError> {
        let [algorithm, credential_text, date, signature] = required(fields, SIGV4_FIELDS)?;
        if algorithm != ALGORITHM {
            return Err(AuthError::argument(
                &format!("X-Amz-Algorithm only supports \"{ALGORITHM}\""),
                "X-Amz-Algorithm",
                algorithm,
            ));
        }
        let named = |refusal: AuthError| {
            refusal.with("ArgumentName", "X-Amz-Credential").with("ArgumentValue", credential_text)
        };
        let credential = Credential::parse(credential_text, (&self.region, S3), ARGUMENT, "").map_err(named)?;
        let Some(signed_at) = parse_amz_date(date) else {
            return Err(AuthError::argument("X-Amz-Date must be formated via ISO8601 Long format", "X-Amz-Date", date));
        };
        credential.check_date(date, ARGUMENT, "").map_err(named)?;
        let policy = policy_text(fields)?;
        let Credential { access_key_id, date: day, region, service } = &credential;
        let keyring = self.keyring();
        let signer = keyring.signer(access_key_id, fields.get("x-amz-security-token"), now)?;
        let key = keyring.signing_key(&signer, day, region, service);
        if !bool::from(key.sign(policy).as_bytes().ct_eq(signature.as_bytes())) {
            return Err(sigv4::mismatch(access_key_id, signature, policy));
        }
        if signed_at.since(now) > CLOCK_SKEW_MAX {
            return Err(AuthError::new(AuthErrorCode::AccessDenied, "Request is not valid yet")
                .with("ValidFrom", signed_at.iso8601())
                .with("ServerTime", now.iso8601()));
        }
        if now.since(signed_at) > PRESIGN_MAX {
            return Err(document::expired());
        }
        Ok(signer.identity)
    }

    fn verify_form_sigv2(&self, fields: &PostFields, now: Timestamp) -> Result<Arc<KeyIdentity>, AuthError> {
        let [access_key_id, signature] = required(fields, SIGV2_FIELDS)?;
        let policy = policy_text(fields)?;
        let signer = self.keyring().signer(access_key_id, fields.get("x-amz-security-token"), now)?;
        let expected = signer.sigv2_signature(policy.as_bytes());
        match bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
            true => Ok(signer.identity),
            false => Err(sigv4::mismatch(access_key_id, signature, policy)),
        }
    }
}

/// The fields of signature version 4, and as refusals name them, in the order in which they are missed.
const SIGV4_FIELDS: [(&str, &str); 4] = [
    ("x-amz-algorithm", "X-Amz-Algorithm"),
    ("x-amz-credential", "X-Amz-Credential"),
    ("x-amz-date", "X-Amz-Date"),
    ("x-amz-signature", "X-Amz-Signature"),
];
/// Those of version 2.
const SIGV2_FIELDS: [(&str, &str); 2] = [("awsaccesskeyid", "AWSAccessKeyId"), ("signature", "Signature")];

fn required<'a, const COUNT: usize>(
    fields: &'a PostFields,
    names: [(&str, &str); COUNT],
) -> Result<[&'a str; COUNT], AuthError> {
    match names.into_iter().find(|(field, _)| fields.get(field).is_none()) {
        Some((_, name)) => Err(missing_field(name)),
        None => Ok(names.map(|(field, _)| fields.get(field).unwrap_or_default())),
    }
}

/// The refusal of a form without a field that it must have before its file.
pub fn missing_field(name: &str) -> AuthError {
    let message = format!(
        "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    );
    AuthError::argument(&message, name, "")
}

fn policy_text(fields: &PostFields) -> Result<&str, AuthError> {
    fields.get("policy").ok_or_else(|| document::invalid("the form has no field named 'Policy'."))
}

#[cfg(test)]
mod tests;
