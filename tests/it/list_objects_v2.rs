//! ListObjectsV2: prefixes, delimiters, pages and order.

use crate::bucket::Bucket;
use crate::digests::etag;
use crate::gateway::{Gateway, Launch};
use crate::http::Answer;
use crate::process::directory;
use crate::request::Request;
use crate::signer::{decode, encode_query};
use crate::xml;

/// A page as a client sees it.
#[derive(Debug, PartialEq)]
struct Page {
    keys: Vec<String>,
    prefixes: Vec<String>,
    truncated: bool,
    key_count: usize,
    next: Option<String>,
}

fn page(answer: Answer) -> Page {
    let text = answer.ok(200).text();
    let inside = |element: &str, name: &str| -> Vec<String> {
        xml::blocks(&text, element).iter().map(|block| xml::text(block, name).unwrap()).collect()
    };
    Page {
        keys: inside("Contents", "Key"),
        prefixes: inside("CommonPrefixes", "Prefix"),
        truncated: xml::text(&text, "IsTruncated").unwrap() == "true",
        key_count: xml::text(&text, "KeyCount").unwrap().parse().unwrap(),
        next: xml::text(&text, "NextContinuationToken"),
    }
}

/// All pages of this listing: keys and prefixes in the order they came.
fn walk(list: &Request<'_>) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut prefixes, mut next) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let request = match &next {
            Some(token) => list.clone().query("continuation-token", token),
            None => list.clone(),
        };
        let page = page(request.send());
        assert_eq!(page.key_count, page.keys.len() + page.prefixes.len());
        assert_eq!(page.truncated, page.next.is_some());
        keys.extend(page.keys);
        prefixes.extend(page.prefixes);
        next = page.next;
        if next.is_none() {
            return (keys, prefixes);
        }
    }
}

fn filled<'a>(gateway: &'a Gateway, keys: &[&str]) -> Bucket<'a> {
    let bucket = gateway.bucket();
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    bucket.fill(&keys);
    bucket
}

#[test]
fn an_entry_says_what_is_known_of_the_object() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "hello").send().ok(200);
    let text = bucket.list().send().ok(200).text();
    assert!(text.contains("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
    assert_eq!(xml::text(&text, "Name"), Some(bucket.name.clone()));
    assert_eq!(xml::text(&text, "MaxKeys").as_deref(), Some("1000"));
    let entry = xml::block(&text, "Contents").unwrap();
    assert_eq!(xml::text(entry, "Size").as_deref(), Some("5"));
    assert_eq!(xml::text(entry, "ETag"), Some(etag("hello")));
    assert_eq!(xml::text(entry, "StorageClass").as_deref(), Some("STANDARD"));
    let modified = xml::text(entry, "LastModified").unwrap();
    assert!(modified.len() == 24 && modified.ends_with('Z'), "{modified}");
    let empty = gateway.bucket();
    let text = empty.list().send().ok(200).text();
    assert_eq!(xml::text(&text, "KeyCount").as_deref(), Some("0"));
    assert_eq!(xml::text(&text, "IsTruncated").as_deref(), Some("false"));
}

#[test]
fn prefix_and_delimiter_fold() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["a", "b/", "b/1", "b/2/x", "b/2/y", "b/3", "b0", "c//d", "c/e", "d"]);
    for (prefix, delimiter, keys, prefixes) in [
        ("", "/", vec!["a", "b0", "d"], vec!["b/", "c/"]),
        ("b/", "/", vec!["b/", "b/1", "b/3"], vec!["b/2/"]),
        ("b", "/", vec!["b0"], vec!["b/"]),
        ("b/2/", "/", vec!["b/2/x", "b/2/y"], vec![]),
        ("c/", "/", vec!["c/e"], vec!["c//"]),
        ("b/", "", vec!["b/", "b/1", "b/2/x", "b/2/y", "b/3"], vec![]),
        ("nothing", "/", vec![], vec![]),
        ("", "2/", vec!["a", "b/", "b/1", "b/3", "b0", "c//d", "c/e", "d"], vec!["b/2/"]),
        ("", "//", vec!["a", "b/", "b/1", "b/2/x", "b/2/y", "b/3", "b0", "c/e", "d"], vec!["c//"]),
        ("b", "/2/", vec!["b/", "b/1", "b/3", "b0"], vec!["b/2/"]),
    ] {
        let list = bucket.list().query("prefix", prefix).query("delimiter", delimiter);
        let whole = page(list.send());
        assert_eq!(
            (&whole.keys, &whole.prefixes),
            (
                &keys.iter().map(|key| (*key).to_owned()).collect(),
                &prefixes.iter().map(|prefix| (*prefix).to_owned()).collect()
            ),
            "{prefix:?} {delimiter:?}"
        );
        // Whatever the size of its pages, a listing holds the same.
        for max in [1, 2, 3] {
            let (paged_keys, paged_prefixes) = walk(&list.clone().query("max-keys", &max.to_string()));
            assert_eq!((paged_keys, paged_prefixes), (whole.keys.clone(), whole.prefixes.clone()), "{prefix:?} {max}");
        }
    }
}

