//! Pages of other origins: `?cors`, preflights, and what browsers are told on every answer.

use std::time::Duration;

use crate::digests::{base64, md5};
use crate::gateway::{Gateway, Launch};
use crate::http::Answer;
use crate::request::Request;
use crate::xml;

/// Every `x-amz-*` header that answers may have, user metadata aside. Checked of every answer in these tests, and against
/// what browsers are told they may read.
pub(crate) const EXPOSED: [&str; 15] = [
    "x-amz-access-point-alias",
    "x-amz-bucket-region",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-id-2",
    "x-amz-mp-parts-count",
    "x-amz-request-id",
    "x-amz-storage-class",
    "x-amz-tagging-count",
    "x-amz-website-redirect-location",
];

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_METHODS: &str = "access-control-allow-methods";
const ALLOW_HEADERS: &str = "access-control-allow-headers";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";
const EXPOSE_HEADERS: &str = "access-control-expose-headers";
const MAX_AGE: &str = "access-control-max-age";
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
const APP: &str = "https://app.example.com";

fn rule(inside: &str) -> String {
    format!("<CORSRule>{inside}</CORSRule>")
}

/// Puts a document with these rules.
fn allow(bucket: &crate::bucket::Bucket<'_>, rules: &[String]) {
    let document = format!("<CORSConfiguration>{}</CORSConfiguration>", rules.concat());
    assert!(bucket.request("PUT").raw_query("cors").body(document).send().ok(200).body.is_empty());
}

/// A rule for one origin and one method, with any header.
fn simple(origin: &str, method: &str) -> String {
    rule(&format!(
        "<AllowedOrigin>{origin}</AllowedOrigin><AllowedMethod>{method}</AllowedMethod><AllowedHeader>*</AllowedHeader>"
    ))
}

fn preflight<'a>(request: Request<'a>, origin: &str, method: &str) -> Request<'a> {
    request.anonymous().header("origin", origin).header("access-control-request-method", method)
}

/// What the answer says of origins; none where it says nothing at all.
fn origin(answer: &Answer) -> Option<&str> {
    let said = answer.headers.iter().any(|(name, _)| name.starts_with("access-control-"));
    assert_eq!(said, answer.header(ALLOW_ORIGIN).is_some(), "{answer:?}");
    assert_eq!(said, answer.header("vary") == Some(VARIES), "{answer:?}");
    answer.header(ALLOW_ORIGIN)
}

#[test]
fn documents_are_put_and_gone() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let cors = |method: &str| bucket.request(method).raw_query("cors");
    let none = cors("GET").send().refused(404, "NoSuchCORSConfiguration");
    assert_eq!(xml::text(&none, "BucketName").as_deref(), Some(bucket.name.as_str()));
    assert_eq!(xml::text(&none, "Message").as_deref(), Some("The CORS configuration does not exist"));
    cors("DELETE").send().ok(204);
    let inside =
        "<MaxAgeSeconds>5</MaxAgeSeconds><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*.get</AllowedOrigin>";
    allow(&bucket, &[rule(inside)]);
    let text = cors("GET").send().ok(200).text();
    assert!(
        text.contains("<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*.get</AllowedOrigin><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule>"),
        "{text}"
    );
    allow(&bucket, &[simple(APP, "PUT")]);
    assert_eq!(xml::texts(&cors("GET").send().ok(200).text(), "AllowedOrigin"), [APP]);
    let refused = |inside: &str, code: &str| {
        let document = format!("<CORSConfiguration>{}</CORSConfiguration>", rule(inside));
        cors("PUT").body(document).send().refused(400, code)
    };
    let text = refused("<AllowedMethod>PATCH</AllowedMethod><AllowedOrigin>*</AllowedOrigin>", "InvalidRequest");
    let sentence = "Found unsupported HTTP method in CORS config. Unsupported method is PATCH";
    assert_eq!(xml::text(&text, "Message").as_deref(), Some(sentence));
    refused("<AllowedMethod>GET</AllowedMethod><AllowedOrigin>*.*</AllowedOrigin>", "InvalidRequest");
    refused("<AllowedMethod>GET</AllowedMethod>", "MalformedXML");
    cors("PUT").body("").send().refused(400, "MissingRequestBodyError");
    let large = format!("<CORSConfiguration>{}</CORSConfiguration>", " ".repeat(64 << 10));
    cors("PUT").body(large).send().refused(400, "MaxMessageLengthExceeded");
    cors("PUT").body("<a/>").header("content-md5", &base64(md5("x"))).send().refused(400, "BadDigest");
    for method in ["GET", "PUT", "DELETE"] {
        cors(method).anonymous().send().refused(403, "AccessDenied");
    }
    assert_eq!(
        xml::texts(&cors("GET").send().ok(200).text(), "AllowedOrigin"),
        [APP],
        "the refused ones changed nothing"
    );
    cors("DELETE").send().ok(204);
    cors("GET").send().refused(404, "NoSuchCORSConfiguration");
    gateway.request("GET", "/no-such-bucket").raw_query("cors").send().refused(404, "NoSuchBucket");
}

