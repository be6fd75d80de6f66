//! What a form chunk may say and what it may not: fields, their limits, checksums, the names that Dropzone and Resumable.js use;
//! and what is refused before the file.

use serde_json::json;

use crate::api::{Call, Multipart};
use crate::bucket::Bucket;
use crate::digests::{base64, bytes, checksum, from_base64, hex, md5};
use crate::gateway::{Gateway, Launch};
use crate::http::Answer;
use crate::process::directory;
use crate::upload_chunk::File;

fn post<'a>(bucket: &Bucket<'a>, form: &Multipart) -> Call<'a> {
    bucket.gateway.api("POST", "/upload-chunk/").form(form)
}

/// A form of these fields and a small file behind them.
fn form(bucket: &Bucket<'_>, fields: &[(&str, &str)]) -> Multipart {
    let with = |form: Multipart, (name, value): &(&str, &str)| form.field(name, value);
    fields.iter().fold(Multipart::default().field("bucket", &bucket.name), with).file("some bytes")
}

/// A policy that lets anybody put objects whose keys begin like this.
fn let_anybody_put(bucket: &Bucket<'_>, prefix: &str) {
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
        "Resource": format!("arn:aws:s3:::{}/{prefix}*", bucket.name),
    }]});
    bucket.request("PUT").raw_query("policy").body(policy.to_string()).send().ok(204);
}

#[test]
fn fields_that_are_wrong_are_named() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let good = [("filename", "f"), ("chunk_number", "2"), ("total_chunks", "3")];
    let long = "k".repeat(1025);
    for (name, value) in [
        ("total_chunks", "0"),
        ("total_chunks", "100001"),
        ("total_chunks", "-1"),
        ("total_chunks", "1.5"),
        ("total_chunks", "99999999999999999999"),
        ("total_chunks", ""),
        ("chunk_number", "0"),
        ("chunk_number", "4"),
        ("chunk_number", "two"),
        ("chunk_number", "+2"),
        ("chunk_number", ""),
        ("key", long.as_str()),
        ("filename", long.as_str()),
        ("checksum_md5", "abc"),
        ("checksum_sha256", "abc"),
        ("checksum_crc32c", "abc"),
        ("checksum_crc64nvme", "abc"),
        ("content_type", "a\u{1}b"),
    ] {
        let mut fields = good.to_vec();
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        post(&bucket, &form(&bucket, &fields)).send().blames(name);
    }
    let bad = Multipart::default().field("bucket", "No_Bucket").field("filename", "f").file("x");
    post(&bucket, &bad).send().blames("bucket");
    for missing in ["chunk_number", "total_chunks"] {
        let fields: Vec<_> = good.into_iter().filter(|(name, _)| *name != missing).collect();
        post(&bucket, &form(&bucket, &fields)).send().blames(missing);
    }
    // Either order of the fields is judged alike.
    let behind = Multipart::default().file("x").field("filename", "f").field("chunk_number", "4");
    post(&bucket, &behind.field("total_chunks", "3")).send().blames("chunk_number");
    // A name is a file's own where nothing else is given; without any there is none.
    let nameless = Multipart::default().field("bucket", &bucket.name).field("chunk_number", "1");
    post(&bucket, &nameless.field("total_chunks", "3").named_file("", "x")).send().blames("filename");
    assert_eq!(bucket.keys(), Vec::<String>::new());
    assert!(!bucket.request("GET").raw_query("uploads").send().ok(200).text().contains("<Upload>"));
    // The highest numbers there are.
    let highest = [("filename", "f"), ("chunk_number", "100000"), ("total_chunks", "100000")];
    let answer = post(&bucket, &form(&bucket, &highest)).send().ok(200).json();
    assert_eq!((&answer["received"], answer["missing"].as_array().unwrap().len()), (&json!(1), 100));
    let longest = "k".repeat(1024);
    post(&bucket, &form(&bucket, &[("key", &longest), good[1], good[2]])).send().ok(200);
}

