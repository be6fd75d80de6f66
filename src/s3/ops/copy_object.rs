//! CopyObject: a second object with the same bytes, in one commit and without moving one of them.
//!
//! The copy keeps its source's ETag, checksum and parts: nothing is read, so nothing is computed anew (AWS makes one body of
//! an object of parts). Only a request for a checksum that the source does not have reads the bytes once.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.

use http::{HeaderMap, Method, Response};

use crate::base::clock::Timestamp;
use crate::base::digest::{ChecksumAlgorithm, ChecksumType};
use crate::base::limits::COPY_CHECKSUM_READS_MAX;
use crate::s3::call::{Call, document, single};
use crate::s3::copy_source::{self, CopySource};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::permission::{Asking, Place};
use crate::s3::slow::{self, Client};
use crate::s3::xml::Document;
use crate::s3::{conditions, headers};
use crate::store::Store;
use crate::store::error::Error as StoreError;
use crate::store::read::OpenObject;
use crate::store::types::{Attributes, Bucket, CopyRequest, CopyTerms, ETag, ObjectChecksum, ObjectInfo, ObjectKey};
use crate::wire::Body;

/// Headers stored with an object that no copy takes over: only the request's own count.
const NOT_COPIED: [&str; 2] = [headers::STORAGE_CLASS, headers::REDIRECT_LOCATION];