#[test]
fn a_preflight_is_answered_to_anybody() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let inside = format!(
        "<AllowedOrigin>{APP}</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>\
         <AllowedHeader>x-AMZ-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds>"
    );
    allow(&bucket, &[rule(&inside)]);
    for request in [bucket.request("OPTIONS"), bucket.object("OPTIONS", "k")] {
        let asks = preflight(request, APP, "PUT");
        let answer = asks.clone().header("access-control-request-headers", "X-Amz-Date,x-amz-acl").send().ok(200);
        for (name, value) in [
            (ALLOW_ORIGIN, APP),
            (ALLOW_METHODS, "GET, PUT"),
            (ALLOW_HEADERS, "x-amz-date, x-amz-acl"),
            (EXPOSE_HEADERS, "ETag"),
            (MAX_AGE, "3000"),
            (ALLOW_CREDENTIALS, "true"),
            ("vary", VARIES),
            ("content-length", "0"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        let answer = asks.clone().send().ok(200);
        assert_eq!((origin(&answer), answer.header(ALLOW_HEADERS)), (Some(APP), None));
        asks.header("access-control-request-headers", "x-amz-date,range").send().refused(403, "AccessForbidden");
    }
    // The query is that of the request to come, credentials and all, and however odd.
    for query in [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=nobody&X-Amz-Signature=0",
        "uploadId=x&partNumber=1",
        "uploads",
        "versionId=x",
        "acl&policy",
        "a=1&a=2",
        "%zz=%ff",
        "AWSAccessKeyId=a&Expires=1&Signature=b",
    ] {
        let answer = preflight(bucket.object("OPTIONS", "k"), APP, "PUT").raw_query(query).send().ok(200);
        assert_eq!(origin(&answer), Some(APP), "{query}");
    }
    let answer = preflight(bucket.object("OPTIONS", "k"), APP, "PUT").header("authorization", "AWS4-HMAC-SHA256 junk");
    assert_eq!(origin(&answer.send().ok(200)), Some(APP));
}

#[test]
fn a_preflight_that_is_refused_says_nothing() {
    let gateway = Gateway::shared();
    let (bucket, bare) = (gateway.bucket(), gateway.bucket());
    allow(&bucket, &[simple(APP, "GET")]);
    let sentence = |request: Request<'_>, status: u16, code: &str| {
        let answer = request.send();
        assert_eq!(origin(&answer), None);
        let text = answer.refused(status, code);
        let texts = ["Message", "Method", "ResourceType"].map(|name| xml::text(&text, name).unwrap_or_default());
        texts.join("|")
    };
    let no_origin = "Insufficient information. Origin request header needed.||";
    for bucket in [&bucket, &bare] {
        assert_eq!(sentence(bucket.object("OPTIONS", "k").anonymous(), 400, "BadRequest"), no_origin);
    }
    let from = |bucket: &crate::bucket::Bucket<'_>| {
        Request::new(&gateway, "OPTIONS", &format!("/{}/k", bucket.name)).anonymous().header("origin", APP)
    };
    let invalid = "Invalid Access-Control-Request-Method: ";
    assert_eq!(sentence(from(&bucket), 400, "BadRequest"), format!("{invalid}null||"));
    let patch = preflight(bucket.object("OPTIONS", "k"), APP, "PATCH");
    assert_eq!(sentence(patch, 400, "BadRequest"), format!("{invalid}PATCH||"));
    let disabled = "CORSResponse: CORS is not enabled for this bucket.|";
    assert_eq!(sentence(from(&bare), 403, "AccessForbidden"), format!("{disabled}OPTIONS|BUCKET"));
    let asks = preflight(bare.object("OPTIONS", "k"), APP, "PUT");
    assert_eq!(sentence(asks, 403, "AccessForbidden"), format!("{disabled}PUT|BUCKET"));
    let refused = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
                   method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
                   resource's CORS spec.|";
    let asks = preflight(bucket.object("OPTIONS", "k"), APP, "PUT");
    assert_eq!(sentence(asks, 403, "AccessForbidden"), format!("{refused}PUT|OBJECT"));
    let asks = preflight(bucket.request("OPTIONS"), "https://other.example.com", "GET");
    assert_eq!(sentence(asks, 403, "AccessForbidden"), format!("{refused}GET|BUCKET"));
    let asks = preflight(gateway.request("OPTIONS", "/no-such-bucket/k"), APP, "GET");
    assert_eq!(sentence(asks, 403, "AccessForbidden"), "CORSResponse: Bucket not found|GET|BUCKET");
    let asks = preflight(gateway.request("OPTIONS", "/"), APP, "GET");
    assert_eq!(sentence(asks, 403, "AccessForbidden"), format!("{refused}GET|SERVICE"));
}

