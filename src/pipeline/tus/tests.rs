//! What needs no store.

use super::*;

fn headers(pairs: &[(&HeaderName, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append((*name).clone(), HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn numbers_are_digits_and_nothing_else() {
    let read = |value| number(&headers(&[(&UPLOAD_OFFSET, value)]), &UPLOAD_OFFSET);
    assert_eq!((read("0").unwrap(), read("18446744073709551615").unwrap()), (Some(0), Some(u64::MAX)));
    assert_eq!(number(&HeaderMap::new(), &UPLOAD_OFFSET).unwrap(), None);
    for bad in ["", "-1", "+1", "1.0", "0x1", "1 2", "18446744073709551616"] {
        assert_eq!(read(bad).unwrap_err().status(), 400, "{bad}");
    }
    let twice = headers(&[(&UPLOAD_OFFSET, "1"), (&UPLOAD_OFFSET, "1")]);
    assert_eq!(number(&twice, &UPLOAD_OFFSET).unwrap_err().status(), 400);
}

#[test]
fn bytes_are_said_to_be_bytes() {
    for (value, bytes) in [
        ("application/offset+octet-stream", true),
        ("Application/Offset+Octet-Stream; charset=x", true),
        ("application/octet-stream", false),
        ("", false),
    ] {
        assert_eq!(carries_bytes(&headers(&[(&CONTENT_TYPE, value)])), bytes, "{value}");
    }
    assert!(!carries_bytes(&HeaderMap::new()));
}

#[test]
fn each_answer_names_the_version() {
    let mut response = bare(StatusCode::NOT_FOUND);
    dress(&mut response);
    assert_eq!(response.headers().get(TUS_RESUMABLE).unwrap(), VERSION);
    assert!(response.headers().get(TUS_VERSION).is_none());
    let mut response = unsupported("x").response();
    dress(&mut response);
    assert_eq!(response.headers().get(TUS_VERSION).unwrap(), VERSION);
}

/// No upload within the limit can have too many pieces, if its requests are not too small themselves.
#[test]
fn pieces_grow_with_the_upload() {
    let bytes = |length| match Manner::of(None, length) {
        Manner::Pieces(bytes) => bytes,
        Manner::Whole(_) => panic!("nothing is expected"),
    };
    assert_eq!((bytes(None), bytes(Some(1 << 40))), (64 << 20, 64 << 20));
    let largest = bytes(Some(OBJECT_SIZE_MAX_BYTES));
    assert!(OBJECT_SIZE_MAX_BYTES.div_ceil(largest) <= 50_000 && largest < 2 << 30);
}
