//! What the policies do that are there by name.

use super::*;

const VERBS: [&str; 22] = [
    "s3:ListAllMyBuckets",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:GetBucketLocation",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectTagging",
    "s3:GetObjectAttributes",
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:PutObjectAcl",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetBucketPolicy",
    "s3:PutBucketPolicy",
    "sts:AssumeRole",
    "admin:CreateKey",
];

/// Which of the verbs a policy allows.
fn allowed(policy: &str, context: &dyn ConditionContext) -> Vec<&'static str> {
    let policy = Policy::canned(policy).unwrap();
    VERBS.into_iter().filter(|verb| Caller::Alice.judge(&policy, verb, OBJECT, context) == Verdict::Allow).collect()
}

#[test]
fn every_name_has_a_policy_that_denies_nothing() {
    for name in Policy::CANNED {
        let policy = Policy::canned(name).unwrap();
        assert_eq!(Caller::Alice.judge(&policy, "kms:Decrypt", OBJECT, &NO_FACTS), Verdict::Silent, "{name}");
        assert_eq!(Policy::parse(policy.text().as_bytes(), PolicyKind::Session).unwrap(), policy, "{name}");
    }
    for name in ["", "ReadWrite", "readwrite ", "admin"] {
        assert_eq!(Policy::canned(name), None);
    }
}

#[test]
fn readwrite_is_everything_of_s3() {
    assert_eq!(allowed("readwrite", &NO_FACTS), &VERBS[..20]);
}

#[test]
fn readonly_finds_and_reads() {
    let expected = [
        "s3:ListAllMyBuckets",
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:ListBucketMultipartUploads",
        "s3:ListMultipartUploadParts",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:GetObjectTagging",
        "s3:GetObjectAttributes",
    ];
    assert_eq!(allowed("readonly", &NO_FACTS), expected);
}

#[test]
fn writeonly_sends_and_neither_reads_nor_deletes() {
    let expected = ["s3:GetBucketLocation", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:AbortMultipartUpload"];
    assert_eq!(allowed("writeonly", &NO_FACTS), expected);
}

#[test]
fn owner_is_everything_in_buckets_of_ones_own() {
    let common = ["s3:ListAllMyBuckets", "s3:CreateBucket"];
    let own = Facts(&[("aws:userid", &[ALICE_ID]), ("wharf:resourceowner", &[ALICE_ID])]);
    assert_eq!(allowed("owner", &own), &VERBS[..20]);
    let of_others = Facts(&[("aws:userid", &[ALICE_ID]), ("wharf:resourceowner", &["somebody"])]);
    assert_eq!(allowed("owner", &of_others), common);
    // Neither a bucket that is not there nor a caller without an id makes everything one's own.
    assert_eq!(allowed("owner", &Facts(&[("aws:userid", &[ALICE_ID])])), common);
    assert_eq!(allowed("owner", &Facts(&[("wharf:resourceowner", &[ALICE_ID])])), common);
    assert_eq!(allowed("owner", &NO_FACTS), common);
}
