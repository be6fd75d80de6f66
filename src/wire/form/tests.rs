//! Forms cut into pieces of every size, cut short anywhere, without end, and heads that are none.

use futures_util::stream;
use http::HeaderValue;

use super::*;

const FORM: &[u8] = b"preamble\r\n--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
    --B \t\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: Form-Data; filename=\"x;\\\"y\\\\z.bin\"; name=file\r\n\r\n\
    \r\n--Bx\r\n--B-\r\n-B\r\n--\r\n\r\n--B\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--B--\r\nepilogue";
const FILE: &[u8] = b"\r\n--Bx\r\n--B-\r\n-B\r\n--\r\n";

fn boundary_of(text: &'static str) -> Result<Boundary, String> {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]);
    Boundary::of(&headers).map_err(|error| format!("{error:?}"))
}

fn in_pieces(bytes: &[u8], size: usize) -> Body {
    let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::stream(stream::iter(pieces), None)
}

fn form_of(bytes: &[u8], size: usize, allowance: usize) -> Form {
    Form::new(in_pieces(bytes, size), &Boundary("B".to_owned()), allowance)
}

type Parts = Vec<(String, Option<String>, Vec<u8>)>;

async fn read(bytes: &[u8], size: usize, allowance: usize) -> Result<Parts, FormError> {
    let mut form = form_of(bytes, size, allowance);
    let mut parts = Parts::new();
    while let Some(part) = form.next_part().await? {
        let mut content = Vec::new();
        while let Some(piece) = form.next_piece().await? {
            assert!(!piece.is_empty());
            content.extend_from_slice(&piece);
        }
        parts.push((part.name, part.file_name, content));
    }
    form.finish().await?;
    Ok(parts)
}

#[tokio::test]
async fn a_form_cut_into_pieces_of_every_size() {
    for size in 1..=FORM.len() {
        let parts = read(FORM, size, 1000).await.unwrap();
        let expected = [
            ("a".to_owned(), None, b"1".to_vec()),
            ("file".to_owned(), Some("x;\"y\\z.bin".to_owned()), FILE.to_vec()),
            ("empty".to_owned(), None, Vec::new()),
        ];
        assert_eq!(parts, expected, "{size}");
    }
}

#[tokio::test]
async fn a_form_that_breaks_off_anywhere_is_none() {
    let last = FORM.len() - b"\r\nepilogue".len();
    for end in 0..last {
        for size in [1, 7, FORM.len()] {
            let failed = read(&FORM[..end], size, 1000).await.unwrap_err();
            assert!(matches!(failed, FormError::Malformed(_)), "{end}: {failed}");
        }
    }
    assert_eq!(read(&FORM[..last], 7, 1000).await.unwrap().len(), 3);
}

/// The allowance pays for everything but content that is handed on.
#[tokio::test]
async fn the_allowance_is_exact() {
    let cost = FORM.len() + LINE_END.len() - FILE.len() - b"1".len();
    for size in [1, 10, FORM.len()] {
        assert_eq!(read(FORM, size, cost).await.unwrap().len(), 3, "{size}");
        let failed = read(FORM, size, cost - 1).await.unwrap_err();
        assert!(matches!(failed, FormError::TooLarge(max) if max == cost - 1), "{size}: {failed}");
    }
}

#[tokio::test]
async fn what_has_no_end_is_not_followed() {
    let endless = |start: &'static [u8], again: &'static [u8]| {
        let pieces = stream::iter([start]).chain(stream::repeat(again));
        Form::new(
            Body::stream(pieces.map(|piece| Ok(Bytes::from_static(piece))), None),
            &Boundary("B".to_owned()),
            5000,
        )
    };
    use futures_util::StreamExt as _;
    let part = b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    for (start, again) in [
        (&b"preamble"[..], &b"preamble"[..]),
        (b"--B\r\n", b"X-Header: and so on"),
        (b"--B\r\n", b"X-Header: 1\r\n"),
        (part, b"content"),
        (part, b"\r\n--Bx\r\n"),
        (b"--B--\r\n", b"epilogue"),
        (b"--B", b" "),
    ] {
        let mut form = endless(start, again);
        let failed = loop {
            match form.next_part().await {
                Ok(Some(_)) => {}
                Ok(None) => break form.finish().await.unwrap_err(),
                Err(error) => break error,
            }
        };
        assert!(matches!(failed, FormError::TooLarge(5000)), "{failed}");
    }
    let mut form = endless(part, b"text");
    form.next_part().await.unwrap();
    assert!(matches!(form.text().await, Err(FormError::TooLarge(5000))));
}

#[tokio::test]
async fn heads_that_are_none() {
    for head in [
        "",
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; name",
        "Content-Disposition: form-data; name=\"a",
        "Content-Disposition: form-data; name=\"a\"b",
        "Content-Disposition: form-data; name=a; name=b",
        "Content-Disposition: file; name=file",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        "Content-Disposition: form-data;\r\n name=a",
        "Content-Disposition : form-data; name=a",
        "Content-Disposition: form-data; name=a\nX: b",
        "Content-Type: text/plain",
        "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
        "no colon\r\nContent-Disposition: form-data; name=a",
    ] {
        let form = format!("--B\r\n{head}\r\n\r\nx\r\n--B--");
        let failed = read(form.as_bytes(), 1000, 1000).await.unwrap_err();
        assert!(matches!(failed, FormError::Malformed(_)), "{head}: {failed}");
    }
    let not_utf8 = b"--B\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\nx\r\n--B--";
    assert!(read(not_utf8, 1000, 1000).await.is_err());
}

#[tokio::test]
async fn names_of_files() {
    for (written, name) in [
        ("filename=\"\"", Some("")),
        ("filename=plain.txt", Some("plain.txt")),
        ("filename=\"C:\\dir\\file.txt\"", Some("C:\\dir\\file.txt")),
        ("filename=\"\u{d55c}\u{ae00} %22.txt\"", Some("\u{d55c}\u{ae00} %22.txt")),
        ("filename*=UTF-8''a.txt", None),
    ] {
        let form = format!("--B\r\nContent-Disposition: form-data; name=\"file\"; {written} ;\r\n\r\n\r\n--B--");
        let parts = read(form.as_bytes(), 1000, 1000).await.unwrap();
        assert_eq!(parts[0].1.as_deref(), name, "{written}");
    }
}

#[test]
fn boundaries() {
    for (text, boundary) in [
        ("multipart/form-data; boundary=abc", "abc"),
        ("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b:?\"", "a b:?"),
    ] {
        assert_eq!(boundary_of(text), Ok(Boundary(boundary.to_owned())), "{text}");
    }
    for text in ["", "text/html", "multipart/mixed; boundary=a", "multipart/form-datax; boundary=a"] {
        assert_eq!(boundary_of(text), Err("NotAForm".to_owned()), "{text}");
    }
    for text in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a_b|c",
        "multipart/form-data; boundary=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggggggggh",
    ] {
        assert!(boundary_of(text).is_err_and(|error| error.starts_with("Malformed")), "{text}");
    }
    assert!(matches!(Boundary::of(&HeaderMap::new()), Err(FormError::NotAForm)));
}
