//! CompleteMultipartUpload: what it checks, what it makes, and that it can be repeated.

use crate::digests::{bytes, etag, etag_of_parts};
use crate::gateway::Gateway;
use crate::xml;

const MIB: usize = 1 << 20;

#[test]
fn parts_out_of_order_and_sent_again_become_the_object() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let create = bucket.create("dir/k").header("content-type", "image/bmp").header("x-amz-meta-a", "b");
    let upload = bucket.created("dir/k", &create);
    let parts = [bytes(5 * MIB, 1), bytes(5 * MIB + 1, 2), bytes(12_345, 3)];
    upload.put_part(2, bytes(5 * MIB, 9));
    let third = upload.put_part(3, parts[2].clone());
    let second = upload.put_part(2, parts[1].clone());
    upload.put_part(7, "not listed, not used");
    let first = upload.put_part(1, parts[0].clone());
    let text = upload.complete(&[(1, &first), (2, &second), (3, &third)]).send().ok(200).text();
    let tag = etag_of_parts(parts.iter().map(Vec::as_slice));
    assert!(
        text.contains("<CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"),
        "{text}"
    );
    assert_eq!(xml::text(&text, "ETag"), Some(tag.clone()));
    assert_eq!(xml::text(&text, "Bucket"), Some(bucket.name.clone()));
    assert_eq!(xml::text(&text, "Key").as_deref(), Some("dir/k"));
    assert!(xml::text(&text, "Location").is_some_and(|url| url.contains("dir/k") && url.starts_with("http")), "{text}");
    let got = bucket.get("dir/k").send().ok(200);
    assert!(got.body == parts.concat());
    assert_eq!(got.header("etag"), Some(tag.as_str()));
    assert_eq!((got.header("content-type"), got.header("x-amz-meta-a")), (Some("image/bmp"), Some("b")));
    upload.list().send().refused(404, "NoSuchUpload");
    upload.part(1, "x").send().refused(404, "NoSuchUpload");
}

#[test]
fn a_part_sent_again_replaces_the_earlier_one() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let first = upload.put_part(1, "first");
    let second = upload.put_part(1, "second");
    upload.complete(&[(1, &first)]).send().refused(400, "InvalidPart");
    upload.complete(&[(1, &second)]).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"second");
}

#[test]
fn etags_in_every_spelling() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let bare = etag("v").trim_matches('"').to_owned();
    for spelling in [bare.clone(), format!("\"{bare}\""), format!("&quot;{bare}&quot;"), format!("&#34;{bare}&#34;")] {
        let upload = bucket.upload("k");
        upload.put_part(1, "v");
        upload.complete(&[(1, &spelling)]).send().ok(200);
    }
    let upload = bucket.upload("k");
    upload.put_part(1, "v");
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>\"{bare}\"</ETag></Part>");
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CompleteMultipartUpload>\n{part}\n</CompleteMultipartUpload>"
    );
    upload.request("POST").body(body).send().ok(200);
}

#[test]
fn what_cannot_be_completed_says_why_and_stays_open() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let small = upload.put_part(1, "small");
    let large = upload.put_part(2, bytes(5 * MIB, 2));
    let last = upload.put_part(3, "last");
    let other = etag("other");
    for body in ["", "<CompleteMultipartUpload/>", "junk", "<CompleteMultipartUpload>", "<Complete></Complete>"] {
        let answer = upload.request("POST").body(body).send();
        let code = xml::text(&answer.text(), "Code");
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            matches!(code.as_deref(), Some("MalformedXML" | "InvalidRequest" | "MissingRequestBodyError")),
            "{body}: {code:?}"
        );
    }
    for part in [
        "<Part></Part>".to_owned(),
        format!("<Part><ETag>{small}</ETag></Part>"),
        "<Part><PartNumber>1</PartNumber></Part>".to_owned(),
        format!("<Part><ETag>{small}</ETag><PartNumber>x</PartNumber></Part>"),
    ] {
        upload.complete_with(&part).send().refused(400, "MalformedXML");
    }
    for number in ["0", "-1", "10001", "70000"] {
        let part = format!("<Part><ETag>{small}</ETag><PartNumber>{number}</PartNumber></Part>");
        let answer = upload.complete_with(&part).send();
        let code = xml::text(&answer.text(), "Code").unwrap();
        assert!(matches!(code.as_str(), "InvalidArgument" | "InvalidPart" | "MalformedXML"), "{number}: {code}");
    }
    upload.complete(&[(3, &last), (2, &large)]).send().refused(400, "InvalidPartOrder");
    upload.complete(&[(2, &large), (2, &large)]).send().refused(400, "InvalidPartOrder");
    upload.complete(&[(2, &other), (3, &last)]).send().refused(400, "InvalidPart");
    upload.complete(&[(2, &large), (4, &last)]).send().refused(400, "InvalidPart");
    upload.complete(&[(2, "junk"), (3, &last)]).send().refused(400, "InvalidPart");
    let text = upload.complete(&[(1, &small), (2, &large), (3, &last)]).send().refused(400, "EntityTooSmall");
    assert_eq!(xml::text(&text, "PartNumber").as_deref(), Some("1"), "{text}");
    assert_eq!(xml::text(&text, "MinSizeAllowed").as_deref(), Some("5242880"), "{text}");
    bucket.get("k").send().refused(404, "NoSuchKey");
    // After all that it is as good as new.
    upload.complete(&[(2, &large), (3, &last)]).send().ok(200);
    assert_eq!(bucket.head("k").send().ok(200).header("content-length"), Some((5 * MIB + 4).to_string().as_str()));
}

