//! Bodies as the wire captures of real clients show them, and bodies that lie.

use futures_util::stream;
use http::HeaderValue;

use super::*;
use crate::base::digest::hex;

/// CRC-64/NVME of "hello world" as the AWS SDK for C++ sent it.
const HELLO_CRC64: &str = "jSnVw/bqjr4=";
/// SHA-256 of "hello world".
const HELLO_SHA256: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn exact() -> Payload {
    Payload::Exact(crate::base::digest::from_hex(HELLO_SHA256).unwrap())
}

fn name<T>(result: Result<T, Error>) -> Result<T, &'static str> {
    result.map_err(|error| error.code().name)
}

#[test]
fn lengths() {
    let max = PUT_SIZE_MAX_BYTES;
    let (largest, over) = (max.to_string(), (max + 1).to_string());
    let stream = |pairs: &[_], payload: &Payload| name(bound(&headers(pairs), payload, BodyRule::Stream));
    assert_eq!(stream(&[("content-length", "11")], &exact()), Ok(Some(11)));
    assert_eq!(stream(&[("content-length", &largest)], &Payload::Unsigned), Ok(Some(max)));
    assert_eq!(stream(&[("content-length", &over)], &Payload::Unsigned), Err("EntityTooLarge"));
    assert_eq!(stream(&[], &Payload::Unsigned), Err("MissingContentLength"));
    assert_eq!(stream(&[("transfer-encoding", "chunked")], &Payload::Unsigned), Ok(None));
    assert_eq!(stream(&[("transfer-encoding", "chunked")], &Payload::UnsignedTrailer), Err("MissingContentLength"));
    assert_eq!(stream(&[("content-length", "-1")], &Payload::Unsigned), Err("InvalidRequest"));
    assert_eq!(stream(&[("content-length", "1"), ("content-length", "2")], &exact()), Err("InvalidRequest"));
    assert_eq!(stream(&[("content-length", "9")], &Payload::UnsignedTrailer), Err("MissingContentLength"));
    let decoded = "x-amz-decoded-content-length";
    assert_eq!(stream(&[("content-length", "60"), (decoded, "11")], &Payload::UnsignedTrailer), Ok(Some(11)));
    assert_eq!(stream(&[(decoded, "1x")], &Payload::UnsignedTrailer), Err("InvalidArgument"));
    let xml = |pairs: &[_]| name(bound(&headers(pairs), &Payload::Unsigned, BodyRule::Xml(10)));
    assert_eq!(xml(&[]), Ok(Some(0)));
    assert_eq!(xml(&[("transfer-encoding", "chunked")]), Ok(None));
    assert_eq!(xml(&[("content-length", "11")]), Err("MaxMessageLengthExceeded"));
}

#[test]
fn bodies_are_measured_as_they_come() {
    let measured = |declared, pieces: &[usize]| {
        let mut meter = Meter { declared, received: 0 };
        let all = pieces.iter().try_for_each(|piece| meter.add(*piece)).and_then(|()| meter.end());
        name(all)
    };
    assert_eq!(measured(Some(7), &[3, 4]), Ok(()));
    assert_eq!(measured(Some(7), &[3, 3]), Err("IncompleteBody"));
    assert_eq!(measured(Some(7), &[3, 5]), Err("IncompleteBody"));
    let max = usize::try_from(PUT_SIZE_MAX_BYTES).unwrap();
    assert_eq!(measured(None, &[max - 1, 1]), Ok(()));
    assert_eq!(measured(None, &[max, 1]), Err("EntityTooLarge"));
    assert_eq!(measured(None, &[usize::MAX, usize::MAX]), Err("EntityTooLarge"));
}

#[test]
fn declared_checksums() {
    let declared =
        |pairs: &[_], payload: &Payload| name(declared_checksum(&headers(pairs), payload)).map(|found| found.is_some());
    let crc32 = ("x-amz-checksum-crc32", "DUoRhQ==");
    let sdk = "x-amz-sdk-checksum-algorithm";
    let trailer = ("x-amz-trailer", "x-amz-checksum-crc64nvme");
    let decoded = ("x-amz-decoded-content-length", "11");
    for (pairs, payload, expected) in [
        (&[][..], exact(), Ok(false)),
        (&[crc32], exact(), Ok(true)),
        (&[crc32, (sdk, "CRC32")], exact(), Ok(true)),
        (&[crc32, ("x-amz-checksum-type", "FULL_OBJECT")], exact(), Ok(true)),
        (&[(sdk, "CRC32")], exact(), Err("InvalidRequest")),
        (&[crc32, (sdk, "SHA1")], exact(), Err("InvalidRequest")),
        (&[crc32, ("x-amz-checksum-crc32c", "AAAAAA==")], exact(), Err("InvalidRequest")),
        (&[crc32, crc32], exact(), Err("InvalidRequest")),
        (&[("x-amz-checksum-crc32", "bad")], exact(), Err("InvalidRequest")),
        (&[("x-amz-checksum-crc99", "AAAAAA==")], exact(), Err("InvalidRequest")),
        (&[trailer, decoded], Payload::UnsignedTrailer, Ok(true)),
        (&[trailer, decoded, (sdk, "CRC64NVME")], Payload::UnsignedTrailer, Ok(true)),
        (&[trailer, decoded, crc32], Payload::UnsignedTrailer, Err("InvalidRequest")),
        (&[("x-amz-trailer", "x-other"), decoded], Payload::UnsignedTrailer, Err("InvalidRequest")),
        (&[trailer], exact(), Err("InvalidRequest")),
    ] {
        assert_eq!(declared(pairs, &payload), expected, "{pairs:?}");
    }
}

