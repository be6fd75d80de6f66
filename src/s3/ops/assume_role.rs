//! AssumeRole and GetCallerIdentity of the Security Token Service: temporary credentials for SDKs that ask for them.
//!
//! There are no roles: the credentials have the rights of the key that asks, narrowed by `Policy` where it is given, and
//! `RoleArn` may be anything. What would narrow them in ways that are not built (`PolicyArns`, session tags, MFA) is refused,
//! because ignoring it would give more than was asked for. The parameters come in the body, whose hash is signed for the
//! service `sts`, so the body is read, as far as it may be long, before anybody is known.
//!
//! Sources: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>; the answers of errors:
//! <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::auth::policy::{Policy, PolicyKind, Verdict};
use crate::auth::{ACCOUNT_ID, KeyIdentity, RequestHead, STS, SessionRequest};
use crate::base::digest::hex;
use crate::base::limits::{SESSION_POLICY_MAX_BYTES, STS_BODY_MAX_BYTES};
use crate::s3::call::Call;
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::permission::Place;
use crate::s3::query::Query;
use crate::s3::xml::{Document, readable};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "AssumeRole",
    method: Method::POST,
    target: Target::Service,
    query: "",
    also: &[],
    header: None,
    action: "sts:AssumeRole",
    body: BodyRule::Call(STS_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(run(call))),
};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";
/// How long credentials last unless the caller says so.
const DEFAULT_LIFE_S: u64 = 3600;
/// The session's name unless the caller gives one.
const DEFAULT_NAME: &str = "session";
/// Parameters that would narrow the rights or ask for more proof, none of which is built.
const UNBUILT: [&str; 5] = ["PolicyArns.", "Tags.", "TransitiveTagKeys.", "SerialNumber", "TokenCode"];

async fn run(mut call: Call) -> Result<Response<Body>, Error> {
    let is_form = call.headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    });
    if !is_form || call.query.names().next().is_some() {
        return Err(Error::new(Code::METHOD_NOT_ALLOWED).with("Method", "POST"));
    }
    match answer(&mut call).await {
        Ok(text) => Ok(response(StatusCode::OK, text)),
        Err(error) => {
            // For the access log: the document of such an error is not S3's.
            let _: Result<(), _> = call.trace.late_error.set(error.code().name);
            Ok(refusal(&call, &error))
        }
    }
}

async fn answer(call: &mut Call) -> Result<String, Error> {
    let body = std::mem::replace(&mut call.body, Body::empty()).collect(STS_BODY_MAX_BYTES).await?;
    let head = RequestHead { method: &call.method, path: "/", query: "", headers: &call.headers, bucket_in_host: None };
    let (hash, now) = (hex(&Sha256::digest(&body)), call.config.clock.now());
    call.auth.identity = call.config.authenticator.authenticate_known_body(head, STS, &hash, now)?;
    call.trace.identify(&call.auth.identity);
    let Some(holder) = call.auth.identity.key() else {
        let message = "Request is missing Authentication Token";
        return Err(Error::new(Code::MISSING_AUTHENTICATION_TOKEN).message(message));
    };
    let text = std::str::from_utf8(&body).map_err(|_| invalid("The parameters are not UTF-8."))?;
    let parameters = Query::parse(text)?;
    match (parameters.get("Action"), parameters.get("Version")) {
        (_, Some(version)) if version != VERSION => Err(invalid(format!("Version must be {VERSION}."))),
        (Some("AssumeRole"), _) => assume(call, holder, &parameters),
        (Some("GetCallerIdentity"), _) => Ok(caller(call, holder)),
        (action, _) => {
            let message = format!("Could not find operation {} for version {VERSION}", action.unwrap_or("(none)"));
            Err(Error::new(Code::INVALID_ACTION).message(message))
        }
    }
}

fn assume(call: &Call, holder: &KeyIdentity, parameters: &Query) -> Result<String, Error> {
    let role = parameters.get_filled("RoleArn").unwrap_or("*");
    if call.asking().by_identity_alone(OP.action, Place::Named(role)) == Verdict::Deny {
        return Err(Code::ACCESS_DENIED.into());
    }
    if let Some(name) = parameters.names().find(|name| UNBUILT.iter().any(|unbuilt| name.starts_with(unbuilt))) {
        return Err(Error::not_implemented(name, "session policies by ARN, session tags and MFA"));
    }
    let request = SessionRequest {
        name: parameters.get_filled("RoleSessionName").unwrap_or(DEFAULT_NAME).to_owned(),
        life: life(parameters)?,
        policy: parameters.get_filled("Policy").map(policy).transpose()?,
    };
    let clock = call.config.clock.now();
    let made = call.config.authenticator.begin_session(holder, request, clock, call.config.rng.as_ref())?;
    let mut document = Document::of("AssumeRoleResponse", NAMESPACE);
    document.element("AssumeRoleResult", |result| {
        result.element("Credentials", |credentials| {
            credentials.text("AccessKeyId", &made.access_key_id).text("SecretAccessKey", &made.secret);
            credentials.text("SessionToken", &made.token).text("Expiration", made.expires.iso8601());
        });
        result.element("AssumedRoleUser", |user| {
            let name = made.identity.session.as_ref().map(|session| session.name.as_str()).unwrap_or_default();
            user.text("Arn", made.identity.arn()).text("AssumedRoleId", format!("{}:{name}", made.access_key_id));
        });
    });
    Ok(finish(document, call))
}

fn caller(call: &Call, holder: &KeyIdentity) -> String {
    let mut document = Document::of("GetCallerIdentityResponse", NAMESPACE);
    document.element("GetCallerIdentityResult", |result| {
        result.text("Arn", holder.arn()).text("UserId", &holder.canonical_user_id).text("Account", ACCOUNT_ID);
    });
    finish(document, call)
}

fn finish(mut document: Document, call: &Call) -> String {
    document.element("ResponseMetadata", |metadata| {
        metadata.text("RequestId", &call.trace.request_id);
    });
    document.finish()
}

fn life(parameters: &Query) -> Result<Duration, Error> {
    let Some(text) = parameters.get_filled("DurationSeconds") else { return Ok(Duration::from_secs(DEFAULT_LIFE_S)) };
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = digits.and_then(|digits| digits.parse().ok());
    seconds.map(Duration::from_secs).ok_or_else(|| invalid("DurationSeconds must be a number of seconds."))
}

fn policy(text: &str) -> Result<Policy, Error> {
    let refused = |message: String| Error::new(Code::MALFORMED_POLICY_DOCUMENT).message(message);
    if text.len() > SESSION_POLICY_MAX_BYTES {
        return Err(refused(format!("The policy is longer than {SESSION_POLICY_MAX_BYTES} bytes.")));
    }
    Policy::parse(text.as_bytes(), PolicyKind::Session).map_err(|error| refused(error.message))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::VALIDATION_ERROR).message(message)
}

fn refusal(call: &Call, error: &Error) -> Response<Body> {
    // This service has words of its own for some of S3's.
    let code = match error.code() {
        Code::INVALID_ACCESS_KEY_ID => "InvalidClientTokenId",
        Code::INVALID_ARGUMENT => Code::VALIDATION_ERROR.name,
        code => code.name,
    };
    let mut document = Document::of("ErrorResponse", NAMESPACE);
    document.element("Error", |element| {
        element.text("Type", "Sender").text("Code", code).text("Message", readable(error.text()));
    });
    document.text("RequestId", &call.trace.request_id);
    response(StatusCode::from_u16(error.code().status).unwrap_or(StatusCode::BAD_REQUEST), document.finish())
}

fn response(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}
