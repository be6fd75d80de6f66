//! CreateBucket, HeadBucket, DeleteBucket, ListBuckets, GetBucketLocation.

use crate::bucket::Bucket;
use crate::gateway::{Gateway, Launch};
use crate::request::Request;
use crate::xml;

#[test]
fn a_bucket_is_made_seen_and_deleted() {
    let gateway = Gateway::shared();
    let bucket = Bucket { gateway: &gateway, name: gateway.bucket_name() };
    bucket.request("HEAD").send().ok(404);
    let made = bucket.request("PUT").send().ok(200);
    assert_eq!(made.header("location"), Some(format!("/{}", bucket.name).as_str()));
    let seen = bucket.request("HEAD").send().ok(200);
    assert_eq!(seen.header("x-amz-bucket-region"), Some("us-east-1"));
    let gone = bucket.request("DELETE").send().ok(204);
    assert!(gone.body.is_empty() && gone.header("content-type").is_none(), "{gone:?}");
    bucket.request("HEAD").send().ok(404);
    bucket.request("DELETE").send().refused(404, "NoSuchBucket");
    bucket.list().send().refused(404, "NoSuchBucket");
}

#[test]
fn a_slash_behind_the_bucket_changes_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let path = format!("/{}/", bucket.name);
    gateway.request("HEAD", &path).send().ok(200);
    gateway.request("GET", &path).query("list-type", "2").send().ok(200);
    gateway.request("DELETE", &path).send().ok(204);
    gateway.request("PUT", &path).send().ok(200);
}

/// In the oldest region it is no mistake, everywhere else it is, as at AWS.
#[test]
fn making_it_again_is_a_conflict_outside_of_us_east_1() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    bucket.request("PUT").send().ok(200);
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");

    let elsewhere = Launch::new().set("--region", "eu-west-1").start();
    let put = elsewhere.request("PUT", "/it-again").signer(|signer| signer.region = "eu-west-1".to_owned());
    let statuses = statuses_of_racers(&put);
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    put.send().refused(409, "BucketAlreadyOwnedByYou");
}

/// The statuses that eight clients get for the same request at the same time, in order.
fn statuses_of_racers(request: &Request<'_>) -> Vec<u16> {
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| request.send().status)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    statuses
}

#[test]
fn bad_names_are_refused() {
    let gateway = Gateway::shared();
    let long = "a".repeat(64);
    for name in
        ["ab", &long, "Upper", "under_score", "a..b", "-ab", "ab-", ".ab", "192.168.1.1", "xn--abc", "a%20b", "a%2Fb"]
    {
        gateway.request("PUT", &format!("/{name}")).send().refused(400, "InvalidBucketName");
    }
    for name in [&"a".repeat(63), "it-a.b-9"] {
        gateway.request("PUT", &format!("/{name}")).send().ok(200);
        gateway.request("DELETE", &format!("/{name}")).send().ok(204);
    }
}

#[test]
fn a_location_constraint_must_be_our_region() {
    let gateway = Gateway::shared();
    let bucket = Bucket { gateway: &gateway, name: gateway.bucket_name() };
    let body = |region: &str| {
        format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    bucket.request("PUT").body(body("eu-west-1")).send().refused(400, "IllegalLocationConstraintException");
    bucket.request("PUT").body("<CreateBucketConfiguration>").send().refused(400, "MalformedXML");
    bucket.request("HEAD").send().ok(404);
}

#[test]
fn the_location_of_the_default_region_is_empty() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    for query in ["location", "location="] {
        let text = bucket.request("GET").raw_query(query).send().ok(200).text();
        let empty = xml::block(&text, "LocationConstraint").is_some_and(str::is_empty);
        assert!(
            empty
                || text.contains(
                    "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>"
                ),
            "{text}"
        );
    }
}