#[test]
fn content_md5_is_strict() {
    let of = |value: &str| name(content_md5(&headers(&[("content-md5", value)])));
    assert!(of("XrY7u+Ae7tCTyyK7j1rNww==").is_ok());
    for bad in ["", "XrY7u+Ae7tCTyyK7j1rN", "5eb63bbbe01eeed093cb22bb8f5acdc3", "!!"] {
        assert_eq!(of(bad), Err("InvalidDigest"), "{bad}");
    }
    assert_eq!(name(content_md5(&HeaderMap::new())), Ok(None));
}

/// What `declaration` says to the bytes "hello world" and these trailers.
fn verified(declaration: &Declaration, trailers: &[(&'static str, &str)]) -> Result<(), &'static str> {
    let mut hasher = BodyHasher::new(declaration.digests());
    hasher.update(b"hello world");
    let digests = hasher.finish(&Checksum::of(ChecksumAlgorithm::Crc64Nvme, b"hello world"));
    name(declaration.verify(&digests, &headers(trailers)))
}

#[test]
fn everything_declared_is_compared() {
    let sha256 = crate::base::digest::from_hex(HELLO_SHA256);
    assert_eq!(hex(&sha256.unwrap()), HELLO_SHA256);
    assert_eq!(verified(&Declaration { sha256, ..Declaration::default() }, &[]), Ok(()));
    let wrong = Declaration { sha256: Some([0; 32]), ..Declaration::default() };
    assert_eq!(verified(&wrong, &[]), Err("XAmzContentSHA256Mismatch"));
    let wrong = Declaration { md5: Some([0; 16]), ..Declaration::default() };
    assert_eq!(verified(&wrong, &[]), Err("BadDigest"));
    let trailer = DeclaredChecksum::Trailer(ChecksumAlgorithm::Crc64Nvme);
    let trailing = Declaration { checksum: Some(trailer), ..Declaration::default() };
    let header = ChecksumAlgorithm::Crc64Nvme.header();
    assert_eq!(verified(&trailing, &[(header, HELLO_CRC64)]), Ok(()));
    assert_eq!(verified(&trailing, &[(header, "AAAAAAAAAAA=")]), Err("BadDigest"));
    assert_eq!(verified(&trailing, &[(header, "AAAA")]), Err("InvalidRequest"));
    assert_eq!(verified(&trailing, &[]), Err("MalformedTrailerError"));
    for algorithm in ChecksumAlgorithm::ALL {
        let of = |data| Some(DeclaredChecksum::Header(Checksum::of(algorithm, data)));
        let right = Declaration { checksum: of(b"hello world"), ..Declaration::default() };
        let wrong = Declaration { checksum: of(b"hello wurld"), ..Declaration::default() };
        assert_eq!((verified(&right, &[]), verified(&wrong, &[])), (Ok(()), Err("BadDigest")), "{algorithm:?}");
    }
}

async fn read(pieces: Vec<&'static [u8]>) -> Result<(Vec<u8>, HeaderMap), &'static str> {
    let announced = headers(&[("x-amz-trailer", "x-amz-checksum-crc64nvme"), ("x-amz-decoded-content-length", "11")]);
    let chunked = ChunkedDecoder::of(&announced, &Payload::UnsignedTrailer).unwrap();
    let body = Body::stream(stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from_static(piece)))), None);
    let mut reader = Reader { body, chunked, piece: Bytes::new() };
    let mut all = Vec::new();
    while let Some(piece) = name(reader.next().await)? {
        all.extend_from_slice(&piece);
    }
    Ok((all, name(reader.trailers())?))
}

#[tokio::test]
async fn chunked_bodies_in_any_pieces() {
    const SENT: &[u8] = b"B\r\nhello world\r\n0\r\nx-amz-checksum-crc64nvme:jSnVw/bqjr4=\r\n\r\n\r\n";
    for size in [1, 2, 5, SENT.len()] {
        let (payload, trailers) = read(SENT.chunks(size).collect()).await.unwrap();
        assert_eq!(payload, b"hello world");
        assert_eq!(trailers["x-amz-checksum-crc64nvme"], HELLO_CRC64);
    }
}

#[tokio::test]
async fn chunked_bodies_that_lie() {
    for (sent, code) in [
        (&b"B\r\nhello world\r\n"[..], "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"C\r\nhello world!\r\n", "InvalidRequest"),
        (b"B\r\nhello world\r\n0\r\n\r\n", "MalformedTrailerError"),
        (b"zz\r\n", "InvalidRequest"),
        (b"5\r\nhello\r\n6\r\n world\r\n0\r\n", "InvalidChunkSizeError"),
    ] {
        assert_eq!(read(vec![sent]).await.map(drop), Err(code), "{}", String::from_utf8_lossy(sent));
    }
}
