//! ListObjectVersions of buckets that never had versioning: each key is one version, `null`.

use crate::bucket::Bucket;
use crate::digests::etag;
use crate::gateway::Gateway;
use crate::signer::decode;
use crate::xml;

fn versions(bucket: &Bucket<'_>, query: &[(&str, &str)]) -> String {
    let list = bucket.request("GET").raw_query("versions");
    query.iter().fold(list, |request, (name, value)| request.query(name, value)).send().ok(200).text()
}

fn keys(text: &str) -> Vec<String> {
    xml::blocks(text, "Version").iter().map(|version| xml::text(version, "Key").unwrap()).collect()
}

#[test]
fn each_object_is_its_only_version() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "old").send().ok(200);
    bucket.put("k", "hello").send().ok(200);
    bucket.put("gone", "x").send().ok(200);
    bucket.delete("gone").send().ok(204);
    let text = versions(&bucket, &[]);
    assert!(text.contains("<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
    for (name, value) in [
        ("Name", Some(bucket.name.as_str())),
        ("Prefix", Some("")),
        ("KeyMarker", Some("")),
        ("VersionIdMarker", Some("")),
        ("NextKeyMarker", None),
        ("NextVersionIdMarker", None),
        ("MaxKeys", Some("1000")),
        ("IsTruncated", Some("false")),
        ("DeleteMarker", None),
    ] {
        assert_eq!(xml::text(&text, name).as_deref(), value, "{name}: {text}");
    }
    let [version] = xml::blocks(&text, "Version")[..] else { panic!("{text}") };
    for (name, value) in [
        ("Key", "k"),
        ("VersionId", "null"),
        ("IsLatest", "true"),
        ("ETag", &etag("hello")),
        ("Size", "5"),
        ("StorageClass", "STANDARD"),
    ] {
        assert_eq!(xml::text(version, name).as_deref(), Some(value), "{name}: {version}");
    }
    assert!(xml::text(xml::block(version, "Owner").unwrap(), "ID").is_some_and(|id| id.len() == 64), "{version}");
    // What is listed as version `null` is read and deleted as that.
    assert_eq!(bucket.get("k").query("versionId", "null").send().ok(200).body, b"hello");
    bucket.delete("k").query("versionId", "null").send().ok(204);
    assert_eq!(keys(&versions(&bucket, &[])), Vec::<String>::new());
}

#[test]
fn pages_go_on_after_key_and_version() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.fill(&["a", "b/1", "b/2", "c", "d"].map(str::to_owned));
    let mut seen = Vec::new();
    let mut markers = (String::new(), None::<String>);
    for page in 0..4 {
        let mut query = vec![("delimiter", "/"), ("max-keys", "1"), ("key-marker", markers.0.as_str())];
        query.extend(markers.1.as_deref().map(|version| ("version-id-marker", version)));
        let text = versions(&bucket, &query);
        seen.extend(keys(&text));
        seen.extend(xml::blocks(&text, "CommonPrefixes").iter().map(|prefix| xml::text(prefix, "Prefix").unwrap()));
        assert_eq!(xml::text(&text, "IsTruncated").as_deref(), Some(if page < 3 { "true" } else { "false" }));
        let version = xml::text(&text, "NextVersionIdMarker");
        // A common prefix has no version.
        assert_eq!(version.is_some(), page == 0 || page == 2, "{text}");
        assert_eq!(xml::text(&text, "VersionIdMarker"), Some(markers.1.unwrap_or_default()));
        markers = (xml::text(&text, "NextKeyMarker").unwrap_or_default(), version);
    }
    assert_eq!(seen, ["a", "b/", "c", "d"]);
    assert_eq!(keys(&versions(&bucket, &[("key-marker", "b/1")])), ["b/2", "c", "d"]);
    assert_eq!(keys(&versions(&bucket, &[("key-marker", "b/1"), ("version-id-marker", "null")])), ["b/2", "c", "d"]);
    assert_eq!(keys(&versions(&bucket, &[("prefix", "b/")])), ["b/1", "b/2"]);
    let none = versions(&bucket, &[("max-keys", "0")]);
    assert_eq!((keys(&none).len(), xml::text(&none, "IsTruncated").as_deref()), (0, Some("false")));
}

#[test]
fn names_are_encoded_when_asked() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.fill(&["é \u{1}", "é +"].map(str::to_owned));
    let query =
        [("encoding-type", "url"), ("prefix", "é "), ("key-marker", "é "), ("delimiter", "청"), ("max-keys", "1")];
    let text = versions(&bucket, &query);
    for (name, value) in
        [("Key", "é \u{1}"), ("Prefix", "é "), ("KeyMarker", "é "), ("NextKeyMarker", "é \u{1}"), ("Delimiter", "청")]
    {
        let written = xml::text(&text, name).unwrap();
        assert_eq!((decode(&written).as_str(), written.is_ascii()), (value, true), "{name}: {written}");
    }
}

#[test]
fn markers_that_mean_nothing_are_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let list = bucket.request("GET").raw_query("versions");
    let text = list.clone().query("version-id-marker", "null").send().refused(400, "InvalidArgument");
    let message = "A version-id marker cannot be specified without a key marker.";
    assert_eq!(xml::text(&text, "Message").as_deref(), Some(message));
    for version in ["", "3HL4kqtJlcpXroDTDmJ", "NULL"] {
        let marked = list.clone().query("key-marker", "k").query("version-id-marker", version);
        marked.send().refused(400, "InvalidArgument");
    }
    for junk in ["-1", "x"] {
        list.clone().query("max-keys", junk).send().refused(400, "InvalidArgument");
    }
    bucket.request("DELETE").send().ok(204);
    list.send().refused(404, "NoSuchBucket");
}