#[test]
fn all_buckets_are_listed_by_name() {
    let gateway = Gateway::shared();
    let (first, second) = (gateway.bucket(), gateway.bucket());
    let text = gateway.request("GET", "/").send().ok(200).text();
    assert!(text.contains("<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
    let names = xml::texts(&text, "Name");
    assert!(names.is_sorted(), "{names:?}");
    for name in [&first.name, &second.name, "uploads"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    for date in xml::texts(&text, "CreationDate") {
        assert!(date.len() == 24 && date.ends_with('Z') && date.contains('T'), "{date}");
    }
}

#[test]
fn buckets_come_in_pages() {
    let gateway = Launch::new().start();
    for name in ["page-a", "page-b", "page-c", "other"] {
        gateway.request("PUT", &format!("/{name}")).send().ok(200);
    }
    let list = gateway.request("GET", "/");
    let names = |request: &Request<'_>| xml::texts(&request.send().ok(200).text(), "Name");
    assert_eq!(names(&list.clone().query("prefix", "page-")), ["page-a", "page-b", "page-c"]);
    for max in ["1", "2", "3", "10000"] {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let page = list.clone().query("max-buckets", max).query("continuation-token", &token);
            let text = page.query("bucket-region", "us-east-1").send().ok(200).text();
            let names = xml::texts(&text, "Name");
            assert_eq!(xml::texts(&text, "BucketRegion"), vec!["us-east-1"; names.len()], "{text}");
            assert!((1..=max.parse().unwrap()).contains(&names.len()), "{text}");
            found.extend(names);
            let Some(next) = xml::text(&text, "ContinuationToken") else { break };
            token = next;
        }
        assert_eq!(found, ["other", "page-a", "page-b", "page-c", "uploads"], "pages of {max}");
    }
    let text = list.clone().query("prefix", "page-").query("max-buckets", "1").send().ok(200).text();
    assert_eq!((xml::text(&text, "Prefix").as_deref(), xml::texts(&text, "Name").len()), (Some("page-"), 1));
    assert!(!list.send().ok(200).text().contains("BucketRegion"));

    for max in ["0", "-1", "10001", "x", "99999999999"] {
        list.clone().query("max-buckets", max).send().refused(400, "InvalidArgument");
    }
    list.clone().query("continuation-token", "junk").send().refused(400, "InvalidArgument");
    list.clone().query("bucket-region", "eu-west-1").send().refused(400, "InvalidArgument");
}

#[test]
fn a_bucket_never_had_versioning() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let text = bucket.request("GET").raw_query("versioning").send().ok(200).text();
    let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
    assert!(
        text.ends_with(&format!("<VersioningConfiguration xmlns=\"{namespace}\"></VersioningConfiguration>")),
        "{text}"
    );
    bucket.request("DELETE").send().ok(204);
    bucket.request("GET").raw_query("versioning").send().refused(404, "NoSuchBucket");
}

#[test]
fn a_bucket_with_objects_is_not_deleted() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    bucket.request("DELETE").send().refused(409, "BucketNotEmpty");
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
    bucket.delete("k").send().ok(204);
    bucket.request("DELETE").send().ok(204);
}

#[test]
fn a_bucket_made_again_is_empty() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    bucket.put("old", "v").send().ok(200);
    let upload = bucket.upload("open");
    bucket.delete("old").send().ok(204);
    // An open upload does not keep a bucket alive, and does not come back with its name.
    bucket.request("DELETE").send().ok(204);
    upload.part(1, "x").send().refused(404, "NoSuchBucket");
    bucket.request("PUT").send().ok(200);
    assert_eq!(bucket.keys(), Vec::<String>::new());
    bucket.get("old").send().refused(404, "NoSuchKey");
    upload.part(1, "x").send().refused(404, "NoSuchUpload");
    let uploads = bucket.request("GET").raw_query("uploads").send().ok(200).text();
    assert!(xml::blocks(&uploads, "Upload").is_empty(), "{uploads}");
}
