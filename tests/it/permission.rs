//! Access keys with policies: what each may do, whose things are, and what temporary credentials leave of it.

use std::time::Duration;

use crate::bucket::Bucket;
use crate::gateway::Gateway;
use crate::key::Key;
use crate::xml;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn canned_policies_allow_what_their_names_say() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let statuses = |key: &Key| {
        [
            bucket.get("k").by(key).send().status,
            bucket.list().by(key).send().status,
            bucket.put("new", "x").by(key).send().status,
            bucket.delete("new").by(key).send().status,
            bucket.request("GET").raw_query("acl").by(key).send().status,
            gateway.request("GET", "/").by(key).send().status,
        ]
    };
    assert_eq!(statuses(&gateway.key("readwrite")), [200, 200, 200, 204, 200, 200]);
    assert_eq!(statuses(&gateway.key("readonly")), [200, 200, 403, 403, 403, 200]);
    assert_eq!(statuses(&gateway.key("writeonly")), [403, 403, 200, 403, 403, 403]);
    assert_eq!(statuses(&gateway.key("owner")), [403, 403, 403, 403, 403, 200]);
    let writer = gateway.key("writeonly");
    let upload = bucket.created("parts", &bucket.create("parts").by(&writer));
    let etag = upload.part(1, "p").by(&writer).send().ok(200).header("etag").unwrap().to_owned();
    upload.list().by(&writer).send().ok(200);
    upload.complete(&[(1, &etag)]).by(&writer).send().ok(200);
    // What it wrote itself it may not read either.
    bucket.get("parts").by(&writer).send().refused(403, "AccessDenied");
    bucket.get("parts").presigned(MINUTE).by(&writer).send().refused(403, "AccessDenied");
}

#[test]
fn owners_have_their_buckets_to_themselves() {
    let gateway = Gateway::shared();
    let (alice, bob) = (gateway.key("owner"), gateway.key("owner"));
    let bucket = Bucket { gateway: &gateway, name: gateway.bucket_name() };
    bucket.request("PUT").header("x-amz-acl", "public-read").by(&alice).send().ok(200);
    bucket.list().anonymous().send().ok(200);
    bucket.request("PUT").header("x-amz-acl", "private").by(&alice).send().ok(200);
    bucket.list().anonymous().send().refused(403, "AccessDenied");
    bucket.request("PUT").by(&bob).send().refused(409, "BucketAlreadyExists");
    bucket.request("PUT").send().refused(409, "BucketAlreadyExists");
    bucket.put("k", "v").by(&alice).send().ok(200);
    bucket.get("k").by(&bob).send().refused(403, "AccessDenied");
    bucket.request("DELETE").by(&bob).send().refused(403, "AccessDenied");
    let names = |key: &Key| xml::texts(&gateway.request("GET", "/").by(key).send().ok(200).text(), "Name");
    assert_eq!((names(&alice), names(&bob)), (vec![bucket.name.clone()], Vec::<String>::new()));
    let all = xml::texts(&gateway.request("GET", "/").send().ok(200).text(), "Name");
    assert!(all.contains(&bucket.name), "{all:?}");

    // Bob may put into Alice's bucket what is his.
    bucket.request("PUT").raw_query("acl").header("x-amz-acl", "public-read-write").by(&alice).send().ok(200);
    bucket.put("bobs", "b").by(&bob).send().ok(200);
    assert_eq!(bucket.get("bobs").by(&bob).send().ok(200).body, b"b", "the writer owns it");
    bucket.get("bobs").anonymous().send().refused(403, "AccessDenied");
    let owners = |text: &str| xml::blocks(text, "Owner").iter().map(|owner| xml::text(owner, "ID").unwrap()).collect();
    let listed: Vec<String> = owners(&bucket.list().query("fetch-owner", "true").by(&alice).send().ok(200).text());
    let id = |key: &Key| crate::digests::sha256_hex(key.id.as_bytes());
    assert_eq!(listed, [id(&bob), id(&alice)]);
    let shown = bucket.object("GET", "bobs").raw_query("acl").by(&bob).send().ok(200).text();
    assert_eq!(owners(&shown), [id(&bob)]);
    let upload = bucket.created("parts", &bucket.create("parts").by(&bob));
    let uploads = bucket.request("GET").raw_query("uploads").by(&alice).send().ok(200).text();
    assert_eq!(owners(&uploads), [id(&bob)]);
    upload.abort().by(&bob).send().ok(204);
    // Alice takes it all.
    bucket.request("PUT").raw_query("acl").header("x-amz-acl", "private").by(&alice).send().ok(200);
    let enforced =
        "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
    bucket.request("PUT").raw_query("ownershipControls").body(enforced).by(&alice).send().ok(200);
    bucket.get("bobs").by(&bob).send().refused(403, "AccessDenied");
    bucket.get("bobs").by(&alice).send().ok(200);
}

