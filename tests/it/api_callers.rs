//! Who asks on port 9001, and what that lets him do: HTTP Basic, bearer tokens, nobody in particular; and what the URLs are worth
//! that he gets.

use serde_json::{Value, json};

use crate::api::{Call, basic};
use crate::bucket::Bucket;
use crate::digests::base64;
use crate::gateway::{ACCESS_KEY, Gateway, SECRET_KEY};
use crate::http::Answer;
use crate::upload_chunk::File;

fn init<'a>(bucket: &Bucket<'a>, name: &str) -> Call<'a> {
    bucket.gateway.api("POST", "/s3/init").json(&json!({"bucket": bucket.name, "fileName": name}))
}

/// A request about the upload that this answer began.
fn about<'a>(bucket: &Bucket<'a>, path: &str, begun: &Value, more: &Value) -> Call<'a> {
    let mut fields = more.clone();
    for name in ["bucket", "objectName", "uploadId"] {
        fields[name] = begun[name].clone();
    }
    bucket.gateway.api("POST", path).json(&fields)
}

fn parts<'a>(bucket: &Bucket<'a>, begun: &Value) -> Call<'a> {
    let call = bucket.gateway.api("GET", "/s3/parts").query("bucket", &bucket.name);
    let text = |name: &str| begun[name].as_str().unwrap();
    call.query("objectName", text("objectName")).query("uploadId", text("uploadId"))
}

fn url_of(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap().to_owned()
}

/// Puts a policy of these statements, in which `BUCKET` stands for the bucket's ARN.
fn policy(bucket: &Bucket<'_>, statements: &Value) {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let text = text.replace("BUCKET", &format!("arn:aws:s3:::{}", bucket.name));
    bucket.request("PUT").raw_query("policy").body(text).send().ok(204);
}

fn denied(answer: Answer) {
    answer.fails(403, "AccessDenied");
}

#[test]
fn credentials_that_are_no_good_are_401() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    policy(&bucket, &json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "BUCKET/*"}]));
    let user = gateway.key("readwrite");
    let token = gateway.token(&user.id, &[]);
    let call = || init(&bucket, "f");
    for good in [call(), call().by(&user), call().bearer(&token), call().anonymous()] {
        good.send().ok(200);
    }
    call().authorized(&format!("bEARER   {token} ")).send().ok(200);
    call().authorized(&basic(&user.id, &user.secret).replace("Basic", "bAsIc")).send().ok(200);
    // What is shown and no good is refused, even where nobody in particular may.
    let bad = [
        basic(ACCESS_KEY, "wrong-secret"),
        basic("nobody", SECRET_KEY),
        basic("", ""),
        basic(&user.id, ""),
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic !!!".to_owned(),
        format!("Basic {}", base64(b"no colon")),
        format!("Basic {}", base64(b"\xff\xfe:\xff")),
        format!("Bearer {token}x"),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        token.clone(),
        "Digest username=\"x\"".to_owned(),
        format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        ),
        format!("Token {token}"),
        "\u{fc}".to_owned(),
    ];
    let mut texts = Vec::new();
    for value in &bad {
        for call in [call(), File::new(&bucket, "f", &[10]).chunk(1), gateway.api("GET", "/s3/sts")] {
            let answer = call.authorized(value).send();
            let challenge = answer.header("www-authenticate").unwrap_or_else(|| panic!("{value}: {answer:?}"));
            assert!(challenge.starts_with("Basic realm=") && challenge.contains("Bearer"), "{challenge}");
            texts.push(answer.fails(401, "Unauthorized"));
        }
    }
    // One answer, whatever is wrong.
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    let twice = call().header("Authorization", &basic(ACCESS_KEY, SECRET_KEY));
    twice.send().fails(401, "Unauthorized");

    gateway.administer(&["key", "disable", &user.id]);
    for gone in [call().by(&user), call().bearer(&token)] {
        gone.send().fails(401, "Unauthorized");
    }
    gateway.administer(&["key", "enable", &user.id]);
    call().bearer(&token).send().ok(200);
    gateway.administer(&["key", "token", &user.id, "--end-all"]);
    call().bearer(&token).send().fails(401, "Unauthorized");
    let log = gateway.stderr();
    assert!(!log.contains(&token) && !log.contains(&user.secret), "a secret in the log");
}