#[test]
fn an_upload_named_by_id_has_its_own_limits() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[10, 10, 10]);
    let id = file.send(1)["upload_id"].as_str().unwrap().to_owned();
    let with =
        |more: &[(&str, &str)]| post(&bucket, &form(&bucket, &[&[("upload_id", id.as_str())], more].concat())).send();
    with(&[]).blames("chunk_number");
    with(&[("chunk_number", "4")]).blames("chunk_number");
    with(&[("chunk_number", "2"), ("total_chunks", "4")]).blames("total_chunks");
    for unknown in ["x", "../../f", "", &"a".repeat(3000)] {
        let fields = [("upload_id", unknown), ("chunk_number", "1")];
        let answer = post(&bucket, &form(&bucket, &fields)).send();
        if unknown.is_empty() { answer.blames("total_chunks") } else { drop(answer.fails(404, "NoSuchUpload")) }
    }
    gateway.api("GET", "/upload-chunk/").send().blames("upload_id");
    gateway.api("GET", "/upload-chunk/?filename=f").send().blames("total_chunks");
    gateway.api("GET", "/upload-chunk/?upload_id=x").send().fails(404, "NoSuchUpload");
    gateway.api("GET", "/upload-chunk/?filename=a&filename=b").send().fails(400, "InvalidRequest");
    gateway.api("GET", "/upload-chunk/?filename=%ff").send().fails(400, "InvalidRequest");
    // An upload of S3 is none of these.
    let upload = bucket.upload("k");
    gateway.api("GET", "/upload-chunk/").query("upload_id", &upload.id).send().fails(404, "NoSuchUpload");
}

#[test]
fn forms_that_are_none_are_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let good = || Multipart::default().field("bucket", &bucket.name).field("filename", "f").field("chunk_number", "1");
    let good = || good().field("total_chunks", "2");
    post(&bucket, &good()).send().blames("file");
    post(&bucket, &good().file("")).send().blames("file");
    post(&bucket, &good().file("x").file("y")).send().blames("file");
    post(&bucket, &good().field("filename", "g").file("x")).send().blames("filename");
    post(&bucket, &good().field("note", "x".repeat(17 << 10)).file("x")).send().fails(413, "EntityTooLarge");
    post(&bucket, &good().file("x").field("note", "x".repeat(17 << 10))).send().fails(413, "EntityTooLarge");
    let many = (0..1000).fold(good(), |form, at| form.field(&format!("field-{at}"), "x"));
    post(&bucket, &many.file("x")).send().fails(413, "EntityTooLarge");

    let whole = good().file("x").bytes();
    let call = || gateway.api("POST", "/upload-chunk/");
    for kind in ["application/json", "multipart/mixed; boundary=b", "text/plain"] {
        call().header("content-type", kind).body(whole.clone()).send().fails(415, "UnsupportedMediaType");
    }
    call().body(whole.clone()).send().fails(415, "UnsupportedMediaType");
    for kind in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"] {
        call().header("content-type", kind).body(whole.clone()).send().fails(400, "InvalidRequest");
    }
    let kind = format!("multipart/form-data; boundary={}", crate::form::BOUNDARY);
    for body in [&b""[..], b"x", &whole[..whole.len() - 4], &whole[..80]] {
        call().header("content-type", &kind).body(body).send().fails(400, "InvalidRequest");
    }
    assert_eq!(bucket.keys(), Vec::<String>::new());
    for method in ["PUT", "PATCH"] {
        let error = gateway.api(method, "/upload-chunk/").send().fails(405, "MethodNotAllowed");
        assert!(error["message"].as_str().unwrap().contains("POST"), "{error}");
    }
    for path in ["/upload-chunk/x", "/upload-chunk//", "/upload-chunk/x/"] {
        gateway.api("POST", path).send().fails(404, "NotFound");
    }
}

