//! Keys that look dangerous are keys; what cannot be a key is refused.

use crate::gateway::Gateway;
use crate::signer::encode_path;

#[test]
fn keys_are_taken_literally() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let keys = [
        "..",
        "../..",
        "../../etc/passwd",
        ".",
        "./.",
        "a/../b",
        "a/./b",
        "//",
        "///a",
        "/",
        "a//b",
        "a/",
        " ",
        "a b",
        "\0",
        "a\0b",
        "\u{1}\u{2}\u{1f}",
        "\r\n",
        "a\r\nx-injected: 1",
        "\t",
        "\u{7f}",
        "%",
        "%00",
        "%2e%2e",
        "C:\\x",
        "<script>",
        "\"",
        "'",
        "é",
        "e\u{301}",
        "\u{202e}",
        "\u{feff}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{10ffff}",
        "🦀",
        "con",
        "-rf",
        "~",
    ];
    for key in keys {
        bucket.put(key, key).send().ok(200);
    }
    for key in keys {
        let answer = bucket.get(key).send().ok(200);
        assert_eq!(answer.body, key.as_bytes(), "{key:?}");
        assert!(answer.header("x-injected").is_none());
    }
    // Each is a key of its own: nothing was normalised into something else.
    let text = bucket.list().query("encoding-type", "url").send().ok(200).text();
    assert_eq!(crate::xml::blocks(&text, "Contents").len(), keys.len());
    for key in keys {
        bucket.delete(key).send().ok(204);
        bucket.head(key).send().ok(404);
    }
}

#[test]
fn an_error_about_an_odd_key_is_still_a_document() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for key in ["a&b<c>\"", "\0\u{1}", "line\r\nbreak", "\u{ffff}"] {
        let text = bucket.get(key).send().refused(404, "NoSuchKey");
        assert!(!text.contains('\0') && !text.contains("<c>"), "{text}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_are_no_key() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for bad in ["%ff", "a%ffb", "%c3", "%c3%28", "%ed%a0%80", "%f8%88%80%80%80", "%C0%80"] {
        for method in ["PUT", "GET", "DELETE"] {
            gateway.request(method, &format!("/{}/{bad}", bucket.name)).send().refused(400, "InvalidURI");
        }
        gateway.request("HEAD", &format!("/{}/{bad}", bucket.name)).send().ok(400);
    }
    for bad in ["%", "%2", "%zz", "a%2", "%u0041"] {
        let mut connection = gateway.connect();
        let good = bucket.get("placeholder").head();
        connection.write(good.replace("/placeholder", &format!("/{bad}")));
        connection.read_answer("GET").refused(400, "InvalidURI");
    }
    bucket.list().raw_query("prefix=%ff").send().refused(400, "InvalidURI");
    assert_eq!(bucket.keys(), Vec::<String>::new());
}

#[test]
fn a_key_has_at_most_1024_bytes() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for longest in ["k".repeat(1024), "é".repeat(512), "\0".repeat(1024), "/".repeat(1024)] {
        bucket.put(&longest, "v").send().ok(200);
        assert_eq!(bucket.get(&longest).send().ok(200).body, b"v");
        let longer = format!("{longest}x");
        for request in [bucket.put(&longer, "v"), bucket.get(&longer), bucket.delete(&longer), bucket.create(&longer)] {
            request.send().refused(400, "KeyTooLongError");
        }
        let upload = bucket.upload(&longest);
        let part = upload.put_part(1, "w");
        upload.complete(&[(1, &part)]).send().ok(200);
        assert_eq!(bucket.get(&longest).send().ok(200).body, b"w");
    }
    let text = bucket.list().query("encoding-type", "url").send().ok(200).text();
    assert_eq!(crate::xml::blocks(&text, "Contents").len(), 4);
    assert!(
        text.contains(&encode_path("/".repeat(1024))) || text.contains(&"%2F".repeat(1024)),
        "the slashes are whole"
    );
}

#[test]
fn keys_differ_by_every_byte() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let keys = ["a", "A", "a ", " a", "a\0", "a\u{1}", "a/", "a//", "é", "e\u{301}"];
    for key in keys {
        bucket.put(key, key).send().ok(200);
    }
    bucket.delete("a\0").send().ok(204);
    for key in keys.iter().filter(|key| **key != "a\0") {
        assert_eq!(bucket.get(key).send().ok(200).body, key.as_bytes(), "{key:?}");
    }
}
