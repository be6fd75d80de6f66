//! Generated requests, signed by the `aws-sigv4` crate: each accepted, each change refused.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{KEY_ID, NOW, REGION, SECRET, Wire};
use crate::auth::{AuthErrorCode, Payload, SignaturePlace};
use crate::base::rng::SeededRng;

const HOST: &str = "gateway.example:9000";
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');

/// Signs `wire` now, in the header, or in the query for `presigned_seconds`.
pub(super) fn signed(wire: &Wire, body: SignableBody<'_>, presigned_seconds: Option<u64>) -> Wire {
    let identity = Credentials::new(KEY_ID, SECRET, None, None, "tests").into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = aws_sigv4::http_request::PayloadChecksumKind::XAmzSha256;
    if let Some(seconds) = presigned_seconds {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(seconds));
        settings.payload_checksum_kind = aws_sigv4::http_request::PayloadChecksumKind::NoHeader;
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(UNIX_EPOCH + Duration::from_millis(NOW.0))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let question_mark = if wire.query.is_empty() { "" } else { "?" };
    let uri = format!("http://{HOST}{}{question_mark}{}", wire.path, wire.query);
    let headers = wire.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let signable = SignableRequest::new(wire.method.as_str(), uri.clone(), headers, body).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut request = http::Request::builder().method(wire.method.clone()).uri(uri).body(()).unwrap();
    *request.headers_mut() = wire.headers.clone();
    instructions.apply_to_request_http1x(&mut request);
    let (head, ()) = request.into_parts();
    Wire {
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        method: head.method,
    }
    .and("host", HOST)
}

fn pick<'a, T: ?Sized>(rng: &SeededRng, choices: &[&'a T]) -> &'a T {
    choices[usize::try_from(rng.below(choices.len() as u64)).unwrap()]
}

/// A key made of what breaks canonicalisation elsewhere, escaped as a client does.
fn path(rng: &SeededRng) -> String {
    let segments =
        ["a b+c~d(1)é//x&y=z", "..", ".", "//", "%41", "日本", "a%2Fb", "!*'();:@", "plain.txt", "\u{1}\u{7f}"];
    let key: Vec<&str> = (0..1 + rng.below(4)).map(|_| pick(rng, &segments)).collect();
    format!("/bucket/{}", utf8_percent_encode(&key.join("/"), IN_PATH))
}