#[test]
fn a_request_is_for_one_host() {
    let gateway = Gateway::shared();
    let twice = gateway.api("GET", "/s3/sts").header("Host", "evil.example");
    twice.send().fails(400, "InvalidRequest");
}

#[test]
fn policies_decide_as_on_the_s3_port() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (reader, writer, own) = (gateway.key("readonly"), gateway.key("writeonly"), gateway.key("owner"));
    let begun = init(&bucket, "f").send().ok(200).json();
    let urls = json!({"partCount": 1});
    let no_parts = json!({"parts": []});
    let file = File::new(&bucket, "chunks", &[10, 10]);
    file.send(1);
    for key in [&reader, &own] {
        for call in [
            init(&bucket, "f"),
            about(&bucket, "/s3/part-urls", &begun, &urls),
            about(&bucket, "/s3/complete", &begun, &no_parts),
            about(&bucket, "/s3/abort", &begun, &json!({})),
            file.chunk(2),
            file.asked("DELETE"),
            gateway.api("GET", "/s3/params").query("bucket", &bucket.name).query("filename", "f"),
            gateway.api("POST", "/s3/multipart").json(&json!({"bucket": bucket.name, "filename": "f", "type": ""})),
        ] {
            denied(call.by(key).send());
        }
    }
    // Who may list may see what is there.
    for call in [parts(&bucket, &begun), file.asked("GET")] {
        denied(call.clone().by(&own).send());
        assert_ne!(call.by(&reader).send().status, 403);
    }
    assert_eq!(parts(&bucket, &begun).by(&reader).send().ok(200).json()["parts"], json!([]));
    // Who may write may do all this, with uploads that others began too, but may not read what comes of it.
    let answer = about(&bucket, "/s3/part-urls", &begun, &urls).by(&writer).send().ok(200);
    let url = answer.json()["urls"][0].as_str().unwrap().to_owned();
    let tag = gateway.visit("PUT", &url, "x").ok(200).header("etag").unwrap().to_owned();
    assert_eq!(parts(&bucket, &begun).by(&writer).send().ok(200).json()["parts"][0]["eTag"], tag);
    let done = about(&bucket, "/s3/complete", &begun, &json!({"parts": [{"partNumber": 1, "eTag": tag}]}));
    let url = url_of(&done.by(&writer).send().ok(200), "imageUrl");
    gateway.visit("GET", &url, "").refused(403, "AccessDenied");
    let chunks = File::new(&bucket, "written", &[10]);
    let url = url_of(&chunks.chunk(1).by(&writer).send().ok(200), "file_url");
    gateway.visit("GET", &url, "").refused(403, "AccessDenied");
    let other = init(&bucket, "g").send().ok(200).json();
    about(&bucket, "/s3/abort", &other, &json!({})).by(&writer).send().ok(200);

    // What a bucket denies is denied.
    let user = gateway.key("readwrite");
    let begun = init(&bucket, "h").by(&user).send().ok(200).json();
    policy(
        &bucket,
        &json!([
            {"Effect": "Deny", "Principal": "*", "Action": "s3:AbortMultipartUpload", "Resource": "BUCKET/*"},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "BUCKET/shut/*"},
        ]),
    );
    denied(about(&bucket, "/s3/abort", &begun, &json!({})).by(&user).send());
    denied(init(&bucket, "shut/f").by(&user).send());
    denied(File::new(&bucket, "shut/f", &[10]).chunk(1).by(&user).send());
    init(&bucket, "open/f").by(&user).send().ok(200);
    about(&bucket, "/s3/part-urls", &begun, &urls).by(&user).send().ok(200);
    // And what was begun before it was denied is not finished.
    let shut = File::new(&bucket, "later/f", &[10, 10]);
    let id = shut.chunk(1).by(&user).send().ok(200).json()["upload_id"].as_str().unwrap().to_owned();
    policy(
        &bucket,
        &json!([{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "BUCKET/later/*"}]),
    );
    denied(shut.chunk(2).by(&user).send());
    denied(
        gateway
            .api("POST", "/upload-chunk/")
            .by(&user)
            .query("upload_id", &id)
            .query("chunk_number", "2")
            .form(&crate::api::Multipart::default().file("x"))
            .send(),
    );
}