#[test]
fn the_request_is_echoed() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["p/a", "p/b", "p/c"]);
    let list = bucket.list().query("prefix", "p/").query("delimiter", "/").query("max-keys", "1");
    let text = list.clone().query("start-after", "p/a").send().ok(200).text();
    for (name, value) in [("Prefix", "p/"), ("Delimiter", "/"), ("MaxKeys", "1"), ("StartAfter", "p/a"), ("Key", "p/b")]
    {
        assert_eq!(xml::text(&text, name).as_deref(), Some(value), "{text}");
    }
    let token = xml::text(&text, "NextContinuationToken").unwrap();
    let text = list.query("continuation-token", &token).send().ok(200).text();
    assert_eq!(xml::text(&text, "ContinuationToken"), Some(token));
    assert_eq!(xml::text(&text, "Key").as_deref(), Some("p/c"));
}

#[test]
fn max_keys() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["a", "b", "c"]);
    let none = page(bucket.list().query("max-keys", "0").send());
    assert_eq!(none, Page { keys: vec![], prefixes: vec![], truncated: false, key_count: 0, next: None });
    let text = bucket.list().query("max-keys", "5000").send().ok(200).text();
    assert_eq!(xml::text(&text, "MaxKeys").as_deref(), Some("1000"));
    assert_eq!(page(bucket.list().query("max-keys", "3").send()).next, None);
    for junk in ["-1", "x", "1.5", "2147483648", "99999999999999999999", "+1", " 1"] {
        bucket.list().query("max-keys", junk).send().refused(400, "InvalidArgument");
    }
}

#[test]
fn start_after_and_continuation_tokens() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["a", "b", "b/x", "c"]);
    let after = |start: &str| page(bucket.list().query("start-after", start).send()).keys;
    assert_eq!(after("b"), ["b/x", "c"]);
    assert_eq!(after("bb"), ["c"]);
    assert_eq!(after(""), ["a", "b", "b/x", "c"]);
    assert_eq!(after("zzz"), Vec::<String>::new());
    assert_eq!(page(bucket.list().query("prefix", "b").query("start-after", "a").send()).keys, ["b", "b/x"]);
    // An empty token says nothing, and is echoed.
    let text = bucket.list().query("continuation-token", "").query("start-after", "b").send().ok(200).text();
    assert_eq!(xml::text(&text, "ContinuationToken").as_deref(), Some(""));
    assert_eq!(
        (xml::texts(&text, "Key"), xml::text(&text, "StartAfter").as_deref()),
        (vec!["b/x".to_owned(), "c".to_owned()], Some("b"))
    );
    // The older listing's marker would be passed over: a client would get the first page for ever.
    bucket.list().query("marker", "a").send().refused(400, "InvalidArgument");
    for junk in ["junk", "\u{0}", "!!!!", &"A".repeat(5000)] {
        bucket.list().query("continuation-token", junk).send().refused(400, "InvalidArgument");
    }
    // A token wins over start-after, which clients repeat on every page.
    let first = page(bucket.list().query("max-keys", "2").send());
    let second = bucket.list().query("start-after", "a").query("continuation-token", &first.next.unwrap());
    assert_eq!(page(second.send()).keys, ["b/x", "c"]);
}

