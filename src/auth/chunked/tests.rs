//! The decoder over bytes that real clients sent, in pieces of every size, and over lies about the framing.

use super::*;
use crate::base::rng::SeededRng;

mod signed;

type Decoded = Result<(Vec<u8>, HeaderMap), ChunkedError>;

fn decoder(length: u64, trailers: &[&str]) -> ChunkedDecoder {
    ChunkedDecoder::new(length, trailers.iter().map(|name| HeaderName::try_from(*name).unwrap()).collect())
}

/// Decodes `body`, cut into pieces of the lengths that `next_len` gives.
fn decode_in(mut decoder: ChunkedDecoder, body: &[u8], mut next_len: impl FnMut() -> usize) -> Decoded {
    let mut rest = Bytes::copy_from_slice(body);
    let mut payload = Vec::new();
    while !rest.is_empty() {
        let mut piece = rest.split_to(next_len().clamp(1, rest.len()));
        while let Some(data) = decoder.decode(&mut piece)? {
            assert!(!data.is_empty());
            payload.extend_from_slice(&data);
        }
        assert!(piece.is_empty());
    }
    Ok((payload, decoder.finish()?))
}

fn decode(decoder: ChunkedDecoder, body: &[u8]) -> Decoded {
    decode_in(decoder, body, || usize::MAX)
}

const CRC: &str = "x-amz-checksum-crc64nvme";
/// As botocore and the C++ SDK send it.
const HELLO: &[u8] = b"B\r\nhello world\r\n0\r\nx-amz-checksum-crc64nvme:jSnVw/bqjr4=\r\n\r\n";

fn framed(chunks: &[Vec<u8>], trailers: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    body
}

#[test]
fn bodies_of_real_clients() {
    let extra = [HELLO, b"\r\n"].concat();
    for body in [HELLO, &extra] {
        let (payload, trailers) = decode(decoder(11, &[CRC]), body).unwrap();
        assert_eq!(payload, b"hello world");
        assert_eq!(trailers[CRC], "jSnVw/bqjr4=");
    }
    // AWS's page ends a trailer's value with a line feed before the CRLF, and minio-go does.
    let drawn = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc64nvme: jSnVw/bqjr4=\n\r\n\r\n";
    assert_eq!(decode(decoder(11, &[CRC]), drawn).unwrap().1[CRC], "jSnVw/bqjr4=");
    assert_eq!(decode(decoder(0, &[]), b"0\r\n\r\n").unwrap(), (Vec::new(), HeaderMap::new()));
    assert_eq!(decode(decoder(0, &[CRC]), b"000\r\nX-Amz-Checksum-Crc64nvme:AAAAAAAAAAA=\r\n\r\n").unwrap().1.len(), 1);
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let rng = SeededRng::new(11);
    for _ in 0..50 {
        let mut chunks: Vec<Vec<u8>> =
            (0..rng.below(4)).map(|n| vec![n as u8; 8192 + usize::try_from(rng.below(3000)).unwrap()]).collect();
        chunks.push(b"\r\n0\r\n\r\n".to_vec()); // what looks like framing is payload here
        let payload = chunks.concat();
        let body = framed(&chunks, "x-amz-checksum-crc64nvme:AAAAAAAAAAA=\r\n");
        let fresh = || decoder(payload.len() as u64, &[CRC]);
        let whole = decode(fresh(), &body).unwrap();
        assert_eq!(whole.0, payload);
        assert_eq!(decode_in(fresh(), &body, || 1).unwrap(), whole);
        assert_eq!(decode_in(fresh(), &body, || usize::try_from(rng.below(5000)).unwrap()).unwrap(), whole);
    }
}

#[test]
fn payload_is_not_copied() {
    let mut input = Bytes::from_static(HELLO);
    let place = input.as_ptr().wrapping_add(3);
    let data = decoder(11, &[CRC]).decode(&mut input).unwrap().unwrap();
    assert_eq!((data.as_ptr(), data.len()), (place, 11));
}

#[test]
fn every_truncation_is_incomplete() {
    for end in 0..HELLO.len() {
        let refusal = decode(decoder(11, &[CRC]), &HELLO[..end]).unwrap_err();
        assert!(matches!(refusal, ChunkedError::Incomplete { expected: 11, .. }), "{end}: {refusal}");
    }
}

#[test]
fn lengths_must_agree() {
    let refusal = decode(decoder(12, &[CRC]), HELLO).unwrap_err();
    assert_eq!(refusal, ChunkedError::Incomplete { expected: 12, received: 11 });
    assert_eq!(decode(decoder(10, &[CRC]), HELLO).unwrap_err(), ChunkedError::TooLong { expected: 10 });
    // Refused at the size line, before a byte of the chunk arrives.
    assert_eq!(decode(decoder(10, &[]), b"ffffffffffffffff\r\n").unwrap_err(), ChunkedError::TooLong { expected: 10 });
}