fn query(rng: &SeededRng) -> String {
    let names = ["uploads", "prefix", "partNumber", "x-id", "a b", "Ünï", "~", "A", "a", "list-type"];
    let values = ["", "2", "p/ath", "a+b", "a b", "é=&", "%", "(x)", "..", "~"];
    let pairs = (0..rng.below(5)).map(|_| {
        let (name, value) = (pick(rng, &names), pick(rng, &values));
        format!("{}={}", utf8_percent_encode(name, IN_QUERY), utf8_percent_encode(value, IN_QUERY))
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn request(rng: &SeededRng) -> Wire {
    let method = [Method::GET, Method::PUT, Method::POST, Method::HEAD, Method::DELETE]
        [usize::try_from(rng.below(5)).unwrap()]
    .clone();
    let mut wire = Wire { method, path: path(rng), query: query(rng), headers: http::HeaderMap::new() };
    for index in 0..rng.below(4) {
        let value = pick(rng, &["", "one", "two  inner   blanks", "a,b ;c", "x=\"y  z\""]);
        wire = wire.and(&format!("x-amz-meta-{index}"), value);
        if rng.below(3) == 0 {
            wire = wire.and(&format!("x-amz-meta-{index}"), "again");
        }
    }
    if rng.below(2) == 0 { wire.and("content-type", "text/plain; charset=utf-8") } else { wire }
}

/// Every way to change a signed request that its signature must notice.
fn mutations(wire: &Wire) -> Vec<Wire> {
    let changed = |change: &dyn Fn(&mut Wire)| {
        let mut copy = wire.clone();
        change(&mut copy);
        copy
    };
    let mut all = vec![
        changed(&|w| w.method = if w.method == Method::GET { Method::PUT } else { Method::GET }),
        changed(&|w| w.path.push('x')),
        changed(&|w| w.path.push('/')),
        changed(&|w| w.path = w.path.replacen("/bucket/", "/bucket/./", 1)),
        changed(&|w| w.path = w.path.replacen("/bucket/", "/bucket//", 1)),
        changed(&|w| w.query.push_str("&acl")),
        changed(&|w| drop(w.headers.insert("host", HeaderValue::from_static("other.example:9000")))),
    ];
    for name in wire.headers.keys().filter(|name| name.as_str().starts_with("x-amz-meta-")) {
        all.push(changed(&|w| drop(w.headers.insert(name.clone(), HeaderValue::from_static("changed")))));
        all.push(wire.clone().and(name.as_str(), "more"));
        all.push(wire.clone().without(name.as_str()));
    }
    all
}

fn replace_header(wire: &Wire, name: &'static str, from: &str, to: &str) -> Wire {
    let value = wire.headers[name].to_str().unwrap().replacen(from, to, 1);
    wire.clone().without(name).and(name, &value)
}

#[test]
fn signed_in_the_header() {
    let rng = SeededRng::new(4);
    for round in 0..300 {
        let body = match round % 3 {
            0 => SignableBody::Bytes(b"Welcome to Amazon S3."),
            1 => SignableBody::UnsignedPayload,
            _ => SignableBody::StreamingUnsignedPayloadTrailer,
        };
        let wire = signed(&request(&rng), body, None);
        let accepted = wire.accepted();
        match round % 3 {
            0 => assert!(matches!(accepted.payload, Payload::Exact(hash) if hash[..2] == [0x44, 0xce])),
            1 => assert!(matches!(accepted.payload, Payload::Unsigned)),
            _ => assert!(matches!(accepted.payload, Payload::UnsignedTrailer)),
        }
        let mut changed = mutations(&wire);
        changed.push(replace_header(&wire, "x-amz-date", "T000000Z", "T000001Z"));
        changed.push(wire.clone().without("x-amz-content-sha256").and("x-amz-content-sha256", &"0".repeat(64)));
        let signature = wire.headers["authorization"].to_str().unwrap().rsplit('=').next().unwrap().to_owned();
        let other = format!("{}{}", &signature[..63], if signature.ends_with('0') { '1' } else { '0' });
        changed.push(replace_header(&wire, "authorization", &signature, &other));
        changed.push(replace_header(&wire, "authorization", &signature, &signature[..63]));
        for wire in changed {
            wire.refused(AuthErrorCode::SignatureDoesNotMatch);
        }
    }
}

#[test]
fn presigned_in_the_query() {
    let rng = SeededRng::new(5);
    for _ in 0..200 {
        let wire = signed(&request(&rng), SignableBody::UnsignedPayload, Some(3600));
        assert_eq!(wire.accepted().signed.map(|signed| signed.place), Some(SignaturePlace::Query));
        let mut changed = mutations(&wire);
        for (from, to) in [("Expires=3600", "Expires=3601"), ("T000000Z", "T000001Z")] {
            let mut copy = wire.clone();
            copy.query = copy.query.replacen(from, to, 1);
            assert_ne!(copy.query, wire.query);
            changed.push(copy);
        }
        for wire in changed {
            wire.refused(AuthErrorCode::SignatureDoesNotMatch);
        }
    }
}

/// Some clients (opendal) sign the escaped form and send less escaped bytes; others escape more than they have to.
#[test]
fn what_is_escaped_on_the_wire_does_not_matter() {
    let rng = SeededRng::new(6);
    for _ in 0..100 {
        let mut wire = signed(&request(&rng), SignableBody::UnsignedPayload, None);
        for (escaped, bare) in [("%28", "("), ("%29", ")"), ("%21", "!"), ("%3D", "="), ("%40", "@")] {
            wire.path = wire.path.replace(escaped, bare);
        }
        wire.query = wire.query.replace("%2F", "/").replace("%28", "(").replace("%20", "+");
        wire.accepted();
        wire.path = wire.path.replace("plain", "%70lain").replace("%C3%A9", "%c3%a9");
        wire.accepted();
    }
}
