//! GetObjectAttributes: what is known of an object and of its parts, without its bytes.
//!
//! The checksum of a composite stands here without its number of parts, unlike everywhere else: so Amazon's servers answer.
//! They list the parts only of composites; of other objects they tell the number of parts alone, except in directory buckets.
//! Here every object's parts are listed, each with its checksum by the object's algorithm.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>.

use http::{HeaderMap, Method, Response};

use crate::base::limits::{LIST_PAGE_MAX, PARTS_MAX};
use crate::s3::call::{Call, document, set, single};
use crate::s3::error::Error;
use crate::s3::op::{BodyRule, Op, Target};
use crate::s3::xml::Document;
use crate::s3::{headers, query};
use crate::store::types::{ObjectPart, ObjectPartsPage};
use crate::wire::Body;

const ATTRIBUTES: &str = "x-amz-object-attributes";

/// The row.
pub static OP: Op = Op {
    name: "GetObjectAttributes",
    method: Method::GET,
    target: Target::Object,
    query: "attributes",
    also: &["versionId"],
    header: None,
    action: "s3:GetObjectAttributes",
    body: BodyRule::None,
    run: Some(|call| Box::pin(run(call))),
};

/// What a request wants to know, and the page of parts it wants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    etag: bool,
    checksum: bool,
    parts: bool,
    storage_class: bool,
    size: bool,
    /// Parts after this one.
    after: usize,
    /// This many parts.
    max: usize,
}

async fn run(call: Call) -> Result<Response<Body>, Error> {
    let wanted = wanted(&call.headers)?;
    let bucket = call.bucket()?;
    let key = call.key()?;
    let page = if wanted.parts {
        call.store().object_parts(&bucket, key, wanted.after, wanted.max).map_err(|error| call.unread(error))?
    } else {
        ObjectPartsPage {
            info: call.store().object(&bucket, key).map_err(|error| call.unread(error))?,
            parts: Vec::new(),
        }
    };
    for action in [OP.action, "s3:GetObject"] {
        call.permit_found(action, &page.info)?;
    }
    let mut response = document(write(&wanted, &page));
    set(response.headers_mut(), "last-modified", &page.info.modified.http_date());
    Ok(response)
}

fn wanted(headers: &HeaderMap) -> Result<Wanted, Error> {
    let number = |name: &str, max: usize| single(headers, name)?.map(|text| query::number(name, text, max)).transpose();
    let mut wanted = Wanted {
        // Markers beyond the last number leave nothing to list, as the last number does.
        after: number("x-amz-part-number-marker", usize::from(PARTS_MAX))?.unwrap_or(0),
        max: number("x-amz-max-parts", LIST_PAGE_MAX)?.unwrap_or(LIST_PAGE_MAX),
        ..Wanted::default()
    };
    let values = headers.get_all(ATTRIBUTES).iter().map(|value| value.to_str().unwrap_or("?"));
    let mut named = values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty()).peekable();
    if named.peek().is_none() {
        let message =
            format!("The {ATTRIBUTES} header specifying the attributes to be retrieved is either missing or empty");
        return Err(Error::invalid_request(message));
    }
    for name in named {
        let flag = match name {
            "ETag" => &mut wanted.etag,
            "Checksum" => &mut wanted.checksum,
            "ObjectParts" => &mut wanted.parts,
            "StorageClass" => &mut wanted.storage_class,
            "ObjectSize" => &mut wanted.size,
            _ => return Err(Error::argument("Invalid attribute name specified.", ATTRIBUTES, name)),
        };
        *flag = true;
    }
    Ok(wanted)
}

fn write(wanted: &Wanted, page: &ObjectPartsPage) -> String {
    let info = &page.info;
    let mut answer = Document::new("GetObjectAttributesResponse");
    if wanted.etag {
        answer.text("ETag", info.etag.to_string());
    }
    if wanted.checksum {
        answer.element("Checksum", |element| {
            let value = &info.checksum.value;
            element.text(value.algorithm().element(), value.to_base64());
            element.text("ChecksumType", info.checksum.kind.name());
        });
    }
    if let Some(count) = info.parts.filter(|_| wanted.parts) {
        answer.element("ObjectParts", |list| write_parts(list, wanted, count, &page.parts));
    }
    if wanted.storage_class {
        answer.text("StorageClass", headers::storage_class(&info.attributes));
    }
    if wanted.size {
        answer.value("ObjectSize", info.size);
    }
    answer.finish()
}

fn write_parts(list: &mut Document, wanted: &Wanted, count: u32, parts: &[ObjectPart]) {
    let last = parts.last().map(|part| part.number.get());
    list.value("PartsCount", count).value("PartNumberMarker", wanted.after);
    list.value("NextPartNumberMarker", last.unwrap_or(0)).value("MaxParts", wanted.max);
    list.value("IsTruncated", last.is_some_and(|last| last < count));
    for part in parts {
        list.element("Part", |entry| {
            entry.value("PartNumber", part.number.get()).value("Size", part.range.end.saturating_sub(part.range.start));
            if let Some(checksum) = &part.checksum {
                entry.text(checksum.algorithm().element(), checksum.to_base64());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> Result<Wanted, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        wanted(&headers).map_err(|error| error.code().name)
    }

    #[test]
    fn attributes_in_one_header_or_in_several() {
        let two = Wanted { etag: true, size: true, max: 1000, ..Wanted::default() };
        assert_eq!(of(&[(ATTRIBUTES, "ETag,ObjectSize")]), Ok(two));
        let all = Wanted { etag: true, checksum: true, parts: true, storage_class: true, size: true, after: 3, max: 7 };
        let sent = [
            (ATTRIBUTES, "ETag, Checksum"),
            (ATTRIBUTES, "ObjectParts"),
            (ATTRIBUTES, "StorageClass,,ObjectSize,ETag"),
            ("x-amz-part-number-marker", "3"),
            ("x-amz-max-parts", "7"),
        ];
        assert_eq!(of(&sent), Ok(all));
    }

    #[test]
    fn refusals() {
        assert_eq!(of(&[]), Err("InvalidRequest"));
        assert_eq!(of(&[(ATTRIBUTES, "")]), Err("InvalidRequest"));
        assert_eq!(of(&[(ATTRIBUTES, "ETag,Etag")]), Err("InvalidArgument"));
        for name in ["x-amz-max-parts", "x-amz-part-number-marker"] {
            for bad in ["-1", "x", "2147483648"] {
                assert_eq!(of(&[(ATTRIBUTES, "ETag"), (name, bad)]), Err("InvalidArgument"), "{name}: {bad}");
            }
        }
    }
}
