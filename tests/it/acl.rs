//! Canned ACLs of buckets and objects: what they open, to whom, and what takes them away again.

use crate::bucket::Bucket;
use crate::gateway::Gateway;
use crate::xml;

fn acl<'a>(bucket: &Bucket<'a>, method: &str) -> crate::request::Request<'a> {
    bucket.request(method).raw_query("acl")
}

#[test]
fn everybody_reads_what_is_public() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("open", "o").header("x-amz-acl", "public-read").send().ok(200);
    bucket.put("closed", "c").send().ok(200);
    assert_eq!(bucket.get("open").anonymous().send().ok(200).body, b"o");
    bucket.head("open").anonymous().send().ok(200);
    let attributes = bucket.object("GET", "open").raw_query("attributes").header("x-amz-object-attributes", "ETag");
    attributes.anonymous().send().ok(200);
    bucket.get("closed").anonymous().send().refused(403, "AccessDenied");
    // What is not there looks like what may not be read, until the bucket may be listed.
    bucket.get("missing").anonymous().send().refused(403, "AccessDenied");
    bucket.list().anonymous().send().refused(403, "AccessDenied");
    acl(&bucket, "PUT").header("x-amz-acl", "public-read").send().ok(200);
    assert_eq!(xml::texts(&bucket.list().anonymous().send().ok(200).text(), "Key"), ["closed", "open"]);
    bucket.get("missing").anonymous().send().refused(404, "NoSuchKey");
    bucket.get("closed").anonymous().send().refused(403, "AccessDenied");
    for refused in [
        bucket.put("x", "x"),
        bucket.delete("open"),
        bucket.request("DELETE"),
        acl(&bucket, "GET"),
        acl(&bucket, "PUT").header("x-amz-acl", "public-read-write"),
        bucket.object("PUT", "open").raw_query("acl").header("x-amz-acl", "private"),
        bucket.object("GET", "open").raw_query("tagging"),
        bucket.create("x"),
        bucket.request("GET").raw_query("policy"),
    ] {
        refused.anonymous().send().refused(403, "AccessDenied");
    }
    assert_eq!(bucket.get("open").send().ok(200).body, b"o");
}

#[test]
fn everybody_writes_where_it_is_public() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    acl(&bucket, "PUT").header("x-amz-acl", "public-read-write").send().ok(200);
    bucket.put("theirs", "t").anonymous().unsigned_payload().send().ok(200);
    // Nobody in particular owns it, and nothing says that everybody may read it.
    bucket.get("theirs").anonymous().send().refused(403, "AccessDenied");
    let shown = bucket.object("GET", "theirs").raw_query("acl").send().ok(200).text();
    assert_eq!(xml::texts(&shown, "ID"), ["65a011a29cdf8ec533ec3d1ccaae921c"; 2]);
    bucket.put("open", "t").anonymous().header("x-amz-acl", "public-read").send().ok(200);
    assert_eq!(bucket.get("open").anonymous().send().ok(200).body, b"t");
    let upload = bucket.created("parts", &bucket.create("parts").anonymous());
    let etag = upload.part(1, "p").anonymous().send().ok(200).header("etag").unwrap().to_owned();
    upload.list().anonymous().send().ok(200);
    upload.complete(&[(1, &etag)]).anonymous().send().ok(200);
    bucket.created("aborted", &bucket.create("aborted").anonymous()).abort().anonymous().send().ok(204);
    bucket.delete("theirs").anonymous().send().ok(204);
    let body = "<Delete><Object><Key>open</Key></Object><Object><Key>parts</Key></Object></Delete>";
    let md5 = crate::digests::base64(crate::digests::md5(body.as_bytes()));
    let delete = bucket.request("POST").raw_query("delete").header("content-md5", &md5).body(body);
    assert_eq!(xml::blocks(&delete.clone().anonymous().send().ok(200).text(), "Deleted").len(), 2);
    acl(&bucket, "PUT").header("x-amz-acl", "private").send().ok(200);
    bucket.put("x", "x").anonymous().send().refused(403, "AccessDenied");
    delete.anonymous().send().refused(403, "AccessDenied");
}

#[test]
fn a_delete_of_many_asks_for_each() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("kept", "k").send().ok(200);
    let policy = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:DeleteObject\",\
         \"Resource\":\"arn:aws:s3:::{}/tmp/*\"}}]}}",
        bucket.name
    );
    bucket.request("PUT").raw_query("policy").body(policy).send().ok(204);
    let body = "<Delete><Object><Key>tmp/a</Key></Object><Object><Key>kept</Key></Object></Delete>";
    let md5 = crate::digests::base64(crate::digests::md5(body.as_bytes()));
    let delete = bucket.request("POST").raw_query("delete").header("content-md5", &md5).body(body).anonymous();
    let text = delete.send().ok(200).text();
    assert_eq!(xml::texts(xml::block(&text, "Deleted").unwrap(), "Key"), ["tmp/a"]);
    let error = xml::block(&text, "Error").unwrap();
    assert_eq!(
        (xml::texts(error, "Key"), xml::texts(error, "Code")),
        (vec!["kept".into()], vec!["AccessDenied".into()])
    );
    bucket.get("kept").send().ok(200);
}