#[test]
fn checksums_are_verified_wherever_they_stand() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[70_000]);
    let content = &file.chunks[0];
    let digests = [
        ("checksum_md5", base64(md5(content)), base64(md5("other"))),
        ("checksum_sha256", checksum("sha256", content), checksum("sha256", "other")),
        ("checksum_crc32c", checksum("crc32c", content), checksum("crc32c", "other")),
        ("checksum_crc64nvme", checksum("crc64nvme", content), checksum("crc64nvme", "other")),
    ];
    for (name, good, bad) in &digests {
        for value in [bad.clone(), hex(&from_base64(bad))] {
            for form in
                [file.fields(1).field(name, &value).file(content), file.fields(1).file(content).field(name, &value)]
            {
                let error = post(&bucket, &form).send().fails(400, "BadDigest");
                assert!(error["message"].as_str().unwrap().contains("bytes that came"), "{error}");
                bucket.get("f").send().refused(404, "NoSuchKey");
            }
        }
        for value in [good.clone(), hex(&from_base64(good))] {
            for form in
                [file.fields(1).field(name, &value).file(content), file.fields(1).file(content).field(name, &value)]
            {
                assert_eq!(post(&bucket, &form).send().ok(200).json()["complete"], true, "{name}");
            }
        }
        bucket.delete("f").send().ok(204);
    }
    // All at once; one bad among good ones is bad.
    let all = digests.iter().fold(file.fields(1), |form, (name, good, _)| form.field(name, good));
    post(&bucket, &all.file(content)).send().ok(200);
    for wrong in &digests {
        let one = |form: Multipart, (name, good, bad): &(&str, String, String)| {
            form.field(name, if *name == wrong.0 { bad } else { good })
        };
        let fields = digests.iter().fold(file.fields(1), one);
        post(&bucket, &fields.clone().file(content)).send().fails(400, "BadDigest");
    }
}

#[test]
fn the_content_type_is_kept() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[10, 10]);
    for number in [2, 1] {
        let form = file.fields(number).field("content_type", "image/bmp").file(&file.chunks[number - 1]);
        post(&bucket, &form).send().ok(200);
    }
    assert_eq!(bucket.head("f").send().ok(200).header("content-type"), Some("image/bmp"));
}

#[test]
fn dropzone_is_understood() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let target = format!("/upload-chunk/?bucket={}", bucket.name);
    let send = |uuid: &str, index: usize, content: &[u8]| {
        let form = Multipart::default()
            .field("dzuuid", uuid)
            .field("dzchunkindex", index.to_string())
            .field("dztotalfilesize", "30000")
            .field("dzchunksize", "10000")
            .field("dztotalchunkcount", "3")
            .field("dzchunkbyteoffset", (index * 10_000).to_string())
            .named_file("photo.png", content);
        gateway.api("POST", &target).form(&form).send()
    };
    let content = bytes(30_000, 1);
    // Two of one name at the same time are told apart by the library's own id.
    let other = send("u-2", 0, b"other").ok(200).json();
    for index in [2, 0, 1] {
        let answer = send("u-1", index, &content[index * 10_000..][..10_000]).ok(200).json();
        assert_eq!((&answer["chunk_number"], &answer["filename"]), (&json!(index + 1), &json!("photo.png")));
        assert_eq!(answer["complete"], index == 1);
        assert_ne!(answer["upload_id"], other["upload_id"]);
    }
    assert!(bucket.get("photo.png").send().ok(200).body == content);
    send("u-1", 3, b"x").blames("chunk_number");
    // A file that is no larger than a chunk comes without a word about chunks.
    let small = gateway.api("POST", &target).form(&Multipart::default().named_file("C:\\tmp\\small.txt", "small"));
    let answer = small.send().ok(200).json();
    assert_eq!((&answer["complete"], &answer["key"]), (&json!(true), &json!("small.txt")));
    assert_eq!(bucket.get("small.txt").send().ok(200).body, b"small");
}

#[test]
fn resumable_js_is_understood() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let content = bytes(25_000, 1);
    let chunk = |number: usize| if number == 1 { &content[..10_000] } else { &content[10_000..] };
    let fields = |number: usize| {
        let size = chunk(number).len().to_string();
        [
            ("bucket", bucket.name.clone()),
            ("resumableChunkNumber", number.to_string()),
            ("resumableChunkSize", "10000".to_owned()),
            ("resumableCurrentChunkSize", size),
            ("resumableTotalSize", "25000".to_owned()),
            ("resumableType", "video/mp4".to_owned()),
            ("resumableIdentifier", "25000-filmmp4".to_owned()),
            ("resumableFilename", "film.mp4".to_owned()),
            ("resumableRelativePath", "film.mp4".to_owned()),
            ("resumableTotalChunks", "2".to_owned()),
        ]
    };
    let ask = |method: &str, number: usize| {
        let call = gateway.api(method, "/upload-chunk/");
        fields(number).iter().fold(call, |call, (name, value)| call.query(name, value))
    };
    // The library sends its parameters twice: in the form, and in the query as well.
    let send = |number: usize| {
        let form = fields(number).iter().fold(Multipart::default(), |form, (name, value)| form.field(name, value));
        ask("POST", number).form(&form.named_file("film.mp4", chunk(number))).send()
    };
    for (number, status) in [(1, 204), (2, 204)] {
        assert_eq!(ask("GET", number).send().status, status);
    }
    send(2).ok(200);
    let tests = |number| ask("GET", number).send();
    assert_eq!((tests(1).status, tests(2).status), (204, 200));
    assert!(tests(2).body.is_empty());
    tests(3).blames("chunk_number");
    assert_eq!(send(1).ok(200).json()["complete"], true);
    assert!(bucket.get("film.mp4").send().ok(200).body == content);
    assert_eq!(bucket.head("film.mp4").send().ok(200).header("content-type"), Some("video/mp4"));
    // A parameter that says one thing in the query and another in the form says nothing.
    let form = Multipart::default().field("resumableFilename", "other.mp4").named_file("film.mp4", "x");
    ask("POST", 1).form(&form).send().blames("resumableFilename");
}