#[test]
fn only_the_last_chunk_may_be_small() {
    let sizes = |sizes: &[usize]| {
        let chunks: Vec<Vec<u8>> = sizes.iter().map(|size| vec![7; *size]).collect();
        decode(decoder(sizes.iter().sum::<usize>() as u64, &[]), &framed(&chunks, "")).map(|(payload, _)| payload.len())
    };
    assert_eq!(sizes(&[8192, 8192, 1]), Ok(16_385));
    assert_eq!(sizes(&[1]), Ok(1));
    assert_eq!(sizes(&[8192, 8191, 8192]), Err(ChunkedError::ChunkTooSmall { number: 2, size: 8191 }));
    assert_eq!(sizes(&[1, 1]), Err(ChunkedError::ChunkTooSmall { number: 1, size: 1 }));
}

#[test]
fn trailers_are_exactly_those_announced() {
    let with = |announced: &[&str], trailers: &str| {
        decode(decoder(0, announced), format!("0\r\n{trailers}\r\n").as_bytes()).map(|(_, trailers)| trailers.len())
    };
    assert_eq!(with(&["a", "b"], "b:1\r\nA:2\r\n"), Ok(2));
    let long = format!("a:{}\r\n", "x".repeat(TRAILER_MAX_BYTES));
    for (announced, trailers) in [
        (&["a"][..], ""),
        (&["a"], "b:1\r\n"),
        (&[], "a:1\r\n"),
        (&["a"], "a:1\r\na:1\r\n"),
        (&["a", "b"], "a:1\r\na:1\r\n"),
        (&["a"], "a\r\n"),
        (&["a"], ":1\r\n"),
        (&["a"], "a:1\n2\r\n"),
        (&["a"], "a:\u{1}\r\n"),
        (&["a"], &long),
    ] {
        assert_eq!(with(announced, trailers), Err(ChunkedError::MalformedTrailer), "{trailers:.20}");
    }
}

#[test]
fn what_is_no_framing_is_refused() {
    let long = format!("{}\r\n", "0".repeat(CHUNK_LINE_MAX_BYTES));
    let signed = format!("b;chunk-signature={}\r\nhello world\r\n0\r\n\r\n", "a".repeat(64));
    for body in [
        "\r\n",
        "hello world",
        "+b\r\n",
        "-1\r\n",
        "0x1\r\n",
        " b\r\n",
        "b \r\n",
        "b\nhello world\r\n",
        "10000000000000000\r\n",
        "b\r\nhello worldX\r\n",
        "b\r\nhello world\n0\r\n\r\n",
        &long,
        &signed,
        "é\r\n",
    ] {
        let body = format!("{body}\r\n{}", "x".repeat(CHUNK_LINE_MAX_BYTES));
        let refusal = decode(decoder(11, &[]), body.as_bytes()).unwrap_err();
        assert!(matches!(refusal, ChunkedError::Framing(_)), "{body:.20}: {refusal}");
    }
    for after in ["\r\n\r\n", "\r", "x", "\r\nx", "\n", "0\r\n\r\n"] {
        let body = [HELLO, after.as_bytes()].concat();
        for step in [1, usize::MAX] {
            let refusal = decode_in(decoder(11, &[CRC]), &body, || step).unwrap_err();
            assert!(matches!(refusal, ChunkedError::Framing(_)), "{after:?}: {refusal}");
        }
    }
}

#[test]
fn a_line_without_end_is_cut_off() {
    let mut decoder = decoder(11, &[]);
    let mut fed = 0;
    let refusal = loop {
        fed += 100;
        if let Err(refusal) = decoder.decode(&mut Bytes::from(vec![b'0'; 100])) {
            break refusal;
        }
    };
    assert!(matches!(refusal, ChunkedError::Framing(_)) && fed <= CHUNK_LINE_MAX_BYTES + 100);
}

#[test]
fn announcements() {
    let of = |pairs: &[(&'static str, &'static str)], payload: &Payload| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let decoder = ChunkedDecoder::of(&headers, payload)?;
        Ok(decoder.map(|decoder| (decoder.decoded_length(), decoder.announced().len())))
    };
    let headers = |pairs: &[(&'static str, &'static str)]| of(pairs, &Payload::UnsignedTrailer).map(Option::unwrap);
    for plain in [Payload::Unsigned, Payload::Exact([0; 32])] {
        assert_eq!(of(&[(DECODED_LENGTH, "x")], &plain), Ok(None), "no framing, whatever else the headers say");
    }
    assert_eq!(headers(&[(DECODED_LENGTH, "11")]), Ok((11, 0)));
    assert_eq!(headers(&[(DECODED_LENGTH, "11"), (TRAILER, "X-Amz-Checksum-CRC32")]), Ok((11, 1)));
    assert_eq!(headers(&[(DECODED_LENGTH, "11"), (TRAILER, "a, b"), (TRAILER, "c")]), Ok((11, 3)));
    assert_eq!(headers(&[]), Err(ChunkedError::MissingDecodedLength));
    for bad in ["", "-1", "+1", "1.5", "0x10", "18446744073709551616"] {
        assert_eq!(headers(&[(DECODED_LENGTH, bad)]), Err(ChunkedError::InvalidDecodedLength), "{bad}");
    }
    assert_eq!(headers(&[(DECODED_LENGTH, "1"), (DECODED_LENGTH, "1")]), Err(ChunkedError::InvalidDecodedLength));
    for bad in ["", "a,", "a b", "a,A"] {
        let refusal = headers(&[(DECODED_LENGTH, "1"), (TRAILER, bad)]);
        assert_eq!(refusal, Err(ChunkedError::InvalidTrailerAnnouncement), "{bad}");
    }
}
