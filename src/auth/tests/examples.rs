//! The examples of AWS's pages, signatures included:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.
//!
//! What comes after the head, the chunks and trailers of the last two pages, is tried in `chunked/tests/signed.rs`, the form of
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html> in `post_policy/tests.rs`.

use http::Method;

use super::{EMPTY_SHA256, KEY_ID, NOW, Wire};
use crate::auth::{AuthErrorCode, Authenticated, Payload, SignaturePlace};
use crate::base::clock::Timestamp;

const HOST: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");
const DATE: (&str, &str) = ("x-amz-date", "20130524T000000Z");

fn place(accepted: &Authenticated) -> SignaturePlace {
    accepted.signed.unwrap().place
}

fn signed(wire: Wire, signed_headers: &str, signature: &str) -> Wire {
    let scope = "20130524/us-east-1/s3/aws4_request";
    wire.and(
        "authorization",
        &format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope},SignedHeaders={signed_headers},Signature={signature}"),
    )
}

fn get(target: &str, signature: &str) -> Wire {
    let wire = Wire::new(Method::GET, target, &[HOST, DATE, ("x-amz-content-sha256", EMPTY_SHA256)]);
    signed(wire, "host;x-amz-content-sha256;x-amz-date", signature)
}

fn get_object() -> Wire {
    let headers = [HOST, DATE, ("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY_SHA256)];
    signed(
        Wire::new(Method::GET, "/test.txt", &headers),
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    )
}

#[test]
fn get_object_with_range() {
    let accepted = get_object().accepted();
    assert_eq!(accepted.identity.access_key_id(), Some(KEY_ID));
    assert!(accepted.identity.key().is_some_and(|key| key.root) && place(&accepted) == SignaturePlace::Header);
    assert!(matches!(accepted.payload, Payload::Exact(hash) if hash[..2] == [0xe3, 0xb0]));
}

#[test]
fn put_object_whose_key_needs_escaping() {
    let hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let headers = [
        HOST,
        DATE,
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", hash),
    ];
    for path in ["/test$file.text", "/test%24file.text"] {
        let wire = signed(
            Wire::new(Method::PUT, path, &headers),
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        wire.accepted();
    }
}

#[test]
fn bucket_lifecycle() {
    for target in ["/?lifecycle", "/?lifecycle="] {
        get(target, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543").accepted();
    }
}

#[test]
fn list_objects() {
    for target in ["/?max-keys=2&prefix=J", "/?prefix=J&max-keys=2"] {
        get(target, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7").accepted();
    }
}

#[test]
fn put_object_in_signed_chunks() {
    let headers = [
        ("host", "s3.amazonaws.com"),
        DATE,
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("content-length", "66824"),
    ];
    let signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    let wire = signed(
        Wire::new(Method::PUT, "/examplebucket/chunkObject.txt", &headers),
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        signature,
    );
    let Payload::SignedChunks { seed, trailer: false } = wire.accepted().payload else { panic!("not signed chunks") };
    assert_eq!(seed.signature, signature);
    assert_eq!(
        (seed.amz_date.as_str(), seed.scope.as_str()),
        ("20130524T000000Z", "20130524/us-east-1/s3/aws4_request")
    );
    // The first chunk of the example, 65,536 times `a`: the next step needs nothing but the seed.
    let chunk_string = format!(
        "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{EMPTY_SHA256}\n\
         bf718b6f653bebc184e1479f1935b8da974d701b893afcf49e701f3e2f9f9c5a",
        seed.amz_date, seed.scope, seed.signature
    );
    assert_eq!(seed.key.sign(&chunk_string), "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
}

/// The page's Authorization header is signed over these headers; the text around it names others.
#[test]
fn put_object_in_signed_chunks_with_a_trailer() {
    let headers = [
        ("host", "s3.amazonaws.com"),
        DATE,
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ("content-length", "66824"),
    ];
    let signature = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    let wire = signed(
        Wire::new(Method::PUT, "/examplebucket/chunkObject.txt", &headers),
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
        signature,
    );
    let Payload::SignedChunks { seed, trailer: true } = wire.accepted().payload else { panic!("no signed trailer") };
    assert_eq!(seed.signature, signature);
    // The page's string to sign of the trailer, behind its third and last chunk.
    let trailer_string = format!(
        "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\n\
         1e376db7e1a34a8ef1c4bcee131a2d60a1cb62503747488624e10995f448d774",
        seed.amz_date, seed.scope
    );
    assert_eq!(seed.key.sign(&trailer_string), "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

#[test]
fn presigned_get() {
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY_ID}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    let wire = Wire::new(Method::GET, &format!("/test.txt?{query}"), &[HOST]);
    let accepted = wire.accepted();
    assert!(place(&accepted) == SignaturePlace::Query && matches!(accepted.payload, Payload::Unsigned));
    // Good to the last millisecond of its life, and not one longer.
    wire.authenticate_at(Timestamp(NOW.0 + 86_400_000)).unwrap();
    let late = wire.authenticate_at(Timestamp(NOW.0 + 86_400_001)).unwrap_err();
    assert_eq!((late.code, late.message.as_str()), (AuthErrorCode::AccessDenied, "Request has expired"));
    assert_eq!(late.detail("Expires"), Some("2013-05-25T00:00:00.000Z"));
    assert_eq!(late.detail("ServerTime"), Some("2013-05-25T00:00:00.001Z"));
}

/// What a client's author compares with what they signed, for the first example with another method.
#[test]
fn a_mismatch_shows_what_was_signed() {
    let mut wire = get_object();
    wire.method = Method::HEAD;
    let refusal = wire.refused(AuthErrorCode::SignatureDoesNotMatch);
    let canonical = format!(
        "HEAD\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\nx-amz-content-sha256:{EMPTY_SHA256}\n\
         x-amz-date:20130524T000000Z\n\nhost;range;x-amz-content-sha256;x-amz-date\n{EMPTY_SHA256}"
    );
    assert_eq!(refusal.detail("CanonicalRequest"), Some(canonical.as_str()));
    assert!(refusal.detail("CanonicalRequestBytes").unwrap().starts_with("48 45 41 44 0a 2f"));
    let string_to_sign = refusal.detail("StringToSign").unwrap();
    assert!(string_to_sign.starts_with("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"));
    assert!(refusal.detail("StringToSignBytes").unwrap().starts_with("41 57 53 34"));
    assert_eq!(refusal.detail("AWSAccessKeyId"), Some(KEY_ID));
    assert!(refusal.detail("SignatureProvided").unwrap().starts_with("f0e8bdb8"));
}