#[test]
fn a_narrowed_token_and_its_urls_reach_as_far_as_it_does() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("out/secret", "s").send().ok(200);
    let user = gateway.key("readwrite");
    let inside = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:ListMultipartUploadParts"],
         "Resource": format!("arn:aws:s3:::{}/in/*", bucket.name)},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{}/in/seen", bucket.name)},
    ]});
    let token = gateway.token(&user.id, &["--policy", &inside.to_string()]);
    denied(init(&bucket, "out/f").bearer(&token).send());
    denied(File::new(&bucket, "out/f", &[10]).chunk(1).bearer(&token).send());
    denied(gateway.api("GET", "/s3/params").query("bucket", &bucket.name).query("filename", "f").bearer(&token).send());

    for (name, readable) in [("in/seen", true), ("in/unseen", false)] {
        let begun = init(&bucket, name).bearer(&token).send().ok(200).json();
        let answer = about(&bucket, "/s3/part-urls", &begun, &json!({"partCount": 2})).bearer(&token).send().ok(200);
        let url = answer.json()["urls"][0].as_str().unwrap().to_owned();
        assert!(url.contains("X-Amz-Security-Token="), "{url}");
        let tag = gateway.visit("PUT", &url, "x").ok(200).header("etag").unwrap().to_owned();
        // It signs for one place; what it carries does not sign for another.
        gateway.visit("PUT", &url.replace("/in/", "/out/"), "x").refused(403, "SignatureDoesNotMatch");
        assert_eq!(parts(&bucket, &begun).bearer(&token).send().ok(200).json()["parts"][0]["eTag"], tag);
        denied(about(&bucket, "/s3/abort", &begun, &json!({})).bearer(&token).send());
        let done = about(&bucket, "/s3/complete", &begun, &json!({"parts": [{"partNumber": 1, "eTag": tag}]}));
        let url = url_of(&done.bearer(&token).send().ok(200), "imageUrl");
        assert_eq!(gateway.visit("GET", &url, "").status, if readable { 200 } else { 403 });
        let chunk = File::new(&bucket, name, &[10]);
        let url = url_of(&chunk.chunk(1).bearer(&token).send().ok(200), "file_url");
        assert_eq!(gateway.visit("GET", &url, "").status, if readable { 200 } else { 403 });
    }
    // A URL signed for what the token allows at the time is judged when it is used: with its key's rights.
    let begun = init(&bucket, "in/later").bearer(&token).send().ok(200).json();
    let answer = about(&bucket, "/s3/part-urls", &begun, &json!({"partCount": 1})).bearer(&token).send().ok(200);
    let url = answer.json()["urls"][0].as_str().unwrap().to_owned();
    gateway.administer(&["key", "policy", &user.id, "readonly"]);
    gateway.visit("PUT", &url, "x").refused(403, "AccessDenied");
    gateway.administer(&["key", "disable", &user.id]);
    assert!(gateway.visit("PUT", &url, "x").status >= 400);
}

