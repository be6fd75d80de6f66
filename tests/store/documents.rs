//! What stands beside bodies: documents of buckets, tags of objects.

use std::sync::Arc;

use wharf::store::error::{Error, Missing};
use wharf::store::fsio::Durability;
use wharf::store::meta::Space;
use wharf::store::types::DocumentKind::{Policy, Tagging};
use wharf::store::types::{Attributes, Condition, ETag, NewUpload};

use crate::rig::{Rig, approved, parse, random_bytes, receive};

#[test]
fn a_document_lives_as_long_as_its_bucket() {
    let rig = Rig::new(Durability::Relaxed);
    let name = wharf::store::types::BucketName::parse("documented").unwrap();
    let bucket = rig.wait(rig.store.create_bucket(&name, None)).unwrap();
    assert_eq!(rig.store.bucket_document(&bucket, Tagging).unwrap(), None);
    rig.wait(rig.store.put_bucket_document(&bucket, Tagging, b"one".to_vec())).unwrap();
    let one = rig.store.bucket_document(&bucket, Tagging).unwrap().unwrap();
    rig.wait(rig.store.put_bucket_document(&bucket, Tagging, b"two".to_vec())).unwrap();
    let two = rig.store.bucket_document(&bucket, Tagging).unwrap().unwrap();
    assert_eq!((one.bytes.as_slice(), two.bytes.as_slice()), (&b"one"[..], &b"two"[..]));
    assert!(one.revision < two.revision);
    assert_eq!(rig.store.bucket(&name).unwrap(), bucket, "the bucket's own record stays as it is");
    rig.wait(rig.store.delete_bucket(&name)).unwrap();
    assert_eq!(rig.rows(Space::BucketDocuments), 0);
    for late in [
        rig.wait(rig.store.put_bucket_document(&bucket, Tagging, b"late".to_vec())),
        rig.wait(rig.store.delete_bucket_document(&bucket, Tagging)),
    ] {
        assert!(matches!(late, Err(Error::NotFound(Missing::Bucket))), "{late:?}");
    }
    let next = rig.wait(rig.store.create_bucket(&name, None)).unwrap();
    assert_eq!(rig.store.bucket_document(&next, Tagging).unwrap(), None);
    rig.wait(rig.store.put_bucket_document(&next, Tagging, b"three".to_vec())).unwrap();
    rig.wait(rig.store.delete_bucket_document(&next, Tagging)).unwrap();
    assert_eq!(rig.rows(Space::BucketDocuments), 0);
}

#[test]
fn whoever_keeps_what_a_document_said_hears_of_every_change() {
    let rig = Rig::new(Durability::Relaxed);
    let name = wharf::store::types::BucketName::parse("documented").unwrap();
    let last = std::cell::Cell::new(rig.store.documents_generation());
    let is_raised = || last.replace(rig.store.documents_generation()) != last.get();
    assert!(!is_raised());
    let bucket = rig.wait(rig.store.create_bucket(&name, Some("owner"))).unwrap();
    assert!(is_raised());
    rig.wait(rig.store.put_bucket_document(&bucket, Policy, b"one".to_vec())).unwrap();
    assert!(is_raised());
    rig.wait(rig.store.put_bucket_document(&bucket, Policy, b"two".to_vec())).unwrap();
    assert!(is_raised());
    rig.wait(rig.store.delete_bucket_document(&bucket, Policy)).unwrap();
    assert!(is_raised());
    rig.put("key", "body");
    assert!(!is_raised(), "objects are no business of theirs");
    rig.wait(rig.store.delete_bucket(&name)).unwrap();
    assert!(is_raised());
    // Whoever asked is gone, and what was asked for is done all the same.
    let bucket = rig.wait(rig.store.create_bucket(&name, None)).unwrap();
    let mut put = Box::pin(rig.store.put_bucket_document(&bucket, Policy, b"three".to_vec()));
    let polled = std::future::Future::poll(put.as_mut(), &mut std::task::Context::from_waker(std::task::Waker::noop()));
    drop((polled, put));
    last.set(rig.store.documents_generation());
    while rig.store.bucket_document(&bucket, Policy).unwrap().is_none() {
        std::thread::yield_now();
    }
    assert!(is_raised());
}

#[test]
fn a_bucket_has_its_owner_for_ever() {
    let rig = Rig::new(Durability::Relaxed);
    let name = |name| wharf::store::types::BucketName::parse(name).unwrap();
    let made = rig.wait(rig.store.create_bucket(&name("owned"), Some("somebody"))).unwrap();
    assert_eq!(made.owner.as_deref(), Some("somebody"));
    let again = rig.wait(rig.store.create_bucket(&name("owned"), Some("somebody else")));
    assert!(matches!(again, Err(Error::Exists)), "{again:?}");
    let rig = rig.reopen(wharf::store::room::Reserve::Bytes(0));
    assert_eq!(rig.store.bucket(&name("owned")).unwrap(), made);
    assert_eq!(rig.bucket.owner, None);
    let listed = rig.store.buckets_page("", "", 10).unwrap().0;
    assert_eq!(listed, [rig.bucket.clone(), made]);
}