#[test]
fn every_answer_says_who_may_read_it() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    allow(&bucket, &["GET", "PUT", "DELETE", "HEAD"].map(|method| simple(APP, method)));
    let from = |request: Request<'_>, status: u16| {
        let answer = request.clone().unsigned_header("origin", APP).send().ok(status);
        assert_eq!(origin(&answer), Some(APP));
        assert_eq!(
            origin(&request.clone().unsigned_header("origin", "https://other.example.com").send().ok(status)),
            None
        );
        assert_eq!(origin(&request.send().ok(status)), None);
    };
    from(bucket.get("k"), 200);
    from(bucket.head("k"), 200);
    from(bucket.put("k", "v"), 200);
    from(bucket.list(), 200);
    from(bucket.get("k").header("if-none-match", "*"), 304);
    from(bucket.get("k").header("range", "bytes=9-"), 416);
    from(bucket.get("missing"), 404);
    from(bucket.get("k").anonymous(), 403);
    from(bucket.get("k").signer(|signer| signer.secret_key = "wrong-secret".to_owned()), 403);
    from(bucket.get("k").raw_query("a=%zz"), 400);
    from(bucket.get("k").raw_query("acl&policy"), 405);
    from(bucket.get(&"k".repeat(1025)), 400);
    from(bucket.request("GET").raw_query("lifecycle"), 501);
    from(bucket.delete("k"), 204);
    // A method that no rule names.
    let answer = bucket.object("POST", "k").raw_query("uploads").unsigned_header("origin", APP).send().ok(200);
    assert_eq!(origin(&answer), None);
    // Those of the moment when the request came.
    let answer = bucket.request("DELETE").raw_query("cors").unsigned_header("origin", APP).send().ok(204);
    assert_eq!(origin(&answer), Some(APP));
    assert_eq!(origin(&bucket.get("k").unsigned_header("origin", APP).send().ok(404)), None);
}