#[test]
fn urls_end_with_the_token_that_asked_for_them() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let user = gateway.key("readwrite");
    let narrowed =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    for more in [vec!["--expires", "2m"], vec!["--expires", "2m", "--policy", &narrowed.to_string()]] {
        let token = gateway.token(&user.id, &more);
        let begun = init(&bucket, "f").bearer(&token).send().ok(200).json();
        let wanted = json!({"partCount": 1, "expiresIn": 3600});
        let answer = about(&bucket, "/s3/part-urls", &begun, &wanted).bearer(&token).send().ok(200).json();
        for url in [answer["urls"][0].as_str().unwrap(), begun["imageUrl"].as_str().unwrap()] {
            let (_, rest) = url.split_once("X-Amz-Expires=").unwrap();
            let seconds: u64 = rest.split('&').next().unwrap().parse().unwrap();
            assert!((100..=120).contains(&seconds), "{url}");
        }
        let ends: jiff::Timestamp = answer["expiresAt"].as_str().unwrap().parse().unwrap();
        let left = ends.as_second() - crate::digests::now_seconds();
        assert!((100..=120).contains(&left), "{answer}");
    }
}

#[test]
fn nobody_in_particular_gets_plain_urls_that_work_where_a_bucket_is_open() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    denied(init(&bucket, "f").anonymous().send());
    for (method, path) in
        [("GET", "/s3/params?filename=f"), ("GET", "/s3/sts"), ("GET", "/upload-chunk/?filename=f&total_chunks=1")]
    {
        denied(gateway.api(method, path).anonymous().query("bucket", &bucket.name).send());
    }
    policy(
        &bucket,
        &json!([{"Effect": "Allow", "Principal": "*", "Resource": "BUCKET/*", "Action": [
            "s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload",
        ]}]),
    );
    let begun = init(&bucket, "a b").anonymous().send().ok(200).json();
    let answer = about(&bucket, "/s3/part-urls", &begun, &json!({"partCount": 1})).anonymous().send().ok(200).json();
    let url = answer["urls"][0].as_str().unwrap();
    assert!(!url.contains("X-Amz") && !url.contains(ACCESS_KEY), "{url}");
    let tag = gateway.visit("PUT", url, "open").ok(200).header("etag").unwrap().to_owned();
    assert_eq!(parts(&bucket, &begun).anonymous().send().ok(200).json()["parts"][0]["eTag"], tag);
    let done = about(&bucket, "/s3/complete", &begun, &json!({"parts": [{"partNumber": 1, "eTag": tag}]}));
    let url = url_of(&done.anonymous().send().ok(200), "imageUrl");
    assert_eq!(url, format!("http://{}/{}/a%20b", gateway.s3, bucket.name));
    assert_eq!(gateway.visit("GET", &url, "").ok(200).body, b"open");
    let doomed = init(&bucket, "doomed").anonymous().send().ok(200).json();
    about(&bucket, "/s3/abort", &doomed, &json!({})).anonymous().send().ok(200);

    let file = File::new(&bucket, "chunks", &[3000, 4000]);
    file.chunk(1).anonymous().send().ok(200);
    assert_eq!(file.asked("GET").anonymous().send().ok(200).json()["missing"], json!([2]));
    let url = url_of(&file.chunk(2).anonymous().send().ok(200), "file_url");
    assert!(gateway.visit("GET", &url, "").ok(200).body == file.chunks.concat());
    // The form of /s3/params needs no signature there.
    let params = gateway.api("GET", "/s3/params?filename=f").query("bucket", &bucket.name).anonymous();
    let fields = params.send().ok(200).json()["fields"].clone();
    assert!(fields["policy"].is_null() && fields["key"].is_string(), "{fields}");
}

#[test]
fn nobody_learns_what_is_there_without_permission() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let begun = init(&bucket, "f").send().ok(200).json();
    let nobody = gateway.key("owner");
    let mut unknown = begun.clone();
    let mut id = begun["uploadId"].as_str().unwrap().to_owned();
    let last = if id.pop() == Some('0') { '1' } else { '0' };
    id.push(last);
    unknown["uploadId"] = json!(id);
    for about_it in [&begun, &unknown] {
        denied(parts(&bucket, about_it).by(&nobody).send());
        denied(about(&bucket, "/s3/part-urls", about_it, &json!({"partCount": 1})).by(&nobody).send());
        denied(about(&bucket, "/s3/abort", about_it, &json!({})).by(&nobody).send());
        denied(about(&bucket, "/s3/complete", about_it, &json!({"parts": []})).by(&nobody).send());
    }
}