#[test]
fn acls_come_back_and_are_taken_as_documents() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let object = |method: &str| bucket.object(method, "k").raw_query("acl");
    let private = object("GET").send().ok(200).text();
    assert_eq!(xml::texts(&private, "Permission"), ["FULL_CONTROL"]);
    object("PUT").header("x-amz-acl", "authenticated-read").send().ok(200);
    let shown = object("GET").send().ok(200).text();
    assert_eq!(xml::texts(&shown, "Permission"), ["FULL_CONTROL", "READ"]);
    assert!(shown.contains("AuthenticatedUsers") && shown.contains("xsi:type=\"Group\""), "{shown}");
    bucket.get("k").anonymous().send().refused(403, "AccessDenied");
    let somebody = gateway.key("owner");
    bucket.get("k").by(&somebody).send().ok(200);
    object("PUT").body(private).send().ok(200);
    assert_eq!(xml::texts(&object("GET").send().ok(200).text(), "Permission"), ["FULL_CONTROL"]);
    bucket.get("k").by(&somebody).send().refused(403, "AccessDenied");
    object("PUT").body(shown.replace("READ", "WRITE_ACP")).send().refused(501, "NotImplemented");
    object("PUT").body("<AccessControlPolicy/>").send().refused(400, "MalformedACLError");
    object("PUT").send().refused(400, "MissingSecurityHeader");
    object("PUT").body(shown).header("x-amz-acl", "private").send().refused(400, "UnexpectedContent");
    object("PUT").header("x-amz-acl", "everyone").send().refused(400, "InvalidArgument");
    object("PUT").header("x-amz-grant-read", "uri=x").send().refused(501, "NotImplemented");
    bucket.object("GET", "none").raw_query("acl").send().refused(404, "NoSuchKey");
    bucket.object("PUT", "none").raw_query("acl").header("x-amz-acl", "private").send().refused(404, "NoSuchKey");
}

#[test]
fn a_copy_has_an_acl_of_its_own_and_a_new_object_none() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("open", "o").header("x-amz-acl", "public-read").send().ok(200);
    let source = format!("/{}/open", bucket.name);
    bucket.object("PUT", "copy").header("x-amz-copy-source", &source).send().ok(200);
    bucket.get("copy").anonymous().send().refused(403, "AccessDenied");
    let opened = bucket.object("PUT", "copy").header("x-amz-copy-source", &source).header("x-amz-acl", "public-read");
    opened.send().ok(200);
    bucket.get("copy").anonymous().send().ok(200);
    bucket.object("PUT", "open").raw_query("tagging").body("<Tagging><TagSet/></Tagging>").send().ok(200);
    bucket.get("open").anonymous().send().ok(200);
    bucket.put("open", "again").send().ok(200);
    bucket.get("open").anonymous().send().refused(403, "AccessDenied");
    let upload = bucket.created("parts", &bucket.create("parts").header("x-amz-acl", "public-read"));
    let etag = upload.put_part(1, "p");
    upload.complete(&[(1, &etag)]).send().ok(200);
    assert_eq!(bucket.get("parts").anonymous().send().ok(200).body, b"p");
    // What was fine when an upload began need not be when it ends.
    let late = bucket.created("late", &bucket.create("late").header("x-amz-acl", "public-read"));
    let etag = late.put_part(1, "p");
    let block =
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>";
    bucket.request("PUT").raw_query("publicAccessBlock").body(block).send().ok(200);
    late.complete(&[(1, &etag)]).send().refused(403, "AccessDenied");
    bucket.request("DELETE").raw_query("publicAccessBlock").send().ok(204);
    let writer = gateway.key("writeonly");
    late.complete(&[(1, &etag)]).by(&writer).send().refused(403, "AccessDenied");
    late.complete(&[(1, &etag)]).send().ok(200);
}