#[test]
fn a_quota_holds() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    gateway.administer(&["bucket", "quota", &bucket.name, "10000"]);
    let file = File::new(&bucket, "f", &[6000, 6000]);
    file.chunk_of(1, &bytes(10_001, 1)).send().fails(403, "QuotaExceeded");
    file.send(1);
    file.chunk(2).send().fails(403, "QuotaExceeded");
    bucket.get("f").send().refused(404, "NoSuchKey");
    // With a smaller last chunk it fits.
    assert_eq!(file.chunk_of(2, &bytes(4000, 1)).send().ok(200).json()["complete"], true);
}

#[test]
fn below_the_reserve_a_chunk_is_refused_before_it_comes() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[5000, 5000]);
    let id = file.send(1)["upload_id"].as_str().unwrap().to_owned();
    gateway.terminate();
    gateway.wait();
    let full = Launch::on(&directory).set("--reserve", "1000000000GiB").start();
    let bucket = Bucket { gateway: &full, name: bucket.name.clone() };
    let file = File { bucket: &bucket, name: file.name.clone(), chunks: file.chunks.clone() };
    file.chunk(2).send_head().fails(507, "InsufficientStorage");
    file.chunk(2).send().fails(507, "InsufficientStorage");
    assert_eq!(file.status()["missing"], json!([2]));
    full.api("DELETE", "/upload-chunk/").query("upload_id", &id).send().ok(200);
}

#[test]
fn a_chunk_that_may_not_come_is_not_asked_for() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let reader = gateway.key("readonly");
    let content = bytes(1 << 20, 1);
    let file = File { bucket: &bucket, name: "f".to_owned(), chunks: vec![content.clone(), content] };
    // Who says where it goes in the query is judged before the body.
    let by_query = |query: &[(&str, &str)]| {
        let call = gateway.api("POST", "/upload-chunk/").form(&Multipart::default().file(&file.chunks[0]));
        query.iter().fold(call, |call, (name, value)| call.query(name, value))
    };
    let place = [("bucket", bucket.name.as_str()), ("filename", "f"), ("chunk_number", "1"), ("total_chunks", "2")];
    by_query(&place).by(&reader).send_head().fails(403, "AccessDenied");
    by_query(&place).anonymous().send_head().fails(403, "AccessDenied");
    let nowhere = [("bucket", "it-no-such-bucket"), place[1], place[2], place[3]];
    by_query(&nowhere).send_head().fails(404, "NoSuchBucket");
    by_query(&[place[0], place[1], place[2], ("total_chunks", "0")]).send_head().blames("total_chunks");
    // Credentials that are no good are judged before anything.
    file.chunk(1).authorized("Bearer no-such-token").send_head().fails(401, "Unauthorized");
    gateway.api("POST", "/upload-chunk/").send_head().fails(415, "UnsupportedMediaType");

    // Who says it in the form is judged behind the fields: what follows of the file is not waited for.
    for (call, status, code) in [
        (file.chunk(1).by(&reader), 403, "AccessDenied"),
        (file.chunk(1).anonymous(), 403, "AccessDenied"),
        (post(&bucket, &file.fields(1).field("upload_id", "x").file(&file.chunks[0])), 404, "NoSuchUpload"),
    ] {
        let mut connection = call.connect();
        connection.write(call.clone().header("expect", "100-continue").head());
        assert_eq!(connection.read_interim(), 100);
        connection.write(&call.bytes()[..2000]);
        let answer = call.answer_on(&mut connection);
        assert!(answer.closes(), "{answer:?}");
        answer.fails(status, code);
    }
    file.asked("GET").send().fails(404, "NoSuchUpload");
}