#[test]
fn a_document_narrows_by_prefix_and_a_denial_wins() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("home/a", "x").send().ok(200);
    let name = &bucket.name;
    let key = gateway.key(&format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[\
         {{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::{name}/home/*\"}},\
         {{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::{name}\",\
           \"Condition\":{{\"StringLike\":{{\"s3:prefix\":\"home/*\"}}}}}},\
         {{\"Effect\":\"Deny\",\"Action\":\"s3:DeleteObject\",\"Resource\":\"arn:aws:s3:::{name}/home/kept/*\"}}]}}"
    ));
    bucket.get("home/a").by(&key).send().ok(200);
    bucket.get("away").by(&key).send().refused(403, "AccessDenied");
    bucket.list().query("prefix", "home/").by(&key).send().ok(200);
    bucket.list().by(&key).send().refused(403, "AccessDenied");
    bucket.put("home/kept/a", "x").by(&key).send().ok(200);
    bucket.delete("home/kept/a").by(&key).send().refused(403, "AccessDenied");
    bucket.delete("home/a").by(&key).send().ok(204);
    // A copy reads what it copies.
    bucket.put("away", "x").send().ok(200);
    let copy = |source: &str| {
        bucket.object("PUT", "home/copy").header("x-amz-copy-source", &format!("/{name}/{source}")).by(&key).send()
    };
    copy("away").refused(403, "AccessDenied");
    copy("missing").refused(403, "AccessDenied");
    copy("home/kept/a").ok(200);
}

#[test]
fn bucket_policies_name_keys() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let (named, other) = (gateway.key("owner"), gateway.key("owner"));
    let policy = |effect: &str, principal: &str| {
        let text = format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"{effect}\",\"Principal\":{principal},\
             \"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::{}/*\"}}]}}",
            bucket.name
        );
        bucket.request("PUT").raw_query("policy").body(text).send().ok(204);
    };
    let gets = |key: &Key| bucket.get("k").by(key).send().status;
    policy("Allow", &format!("{{\"AWS\":\"arn:aws:iam::000000000000:user/{}\"}}", named.id));
    assert_eq!((gets(&named), gets(&other)), (200, 403));
    let id = crate::digests::sha256_hex(other.id.as_bytes());
    policy("Allow", &format!("{{\"CanonicalUser\":\"{id}\"}}"));
    assert_eq!((gets(&named), gets(&other)), (403, 200));
    let reader = gateway.key("readonly");
    policy("Deny", &format!("{{\"AWS\":\"arn:aws:iam::000000000000:user/{}\"}}", reader.id));
    assert_eq!((gets(&reader), gets(&gateway.key("readonly"))), (403, 200));
    let session = gateway.assume(&reader, &[]);
    assert_eq!(gets(&session), 403, "a session is its maker");
}

#[test]
fn a_key_that_is_gone_is_gone_for_every_signature() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let key = gateway.key("readwrite");
    let session = gateway.assume(&key, &[]);
    let get = bucket.get("k").by(&key);
    let replayed = [get.bytes(), get.clone().presigned(MINUTE).bytes()];
    let put = bucket.put("chunks", "x").by(&key).bytes();
    let send = |bytes: &[u8]| {
        let mut connection = gateway.connect();
        connection.write(bytes);
        connection.read_answer("GET")
    };
    for bytes in replayed.iter().chain([&put]) {
        send(bytes).ok(200);
    }
    gateway.administer(&["key", "disable", &key.id]);
    for bytes in replayed.iter().chain([&put]) {
        send(bytes).refused(403, "InvalidAccessKeyId");
    }
    bucket.get("k").by(&session).send().refused(400, "InvalidToken");
    gateway.administer(&["key", "enable", &key.id]);
    send(&replayed[0]).ok(200);
    bucket.get("k").by(&session).send().ok(200);
    gateway.administer(&["key", "policy", &key.id, "writeonly"]);
    send(&replayed[0]).refused(403, "AccessDenied");
    gateway.administer(&["key", "delete", &key.id]);
    for bytes in replayed.iter().chain([&put]) {
        send(bytes).refused(403, "InvalidAccessKeyId");
    }
    bucket.get("k").by(&session).send().refused(400, "InvalidToken");
}

#[test]
fn temporary_credentials_sign_like_others_and_never_do_more() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let key = gateway.key("readwrite");
    let session = gateway.assume(&key, &[]);
    assert_eq!(bucket.get("k").by(&session).send().ok(200).body, b"v");
    bucket.put("new", "x").by(&session).send().ok(200);
    bucket.get("k").by(&session).presigned(MINUTE).send().ok(200);
    let narrowed = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}}";
    let reader = gateway.assume(&key, &[("Policy", narrowed), ("DurationSeconds", "900")]);
    bucket.get("k").by(&reader).send().ok(200);
    bucket.put("new", "x").by(&reader).send().refused(403, "AccessDenied");
    bucket.list().by(&reader).send().refused(403, "AccessDenied");
    let more =
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}";
    let grown = gateway.assume(&gateway.key("readonly"), &[("Policy", more)]);
    bucket.put("new", "x").by(&grown).send().refused(403, "AccessDenied");
    let root = Key { id: crate::gateway::ACCESS_KEY.into(), secret: crate::gateway::SECRET_KEY.into(), token: None };
    let of_root = gateway.assume(&root, &[("Policy", narrowed)]);
    bucket.get("k").by(&of_root).send().ok(200);
    bucket.request("GET").raw_query("policy").by(&of_root).send().refused(403, "AccessDenied");

    let bare = Key { token: None, ..session.clone() };
    bucket.get("k").by(&bare).send().refused(403, "InvalidAccessKeyId");
    let swapped = Key { token: reader.token.clone(), ..session.clone() };
    bucket.get("k").by(&swapped).send().refused(400, "InvalidToken");
    let permanent = Key { token: session.token.clone(), ..key.clone() };
    bucket.get("k").by(&permanent).send().refused(400, "InvalidToken");
    let mut token = session.token.clone().unwrap();
    let last = if token.pop() == Some('A') { 'E' } else { 'A' };
    token.push(last);
    let forged = Key { token: Some(token), ..session.clone() };
    bucket.get("k").by(&forged).send().refused(400, "InvalidToken");
    let other_secret = Key { secret: key.secret.clone(), ..session.clone() };
    bucket.get("k").by(&other_secret).send().refused(403, "SignatureDoesNotMatch");
    let unsigned = bucket.get("k").by(&bare).unsigned_header("x-amz-security-token", &session.token.clone().unwrap());
    unsigned.send().refused(403, "AccessDenied");
}

#[test]
fn the_security_token_service_refuses_in_its_own_words() {
    let gateway = Gateway::shared();
    let key = gateway.key("readonly");
    let refused = |parameters: &[(&str, &str)]| {
        let answer = gateway.sts(&key, parameters);
        let text = answer.text();
        assert!(text.contains("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"), "{text}");
        (answer.status, xml::text(&text, "Code").unwrap())
    };
    let code = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused(&[]), code(400, "InvalidAction"));
    assert_eq!(refused(&[("Action", "DropTables")]), code(400, "InvalidAction"));
    let assume = ("Action", "AssumeRole");
    assert_eq!(refused(&[assume, ("Version", "2010-01-01")]), code(400, "ValidationError"));
    for life in ["1", "899", "604801", "-900", "soon"] {
        let (status, name) = refused(&[assume, ("DurationSeconds", life)]);
        assert!(status == 400 && ["ValidationError", "InvalidArgument"].contains(&name.as_str()), "{life}: {name}");
    }
    assert_eq!(refused(&[assume, ("RoleSessionName", "a b")]).0, 400);
    assert_eq!(refused(&[assume, ("Policy", "{")]), code(400, "MalformedPolicyDocument"));
    assert_eq!(refused(&[assume, ("Policy", &" ".repeat(2049))]), code(400, "MalformedPolicyDocument"));
    assert_eq!(
        refused(&[assume, ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/x")]),
        code(501, "NotImplemented")
    );
    let long = "x".repeat(20 << 10);
    assert_eq!(refused(&[assume, ("ExternalId", &long)]).0, 400);
    let session = gateway.assume(&key, &[]);
    let again = gateway.sts(&session, &[assume]);
    assert_eq!((again.status, xml::text(&again.text(), "Code")), (403, Some("AccessDenied".to_owned())));
    let no_roles = gateway.key(
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"sts:AssumeRole\",\"Resource\":\"arn:aws:iam::*:role/admin\"}}",
    );
    let role = |name: &str| {
        gateway.sts(&no_roles, &[assume, ("RoleArn", &format!("arn:aws:iam::000000000000:role/{name}"))]).status
    };
    assert_eq!((role("admin"), role("other")), (403, 200));
    let nobody = Key { id: "NOBODY".into(), secret: "secret-of-nobody".into(), token: None };
    assert_eq!(gateway.sts(&nobody, &[assume]).status, 403);
    let wrong = Key { secret: "another-secret".into(), ..key.clone() };
    let answer = gateway.sts(&wrong, &[assume]);
    assert_eq!((answer.status, xml::text(&answer.text(), "Code")), (403, Some("SignatureDoesNotMatch".to_owned())));
    let caller = gateway.sts(&key, &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]).ok(200).text();
    let arn = format!("arn:aws:iam::000000000000:user/{}", key.id);
    assert_eq!(xml::text(&caller, "Arn"), Some(arn));
    // Signed for S3 it is not for this service.
    let body = "Action=AssumeRole&Version=2011-06-15";
    let for_s3 =
        gateway.request("POST", "/").by(&key).header("content-type", "application/x-www-form-urlencoded").body(body);
    let mut connection = gateway.connect();
    connection.write(for_s3.bytes());
    assert_eq!(connection.read_answer("POST").status, 400);
    gateway.request("POST", "/").by(&key).body(body).send().refused(405, "MethodNotAllowed");
}

#[test]
fn conditions_on_tags_see_the_tags_that_are_stored() {
    // A policy saw the header alone, while the tags came from a document, from a field of a form, or with a copy.
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let name = &bucket.name;
    let allowed = gateway.key(&format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[\
         {{\"Effect\":\"Allow\",\"Action\":[\"s3:PutObject\",\"s3:GetObject\",\"s3:GetObjectTagging\"],\
           \"Resource\":\"arn:aws:s3:::{name}/*\"}},\
         {{\"Effect\":\"Allow\",\"Action\":\"s3:PutObjectTagging\",\"Resource\":\"arn:aws:s3:::{name}/*\",\
           \"Condition\":{{\"StringEquals\":{{\"s3:RequestObjectTag/class\":\"low\"}}}}}}]}}"
    ));
    let denied = gateway.key(&format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[\
         {{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::{name}/*\"}},\
         {{\"Effect\":\"Deny\",\"Action\":[\"s3:PutObject\",\"s3:PutObjectTagging\"],\"Resource\":\"arn:aws:s3:::{name}/*\",\
           \"Condition\":{{\"StringEquals\":{{\"s3:RequestObjectTag/class\":\"high\"}}}}}}]}}"
    ));
    let document =
        |class: &str| format!("<Tagging><TagSet><Tag><Key>class</Key><Value>{class}</Value></Tag></TagSet></Tagging>");
    bucket.put("high", "x").header("x-amz-tagging", "class=high").send().ok(200);
    bucket.put("k", "x").send().ok(200);
    let source = format!("/{name}/high");
    for key in [&allowed, &denied] {
        bucket.put("k", "x").header("x-amz-tagging", "class=low").by(key).send().ok(200);
        bucket.put("k", "x").header("x-amz-tagging", "class=high").by(key).send().refused(403, "AccessDenied");
        bucket.create("k").header("x-amz-tagging", "class=high").by(key).send().refused(403, "AccessDenied");
        let stray = bucket.create("k").header("x-amz-tagging", "class=high").header("x-amz-copy-source", &source);
        stray.by(key).send().refused(403, "AccessDenied");
        let tag = |class: &str| bucket.object("PUT", "k").raw_query("tagging").body(document(class)).by(key);
        tag("low").send().ok(200);
        tag("high").send().refused(403, "AccessDenied");
        let tag = || bucket.object("PUT", "k").raw_query("tagging").body(document("high"));
        tag().header("x-amz-tagging", "class=low").by(key).send().refused(403, "AccessDenied");
        let copy = || bucket.object("PUT", "copy").header("x-amz-copy-source", &source);
        copy().by(key).send().refused(403, "AccessDenied");
        copy().header("x-amz-tagging", "class=low").by(key).send().refused(403, "AccessDenied");
        let replaced = copy().header("x-amz-tagging-directive", "REPLACE").header("x-amz-tagging", "class=low");
        replaced.by(key).send().ok(200);
    }
    assert_eq!(xml::texts(&bucket.object("GET", "k").raw_query("tagging").send().ok(200).text(), "Value"), ["low"]);
    bucket
        .object("PUT", "k")
        .raw_query("tagging")
        .body(document("low"))
        .anonymous()
        .send()
        .refused(403, "AccessDenied");
}

#[test]
fn nobody_finds_out_by_guessing_what_may_not_be_read() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let tag = bucket.put("home/a", "v").send().ok(200).header("etag").unwrap().to_owned();
    let writer = gateway.key("writeonly");
    for tag in [tag.as_str(), "\"00000000000000000000000000000000\""] {
        bucket.put("home/a", "v").header("if-match", tag).by(&writer).send().refused(403, "AccessDenied");
    }
    bucket.put("home/b", "v").header("if-none-match", "*").by(&writer).send().ok(200);
    let name = &bucket.name;
    let lister = gateway.key(&format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[\
         {{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::{name}/*\"}},\
         {{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::{name}\",\
           \"Condition\":{{\"StringLike\":{{\"s3:prefix\":\"home/*\"}}}}}}]}}"
    ));
    bucket.get("home/missing").by(&lister).send().refused(404, "NoSuchKey");
    bucket.get("away/missing").by(&lister).send().refused(403, "AccessDenied");
    let pretended = bucket.get("away/missing").query("prefix", "home/").by(&lister);
    pretended.send().refused(403, "AccessDenied");
    // A session sees no more buckets than it may list.
    let narrowed = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:ListAllMyBuckets\",\"Resource\":\"*\"}}";
    let session = gateway.assume(&gateway.key("readonly"), &[("Policy", narrowed)]);
    let seen = gateway.request("GET", "/").by(&session).send().ok(200).text();
    assert_eq!(xml::texts(&seen, "Name"), Vec::<String>::new());
}

#[test]
fn a_source_has_one_name_in_policies() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("secret/a", "v").send().ok(200);
    let name = &bucket.name;
    let key = gateway.key(&format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[\
         {{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::{name}/*\"}},\
         {{\"Effect\":\"Deny\",\"Action\":\"s3:PutObject\",\"Resource\":\"*\",\
           \"Condition\":{{\"StringLike\":{{\"s3:x-amz-copy-source\":\"{name}/secret/*\"}}}}}}]}}"
    ));
    let sources = [
        format!("{name}/secret/a"),
        format!("/{name}/secret/a"),
        format!("/{name}/%73ecret%2Fa"),
        format!("{name}/secret/a?versionId=null"),
    ];
    for source in sources {
        let copy = bucket.object("PUT", "copy").header("x-amz-copy-source", &source);
        copy.by(&key).send().refused(403, "AccessDenied");
    }
}