/// Owner and ACL come with the object and with the upload, and changing tags or ACL changes nothing else.
#[test]
fn owner_and_acl_of_objects() {
    let rig = Rig::new(Durability::Relaxed);
    let attributes = Attributes { owner: Some("somebody".to_owned()), acl: Some(3), ..Attributes::default() };
    let body = rig.wait(rig.receive("body".into())).unwrap();
    let put = rig.wait(rig.store.put_object(&rig.bucket, &parse("put"), body, attributes.clone(), None)).unwrap();
    let new = NewUpload { attributes: attributes.clone(), checksum: None };
    let id = rig.wait(rig.store.create_upload(&rig.bucket, &parse("parts"), new)).unwrap();
    let part = rig.stage("parts", id, 1, random_bytes(1, 5000)).unwrap();
    rig.complete("parts", id, &[part]).unwrap();
    let object = |key| rig.store.object(&rig.bucket, &parse(key)).unwrap();
    assert_eq!((object("put"), object("parts").attributes), (put.clone(), attributes.clone()));

    let tags = vec![("a".to_owned(), "b".to_owned())];
    rig.wait(rig.store.put_object_tags(&rig.bucket, &parse("put"), tags.clone(), approved)).unwrap();
    assert_eq!(object("put").attributes, Attributes { tags: tags.clone(), ..attributes.clone() });
    for acl in [Some(1), None] {
        rig.wait(rig.store.put_object_acl(&rig.bucket, &parse("put"), acl, approved)).unwrap();
        let expected = Attributes { tags: tags.clone(), acl, ..attributes.clone() };
        let now = object("put");
        assert_eq!((now.attributes, now.modified, now.etag), (expected, put.modified, put.etag));
    }
    let missing = rig.wait(rig.store.put_object_acl(&rig.bucket, &parse("nothing"), Some(1), approved));
    assert!(matches!(missing, Err(Error::NotFound(Missing::Object))), "{missing:?}");
}

/// Tags, bodies and deletes of one key at once: no body is lost, none is brought back, none is left behind.
#[test]
fn tags_change_under_bodies_that_change() {
    let mut rig = Rig::new(Durability::Relaxed);
    rig.put("key", "first");
    let taggers: Vec<_> = (0..8)
        .map(|tagger| {
            let (store, bucket) = (Arc::clone(&rig.store), rig.bucket.clone());
            rig.runtime.spawn(async move {
                let mut put = 0;
                for n in 0..50 {
                    let tags = vec![("t".to_owned(), format!("{tagger} {n}"))];
                    match store.put_object_tags(&bucket, &parse("key"), tags, approved).await {
                        Ok(()) => put += 1,
                        Err(Error::NotFound(Missing::Object)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                put
            })
        })
        .collect();
    let (store, bucket) = (Arc::clone(&rig.store), rig.bucket.clone());
    let writer = rig.runtime.spawn(async move {
        for n in 0..100 {
            let body = receive(&store, random_bytes(n, 5000)).await.unwrap();
            let etag = ETag::of_body(body.digests.md5);
            store.put_object(&bucket, &parse("key"), body, Attributes::default(), None).await.unwrap();
            assert_eq!(store.object(&bucket, &parse("key")).unwrap().etag, etag, "an old body came back");
            if n % 10 == 9 {
                store.delete_object(&bucket, &parse("key"), Some(&Condition::Matches(etag))).await.unwrap();
                let gone = store.object(&bucket, &parse("key"));
                assert!(matches!(gone, Err(Error::NotFound(Missing::Object))), "tags brought it back: {gone:?}");
            }
        }
    });
    rig.wait(writer).unwrap();
    let put: usize = taggers.into_iter().map(|tagger| rig.wait(tagger).unwrap()).sum();
    assert!(put > 0, "none of 400 changes of tags found an object");
    rig.put("key", "last");
    rig.wait(rig.store.put_object_tags(&rig.bucket, &parse("key"), vec![("a".to_owned(), "b".to_owned())], approved))
        .unwrap();
    rig.rest();
    assert_eq!(rig.files().len(), 0, "bodies that nobody names");
    assert_eq!(rig.read("key", 0..100).0, b"last");
    rig.wait(rig.store.delete_object_tags(&rig.bucket, &parse("key"), approved)).unwrap();
    assert_eq!(rig.store.object(&rig.bucket, &parse("key")).unwrap().attributes.tags, []);
    rig.wait(rig.store.delete_object(&rig.bucket, &parse("key"), None)).unwrap();
    rig.rest();
    rig.check_empty();
}

/// Changes without a condition are never told of each other, however many there are.
#[test]
fn tags_that_change_at_once_are_all_taken() {
    let rig = Rig::new(Durability::Relaxed);
    rig.put("key", "body");
    let start = Arc::new(tokio::sync::Barrier::new(64));
    let taggers: Vec<_> = (0..64)
        .map(|tagger| {
            let (store, bucket, start) = (Arc::clone(&rig.store), rig.bucket.clone(), Arc::clone(&start));
            rig.runtime.spawn(async move {
                start.wait().await;
                store
                    .put_object_tags(&bucket, &parse("key"), vec![("t".to_owned(), format!("{tagger}"))], approved)
                    .await
            })
        })
        .collect();
    taggers.into_iter().for_each(|tagger| rig.wait(tagger).unwrap().unwrap());
    assert_eq!(rig.read("key", 0..100).0, b"body");
}

#[test]
fn conditions_of_deletes() {
    let rig = Rig::new(Durability::Relaxed);
    let delete = |condition: Condition| rig.wait(rig.store.delete_object(&rig.bucket, &parse("key"), Some(&condition)));
    for asked in [Condition::Present, Condition::MatchesNone, Condition::Matches(ETag::of_body([0; 16]))] {
        let missing = delete(asked);
        assert!(matches!(missing, Err(Error::NotFound(Missing::Object))), "{asked:?}: {missing:?}");
    }
    rig.put("key", "body");
    for asked in [Condition::Absent, Condition::MatchesNone, Condition::Matches(ETag::of_body([0; 16]))] {
        let refused = delete(asked);
        assert!(matches!(refused, Err(Error::Precondition)), "{asked:?}: {refused:?}");
    }
    delete(Condition::Present).unwrap();
    assert!(rig.store.object(&rig.bucket, &parse("key")).is_err());
}
