//! What a request may ask for that S3 knows and wharf does not do: refused with 501, never ignored into a wrong success.
//!
//! One table of headers. Parameters of the query that mean operations of their own are rows of [`super::op`].

use http::HeaderMap;

use super::call::single;
use super::error::{Code, Error};
use super::op::{Op, Target};
use super::query::Query;
use super::receive;

/// The account all buckets belong to, as `x-amz-expected-bucket-owner` names accounts.
pub use crate::auth::ACCOUNT_ID;

struct Refusal {
    /// The header, or with a star at its end every header that begins so.
    header: &'static str,
    /// Values that mean no more than what wharf does anyway.
    harmless: &'static [&'static str],
    why: &'static str,
}

const fn refuse(header: &'static str, harmless: &'static [&'static str], why: &'static str) -> Refusal {
    Refusal { header, harmless, why }
}

const REFUSALS: &[Refusal] = &[
    refuse("x-amz-grant-*", &[], "grants other than those of the canned ACLs"),
    refuse("x-amz-server-side-encryption*", &[], "server-side encryption"),
    refuse("x-amz-copy-source-server-side-encryption*", &[], "server-side encryption"),
    refuse("x-amz-object-lock-*", &[], "object lock"),
    refuse("x-amz-bucket-object-lock-enabled", &["false"], "object lock"),
    refuse("x-amz-write-offset-bytes", &[], "appending"),
    refuse("x-amz-mfa", &[], "deleting with multi-factor authentication"),
    // Amazon has these for directory buckets alone and answers the same.
    refuse("x-amz-if-match-*", &[], "conditions of directory buckets"),
];

/// Refuses what the headers and the query ask for in vain.
///
/// # Errors
/// `NotImplemented`; `InvalidBucketOwnerAWSAccountID` for what S3 does not know either; `AccessDenied` for an expected owner
/// who is another.
pub fn check(op: &Op, headers: &HeaderMap, query: &Query) -> Result<(), Error> {
    for (name, value) in headers {
        if receive::is_unbuilt_checksum(name.as_str()) {
            return Err(Error::not_implemented(name.as_str(), "this checksum algorithm"));
        }
        let Some(refusal) = REFUSALS.iter().find(|refusal| refusal.is_about(name.as_str())) else { continue };
        if !refusal.harmless.iter().any(|harmless| value.as_bytes().eq_ignore_ascii_case(harmless.as_bytes())) {
            return Err(Error::not_implemented(name.as_str(), refusal.why));
        }
    }
    check_version(op, query)?;
    check_owner(headers, "x-amz-expected-bucket-owner")?;
    check_owner(headers, "x-amz-source-expected-bucket-owner")
}

/// Until there are versions every object is the version `null`, and no other id was ever given out.
fn check_version(op: &Op, query: &Query) -> Result<(), Error> {
    let Some(version) = query.get("versionId").filter(|_| op.target == Target::Object) else { return Ok(()) };
    let message = match version {
        _ if !op.also.contains(&"versionId") => "This operation does not accept a version-id.",
        "null" => return Ok(()),
        "" => "Version id cannot be the empty string",
        _ => "Invalid version id specified",
    };
    Err(Error::argument(message, "versionId", version))
}

impl Refusal {
    fn is_about(&self, name: &str) -> bool {
        match self.header.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == self.header,
        }
    }
}

fn check_owner(headers: &HeaderMap, name: &str) -> Result<(), Error> {
    match single(headers, name)? {
        None | Some(ACCOUNT_ID) => Ok(()),
        Some(owner) if owner.len() == ACCOUNT_ID.len() && owner.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Code::ACCESS_DENIED.into())
        }
        Some(_) => Err(Code::INVALID_BUCKET_OWNER.into()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::s3::ops::get_object::OP as GET;
    use crate::s3::ops::put_object::OP as PUT;

    fn checked(name: &'static str, value: &'static str) -> Result<(), &'static str> {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
        check(&GET, &headers, &Query::default()).map_err(|error| error.code().name)
    }

    #[test]
    fn nothing_unbuilt_passes() {
        for (name, value) in [
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-server-side-encryption-customer-key", "k"),
            ("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-bucket-object-lock-enabled", "true"),
            ("x-amz-grant-read", "id=x"),
            ("x-amz-if-match-size", "5"),
            ("x-amz-if-match-last-modified-time", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-write-offset-bytes", "0"),
            ("x-amz-checksum-xxhash64", "AA=="),
        ] {
            assert_eq!(checked(name, value), Err("NotImplemented"), "{name}");
        }
    }

    #[test]
    fn what_changes_nothing_passes() {
        for (name, value) in [
            ("x-amz-bucket-object-lock-enabled", "False"),
            ("x-amz-expected-bucket-owner", "000000000000"),
            ("x-amz-request-payer", "requester"),
            ("x-amz-checksum-crc32", "AAAAAA=="),
        ] {
            assert_eq!(checked(name, value), Ok(()), "{name}");
        }
    }

    #[test]
    fn versions_nobody_gave_out() {
        let asked = |op: &Op, query: &str| {
            let query = Query::parse(query).unwrap();
            check(op, &HeaderMap::new(), &query).map_err(|error| error.text().to_owned())
        };
        assert_eq!(asked(&GET, "versionId=null"), Ok(()));
        assert_eq!(asked(&GET, "versionId=3"), Err("Invalid version id specified".to_owned()));
        assert_eq!(asked(&GET, "versionId="), Err("Version id cannot be the empty string".to_owned()));
        let refused = Err("This operation does not accept a version-id.".to_owned());
        assert_eq!(asked(&PUT, "versionId=null"), refused);
    }

    #[test]
    fn owners_nobody_knows() {
        assert_eq!(checked("x-amz-expected-bucket-owner", "123456789012"), Err("AccessDenied"));
        assert_eq!(checked("x-amz-source-expected-bucket-owner", "123456789012"), Err("AccessDenied"));
        assert_eq!(checked("x-amz-expected-bucket-owner", "me"), Err("InvalidBucketOwnerAWSAccountID"));
    }
}