#[test]
fn tokens_are_of_one_bucket_and_whole() {
    let gateway = Gateway::shared();
    let keys = ["a", "b/1", "b/2", "c"];
    let (bucket, other) = (filled(&gateway, &keys), filled(&gateway, &keys));
    let token = page(bucket.list().query("max-keys", "1").send()).next.unwrap();
    let with = |bucket: &Bucket<'_>, token: &str| bucket.list().query("continuation-token", token).send();
    assert_eq!(page(with(&bucket, &token)).keys, ["b/1", "b/2", "c"]);
    with(&other, &token).refused(400, "InvalidArgument");
    for cut in 1..token.len() {
        with(&bucket, &token[..cut]).refused(400, "InvalidArgument");
    }
    let buckets = gateway.request("GET", "/").query("max-buckets", "1").send().ok(200).text();
    let of_buckets = xml::text(&buckets, "ContinuationToken").unwrap();
    with(&bucket, &of_buckets).refused(400, "InvalidArgument");
    // A bucket made again is another.
    for key in keys {
        bucket.delete(key).send().ok(204);
    }
    bucket.request("DELETE").send().ok(204);
    bucket.request("PUT").send().ok(200);
    with(&bucket, &token).refused(400, "InvalidArgument");
}

/// A client that lists for hours does not begin again because the gateway was restarted, or killed, in between.
#[test]
fn tokens_survive_restarts() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    let bucket = filled(&gateway, &["a", "b/1", "b/2", "c", "d"]);
    let name = bucket.name.clone();
    let request = |gateway: &Gateway, token: &str| {
        let bucket = Bucket { gateway, name: name.clone() };
        page(bucket.list().query("delimiter", "/").query("max-keys", "1").query("continuation-token", token).send())
    };
    let (mut keys, mut prefixes, mut token) = (Vec::new(), Vec::new(), String::new());
    let mut gateway = gateway;
    for pages in 1.. {
        let page = request(&gateway, &token);
        keys.extend(page.keys);
        prefixes.extend(page.prefixes);
        match page.next {
            Some(next) => token = next,
            None => {
                assert_eq!(pages, 4);
                break;
            }
        }
        if pages % 2 == 0 {
            gateway.terminate();
            gateway.wait();
        } else {
            gateway.kill();
        }
        gateway = Launch::on(&directory).start();
    }
    assert_eq!((keys, prefixes), (vec!["a".into(), "c".into(), "d".into()], vec!["b/".to_owned()]));
}

