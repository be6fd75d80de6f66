//! ListObjects, the older listing: markers in place of tokens. What it shares with the newer one is tried there.

use crate::digests::etag;
use crate::gateway::Gateway;
use crate::request::Request;
use crate::signer::decode;
use crate::xml;

/// What stands in the document, where it is there.
fn element(text: &str, name: &str) -> Option<String> {
    xml::text(text, name)
}

fn names(text: &str, element: &str, name: &str) -> Vec<String> {
    xml::blocks(text, element).iter().map(|block| xml::text(block, name).unwrap()).collect()
}

fn filled<'a>(gateway: &'a Gateway, keys: &[&str]) -> crate::bucket::Bucket<'a> {
    let bucket = gateway.bucket();
    bucket.fill(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
    bucket
}

#[test]
fn the_document_is_amazons() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "hello").send().ok(200);
    for query in ["", "list-type=1", "list-type=bogus"] {
        let text = bucket.request("GET").raw_query(query).send().ok(200).text();
        assert!(text.contains("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
        for (name, value) in [
            ("Name", Some(bucket.name.as_str())),
            ("Prefix", Some("")),
            ("Marker", Some("")),
            ("MaxKeys", Some("1000")),
            ("IsTruncated", Some("false")),
            ("Delimiter", None),
            ("NextMarker", None),
            ("KeyCount", None),
            ("EncodingType", None),
        ] {
            assert_eq!(element(&text, name).as_deref(), value, "{name}: {text}");
        }
        let entry = xml::block(&text, "Contents").unwrap();
        let owner = xml::text(xml::block(entry, "Owner").unwrap(), "ID").unwrap();
        assert_eq!(owner.len(), 64, "{owner}");
        for (name, value) in [("Key", "k"), ("Size", "5"), ("ETag", &etag("hello")), ("StorageClass", "STANDARD")] {
            assert_eq!(element(entry, name).as_deref(), Some(value), "{name}: {entry}");
        }
    }
    bucket.delete("k").send().ok(204);
    bucket.request("DELETE").send().ok(204);
    bucket.request("GET").send().refused(404, "NoSuchBucket");
}

#[test]
fn the_next_marker_is_told_to_those_who_fold() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["a", "b/1", "b/2", "c", "d"]);
    let page = |query: &[(&str, &str)]| {
        let request = query.iter().fold(bucket.request("GET"), |request, (name, value)| request.query(name, value));
        request.send().ok(200).text()
    };
    let text = page(&[("max-keys", "2")]);
    assert_eq!((element(&text, "IsTruncated").as_deref(), element(&text, "NextMarker")), (Some("true"), None));
    let text = page(&[("max-keys", "2"), ("delimiter", "")]);
    assert_eq!((element(&text, "Delimiter"), element(&text, "NextMarker")), (None, None));
    let text = page(&[("max-keys", "2"), ("delimiter", "/")]);
    assert_eq!(element(&text, "NextMarker").as_deref(), Some("b/"));
    let text = page(&[("max-keys", "2"), ("delimiter", "/"), ("marker", "b/")]);
    assert_eq!((names(&text, "Contents", "Key"), element(&text, "NextMarker")), (vec!["c".into(), "d".into()], None));
    assert_eq!(element(&text, "Marker").as_deref(), Some("b/"));
    // A marker need not be a key, and one within a common prefix leaves all of the prefix behind.
    let text = page(&[("marker", "bb")]);
    assert_eq!(names(&text, "Contents", "Key"), ["c", "d"]);
    let text = page(&[("marker", "b/1"), ("delimiter", "/")]);
    assert_eq!((names(&text, "Contents", "Key").len(), names(&text, "CommonPrefixes", "Prefix").len()), (2, 0));
    let text = page(&[("max-keys", "0")]);
    assert_eq!((names(&text, "Contents", "Key").len(), element(&text, "IsTruncated").as_deref()), (0, Some("false")));
    let text = page(&[("max-keys", "1001")]);
    assert_eq!(element(&text, "MaxKeys").as_deref(), Some("1000"));
}

/// Pages as clients walk them: after the next marker, or after the last key where none is told.
fn walk(list: &Request<'_>) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut prefixes, mut marker) = (Vec::new(), Vec::new(), String::new());
    loop {
        let text = list.clone().query("marker", &marker).send().ok(200).text();
        keys.extend(names(&text, "Contents", "Key"));
        prefixes.extend(names(&text, "CommonPrefixes", "Prefix"));
        if element(&text, "IsTruncated").as_deref() == Some("false") {
            return (keys, prefixes);
        }
        marker = element(&text, "NextMarker").unwrap_or_else(|| keys.last().unwrap().clone());
    }
}

#[test]
fn pages_hold_each_entry_once() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["a", "b/", "b/1", "b/2/x", "b/2/y", "b0", "c//d", "c/e", "d"]);
    for (prefix, delimiter, keys, prefixes) in [
        ("", "/", vec!["a", "b0", "d"], vec!["b/", "c/"]),
        ("b/", "/", vec!["b/", "b/1"], vec!["b/2/"]),
        ("", "/2/", vec!["a", "b/", "b/1", "b0", "c//d", "c/e", "d"], vec!["b/2/"]),
        ("b/", "", vec!["b/", "b/1", "b/2/x", "b/2/y"], vec![]),
    ] {
        for max in ["1", "2", "3", "1000"] {
            let list = bucket.request("GET").query("prefix", prefix).query("delimiter", delimiter);
            let (found_keys, found_prefixes) = walk(&list.query("max-keys", max));
            assert_eq!(found_keys, keys, "{prefix:?} {delimiter:?} {max}");
            assert_eq!(found_prefixes, prefixes, "{prefix:?} {delimiter:?} {max}");
        }
    }
}

#[test]
fn names_are_encoded_when_asked() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["p +/a\u{1}é", "p +/b 청 x", "p +/c"]);
    let list = bucket.request("GET").query("encoding-type", "url").query("prefix", "p +/").query("delimiter", "청 ");
    let text = list.clone().query("marker", "p +/a").query("max-keys", "2").send().ok(200).text();
    for (name, value) in [
        ("Prefix", "p +/"),
        ("Delimiter", "청 "),
        ("Marker", "p +/a"),
        ("NextMarker", "p +/b 청 "),
        ("Key", "p +/a\u{1}é"),
    ] {
        let written = element(&text, name).unwrap();
        assert_eq!((decode(&written).as_str(), written.is_ascii()), (value, true), "{name}: {written}");
    }
    assert_eq!(decode(&names(&text, "CommonPrefixes", "Prefix")[0]), "p +/b 청 ");
    assert_eq!(element(&text, "EncodingType").as_deref(), Some("url"));
    // Without it the character that XML cannot carry is a reference, which a strict parser stops at.
    let text = bucket.request("GET").send().ok(200).text();
    assert!(text.contains("<Key>p +/a&#x1;é</Key>"), "{text}");
}

#[test]
fn the_newer_listings_parameters_are_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for name in ["continuation-token", "start-after"] {
        let text = bucket.request("GET").query(name, "x").send().refused(400, "InvalidArgument");
        assert_eq!(element(&text, "ArgumentName").as_deref(), Some(name));
    }
    for junk in ["-1", "x", "2147483648"] {
        bucket.request("GET").query("max-keys", junk).send().refused(400, "InvalidArgument");
    }
}