#[test]
fn a_presigned_put_from_a_page() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    allow(&bucket, &[simple("https://*.example.com", "PUT")]);
    let put = bucket.put("a b", "content").presigned(Duration::from_secs(60));
    let target = put.head().lines().next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let (path, query) = target.split_once('?').unwrap();
    let asks = preflight(gateway.request("OPTIONS", path).raw_query(query), APP, "PUT");
    let answer = asks.header("access-control-request-headers", "content-type").send().ok(200);
    assert_eq!((origin(&answer), answer.header(ALLOW_HEADERS)), (Some(APP), Some("content-type")));
    let put = put.unsigned_header("origin", APP).unsigned_header("content-type", "image/bmp");
    assert_eq!(origin(&put.send().ok(200)), Some(APP));
    assert_eq!(bucket.get("a b").send().ok(200).body, b"content");
    let late = bucket.put("k", "v").presigned(Duration::from_secs(1));
    let late = late.signer(|signer| signer.time -= Duration::from_secs(60)).unsigned_header("origin", APP);
    assert_eq!(origin(&late.send().ok(403)), Some(APP), "a page can read why it was refused");
}

#[test]
fn without_a_document_the_console_alone_may() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let console = format!("http://127.0.0.1:{}", gateway.api.port());
    let put = bucket.put("k", "v").header("x-amz-meta-kind", "1").unsigned_header("origin", &console).send().ok(200);
    assert_eq!(
        put.header(EXPOSE_HEADERS).unwrap().split(", ").filter(|name| name.starts_with("x-amz-")).collect::<Vec<_>>(),
        EXPOSED
    );
    for origin_sent in [console.clone(), format!("http://localhost:{}", gateway.api.port())] {
        let answer = bucket.get("k").unsigned_header("origin", &origin_sent).send().ok(200);
        assert_eq!(origin(&answer), Some(origin_sent.as_str()));
        let exposed: Vec<_> = answer.header(EXPOSE_HEADERS).unwrap().split(", ").collect();
        for name in ["ETag", "Location", "Content-Range", "Upload-Offset", "Tus-Resumable", "x-amz-meta-kind"] {
            assert!(exposed.contains(&name), "{name}: {exposed:?}");
        }
        assert_eq!(answer.header(ALLOW_METHODS), Some("GET, PUT, POST, DELETE, HEAD"));
        // Also where there is no bucket yet, or none can be.
        for path in ["/", "/no-such-bucket", "/no-such-bucket/k", "/No_Bucket/k"] {
            let answer = gateway.request("GET", path).anonymous().header("origin", &origin_sent).send();
            assert_eq!(origin(&answer), Some(origin_sent.as_str()), "{path}");
        }
        let asks = preflight(gateway.request("OPTIONS", "/no-such-bucket"), &origin_sent, "PUT");
        let answer = asks.header("access-control-request-headers", "authorization,x-amz-date").send().ok(200);
        assert_eq!(answer.header(ALLOW_HEADERS), Some("authorization, x-amz-date"));
    }
    for other in [APP, "null", "http://localhost", &gateway.s3.to_string(), &console.replace("http", "https")] {
        assert_eq!(origin(&bucket.get("k").unsigned_header("origin", other).send().ok(200)), None, "{other}");
    }
    // A document takes nothing from it.
    allow(&bucket, &[simple(APP, "GET")]);
    assert_eq!(
        origin(&bucket.put("k", "v").unsigned_header("origin", &console).send().ok(200)),
        Some(console.as_str())
    );
    assert_eq!(origin(&bucket.get("k").unsigned_header("origin", APP).send().ok(200)), Some(APP));
}