#[test]
fn a_common_prefix_that_the_marker_lies_in_is_done() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["a/1", "a/2", "b/1", "b/2", "c"]);
    let list = bucket.list().query("delimiter", "/");
    for (after, keys, prefixes) in [
        ("a", vec!["c"], vec!["a/", "b/"]),
        ("a/", vec!["c"], vec!["b/"]),
        ("a/1", vec!["c"], vec!["b/"]),
        ("a/9", vec!["c"], vec!["b/"]),
        ("b/0", vec!["c"], vec![]),
        ("c", vec![], vec![]),
    ] {
        let page = page(list.clone().query("start-after", after).send());
        assert_eq!((page.keys, page.prefixes), (strings(&keys), strings(&prefixes)), "after {after}");
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn owners_are_told_when_asked_for() {
    let gateway = Gateway::shared();
    let bucket = filled(&gateway, &["a"]);
    for (fetch, told) in [("true", true), ("TRUE", true), ("false", false), ("", false), ("1", false)] {
        let text = bucket.list().query("fetch-owner", fetch).send().ok(200).text();
        let owner = xml::block(&text, "Owner").and_then(|owner| xml::text(owner, "ID"));
        assert_eq!(owner.is_some_and(|id| !id.is_empty()), told, "{fetch:?}: {text}");
    }
    // Objects that were never archived have nothing to say about being restored.
    let text = bucket.list().header("x-amz-optional-object-attributes", "RestoreStatus").send().ok(200).text();
    assert!(text.contains("<Key>a</Key>") && !text.contains("RestoreStatus"), "{text}");
}

#[test]
fn twenty_five_hundred_keys_come_in_three_pages() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let keys: Vec<String> = (0..2500).map(|n| format!("{}/{n:05}", n % 7)).collect();
    bucket.fill(&keys);
    let mut sorted = keys;
    sorted.sort();
    let first = page(bucket.list().send());
    assert_eq!((first.keys.len(), first.truncated), (1000, true));
    assert_eq!(walk(&bucket.list()).0, sorted);
    assert_eq!(walk(&bucket.list().query("max-keys", "999")).0, sorted);
    let folded = walk(&bucket.list().query("delimiter", "/").query("max-keys", "2"));
    assert_eq!(folded, (vec![], (0..7).map(|n| format!("{n}/")).collect()));
    let one = walk(&bucket.list().query("prefix", "3/").query("max-keys", "100"));
    assert_eq!(one.0, sorted.iter().filter(|key| key.starts_with("3/")).cloned().collect::<Vec<_>>());
}

#[test]
fn keys_come_in_the_order_of_their_bytes() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let keys = [
        " ",
        "!",
        "A",
        "B",
        "Z",
        "_",
        "a",
        "a\u{1}",
        "a ",
        "a!",
        "a/b",
        "a0",
        "aa",
        "b",
        "~",
        "é",
        "청",
        "\u{ff5e}",
        "\u{1f980}",
    ];
    for key in keys.iter().rev() {
        bucket.put(key, "v").send().ok(200);
    }
    let mut sorted = keys;
    sorted.sort_unstable_by_key(|key| key.as_bytes());
    assert_eq!(bucket.keys(), sorted);
    // UTF-16 would put the crab before the full-width tilde.
    assert_eq!(sorted[sorted.len() - 1], "\u{1f980}");
    assert_eq!(walk(&bucket.list().query("max-keys", "1")).0, sorted);
}

#[test]
fn odd_keys_survive_with_encoding_type_url() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let mut keys = [
        "a b+c",
        "a%2Fb",
        "a&b<c>\"d'",
        "line\nbreak\r",
        "nul\0",
        "tab\t",
        "é/청크",
        "\u{7f}\u{1}",
        "//",
        "../x",
        "?#",
    ];
    for key in keys {
        bucket.put(key, "v").send().ok(200);
    }
    keys.sort_unstable();
    let list = bucket.list().query("encoding-type", "url");
    let text = list.clone().query("prefix", "").send().ok(200).text();
    assert_eq!(xml::text(&text, "EncodingType").as_deref(), Some("url"));
    let listed: Vec<String> = xml::texts(&text, "Key");
    for key in &listed {
        assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "not encoded: {key}");
    }
    let decoded: Vec<String> = listed.iter().map(|key| decode(key)).collect();
    assert_eq!(decoded, keys);
    let text = list.query("prefix", "é/").query("delimiter", "청").query("start-after", "a b").send().ok(200).text();
    for (name, value) in [("Prefix", "é/"), ("Delimiter", "청"), ("StartAfter", "a b")] {
        let echoed = xml::text(&text, name).unwrap();
        assert_eq!((decode(&echoed).as_str(), echoed.is_ascii()), (value, true), "{name}");
    }
    assert!(text.contains(&encode_query("é")), "{text}");
    bucket.list().query("encoding-type", "xml").send().refused(400, "InvalidArgument");
}

#[test]
fn a_parameter_given_twice_is_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.list().query("prefix", "a").query("prefix", "b").send().refused(400, "InvalidArgument");
}
