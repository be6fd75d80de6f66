//! CreateBucket. In us-east-1 making a bucket one owns again succeeds, elsewhere it is a conflict, as at AWS.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>.

use http::{Method, Response, StatusCode};

use crate::base::limits::XML_BODY_MAX_BYTES;
use crate::s3::acl::{self, CannedAcl};
use crate::s3::call::{Call, empty, set, single};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::s3::rules::Ownership;
use crate::s3::xml;
use crate::store::Store;
use crate::store::error::Error as StoreError;
use crate::store::types::{Bucket, BucketName, DocumentKind};
use crate::wire::Body;

/// The region where making one's bucket again is no error.
const FORGIVING_REGION: &str = "us-east-1";

/// The header that says whose the objects will be.
const OWNERSHIP: &str = "x-amz-object-ownership";

/// The row.
pub static OP: Op = Op {
    name: "CreateBucket",
    method: Method::PUT,
    target: Target::Bucket,
    query: "",
    also: &[],
    header: None,
    action: "s3:CreateBucket",
    body: BodyRule::Xml(XML_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(run(call))),
};

async fn run(mut call: Call) -> Result<Response<Body>, Error> {
    let name = call.bucket_name()?.clone();
    // Its health checks stand there.
    if name.as_str() == "minio" {
        return Err(Error::new(Code::INVALID_BUCKET_NAME).with("BucketName", name.as_str()));
    }
    let declaration = Declaration::of_body(&call)?;
    let body = receive::document(&mut call, &declaration, XML_BODY_MAX_BYTES).await?;
    check_configuration(&body, &call.config.region)?;
    let ownership = single(&call.headers, OWNERSHIP)?.map(read_ownership).transpose()?;
    let acl = CannedAcl::of_headers(&call.headers)?.unwrap_or_default();
    if ownership == Some(Ownership::BucketOwnerEnforced) && !acl.is_owners() {
        return Err(Code::INVALID_BUCKET_ACL_WITH_OWNERSHIP.into());
    }
    for (asked, action) in
        [(!acl.is_owners(), "s3:PutBucketAcl"), (ownership.is_some(), "s3:PutBucketOwnershipControls")]
    {
        if asked {
            call.asking().permit(action, call.place())?;
        }
    }
    let key = call.auth.identity.key();
    let owner = key.filter(|key| !key.root).map(|key| key.canonical_user_id.as_str());
    match call.store().create_bucket(&name, owner).await {
        Ok(_) if acl == CannedAcl::Private && ownership.is_none() => {}
        Ok(bucket) => furnish(call.store(), &bucket, acl, ownership).await?,
        Err(StoreError::Exists) => {
            let bucket = make_again(&call, &name, owner)?;
            // What the headers ask for is done, or the answer would not be true.
            if call.headers.contains_key(acl::HEADER) || ownership.is_some() {
                furnish(call.store(), &bucket, acl, ownership).await?;
            }
        }
        Err(error) => return Err(error.into()),
    }
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "location", &format!("/{name}"));
    Ok(response)
}

/// A bucket that is there already: the caller's own, which is no error where that is forgiven, or somebody else's.
fn make_again(call: &Call, name: &BucketName, owner: Option<&str>) -> Result<Bucket, Error> {
    let bucket = call.store().bucket(name)?;
    match bucket.owner.as_deref() != owner {
        true => Err(Error::new(Code::BUCKET_ALREADY_EXISTS).with("BucketName", name.as_str())),
        false if call.config.region == FORGIVING_REGION => Ok(bucket),
        false => Err(StoreError::Exists.into()),
    }
}

/// What a new bucket is to have besides its name. A crash between the commits leaves it with less: private, as it was made.
async fn furnish(store: &Store, bucket: &Bucket, acl: CannedAcl, ownership: Option<Ownership>) -> Result<(), Error> {
    if let Some(ownership) = ownership {
        let document = ownership.document().into_bytes();
        store.put_bucket_document(bucket, DocumentKind::OwnershipControls, document).await?;
    }
    match acl.number() {
        Some(number) => store.put_bucket_document(bucket, DocumentKind::Acl, vec![number]).await?,
        None => store.delete_bucket_document(bucket, DocumentKind::Acl).await?,
    }
    Ok(())
}

fn read_ownership(name: &str) -> Result<Ownership, Error> {
    let invalid = || Error::argument("Invalid x-amz-object-ownership header", OWNERSHIP, name);
    Ownership::from_name(name).ok_or_else(invalid)
}

fn check_configuration(body: &[u8], region: &str) -> Result<(), Error> {
    if body.is_empty() {
        return Ok(());
    }
    let configuration = xml::parse(body, "CreateBucketConfiguration")?;
    for child in &configuration.children {
        match child.name.as_str() {
            "LocationConstraint" if child.text.is_empty() || child.text == region => {}
            "LocationConstraint" => {
                let message = format!(
                    "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
                    child.text
                );
                return Err(Error::new(Code::ILLEGAL_LOCATION_CONSTRAINT).message(message));
            }
            "Tags" | "Bucket" | "Location" => {
                return Err(Error::not_implemented(&child.name, "tags and directory buckets"));
            }
            _ => return Err(xml::malformed("an unknown element")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_constraints() {
        for (body, code) in [
            ("", None),
            ("<CreateBucketConfiguration/>", None),
            (
                "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>",
                None,
            ),
            ("<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>", None),
            (
                "<CreateBucketConfiguration><LocationConstraint>eu</LocationConstraint></CreateBucketConfiguration>",
                Some("IllegalLocationConstraintException"),
            ),
            ("<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>", Some("NotImplemented")),
            ("<CreateBucketConfiguration><What/></CreateBucketConfiguration>", Some("MalformedXML")),
            ("junk", Some("MalformedXML")),
        ] {
            let found = check_configuration(body.as_bytes(), "eu-west-1").err().map(|error| error.code().name);
            assert_eq!(found, code, "{body}");
        }
    }
}