#[test]
fn the_setting_widens_the_default() {
    let gateway = Launch::new().set("--cors-allow-origin", "https://*.example.com,http://x:3000").start();
    let bucket = gateway.bucket();
    let other = "https://other.example.org";
    for (from, said) in [(APP, Some(APP)), ("http://x:3000", Some("http://x:3000")), (other, None), ("null", None)] {
        assert_eq!(origin(&bucket.list().unsigned_header("origin", from).send().ok(200)), said, "{from}");
    }
    allow(&bucket, &[simple(other, "GET")]);
    let answer = preflight(bucket.object("OPTIONS", "k"), APP, "DELETE").send().ok(200);
    assert_eq!(origin(&answer), Some(APP), "no bucket takes away what the operator gave");
    assert_eq!(origin(&bucket.list().unsigned_header("origin", other).send().ok(200)), Some(other));

    let gateway = Launch::new().set("--cors-allow-origin", "*").start();
    let bucket = gateway.bucket();
    for from in [APP, "null"] {
        let answer = bucket.list().unsigned_header("origin", from).send().ok(200);
        assert_eq!((origin(&answer), answer.header(ALLOW_CREDENTIALS)), (Some("*"), None));
    }
}

#[test]
fn a_star_in_the_middle_and_a_star_alone() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    allow(&bucket, &[simple("https://*.example.com", "GET"), simple("start*end", "GET"), simple("*", "HEAD")]);
    bucket.put("k", "v").send().ok(200);
    for (from, said) in [
        ("https://a.b.example.com", Some("https://a.b.example.com")),
        ("https://example.com", None),
        ("https://a.example.com.evil.org", None),
        ("https://a.example.com:444", None),
        ("startend", Some("startend")),
        ("start12end", Some("start12end")),
        ("0start12end", None),
        ("null", None),
    ] {
        assert_eq!(origin(&bucket.get("k").unsigned_header("origin", from).send().ok(200)), said, "{from}");
    }
    let answer = bucket.head("k").unsigned_header("origin", "null").send().ok(200);
    assert_eq!((origin(&answer), answer.header(ALLOW_CREDENTIALS)), (Some("*"), None));
    // As recorded of S3, what only a preflight has counts on another request too.
    let asks = bucket.get("k").unsigned_header("origin", "null");
    let answer = asks.unsigned_header("access-control-request-method", "HEAD").send().ok(200);
    assert_eq!(origin(&answer), Some("*"));
}

#[test]
fn hostile_origins() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    allow(&bucket, &[simple("https://*", "GET")]);
    let long = format!("https://{}", "a".repeat(8 << 10));
    for from in [&long, "https://a b", "https://\u{e9}", "https://a\tb"] {
        assert_eq!(origin(&bucket.list().unsigned_header("origin", from).send().ok(200)), None, "{from}");
        let answer = preflight(bucket.request("OPTIONS"), from, "GET").send();
        assert_eq!(origin(&answer), None, "{from}");
        answer.refused(403, "AccessForbidden");
    }
    let twice = bucket.list().unsigned_header("origin", "https://a").unsigned_header("origin", "https://b");
    assert_eq!(origin(&twice.send().ok(200)), None);
    // A line break ends the header: what comes behind it is another, and no answer repeats it.
    let answer = bucket.list().unsigned_header("origin", "https://a\r\nx-injected: 1").send().ok(200);
    assert_eq!((origin(&answer), answer.header("x-injected")), (Some("https://a"), None));
    for from in ["https://a\rx-injected: 1", "https://a\nx-injected: 1", "https://a\0"] {
        let mut connection = gateway.connect();
        connection.write(bucket.list().unsigned_header("origin", from).bytes());
        let answer = connection.read_answer("GET");
        assert_eq!(answer.header("x-injected"), None, "{from:?}");
        assert!(answer.header(ALLOW_ORIGIN).is_none_or(|said| said == "https://a"), "{from:?}: {answer:?}");
    }
    let names = vec!["a"; 401].join(",");
    let asks = preflight(bucket.request("OPTIONS"), "https://a", "GET");
    asks.clone().header("access-control-request-headers", &names[2..]).send().ok(200);
    asks.header("access-control-request-headers", &names).send().refused(403, "AccessForbidden");
}
