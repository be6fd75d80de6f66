//! Bucket policies: what they allow and deny, to whom, under which conditions.

use std::time::Duration;

use crate::bucket::Bucket;
use crate::gateway::{Gateway, Launch};
use crate::request::Request;

const MINUTE: Duration = Duration::from_secs(60);

fn policy<'a>(bucket: &Bucket<'a>, method: &str) -> Request<'a> {
    bucket.request(method).raw_query("policy")
}

/// A policy of these statements, in which `BUCKET` stands for the bucket's ARN.
fn put(bucket: &Bucket<'_>, statements: &str) -> crate::http::Answer {
    let text = format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{statements}]}}");
    policy(bucket, "PUT").body(text.replace("BUCKET", &format!("arn:aws:s3:::{}", bucket.name))).send()
}

#[test]
fn policies_come_back_as_they_came() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    policy(&bucket, "GET").send().refused(404, "NoSuchBucketPolicy");
    bucket.request("GET").raw_query("policyStatus").send().refused(404, "NoSuchBucketPolicy");
    policy(&bucket, "DELETE").send().ok(204);
    let text = format!(
        "{{ \"Version\" : \"2012-10-17\",\n \"Statement\": {{\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\"*\"}},\"Action\":\
         [\"s3:GetObject\"],\"Resource\":\"arn:aws:s3:::{}/*\"}}}}",
        bucket.name
    );
    policy(&bucket, "PUT").body(text.clone()).send().ok(204);
    let answer = policy(&bucket, "GET").send().ok(200);
    assert_eq!((answer.text(), answer.header("content-type")), (text, Some("application/json")));
    policy(&bucket, "DELETE").send().ok(204);
    policy(&bucket, "GET").send().refused(404, "NoSuchBucketPolicy");
    // It does not come back with a bucket of the same name.
    put(&bucket, "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"BUCKET/*\"}").ok(204);
    bucket.request("DELETE").send().ok(204);
    bucket.request("PUT").send().ok(200);
    policy(&bucket, "GET").send().refused(404, "NoSuchBucketPolicy");
    bucket.get("k").anonymous().send().refused(403, "AccessDenied");
}

#[test]
fn policies_that_are_none_are_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for text in ["", "{", "[]", "{}", "{\"Version\":\"2012-10-17\"}", "{\"Version\":\"2030-01-01\",\"Statement\":[]}"] {
        policy(&bucket, "PUT").body(text).send().refused(400, "MalformedPolicy");
    }
    for statement in [
        "{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"BUCKET/*\"}",
        "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::another/*\"}",
        "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:NoSuchAction\",\"Resource\":\"BUCKET/*\"}",
        "{\"Effect\":\"Maybe\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"BUCKET/*\"}",
        "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"BUCKET\"}",
        "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"BUCKET/*\",\"Condition\":{\"Sometimes\":{\"aws:SourceIp\":\"1.2.3.4\"}}}",
    ] {
        put(&bucket, statement).refused(400, "MalformedPolicy");
    }
    let long = format!("{{\"Version\":\"2012-10-17\",\"Id\":\"{}\",\"Statement\":[]}}", "x".repeat(20 << 10));
    policy(&bucket, "PUT").body(long).send().refused(400, "MaxMessageLengthExceeded");
}

#[test]
fn a_prefix_may_be_public_and_the_rest_not() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for key in ["public/a", "private/a"] {
        bucket.put(key, "x").send().ok(200);
    }
    put(
        &bucket,
        "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"BUCKET/public/*\"},\
         {\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:ListBucket\",\"Resource\":\"BUCKET\",\
          \"Condition\":{\"StringLike\":{\"s3:prefix\":\"public/*\"}}},\
         {\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:PutObject\",\"Resource\":\"BUCKET/inbox/*\"}",
    )
    .ok(204);
    bucket.get("public/a").anonymous().send().ok(200);
    bucket.get("private/a").anonymous().send().refused(403, "AccessDenied");
    // A path is never made another: this is a key that begins with the prefix, and is not there.
    bucket.get("public/../private/a").anonymous().send().refused(404, "NoSuchKey");
    bucket.list().query("prefix", "public/").anonymous().send().ok(200);
    for refused in [bucket.list(), bucket.list().query("prefix", "private/"), bucket.list().query("prefix", "")] {
        refused.anonymous().send().refused(403, "AccessDenied");
    }
    bucket.put("inbox/a", "x").anonymous().send().ok(200);
    bucket.get("inbox/a").anonymous().send().refused(403, "AccessDenied");
    bucket.put("inbox/b", "x").anonymous().header("x-amz-acl", "public-read").send().refused(403, "AccessDenied");
    bucket.put("inbox/b", "x").anonymous().header("x-amz-tagging", "a=b").send().refused(403, "AccessDenied");
    let upload = bucket.created("inbox/parts", &bucket.create("inbox/parts").anonymous());
    upload.part(1, "p").anonymous().send().ok(200);
    upload.list().anonymous().send().refused(403, "AccessDenied");
}

#[test]
fn a_denial_outweighs_everything_but_the_way_back() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    put(
        &bucket,
        "{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":[\"BUCKET\",\"BUCKET/*\"]}",
    )
    .ok(204);
    bucket.get("k").send().refused(403, "AccessDenied");
    bucket.get("k").presigned(MINUTE).send().refused(403, "AccessDenied");
    bucket.list().send().refused(403, "AccessDenied");
    bucket.request("DELETE").send().refused(403, "AccessDenied");
    // The root key never locks itself out.
    policy(&bucket, "GET").send().ok(200);
    policy(&bucket, "DELETE").send().ok(204);
    bucket.get("k").send().ok(200);
}

#[test]
fn conditions_look_at_the_request() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").header("x-amz-tagging", "class=open").send().ok(200);
    let allow_if = |condition: &str| {
        put(
            &bucket,
            &format!(
                "{{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"BUCKET/*\",\
                 \"Condition\":{condition}}}"
            ),
        )
        .ok(204);
        bucket
            .get("k")
            .anonymous()
            .header("referer", "https://a.example/page")
            .header("user-agent", "tests")
            .send()
            .status
    };
    for (condition, status) in [
        ("{\"IpAddress\":{\"aws:SourceIp\":\"127.0.0.0/8\"}}", 200),
        ("{\"NotIpAddress\":{\"aws:SourceIp\":\"127.0.0.1\"}}", 403),
        ("{\"Bool\":{\"aws:SecureTransport\":\"false\"}}", 200),
        ("{\"Bool\":{\"aws:SecureTransport\":\"true\"}}", 403),
        ("{\"StringLike\":{\"aws:Referer\":\"https://a.example/*\"}}", 200),
        ("{\"StringLike\":{\"aws:Referer\":\"https://b.example/*\"}}", 403),
        ("{\"StringEquals\":{\"aws:UserAgent\":\"tests\"}}", 200),
        ("{\"DateGreaterThan\":{\"aws:CurrentTime\":\"2020-01-01T00:00:00Z\"}}", 200),
        ("{\"DateGreaterThan\":{\"aws:CurrentTime\":\"2120-01-01T00:00:00Z\"}}", 403),
        ("{\"StringEquals\":{\"s3:ExistingObjectTag/class\":\"open\"}}", 200),
        ("{\"StringEquals\":{\"s3:ExistingObjectTag/class\":\"shut\"}}", 403),
        ("{\"StringEquals\":{\"s3:authType\":\"REST-HEADER\"}}", 403),
        ("{\"Null\":{\"aws:userid\":\"true\"}}", 200),
        ("{\"StringEquals\":{\"aws:PrincipalType\":\"Anonymous\"}}", 200),
    ] {
        assert_eq!(allow_if(condition), status, "{condition}");
    }
}

#[test]
fn conditions_look_at_signatures_and_headers() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let deny_if = |action: &str, condition: &str| {
        put(
            &bucket,
            &format!(
                "{{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"{action}\",\"Resource\":\"BUCKET/*\",\
                 \"Condition\":{condition}}}"
            ),
        )
        .ok(204);
    };
    deny_if("s3:GetObject", "{\"StringEquals\":{\"s3:authType\":\"REST-QUERY-STRING\"}}");
    bucket.get("k").send().ok(200);
    bucket.get("k").presigned(MINUTE).send().refused(403, "AccessDenied");
    deny_if("s3:GetObject", "{\"NumericGreaterThan\":{\"s3:signatureAge\":60000}}");
    let earlier = |seconds| {
        let presigned = bucket.get("k").presigned(10 * MINUTE);
        presigned.signer(|signer| signer.time -= Duration::from_secs(seconds)).send()
    };
    earlier(5).ok(200);
    earlier(120).refused(403, "AccessDenied");
    deny_if("s3:PutObject", "{\"Null\":{\"s3:RequestObjectTag/owner\":\"true\"}}");
    bucket.put("x", "x").send().refused(403, "AccessDenied");
    bucket.put("x", "x").header("x-amz-tagging", "owner=me").send().ok(200);
    deny_if("s3:PutObject", "{\"StringNotEquals\":{\"s3:x-amz-storage-class\":\"STANDARD_IA\"}}");
    bucket.put("x", "x").send().refused(403, "AccessDenied");
    bucket.put("x", "x").header("x-amz-storage-class", "STANDARD_IA").send().ok(200);
    deny_if("s3:PutObject", "{\"Null\":{\"s3:if-none-match\":\"true\"}}");
    bucket.put("new", "x").send().refused(403, "AccessDenied");
    bucket.put("new", "x").header("if-none-match", "*").send().ok(200);
}

#[test]
fn buckets_may_be_public_from_the_start() {
    let gateway = Launch::new().set("--bucket", "files:public,private").start();
    let open = Bucket { gateway: &gateway, name: "files".to_owned() };
    let closed = Bucket { gateway: &gateway, name: "private".to_owned() };
    for bucket in [&open, &closed] {
        bucket.put("k", "v").send().ok(200);
    }
    assert_eq!(open.get("k").anonymous().send().ok(200).body, b"v");
    open.list().anonymous().send().refused(403, "AccessDenied");
    open.put("k", "w").anonymous().send().refused(403, "AccessDenied");
    closed.get("k").anonymous().send().refused(403, "AccessDenied");
    // What somebody has put in its place stays.
    put(&open, "{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:PutObject\",\"Resource\":\"BUCKET/*\"}")
        .ok(204);
    gateway.terminate();
    gateway.wait();
    let again = Launch::on(&gateway.directory()).set("--bucket", "files:public").start();
    let open = Bucket { gateway: &again, name: "files".to_owned() };
    open.get("k").anonymous().send().refused(403, "AccessDenied");
    open.get("k").send().ok(200);
}
