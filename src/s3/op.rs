//! One S3 operation as a static row, and the choice of the row a request asks for.
//!
//! Routing, permission, body rule, metric label and the README's table of operations derive from the rows of
//! [`OPS`](super::ops::OPS) and [`UNBUILT`](super::ops::unbuilt::UNBUILT); there is no second list. The most specific row
//! wins, and a request that names a sub-resource its row does not know is refused: `DELETE /bucket/key?acl` must never
//! delete the object.

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Response};

use super::call::Call;
use super::error::{Code, Error};
use super::ops::OPS;
use super::ops::unbuilt::UNBUILT;
use super::query::Query;
use crate::wire::Body;

/// What a request's address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The gateway: `/`.
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Bucket => "bucket",
            Self::Object => "object",
        }
    }
}

/// What an operation does with the request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// Nothing; it is not read.
    None,
    /// A document of at most so many bytes, gathered in memory.
    Xml(usize),
    /// The bytes of an object or a part, streamed; their length has to be known beforehand, unless HTTP's chunked coding
    /// says where they end.
    Stream,
    /// A form with a file in it, streamed. The credentials stand in its fields, so the operation itself authenticates it.
    Form,
    /// The parameters of a call of another service, in a form of at most so many bytes. Its hash is signed without a header that
    /// names it, so the operation reads it before it authenticates.
    Call(usize),
}

/// What runs an operation.
pub type Run = fn(Call) -> BoxFuture<'static, Result<Response<Body>, Error>>;

/// One operation of S3's REST API.
#[derive(Clone, Debug)]
pub struct Op {
    /// AWS's name, also the metric label.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// What its address names.
    pub target: Target,
    /// Query parameters it needs, as `name` (any value) or `name=value`, joined by `&`.
    pub query: &'static str,
    /// Parameters that are another operation's but mean something here too.
    pub also: &'static [&'static str],
    /// A header it needs.
    pub header: Option<&'static str>,
    /// The IAM action that allows it; empty for a preflight, which anybody may send.
    pub action: &'static str,
    /// Its use of the body.
    pub body: BodyRule,
    /// What runs it; without it the answer is 501 `NotImplemented`.
    pub run: Option<Run>,
}

impl Op {
    /// The query parameters it needs, each with the value it must have, if not any.
    fn keys(&self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        let key = |key: &'static str| key.split_once('=').map_or((key, None), |(name, value)| (name, Some(value)));
        self.query.split('&').filter(|key| !key.is_empty()).map(key)
    }

    /// Whether it asks for permission itself, because that depends on its body: on the keys it names, where its address is a
    /// bucket's, or on the tags.
    pub fn asks_itself(&self) -> bool {
        let names_keys = self.target == Target::Bucket && matches!(self.action, "s3:PutObject" | "s3:DeleteObject");
        names_keys || self.action == "s3:PutObjectTagging"
    }

    /// Whether the bucket it names need not be there.
    pub fn makes_bucket(&self) -> bool {
        self.action == "s3:CreateBucket"
    }

    fn needs(&self, parameter: &str) -> bool {
        self.keys().any(|(name, _)| name == parameter)
    }

    fn matches(&self, method: &Method, target: Target, query: &Query, headers: &HeaderMap) -> bool {
        self.method == *method
            && self.target == target
            && self
                .keys()
                .all(|(name, value)| query.get(name).is_some_and(|found| value.is_none_or(|value| value == found)))
            && self.header.is_none_or(|header| headers.contains_key(header))
    }

    fn specificity(&self) -> usize {
        self.keys().count() + usize::from(self.header.is_some())
    }

    fn knows(&self, parameter: &str) -> bool {
        self.needs(parameter) || self.also.contains(&parameter)
    }
}

/// Every row, the built ones first.
pub fn rows() -> impl Iterator<Item = &'static Op> {
    OPS.iter().copied().chain(UNBUILT)
}

/// The operation a request asks for.
///
/// # Errors
/// `MethodNotAllowed` where the address knows no such method or sub-resource; `InvalidArgument` where the parameters
/// contradict each other or have values that no operation takes.
pub fn select(method: &Method, target: Target, query: &Query, headers: &HeaderMap) -> Result<&'static Op, Error> {
    let fitting = || rows().filter(|op| op.matches(method, target, query, headers));
    let Some(best) = fitting().map(Op::specificity).max() else {
        return Err(Error::new(Code::METHOD_NOT_ALLOWED).with("Method", method.as_str()));
    };
    let mut winners = fitting().filter(|op| op.specificity() == best);
    let winner = winners.next().ok_or(Code::METHOD_NOT_ALLOWED)?;
    if let Some(rival) = winners.next() {
        let asked = |op: &Op| if op.query.is_empty() { op.header.unwrap_or_default() } else { op.query };
        let message = format!("Conflicting query string parameters: {}, {}", asked(winner), asked(rival));
        return Err(Error::new(Code::INVALID_ARGUMENT).message(message).with("ArgumentName", "ResourceType"));
    }
    match query.names().find(|name| !winner.knows(name) && is_subresource(name)) {
        None => Ok(winner),
        Some(name) => Err(unknown_subresource(method, target, name, query)),
    }
}

/// A sub-resource of any target: `DELETE /bucket?uploadId=x` is an abort whose key got lost, not the end of a bucket.
fn is_subresource(name: &str) -> bool {
    rows().any(|op| op.needs(name))
}

fn unknown_subresource(method: &Method, target: Target, name: &str, query: &Query) -> Error {
    let for_method = |op: &&Op| op.method == *method && op.target == target;
    if rows().filter(for_method).any(|op| op.needs(name)) {
        let message = format!("The query parameter {name} cannot be used in this way.");
        return Error::argument(message, name, query.get(name).unwrap_or_default());
    }
    Error::new(Code::METHOD_NOT_ALLOWED).with("Method", method.as_str()).with("ResourceType", name)
}

