//! Forms as browsers send them, and policies signed by somebody else's arithmetic.

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::digests::{amz_date, base64};
use crate::gateway::{ACCESS_KEY, SECRET_KEY};
use crate::request::Request;
use crate::signer::signature_v2;

pub(crate) const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

/// A form being put together: fields, and behind them the file.
#[derive(Clone)]
pub(crate) struct Form<'a> {
    pub bucket: &'a Bucket<'a>,
    pub fields: Vec<(String, String)>,
    /// The value of the parameter `filename`, quotes and all.
    pub file_name: Option<String>,
    pub file: Vec<u8>,
    /// What stands between the file and the end.
    pub behind: String,
}

/// A time of the policy.
pub(crate) fn expiration(time: SystemTime) -> String {
    let date = amz_date(time);
    let (day, clock) = (&date[..8], &date[9..15]);
    let dashed = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
    format!("{dashed}T{}:{}:{}.000Z", &clock[..2], &clock[2..4], &clock[4..])
}

/// A policy that holds for ten minutes.
pub(crate) fn policy(conditions: &[Value]) -> Value {
    json!({"expiration": expiration(SystemTime::now() + Duration::from_secs(600)), "conditions": conditions})
}

impl<'a> Form<'a> {
    /// An unsigned form.
    pub(crate) fn new(bucket: &'a Bucket<'a>, key: &str, file: impl Into<Vec<u8>>) -> Self {
        let fields = vec![("key".to_owned(), key.to_owned())];
        Self { bucket, fields, file_name: Some("\"f.bin\"".to_owned()), file: file.into(), behind: String::new() }
    }

    /// With a field more, before the file.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a field.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// With this `filename`, quotes and all.
    pub(crate) fn named(mut self, file_name: &str) -> Self {
        self.file_name = Some(file_name.to_owned());
        self
    }

    /// Signed with version 4 under a policy with these conditions besides those of bucket and credentials.
    pub(crate) fn signed_with(self, conditions: &[Value]) -> Self {
        let time = SystemTime::now();
        let date = amz_date(time);
        let credential = format!("{ACCESS_KEY}/{}/us-east-1/s3/aws4_request", &date[..8]);
        let usual = [
            json!({"bucket": self.bucket.name}),
            json!({"x-amz-algorithm": "AWS4-HMAC-SHA256"}),
            json!({"x-amz-credential": credential}),
            json!(["eq", "$x-amz-date", date]),
        ];
        let text = base64(policy(&[&usual, conditions].concat()).to_string());
        let key = generate_signing_key(SECRET_KEY, time, "us-east-1", "s3");
        let signature = calculate_signature(key, text.as_bytes());
        self.field("policy", &text)
            .field("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
            .field("x-amz-credential", &credential)
            .field("x-amz-date", &date)
            .field("x-amz-signature", &signature)
    }

    /// Signed under a policy that says of every field that it may have any value.
    pub(crate) fn signed(self) -> Self {
        let any: Vec<_> = self.fields.iter().map(|(name, _)| json!(["starts-with", format!("${name}"), ""])).collect();
        self.signed_with(&any)
    }

    /// Signed with version 2 under this policy.
    pub(crate) fn signed_v2(self, policy: &Value) -> Self {
        let text = base64(policy.to_string());
        let signature = signature_v2(SECRET_KEY, &text);
        self.field("AWSAccessKeyId", ACCESS_KEY).field("signature", &signature).field("policy", &text)
    }

    /// The body as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in &self.fields {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let file_name = self.file_name.as_ref().map(|name| format!("; filename={name}")).unwrap_or_default();
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"{file_name}\r\nContent-Type: image/bmp\r\n\r\n"
        );
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&self.file);
        bytes.extend_from_slice(format!("\r\n{}--{BOUNDARY}--\r\n", self.behind).as_bytes());
        bytes
    }

    /// The request, which can still be changed.
    pub(crate) fn request(&self) -> Request<'a> {
        posted(self.bucket, self.bytes())
    }

    /// Sends it. Status and headers are the caller's to judge.
    pub(crate) fn send(&self) -> crate::http::Answer {
        self.request().send()
    }
}

/// A POST of these bytes as a form.
pub(crate) fn posted<'a>(bucket: &Bucket<'a>, body: impl Into<Vec<u8>>) -> Request<'a> {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    bucket.request("POST").anonymous().header("content-type", &kind).body(body)
}