#[test]
fn an_unknown_upload_is_not_found() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let complete = bucket.object("POST", "k").query("uploadId", &"0".repeat(32));
    let part = format!("<Part><ETag>{}</ETag><PartNumber>1</PartNumber></Part>", etag("x"));
    let body = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
    complete.body(body).send().refused(404, "NoSuchUpload");
}

#[test]
fn sizes_at_the_edge() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("short");
    let (one_short, last) = (upload.put_part(1, bytes(5 * MIB - 1, 1)), upload.put_part(2, "x"));
    upload.complete(&[(1, &one_short), (2, &last)]).send().refused(400, "EntityTooSmall");
    let exact = upload.put_part(1, bytes(5 * MIB, 1));
    let empty = upload.put_part(3, "");
    upload.complete(&[(1, &exact), (3, &empty)]).send().ok(200);
    let got = bucket.get("short").send().ok(200);
    assert!(got.body == bytes(5 * MIB, 1));
    let upload = bucket.upload("empty");
    let empty = upload.put_part(1, "");
    upload.complete(&[(1, &empty)]).send().ok(200);
    let got = bucket.get("empty").send().ok(200);
    assert!(got.body.is_empty());
    assert_eq!(got.header("etag"), Some(etag_of_parts([b"".as_slice()]).as_str()));
}

#[test]
fn the_size_of_the_object_may_be_announced() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = upload.put_part(1, "12345");
    let complete = upload.complete(&[(1, &part)]);
    complete.clone().header("x-amz-mp-object-size", "4").send().refused(400, "InvalidRequest");
    for junk in ["x", "-5", "+5", "5 5", ""] {
        let answer = complete.clone().header("x-amz-mp-object-size", junk).send();
        let code = xml::text(&answer.text(), "Code").unwrap();
        assert!(
            answer.status == 400 && matches!(code.as_str(), "InvalidArgument" | "InvalidRequest"),
            "{junk}: {code}"
        );
    }
    bucket.get("k").send().refused(404, "NoSuchKey");
    complete.header("x-amz-mp-object-size", "5").send().ok(200);
}

#[test]
fn a_complete_can_be_repeated() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let (first, second) = (upload.put_part(1, bytes(5 * MIB, 1)), upload.put_part(2, "two"));
    let complete = upload.complete(&[(1, &first), (2, &second)]);
    let answer = complete.send().ok(200).text();
    let modified = bucket.head("k").send().ok(200).header("last-modified").unwrap().to_owned();
    for _ in 0..3 {
        assert_eq!(complete.send().ok(200).text(), answer);
    }
    assert_eq!(bucket.head("k").send().ok(200).header("last-modified"), Some(modified.as_str()));
    // Another list is another request, and this upload is over.
    upload.complete(&[(2, &second)]).send().refused(404, "NoSuchUpload");
    assert_eq!(bucket.keys(), ["k"]);
}

#[test]
fn a_condition_of_a_repeated_complete_holds_for_its_own_object_alone() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let upload = bucket.upload("k");
    let part = upload.put_part(1, "mine");
    let absent = upload.complete(&[(1, &part)]).header("if-none-match", "*");
    let answer = absent.send().ok(200).text();
    // The answer got lost; the object that is there is the one this upload made.
    assert_eq!(absent.send().ok(200).text(), answer);
    let others = bucket.put("k", "another's").send().ok(200).header("etag").unwrap().to_owned();
    absent.send().refused(412, "PreconditionFailed");
    upload.complete(&[(1, &part)]).header("if-match", &etag("mine")).send().refused(412, "PreconditionFailed");
    assert_eq!(upload.complete(&[(1, &part)]).header("if-match", &others).send().ok(200).text(), answer);
    bucket.delete("k").send().ok(204);
    upload.complete(&[(1, &part)]).header("if-match", &others).send().refused(404, "NoSuchKey");
    assert_eq!(absent.send().ok(200).text(), answer);
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn concurrent_completes_make_one_object_and_give_one_answer() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for round in 0..5_u64 {
        let upload = bucket.upload("k");
        let parts = [bytes(5 * MIB, round), bytes(100, round)];
        let etags = [upload.put_part(1, parts[0].clone()), upload.put_part(2, parts[1].clone())];
        let complete = upload.complete(&[(1, &etags[0]), (2, &etags[1])]);
        let answers: Vec<String> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..6).map(|_| scope.spawn(|| complete.send().ok(200).text())).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert!(bucket.get("k").send().ok(200).body == parts.concat());
    }
    assert_eq!(bucket.keys(), ["k"]);
}

#[test]
fn a_complete_and_an_abort_race_to_one_end() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for round in 0..10 {
        let key = format!("k{round}");
        let upload = bucket.upload(&key);
        let part = upload.put_part(1, "v");
        let (completed, aborted) = std::thread::scope(|scope| {
            let complete = scope.spawn(|| upload.complete(&[(1, &part)]).send().status);
            let abort = scope.spawn(|| upload.abort().send().status);
            (complete.join().unwrap(), abort.join().unwrap())
        });
        match (completed, aborted) {
            (200, 404) => assert_eq!(bucket.get(&key).send().ok(200).body, b"v"),
            (404, 204) => drop(bucket.get(&key).send().refused(404, "NoSuchKey")),
            other => panic!("complete and abort answered {other:?}"),
        }
    }
}

#[test]
fn uploads_of_one_key_do_not_meet() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (one, two) = (bucket.upload("k"), bucket.upload("k"));
    let (first, second) = (one.put_part(1, "one"), two.put_part(1, "two"));
    one.complete(&[(1, &second)]).send().refused(400, "InvalidPart");
    two.complete(&[(1, &second)]).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"two");
    one.complete(&[(1, &first)]).send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"one");
}