/// The README's table of operations, in Markdown.
pub fn operations_table() -> String {
    let mut table = String::from("| operation | request | action | |\n| --- | --- | --- | --- |\n");
    for op in rows() {
        let mut request = format!("{} {}", op.method, op.target.name());
        if !op.query.is_empty() {
            request = format!("{request} `?{}`", op.query);
        }
        if let Some(header) = op.header {
            request = format!("{request} `{header}`");
        }
        let state = if op.run.is_some() { "built" } else { "501" };
        let action = if op.action.is_empty() { "none".to_owned() } else { format!("`{}`", op.action) };
        table.push_str(&format!("| {} | {request} | {action} | {state} |\n", op.name));
    }
    table
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn request_of(op: &Op) -> (Query, HeaderMap) {
        let mut headers = HeaderMap::new();
        if let Some(header) = op.header {
            headers.insert(header, HeaderValue::from_static("x"));
        }
        (Query::parse(op.query).unwrap(), headers)
    }

    fn selected(method: Method, target: Target, query: &str) -> Result<&'static str, &'static str> {
        select(&method, target, &Query::parse(query).unwrap(), &HeaderMap::new())
            .map(|op| op.name)
            .map_err(|error| error.code().name)
    }

    #[test]
    fn names_are_unique_and_every_row_is_selected_by_its_own_request() {
        let mut names: Vec<_> = rows().map(|op| op.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for op in rows() {
            let (query, headers) = request_of(op);
            let found = select(&op.method, op.target, &query, &headers).map(|op| op.name);
            assert_eq!(found.ok(), Some(op.name));
        }
    }

    #[test]
    fn clients_spellings() {
        use Target::{Bucket, Object, Service};
        for (method, target, query, name) in [
            (Method::GET, Service, "x-id=ListBuckets", "ListBuckets"),
            (Method::GET, Bucket, "list-type=2&prefix=a%2F&encoding-type=url", "ListObjectsV2"),
            (Method::GET, Bucket, "prefix=a", "ListObjects"),
            (Method::GET, Bucket, "list-type=1", "ListObjects"),
            (Method::GET, Bucket, "versions=&prefix=a", "ListObjectVersions"),
            (Method::GET, Bucket, "location", "GetBucketLocation"),
            (Method::POST, Object, "uploads=", "CreateMultipartUpload"),
            (Method::PUT, Object, "partNumber=1&uploadId=x&x-id=UploadPart", "UploadPart"),
            (Method::GET, Object, "uploadId=x&max-parts=2", "ListParts"),
            (Method::GET, Object, "partNumber=2", "GetObject"),
            (Method::GET, Bucket, "analytics", "ListBucketAnalyticsConfigurations"),
            (Method::GET, Bucket, "analytics&id=1", "GetBucketAnalyticsConfiguration"),
            (Method::POST, Bucket, "delete=", "DeleteObjects"),
        ] {
            assert_eq!(selected(method.clone(), target, query), Ok(name), "{method} {query}");
        }
    }

    #[test]
    fn no_subresource_is_ever_ignored() {
        use Target::{Bucket, Object, Service};
        for (method, target, query, code) in [
            (Method::DELETE, Object, "acl", "MethodNotAllowed"),
            (Method::DELETE, Bucket, "versioning", "MethodNotAllowed"),
            (Method::PUT, Object, "uploads", "MethodNotAllowed"),
            (Method::PUT, Object, "uploadId=x", "InvalidArgument"),
            (Method::PUT, Object, "partNumber=1", "InvalidArgument"),
            (Method::GET, Bucket, "acl&policy", "InvalidArgument"),
            (Method::HEAD, Service, "", "MethodNotAllowed"),
            (Method::PATCH, Object, "", "MethodNotAllowed"),
        ] {
            assert_eq!(selected(method.clone(), target, query), Err(code), "{method} {query}");
        }
    }

    #[test]
    fn a_copy_source_makes_a_put_a_copy() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-amz-copy-source"),
            HeaderValue::from_static("/a/b"),
        )]);
        let name = |query: &str| {
            select(&Method::PUT, Target::Object, &Query::parse(query).unwrap(), &headers).map(|op| op.name).ok()
        };
        assert_eq!(name(""), Some("CopyObject"));
        assert_eq!(name("partNumber=1&uploadId=x"), Some("UploadPartCopy"));
    }

    /// A URL presigned with signature version 2 leaves the other parameters to whoever holds it.
    #[test]
    fn no_operation_is_chosen_by_a_parameter_that_version_2_does_not_sign() {
        // The same bucket's listing in another form, and which one of its configurations.
        let harmless = ["list-type", "id"];
        for op in rows().filter(|op| [Method::GET, Method::HEAD, Method::PUT].contains(&op.method)) {
            for (name, _) in op.keys().filter(|(name, _)| !harmless.contains(name)) {
                assert!(crate::auth::sigv2_covers_parameter(name), "{} needs {name}", op.name);
            }
            for name in op.also.iter().filter(|name| !harmless.contains(name)) {
                assert!(crate::auth::sigv2_covers_parameter(name), "{} also takes {name}", op.name);
            }
        }
    }

    #[test]
    fn the_table_has_a_line_for_every_row() {
        let table = operations_table();
        assert_eq!(table.lines().count(), rows().count() + 2);
        assert!(table.contains("| ListObjectsV2 | GET bucket `?list-type=2` | `s3:ListBucket` | built |"), "{table}");
        assert!(table.contains("| CopyObject | PUT object `x-amz-copy-source` | `s3:PutObject` | built |"), "{table}");
    }
}