#[test]
fn owners_of_buckets_may_switch_acls_off() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let ownership = |method: &str| bucket.request(method).raw_query("ownershipControls");
    let document = |name: &str| {
        format!("<OwnershipControls><Rule><ObjectOwnership>{name}</ObjectOwnership></Rule></OwnershipControls>")
    };
    ownership("GET").send().refused(404, "OwnershipControlsNotFoundError");
    bucket.put("open", "o").header("x-amz-acl", "public-read").send().ok(200);
    acl(&bucket, "PUT").header("x-amz-acl", "public-read").send().ok(200);
    let refused = ownership("PUT").body(document("BucketOwnerEnforced")).send();
    refused.refused(400, "InvalidBucketAclWithObjectOwnership");
    acl(&bucket, "PUT").header("x-amz-acl", "private").send().ok(200);
    ownership("PUT").body(document("BucketOwnerEnforced")).send().ok(200);
    assert!(ownership("GET").send().ok(200).text().contains("BucketOwnerEnforced"));
    bucket.get("open").anonymous().send().refused(403, "AccessDenied");
    for value in ["public-read", "authenticated-read", "bucket-owner-read"] {
        bucket.put("x", "x").header("x-amz-acl", value).send().refused(400, "AccessControlListNotSupported");
        acl(&bucket, "PUT").header("x-amz-acl", value).send().refused(400, "AccessControlListNotSupported");
    }
    for value in ["private", "bucket-owner-full-control"] {
        bucket.put("x", "x").header("x-amz-acl", value).send().ok(200);
    }
    let shown = bucket.object("GET", "open").raw_query("acl").send().ok(200).text();
    assert_eq!(xml::texts(&shown, "Permission"), ["FULL_CONTROL"]);
    ownership("DELETE").send().ok(204);
    bucket.get("open").anonymous().send().ok(200);
    ownership("PUT").body(document("Nobody")).send().refused(400, "MalformedXML");
}

#[test]
fn what_is_blocked_no_acl_and_no_policy_opens() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let block = |method: &str| bucket.request(method).raw_query("publicAccessBlock");
    let document = |inside: &str| format!("<PublicAccessBlockConfiguration>{inside}</PublicAccessBlockConfiguration>");
    let put = |inside: &str| block("PUT").body(document(inside)).send();
    block("GET").send().refused(404, "NoSuchPublicAccessBlockConfiguration");
    bucket.put("open", "o").header("x-amz-acl", "public-read").send().ok(200);
    put("<BlockPublicAcls>TRUE</BlockPublicAcls>").ok(200);
    let shown = block("GET").send().ok(200).text();
    assert_eq!(xml::text(&shown, "BlockPublicAcls").as_deref(), Some("true"));
    assert_eq!(xml::text(&shown, "RestrictPublicBuckets").as_deref(), Some("false"));
    bucket.put("x", "x").header("x-amz-acl", "public-read").send().refused(403, "AccessDenied");
    acl(&bucket, "PUT").header("x-amz-acl", "authenticated-read").send().refused(403, "AccessDenied");
    bucket.put("x", "x").header("x-amz-acl", "bucket-owner-read").send().ok(200);
    bucket.get("open").anonymous().send().ok(200);
    put("<IgnorePublicAcls>true</IgnorePublicAcls>").ok(200);
    bucket.get("open").anonymous().send().refused(403, "AccessDenied");

    let policy = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\
         \"Resource\":\"arn:aws:s3:::{}/*\"}}]}}",
        bucket.name
    );
    let put_policy = || bucket.request("PUT").raw_query("policy").body(policy.clone()).send();
    put("<BlockPublicPolicy>true</BlockPublicPolicy>").ok(200);
    put_policy().refused(403, "AccessDenied");
    block("DELETE").send().ok(204);
    put_policy().ok(204);
    let status = || xml::text(&bucket.request("GET").raw_query("policyStatus").send().ok(200).text(), "IsPublic");
    assert_eq!(status().as_deref(), Some("true"));
    bucket.get("x").anonymous().send().ok(200);
    put("<RestrictPublicBuckets>true</RestrictPublicBuckets>").ok(200);
    bucket.get("x").anonymous().send().refused(403, "AccessDenied");
    put("<Other>true</Other>").refused(400, "MalformedXML");
}

#[test]
fn buckets_are_made_with_an_acl() {
    let gateway = Gateway::shared();
    let bucket = Bucket { gateway: &gateway, name: gateway.bucket_name() };
    let create = || bucket.request("PUT");
    create().header("x-amz-acl", "everyone").send().refused(400, "InvalidArgument");
    let contradiction =
        create().header("x-amz-acl", "public-read").header("x-amz-object-ownership", "BucketOwnerEnforced");
    contradiction.send().refused(400, "InvalidBucketAclWithObjectOwnership");
    create().header("x-amz-object-ownership", "Mine").send().refused(400, "InvalidArgument");
    bucket.request("HEAD").send().ok(404);
    create().header("x-amz-acl", "public-read").send().ok(200);
    bucket.list().anonymous().send().ok(200);
    // Made again it is left as it is, unless a header says otherwise.
    create().send().ok(200);
    bucket.list().anonymous().send().ok(200);
    create().header("x-amz-acl", "private").send().ok(200);
    bucket.list().anonymous().send().refused(403, "AccessDenied");
    let owned = Bucket { gateway: &gateway, name: gateway.bucket_name() };
    owned.request("PUT").header("x-amz-object-ownership", "BucketOwnerPreferred").send().ok(200);
    let shown = owned.request("GET").raw_query("ownershipControls").send().ok(200).text();
    assert!(shown.contains("BucketOwnerPreferred"), "{shown}");
}
