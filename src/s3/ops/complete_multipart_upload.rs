//! CompleteMultipartUpload: the listed parts become the object, in one commit and without moving a byte.
//!
//! The checksum headers of this request speak of the object, not of the request's own document. Repeating it is answered by the
//! store as the first time.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>.

use http::{HeaderMap, Method, Response};

use crate::base::digest::{Checksum, ChecksumAlgorithm};
use crate::base::limits::{COMPLETE_BODY_MAX_BYTES, PART_SIZE_MIN_BYTES, PARTS_MAX};
use crate::s3::call::{Call, document, single};
use crate::s3::error::{Code, Error};
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::receive::{self, Declaration};
use crate::s3::slow::{self, Client};
use crate::s3::xml::{self, Document, Element};
use crate::s3::{conditions, headers};
use crate::store::types::{Bucket, CompleteRequest, ETag, ListedPart, PartNumber, UploadId};
use crate::wire::Body;

/// The row.
pub static OP: Op = Op {
    name: "CompleteMultipartUpload",
    method: Method::POST,
    target: Target::Object,
    query: "uploadId",
    also: &[],
    header: None,
    action: "s3:PutObject",
    body: BodyRule::Xml(COMPLETE_BODY_MAX_BYTES),
    run: Some(|call| Box::pin(run(call))),
};

async fn run(mut call: Call) -> Result<Response<Body>, Error> {
    let bucket = call.bucket()?;
    let id = call.upload_id()?;
    let object = object_of(&call.headers)?;
    let declaration = Declaration::without_checksum(&call)?;
    let body = receive::document(&mut call, &declaration, COMPLETE_BODY_MAX_BYTES).await?;
    let request = CompleteRequest { parts: parts(&body)?, ..object };
    // The answer may begin before the upload is completed, but not before the request has come to its end.
    slow::answer(Client::of(&call), complete(call, bucket, id, request)).await
}

async fn complete(call: Call, bucket: Bucket, id: UploadId, request: CompleteRequest) -> Result<Response<Body>, Error> {
    let key = call.key()?.clone();
    let condition = request.condition;
    call.asking().permit_condition(condition.as_ref(), call.place())?;
    // A repeated complete finds no upload any more, and changes nothing.
    if let Ok(upload) = call.store().upload(&bucket, &key, id) {
        call.asking().permit_completion(&bucket, &key, &upload.attributes)?;
    }
    let completed = call.store().complete_upload(&bucket, &key, id, request).await;
    let completed = completed.map_err(|error| conditions::explain(condition.as_ref(), error))?;
    let mut answer = Document::new("CompleteMultipartUploadResult");
    answer.text("Location", call.location()).text("Bucket", bucket.name.as_str()).text("Key", key.as_str());
    answer.text("ETag", completed.etag.quoted());
    answer.text(completed.checksum.value.algorithm().element(), completed.checksum.text());
    answer.text("ChecksumType", completed.checksum.kind.name());
    Ok(document(answer.finish()))
}

/// What the headers say of the object to be.
fn object_of(headers: &HeaderMap) -> Result<CompleteRequest, Error> {
    Ok(CompleteRequest {
        parts: Vec::new(),
        part_size_min_bytes: PART_SIZE_MIN_BYTES,
        object_size: object_size(headers)?,
        checksum: object_checksum(headers)?,
        checksum_type: headers::checksum_type(single(headers, "x-amz-checksum-type")?)?,
        condition: conditions::of_write(headers)?,
    })
}

/// The size the client expects of the object. An empty header names none, and is not no header.
fn object_size(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    const NAME: &str = "x-amz-mp-object-size";
    if !headers.contains_key(NAME) {
        return Ok(None);
    }
    let text = single(headers, NAME)?.unwrap_or_default();
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let invalid = || Error::invalid_request(format!("Value for {NAME} header is invalid: '{text}'"));
    number.map(Some).ok_or_else(invalid)
}

/// The object's checksum as the client computed it; a composite's may carry its number of parts.
fn object_checksum(headers: &HeaderMap) -> Result<Option<(Checksum, Option<u16>)>, Error> {
    let mut values = receive::value_headers(headers);
    let Some((name, value)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(Error::invalid_request(message));
    }
    let read = || {
        let algorithm = ChecksumAlgorithm::from_header(name)?;
        let (value, parts) = match value.split_once('-') {
            Some((value, parts)) => (value, Some(parts.parse().ok()?)),
            None => (value, None),
        };
        Some((Checksum::from_base64(algorithm, value)?, parts))
    };
    read().map(Some).ok_or_else(|| Error::invalid_request(format!("Value for {name} header is invalid.")))
}