/// The row.
pub static OP: Op = Op {
    name: "CopyObject",
    method: Method::PUT,
    target: Target::Object,
    query: "",
    also: &[],
    header: Some(copy_source::HEADER),
    action: "s3:PutObject",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

async fn run(call: Call) -> Result<Response<Body>, Error> {
    slow::answer(Client::of(&call), copy(call)).await
}

async fn copy(call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let key = call.key()?.clone();
    let mut wishes = Wishes::of(&call.headers)?;
    call.asking().own(&bucket, &key, &mut wishes.attributes)?;
    let condition = conditions::of_write(&call.headers)?;
    call.asking().permit_condition(condition.as_ref(), call.place())?;
    let source = CopySource::of(&call)?;
    let onto_itself = source.bucket.number == bucket.number && source.key == key;
    let request = CopyRequest { source: (&source.bucket, &source.key), target: (&bucket, &key), condition };
    let asking = call.asking();
    let mut computed = None;
    for _ in 0..COPY_CHECKSUM_READS_MAX {
        let terms = |info: &ObjectInfo| {
            let copied_tags = Some(&info.attributes.tags).filter(|tags| !wishes.replaces_tags && !tags.is_empty());
            permit(&asking, info, copied_tags, (&source, (&bucket, &key))).map_err(Failure::Request)?;
            wishes.terms(&call.headers, info, onto_itself, computed.as_ref())
        };
        match call.store().copy_object(&request, terms).await {
            Ok(copy) => return Ok(answer(&copy)),
            Err(Failure::Unread(algorithm)) => {
                let _turn = call.config.shares.copy_turn().await;
                computed = Some(compute(call.store(), source.open(&call)?, algorithm).await?);
            }
            Err(Failure::Request(error)) => return Err(error),
            Err(Failure::Store(error)) => return Err(source.explain(condition.as_ref(), error)),
        }
    }
    Err(source.explain(condition.as_ref(), StoreError::Conflict))
}

/// Permission for each source that a copy is tried on, not for the first alone; and for the tags that come with it.
fn permit(
    asking: &Asking<'_>,
    info: &ObjectInfo,
    copied_tags: Option<&Vec<(String, String)>>,
    (source, (bucket, key)): (&CopySource, (&Bucket, &ObjectKey)),
) -> Result<(), Error> {
    let (from, to) = (Place::Object(&source.bucket, &source.key), Place::Object(bucket, key));
    let reading = Asking { object: Some(info), ..*asking };
    reading.permit("s3:GetObject", from)?;
    let Some(tags) = copied_tags else { return Ok(()) };
    reading.permit("s3:GetObjectTagging", from)?;
    let writing = Asking { tags: Some(tags), ..*asking };
    writing.permit(OP.action, to)?;
    writing.permit("s3:PutObjectTagging", to)
}

fn answer(copy: &ObjectInfo) -> Response<Body> {
    let mut answer = Document::new("CopyObjectResult");
    answer.text("LastModified", copy.modified.iso8601()).text("ETag", copy.etag.quoted());
    answer.text(copy.checksum.value.algorithm().element(), copy.checksum.text());
    answer.text("ChecksumType", copy.checksum.kind.name());
    document(answer.finish())
}

/// Why a copy does not come about as it stands.
enum Failure {
    Store(StoreError),
    Request(Error),
    /// This checksum of the source has to be computed first.
    Unread(ChecksumAlgorithm),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Which body an object has. It stays while the object's record is written anew, for other tags or for another copy, so that
/// nothing is read again for that.
#[derive(PartialEq, Eq)]
struct BodyIdentity {
    size: u64,
    etag: ETag,
    modified: Timestamp,
}

impl BodyIdentity {
    fn of(info: &ObjectInfo) -> Self {
        Self { size: info.size, etag: info.etag, modified: info.modified }
    }
}

/// A checksum of this body.
struct Computed {
    body: BodyIdentity,
    checksum: ObjectChecksum,
}

async fn compute(store: &Store, object: OpenObject, algorithm: ChecksumAlgorithm) -> Result<Computed, Error> {
    let body = BodyIdentity::of(&object.info);
    let value = store.compute_checksum(object, algorithm).await?;
    Ok(Computed { body, checksum: ObjectChecksum { value, kind: ChecksumType::FullObject, parts: None } })
}

/// What a request wants other than the source has it.
struct Wishes {
    replaces_metadata: bool,
    replaces_tags: bool,
    /// Those of the request.
    attributes: Attributes,
    algorithm: Option<ChecksumAlgorithm>,
}

impl Wishes {
    fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let replaces_tags = replaces(headers, "x-amz-tagging-directive", "Unknown tagging directive.")?;
        let mut attributes = headers::attributes(headers)?;
        if !replaces_tags {
            attributes.tags.clear();
        }
        Ok(Self {
            replaces_metadata: replaces(headers, "x-amz-metadata-directive", "Unknown metadata directive.")?,
            replaces_tags,
            attributes,
            algorithm: headers::checksum_algorithm(headers)?,
        })
    }

    /// What the copy of this source has of its own.
    fn terms(
        &self,
        headers: &HeaderMap,
        source: &ObjectInfo,
        onto_itself: bool,
        computed: Option<&Computed>,
    ) -> Result<CopyTerms, Failure> {
        copy_source::check_conditions(headers, source).map_err(Failure::Request)?;
        let algorithm = self.algorithm.filter(|algorithm| *algorithm != source.checksum.value.algorithm());
        let changes = self.replaces_metadata
            || self.replaces_tags
            || algorithm.is_some()
            || NOT_COPIED.iter().any(|name| headers.contains_key(*name));
        if onto_itself && !changes {
            return Err(Failure::Request(Error::invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            )));
        }
        let checksum = match (algorithm, computed) {
            (None, _) => None,
            (Some(_), Some(computed)) if computed.body == BodyIdentity::of(source) => Some(computed.checksum.clone()),
            (Some(algorithm), _) => return Err(Failure::Unread(algorithm)),
        };
        Ok(CopyTerms { attributes: self.attributes_of(source), checksum })
    }

    fn attributes_of(&self, source: &ObjectInfo) -> Attributes {
        let not_copied = |(name, _): &&(String, String)| NOT_COPIED.contains(&name.as_str());
        let (own, theirs) = (&self.attributes, &source.attributes);
        let metadata = if self.replaces_metadata { own } else { theirs };
        let copied = metadata.headers.iter().filter(|header| !not_copied(header));
        Attributes {
            headers: copied.chain(own.headers.iter().filter(not_copied)).cloned().collect(),
            user_metadata: metadata.user_metadata.clone(),
            tags: if self.replaces_tags { own.tags.clone() } else { theirs.tags.clone() },
            // Whoever makes a copy says who may read it, and owns it.
            owner: own.owner.clone(),
            acl: own.acl,
        }
    }
}

