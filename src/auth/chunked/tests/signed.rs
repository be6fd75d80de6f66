//! Signed chunks: AWS's two published uploads, key and signatures included, and every way of not being one of them.

use super::{Decoded, decode, decode_in};
use crate::auth::chunked::{ChunkedDecoder, ChunkedError};
use crate::auth::{ChunkSeed, Payload, SigningKey};
use crate::base::digest::{Checksum, ChecksumAlgorithm};
use crate::base::rng::SeededRng;
use http::{HeaderMap, HeaderName, HeaderValue};

const CRC32C: &str = "x-amz-checksum-crc32c";
/// Of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>.
const PLAIN: Example = Example {
    seed: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    chunks: [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ],
    trailer: None,
};
/// Of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.
const TRAILING: Example = Example {
    seed: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    chunks: [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ],
    trailer: Some("d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"),
};

/// An upload of 66,560 times `a`, in chunks of 64 KiB and 1 KiB.
#[derive(Clone, Copy)]
struct Example {
    seed: &'static str,
    chunks: [&'static str; 3],
    trailer: Option<&'static str>,
}

impl Example {
    fn decoder(&self) -> ChunkedDecoder {
        let seed = ChunkSeed {
            key: SigningKey::derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3"),
            signature: self.seed.to_owned(),
            amz_date: "20130524T000000Z".to_owned(),
            scope: "20130524/us-east-1/s3/aws4_request".to_owned(),
        };
        let announced = self.trailer.map(|_| HeaderName::from_static(CRC32C));
        ChunkedDecoder::new(66_560, announced.into_iter().collect()).signed(seed, self.trailer.is_some())
    }

    fn text(&self) -> String {
        let [first, second, last] = self.chunks;
        let trailers =
            self.trailer.map(|signature| format!("{CRC32C}:sOO8/Q==\r\nx-amz-trailer-signature:{signature}\r\n"));
        format!(
            "10000;chunk-signature={first}\r\n{}\r\n400;chunk-signature={second}\r\n{}\r\n0;chunk-signature={last}\r\n{}\r\n",
            "a".repeat(65_536),
            "a".repeat(1024),
            trailers.unwrap_or_default()
        )
    }

    fn decode(&self, body: &str) -> Decoded {
        decode(self.decoder(), body.as_bytes())
    }
}

fn is_mismatch(refusal: &ChunkedError) -> bool {
    matches!(refusal, ChunkedError::SignatureMismatch { .. })
}

#[test]
fn the_published_uploads() {
    assert_eq!(PLAIN.text().len(), 66_824, "the page's Content-Length");
    for example in [PLAIN, TRAILING] {
        let (payload, trailers) = example.decode(&example.text()).unwrap();
        assert!(payload == vec![b'a'; 66_560]);
        let crc = Checksum::of(ChecksumAlgorithm::Crc32c, &payload).to_base64();
        assert_eq!(trailers.get(CRC32C).map(|value| value.to_str().unwrap()), example.trailer.map(|_| crc.as_str()));
    }
}

#[test]
fn framing_as_clients_write_it() {
    for example in [PLAIN, TRAILING] {
        let text = example.text();
        for spelt in [
            // .NET writes sizes in upper case; a line break more comes from the C++ SDK, a line feed from minio-go.
            text.replace("10000;", "0010000;"),
            format!("{text}\r\n"),
            text.replace("sOO8/Q==", "  sOO8/Q== \n").replace(CRC32C, "X-Amz-Checksum-CRC32C"),
        ] {
            assert_eq!(example.decode(&spelt).unwrap().0.len(), 66_560);
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let rng = SeededRng::new(5);
    let body = TRAILING.text();
    let whole = TRAILING.decode(&body);
    assert!(decode_in(TRAILING.decoder(), body.as_bytes(), || 1) == whole && whole.is_ok());
    for _ in 0..20 {
        let step = || usize::try_from(rng.below(40_000)).unwrap();
        assert!(decode_in(TRAILING.decoder(), body.as_bytes(), step) == whole);
    }
}

#[test]
fn one_bit_anywhere_is_noticed() {
    let body = TRAILING.text().into_bytes();
    let framing = |at: &usize| *at < 90 || (65_600..65_740).contains(at) || *at > 66_700;
    let data = [100, 30_000, 65_623, 65_720, 66_730];
    for at in (0..body.len()).filter(framing).chain(data) {
        let mut changed = body.clone();
        changed[at] ^= 1;
        assert!(decode(TRAILING.decoder(), &changed).is_err(), "{at}");
    }
    for at in data {
        let mut changed = body.clone();
        changed[at] ^= 1;
        assert!(is_mismatch(&decode(TRAILING.decoder(), &changed).unwrap_err()), "{at}");
    }
}

#[test]
fn nothing_behind_a_bad_chunk_is_given_out() {
    let mut body = PLAIN.text().into_bytes();
    body[1000] = b'b';
    let mut decoder = PLAIN.decoder();
    let mut given = 0;
    let refusal = body.chunks(4096).find_map(|piece| {
        let mut piece = bytes::Bytes::copy_from_slice(piece);
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(data)) => given += data.len(),
                Ok(None) => return None,
                Err(refusal) => return Some(refusal),
            }
        }
    });
    assert!(is_mismatch(&refusal.unwrap()) && given < 65_536, "{given}");
}