/// The listed parts. Their order is for the store to judge.
fn parts(body: &[u8]) -> Result<Vec<ListedPart>, Error> {
    let root = xml::parse(body, "CompleteMultipartUpload")?;
    let parts = root.children_named("Part").map(part).collect::<Result<Vec<_>, _>>()?;
    if parts.is_empty() || parts.len() > usize::from(PARTS_MAX) {
        return Err(xml::malformed("a complete lists 1 to 10,000 parts"));
    }
    Ok(parts)
}

fn part(element: &Element) -> Result<ListedPart, Error> {
    let number = element.only_text("PartNumber")?.map(str::trim);
    let number = number.filter(|text| !text.starts_with('+')).and_then(|text| text.parse::<i64>().ok());
    let number = number.ok_or_else(|| xml::malformed("a part without a number"))?;
    let number = u64::try_from(number).ok().and_then(PartNumber::new).ok_or_else(|| {
        let message = "PartNumber must be an integer between 1 and 10000, inclusive";
        Error::argument(message, "PartNumber", &number.to_string())
    })?;
    let tag = element.child_text("ETag").ok_or_else(|| xml::malformed("a part without an ETag"))?;
    let etag = ETag::parse(tag).ok_or_else(|| {
        Error::new(Code::INVALID_PART).with("PartNumber", number.get().to_string()).with("ETag", tag.trim_matches('"'))
    })?;
    let mut checksums = Vec::new();
    for algorithm in ChecksumAlgorithm::ALL {
        if let Some(value) = element.child_text(algorithm.element()) {
            let invalid = || Error::invalid_request(format!("Value for {} is invalid.", algorithm.element()));
            checksums.push(Checksum::from_base64(algorithm, value.trim()).ok_or_else(invalid)?);
        }
    }
    Ok(ListedPart { number, etag, checksums })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const TAG: &str = "9e107d9d372bb6826bd81d3542a419d6";

    fn code(body: &str) -> Result<usize, &'static str> {
        let parts = parts(format!("<CompleteMultipartUpload>{body}</CompleteMultipartUpload>").as_bytes());
        parts.map(|parts| parts.len()).map_err(|error| error.code().name)
    }

    #[test]
    fn parts_in_every_spelling_clients_use() {
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n\
             <Part><ETag>&quot;{TAG}&quot;</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><PartNumber>2</PartNumber></Part>\n\
             <Part><PartNumber>10000</PartNumber><ETag>{TAG}</ETag></Part></CompleteMultipartUpload>"
        );
        let parts = parts(body.as_bytes()).unwrap();
        assert_eq!(parts[0].checksums, [Checksum::of(ChecksumAlgorithm::Crc32, b"123456789")]);
        assert_eq!((parts[0].number.get(), parts[1].number.get()), (2, 10_000));
        assert_eq!((parts[0].etag.to_string(), parts[1].etag.to_string()), (TAG.to_owned(), TAG.to_owned()));
    }

    #[test]
    fn refusals() {
        let part =
            |number: &str, tag: &str| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>");
        assert_eq!(code(&part("1", TAG)), Ok(1));
        assert_eq!(code(""), Err("MalformedXML"));
        assert_eq!(code("<Part><PartNumber>1</PartNumber></Part>"), Err("MalformedXML"));
        assert_eq!(code(&part("x", TAG)), Err("MalformedXML"));
        assert_eq!(code(&part("0", TAG)), Err("InvalidArgument"));
        assert_eq!(code(&part("-1", TAG)), Err("InvalidArgument"));
        assert_eq!(code(&part("10001", TAG)), Err("InvalidArgument"));
        assert_eq!(code(&part("1", "nonsense")), Err("InvalidPart"));
        assert_eq!(code(&part("1", TAG).repeat(10_001)), Err("MalformedXML"));
    }

    #[test]
    fn the_objects_own_checksum() {
        let header = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
        };
        let checksum = Checksum::of(ChecksumAlgorithm::Crc32, b"123456789");
        let read = |value| object_checksum(&header("x-amz-checksum-crc32", value)).map_err(|error| error.code().name);
        assert_eq!(read("y/Q5Jg=="), Ok(Some((checksum.clone(), None))));
        assert_eq!(read("y/Q5Jg==-3"), Ok(Some((checksum, Some(3)))));
        assert_eq!(read("y/Q5Jg==-x"), Err("InvalidRequest"));
        assert_eq!(read("y/Q5"), Err("InvalidRequest"));
        for junk in ["+5", "", "-1", "x"] {
            assert!(object_of(&header("x-amz-mp-object-size", junk)).is_err(), "{junk}");
        }
        assert_eq!(object_of(&header("x-amz-mp-object-size", "5")).unwrap().object_size, Some(5));
    }
}
