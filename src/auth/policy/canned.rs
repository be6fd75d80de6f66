//! Policies that are there by name, written as anybody would write them.

pub(super) const NAMES: [&str; 4] = ["readwrite", "readonly", "writeonly", "owner"];

/// Everything S3 has.
const READWRITE: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [{"Sid": "Everything", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}]
}"#;

/// What it takes to find and read objects, in all their versions, and nothing else.
const READONLY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "FindAndRead",
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetObject*", "s3:List*"],
      "Resource": "*"
    }
  ]
}"#;

/// What it takes to send objects, in parts too and resuming what was begun. What is there can be neither read nor deleted.
const WRITEONLY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Send",
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
      "Resource": "*"
    }
  ]
}"#;

/// Buckets of one's own: to make them, to find them, and everything in those one has made.
const OWNER: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "MakeAndFind", "Effect": "Allow", "Action": ["s3:CreateBucket", "s3:ListAllMyBuckets"], "Resource": "*"},
    {
      "Sid": "OwnBuckets",
      "Effect": "Allow",
      "Action": "s3:*",
      "Resource": "*",
      "Condition": {"StringEquals": {"wharf:ResourceOwner": "${aws:userid}"}}
    }
  ]
}"#;

pub(super) fn text(name: &str) -> Option<&'static str> {
    let [readwrite, readonly, writeonly, owner] = NAMES;
    let texts = [(readwrite, READWRITE), (readonly, READONLY), (writeonly, WRITEONLY), (owner, OWNER)];
    texts.into_iter().find(|(known, _)| *known == name).map(|(_, text)| text)
}