#[test]
fn whoever_may_put_some_keys_alone_says_first_which() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let inside = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{}/in/*", bucket.name),
    }});
    let key = gateway.key(&inside.to_string());
    let fields = |form: Multipart| {
        form.field("filename", "in/f")
            .field("chunk_number", "1")
            .field("total_chunks", "1")
            .field("bucket", &bucket.name)
    };
    let named = Multipart::default().field("bucket", &bucket.name);
    let error = post(&bucket, &fields(named.file("x"))).by(&key).send().fails(403, "AccessDenied");
    assert!(error["message"].as_str().unwrap().contains("before the file"), "{error}");
    post(&bucket, &fields(Multipart::default()).file("x")).by(&key).send().ok(200);
    // Or by the query, in whatever order the form comes.
    let known = post(&bucket, &fields(Multipart::default().file("x"))).by(&key);
    let known = known.query("bucket", &bucket.name).query("filename", "in/f").query("chunk_number", "1");
    known.query("total_chunks", "1").send().ok(200);
}

#[test]
fn nobody_in_particular_sends_where_a_policy_says_so() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = |name: &str| File::new(&bucket, name, &[5000, 5000]);
    let inbox = file("inbox/f");
    inbox.chunk(1).anonymous().send().fails(403, "AccessDenied");
    let file_first = |name: &str| {
        let head = Multipart::default().field("bucket", &bucket.name).file("x").field("filename", name);
        post(&bucket, &head.field("chunk_number", "1").field("total_chunks", "1")).anonymous()
    };
    file_first("inbox/g").send().fails(403, "AccessDenied");
    let_anybody_put(&bucket, "inbox/");
    file("elsewhere").chunk(1).anonymous().send().fails(403, "AccessDenied");
    let first = inbox.chunk(1).anonymous().send().ok(200).json();
    assert_eq!(first["complete"], false);
    // What it may not ask and may not abort.
    let refused = |answer: Answer| drop(answer.fails(403, "AccessDenied"));
    refused(inbox.asked("GET").anonymous().send());
    refused(inbox.asked("DELETE").anonymous().send());
    let last = inbox.chunk(2).anonymous().send().ok(200).json();
    assert_eq!((&last["complete"], &last["upload_id"]), (&json!(true), &first["upload_id"]));
    inbox.assert_there();
    // Its URL is a plain one, by which the policy lets nobody read.
    let url = last["file_url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/{}/inbox/f", bucket.name)), "{url}");
    gateway.visit("GET", url, "").refused(403, "AccessDenied");
    file_first("inbox/g").send().ok(200);
    file_first("elsewhere").send().fails(403, "AccessDenied");
    assert_eq!(bucket.keys(), ["inbox/f", "inbox/g"]);
}

#[test]
fn a_file_before_its_fields_is_for_those_who_may_put_any() {
    // A key that could only read sent files without end in the hope of fields that would follow: they filled the disk meanwhile.
    let gateway = Gateway::shared();
    let (reader, writer) = (gateway.key("readonly"), gateway.key("writeonly"));
    let form = Multipart::default()
        .file(b"bytes")
        .field("filename", "first.bin")
        .field("chunk_number", "1")
        .field("total_chunks", "1");
    let call = || gateway.api("POST", "/upload-chunk/").form(&form);
    let refused = call().by(&reader).send().fails(403, "AccessDenied");
    assert!(refused["message"].as_str().unwrap().contains("before the file"), "{refused}");
    assert_eq!(call().by(&writer).send().ok(200).json()["complete"], true);
}

#[test]
fn a_request_has_one_host() {
    let gateway = Gateway::shared();
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let mut connection = crate::http::Connection::open(gateway.api, None);
        connection.write(format!("GET /upload-chunk/?upload_id=x HTTP/1.1\r\n{hosts}\r\n"));
        assert_eq!(connection.read_answer("GET").status, 400, "{hosts:?}");
    }
}