/// Whether a directive says `REPLACE`; without one it is `COPY`.
fn replaces(headers: &HeaderMap, name: &str, unknown: &str) -> Result<bool, Error> {
    match single(headers, name)? {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(Error::argument(unknown, name, other)),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::base::digest::Checksum;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn source() -> ObjectInfo {
        let value = Checksum::of(ChecksumAlgorithm::Crc32, b"abc");
        ObjectInfo {
            key: ObjectKey::parse("k").unwrap(),
            revision: 7,
            size: 3,
            etag: ETag::of_body([0xab; 16]),
            modified: Timestamp(1_440_938_160_007),
            attributes: Attributes {
                headers: pairs(&[
                    ("content-type", "text/plain"),
                    ("x-amz-storage-class", "STANDARD_IA"),
                    ("x-amz-website-redirect-location", "/old"),
                ]),
                user_metadata: pairs(&[("a", "source")]),
                tags: pairs(&[("t", "source")]),
                owner: Some("source".to_owned()),
                acl: Some(2),
            },
            checksum: ObjectChecksum { value, kind: ChecksumType::FullObject, parts: None },
            parts: None,
        }
    }

    fn terms(sent: &[(&'static str, &'static str)], onto_itself: bool) -> Result<CopyTerms, &'static str> {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = sent.iter().map(header).collect();
        let wishes = Wishes::of(&headers).map_err(|error| error.code().name)?;
        wishes.terms(&headers, &source(), onto_itself, None).map_err(|failure| match failure {
            Failure::Request(error) => error.code().name,
            Failure::Store(_) => "store",
            Failure::Unread(algorithm) => algorithm.name(),
        })
    }

    #[test]
    fn directives() {
        let copied = terms(&[("x-amz-meta-a", "own"), ("x-amz-tagging", "t=own"), ("content-type", "a/b")], false);
        let copied = copied.unwrap().attributes;
        assert_eq!(copied.headers, pairs(&[("content-type", "text/plain")]), "neither class nor redirect is copied");
        assert_eq!((copied.user_metadata, copied.tags), (pairs(&[("a", "source")]), pairs(&[("t", "source")])));
        assert_eq!((copied.owner, copied.acl), (None, None), "neither owner nor ACL is copied");
        let replaced = terms(&[("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-a", "own")], false);
        let replaced = replaced.unwrap().attributes;
        assert_eq!((replaced.headers, replaced.user_metadata), (Vec::new(), pairs(&[("a", "own")])));
        assert_eq!(replaced.tags, pairs(&[("t", "source")]));
        let tagged = terms(&[("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "t=own")], false).unwrap();
        assert_eq!((tagged.attributes.tags, tagged.checksum), (pairs(&[("t", "own")]), None));
        assert_eq!(terms(&[("x-amz-metadata-directive", "replace it")], false), Err("InvalidArgument"));
        assert_eq!(terms(&[("x-amz-tagging-directive", "MERGE")], false), Err("InvalidArgument"));
    }

    #[test]
    fn onto_itself_something_has_to_change() {
        for sent in [&[][..], &[("x-amz-metadata-directive", "COPY")], &[("x-amz-checksum-algorithm", "CRC32")]] {
            assert_eq!(terms(sent, true), Err("InvalidRequest"), "{sent:?}");
            assert!(terms(sent, false).is_ok(), "{sent:?}");
        }
        for sent in [
            ("x-amz-metadata-directive", "REPLACE"),
            ("x-amz-tagging-directive", "REPLACE"),
            ("x-amz-storage-class", "STANDARD"),
        ] {
            assert!(terms(&[sent], true).is_ok(), "{sent:?}");
        }
    }

    #[test]
    fn another_checksum_has_to_be_read_for() {
        assert_eq!(terms(&[("x-amz-checksum-algorithm", "SHA256")], false), Err("SHA256"));
        assert_eq!(terms(&[("x-amz-checksum-algorithm", "CRC31")], false), Err("InvalidRequest"));
        let failing = [("x-amz-checksum-algorithm", "SHA256"), ("x-amz-copy-source-if-match", "\"x\"")];
        assert_eq!(terms(&failing, false), Err("PreconditionFailed"), "nothing is read in vain");
    }

    #[test]
    fn a_body_is_read_again_only_when_it_is_another() {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("x-amz-checksum-algorithm"),
            HeaderValue::from_static("SHA256"),
        )]);
        let wishes = Wishes::of(&headers).unwrap();
        let value = Checksum::of(ChecksumAlgorithm::Sha256, b"abc");
        let checksum = ObjectChecksum { value, kind: ChecksumType::FullObject, parts: None };
        let computed = Computed { body: BodyIdentity::of(&source()), checksum: checksum.clone() };
        let terms = |source: &ObjectInfo| wishes.terms(&headers, source, false, Some(&computed));
        let tagged = Attributes { tags: pairs(&[("t", "other")]), ..source().attributes };
        let rewritten = terms(&ObjectInfo { revision: 8, attributes: tagged, ..source() });
        assert!(rewritten.is_ok_and(|terms| terms.checksum == Some(checksum)), "only the record was written anew");
        for other in [
            ObjectInfo { size: 4, ..source() },
            ObjectInfo { etag: ETag::of_body([0; 16]), ..source() },
            ObjectInfo { modified: Timestamp(1_440_938_160_008), ..source() },
        ] {
            assert!(matches!(terms(&other), Err(Failure::Unread(ChecksumAlgorithm::Sha256))), "{other:?}");
        }
    }
}