#[test]
fn a_mismatch_shows_what_had_to_be_signed() {
    let other = PLAIN.text().replace(PLAIN.chunks[1], PLAIN.chunks[0]);
    let ChunkedError::SignatureMismatch { string_to_sign, provided } = PLAIN.decode(&other).unwrap_err() else {
        panic!("another refusal")
    };
    assert_eq!(provided, PLAIN.chunks[0]);
    // The page's string to sign of the second chunk.
    let expected = format!(
        "AWS4-HMAC-SHA256-PAYLOAD\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n{}\n\
         e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
         2edc986847e209b4016e141a6dc8716d3207350f416969382d431539bf292e4a",
        PLAIN.chunks[0]
    );
    assert_eq!(string_to_sign, expected);
}

#[test]
fn signatures_that_are_missing_or_not_of_this_body() {
    let text = PLAIN.text();
    for (case, body) in [
        ("none at the first", text.replacen(&format!(";chunk-signature={}", PLAIN.chunks[0]), "", 1)),
        ("none at the last", text.replacen(&format!(";chunk-signature={}", PLAIN.chunks[2]), "", 1)),
        ("empty", text.replacen(PLAIN.chunks[0], "", 1)),
        ("half", text.replacen(PLAIN.chunks[0], &PLAIN.chunks[0][..32], 1)),
        ("twice as long", text.replacen(PLAIN.chunks[0], &PLAIN.chunks[0].repeat(2), 1)),
        ("upper case", text.replacen(PLAIN.chunks[0], &PLAIN.chunks[0].to_ascii_uppercase(), 1)),
        ("another upload's", text.replacen(PLAIN.chunks[0], TRAILING.chunks[0], 1)),
        ("the last one's", text.replacen(PLAIN.chunks[0], PLAIN.chunks[2], 1)),
    ] {
        assert!(is_mismatch(&PLAIN.decode(&body).unwrap_err()), "{case}");
    }
    let other_seed = Example { seed: TRAILING.seed, ..PLAIN };
    assert!(is_mismatch(&other_seed.decode(&text).unwrap_err()));
    for extension in [";chunk-signature", ";signature=00", ";chunk-signature=0g", "; chunk-signature=00", ";a=b;c=d"] {
        let body = text.replacen(&format!(";chunk-signature={}", PLAIN.chunks[0]), extension, 1);
        assert!(matches!(PLAIN.decode(&body), Err(ChunkedError::Framing(_))), "{extension}");
    }
}

#[test]
fn a_body_ends_where_its_signatures_say() {
    let text = TRAILING.text();
    for end in [0, 50, 5000, 65_624, 65_626, 66_738, text.len() - 100, text.len() - 3, text.len() - 1] {
        let refusal = TRAILING.decode(&text[..end]).unwrap_err();
        assert!(matches!(refusal, ChunkedError::Incomplete { .. }), "{end}: {refusal}");
    }
    // The last chunk moved forward: signed for another place.
    let early = format!("0;chunk-signature={}\r\n\r\n", PLAIN.chunks[2]);
    assert!(matches!(PLAIN.decode(&early), Err(ChunkedError::Incomplete { .. })));
}

#[test]
fn trailers_are_signed_whole() {
    let text = TRAILING.text();
    let line = format!("x-amz-trailer-signature:{}\r\n", TRAILING.trailer.unwrap());
    for (case, body, mismatch) in [
        ("another value", text.replace("sOO8/Q==", "sOO8/A=="), true),
        ("no signature", text.replace(&line, ""), true),
        ("a chunk's", text.replace(TRAILING.trailer.unwrap(), TRAILING.chunks[2]), true),
        ("empty", text.replace(TRAILING.trailer.unwrap(), ""), false),
        ("two", text.replace(&line, &line.repeat(2)), false),
        ("in front", text.replace(&line, "").replace(CRC32C, &format!("{line}{CRC32C}")), false),
        ("one more behind", text.replace(&line, &format!("{line}x-amz-meta-a:b\r\n")), false),
        ("one more before", text.replace(&line, &format!("x-amz-meta-a:b\r\n{line}")), false),
        ("no trailer", text.replace(&format!("{CRC32C}:sOO8/Q==\r\n"), ""), false),
    ] {
        let refusal = TRAILING.decode(&body).unwrap_err();
        assert!(is_mismatch(&refusal) == mismatch, "{case}: {refusal}");
        assert!(mismatch || refusal == ChunkedError::MalformedTrailer, "{case}: {refusal}");
    }
    let unexpected = format!("{}{line}\r\n", PLAIN.text().strip_suffix("\r\n").unwrap());
    assert_eq!(PLAIN.decode(&unexpected).unwrap_err(), ChunkedError::MalformedTrailer);
}

#[test]
fn a_mode_without_trailers_announces_none() {
    let seed = || ChunkSeed {
        key: SigningKey::derive("s", "20130524", "r", "s3"),
        signature: String::new(),
        amz_date: String::new(),
        scope: String::new(),
    };
    let headers = HeaderMap::from_iter([
        (HeaderName::from_static("x-amz-trailer"), HeaderValue::from_static(CRC32C)),
        (HeaderName::from_static("x-amz-decoded-content-length"), HeaderValue::from_static("1")),
    ]);
    let of = |trailer| ChunkedDecoder::of(&headers, &Payload::SignedChunks { seed: seed(), trailer });
    assert_eq!(of(false).map(drop), Err(ChunkedError::InvalidTrailerAnnouncement));
    assert_eq!(of(true).unwrap().unwrap().announced(), [CRC32C]);
}
