//! Policies and credentials of forms, against AWS's published example and the answers its servers are known to give.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::auth::tests::{KEY_ID, REGION, SECRET, keyring};

/// The policy of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html> as the page gives it.
const EXAMPLE_POLICY: &str = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
const EXAMPLE_SIGNATURE: &str = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
/// 2015-12-29T00:00:00Z and 2015-12-30T12:00:00Z.
const SIGNED: Timestamp = Timestamp(1_451_347_200_000);
const END: Timestamp = Timestamp(1_451_476_800_000);

fn authenticator() -> Authenticator {
    Authenticator::new(keyring(), REGION).sigv2_presign(true)
}

fn fields(pairs: &[(&str, &str)]) -> PostFields {
    let mut fields = PostFields::default();
    for (name, value) in pairs {
        fields.add(name, value);
    }
    fields
}

/// The form of that page.
fn example(change: &[(&str, &str)]) -> PostFields {
    let mut pairs = vec![
        ("key", "user/user1/${filename}"),
        ("acl", "public-read"),
        ("success_action_redirect", "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"),
        ("Content-Type", "image/jpeg"),
        ("x-amz-meta-uuid", "14365123651274"),
        ("x-amz-server-side-encryption", "AES256"),
        ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Date", "20151229T000000Z"),
        ("x-amz-meta-tag", ""),
        ("Policy", EXAMPLE_POLICY),
        ("X-Amz-Signature", EXAMPLE_SIGNATURE),
    ];
    for (name, value) in change {
        pairs.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if *value != "-" {
            pairs.push((name, value));
        }
    }
    fields(&pairs)
}

#[test]
fn the_example_of_aws() {
    let mut form = example(&[]);
    let credentials = authenticator().authenticate_form(&form, SIGNED).unwrap();
    assert_eq!(credentials.identity.access_key_id(), Some(KEY_ID));
    let policy = credentials.policy.unwrap();
    form.expand("MyPhoto.jpg");
    assert_eq!(form.get("key"), Some("user/user1/MyPhoto.jpg"));
    assert_eq!(policy.check(&form, "sigv4examplebucket", END), Ok(SizeRange::ANY));
    let late = policy.check(&form, "sigv4examplebucket", Timestamp(END.0 + 1)).unwrap_err();
    assert_eq!(late.message, "Invalid according to Policy: Policy expired.");
    let elsewhere = policy.check(&form, "other", SIGNED).unwrap_err();
    assert_eq!(
        (elsewhere.code, elsewhere.message.as_str()),
        (
            AuthErrorCode::AccessDenied,
            "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$bucket\", \"sigv4examplebucket\"]"
        )
    );
}

#[test]
fn credentials_that_are_none() {
    use AuthErrorCode as Code;
    let week = Timestamp(SIGNED.0 + 7 * 24 * 3_600_000 + 1);
    let other = EXAMPLE_SIGNATURE.replace('8', "9");
    let refused = |change: &[(&str, &str)], now| authenticator().authenticate_form(&example(change), now).unwrap_err();
    for (change, code, words) in [
        (&[("x-amz-signature", "-")][..], Code::InvalidArgument, "named 'X-Amz-Signature'.  If it"),
        (&[("x-amz-algorithm", "-"), ("x-amz-credential", "-")], Code::InvalidArgument, "named 'X-Amz-Algorithm'"),
        (&[("x-amz-date", "-")], Code::InvalidArgument, "named 'X-Amz-Date'"),
        (&[("policy", "-")], Code::InvalidPolicyDocument, "'Policy'"),
        (&[("x-amz-signature", &other)], Code::SignatureDoesNotMatch, "does not match"),
        (&[("policy", &EXAMPLE_POLICY[..860])], Code::SignatureDoesNotMatch, "does not match"),
        (&[("x-amz-algorithm", "AWS4-HMAC-SHA1")], Code::InvalidArgument, "only supports"),
        (&[("x-amz-date", "2015-12-29")], Code::InvalidArgument, "ISO8601"),
        (&[("x-amz-date", "20151230T000000Z")], Code::InvalidArgument, "Invalid credential date"),
        (&[("x-amz-credential", "k/20151229/eu/s3/aws4_request")], Code::InvalidArgument, "the region 'eu' is wrong"),
        (&[("x-amz-credential", "AKIA")], Code::InvalidArgument, "mal-formed"),
        (&[("x-amz-credential", "k/20151229/us-east-1/s3/aws4_request")], Code::InvalidAccessKeyId, "does not exist"),
        (&[("x-amz-security-token", "t")], Code::InvalidToken, "token"),
        (&[("signature", "s")], Code::InvalidArgument, "Only one auth mechanism"),
    ] {
        let refusal = refused(change, SIGNED);
        assert!(refusal.code == code && refusal.message.contains(words), "{change:?}: {refusal}");
    }
    assert_eq!(refused(&[], week).message, "Invalid according to Policy: Policy expired.");
    let shown = refused(&[("x-amz-signature", &other)], SIGNED);
    assert_eq!(shown.detail("StringToSign"), Some(EXAMPLE_POLICY));
    assert_eq!(shown.detail("SignatureProvided"), Some(other.as_str()));
    let region = refused(&[("x-amz-credential", "k/20151229/eu/s3/aws4_request")], SIGNED);
    assert_eq!((region.detail("Region"), region.detail("ArgumentName")), (Some(REGION), Some("X-Amz-Credential")));
}

#[test]
fn version_2() {
    let policy = BASE64.encode("{\"expiration\": \"2015-12-30T12:00:00Z\", \"conditions\": []}");
    let signature = crate::auth::sigv2::sign(SECRET, policy.as_bytes());
    let form = |key: &'static str, signature: &str| {
        fields(&[("awsaccesskeyid", key), ("Signature", signature), ("policy", &policy)])
    };
    let accepted = authenticator().authenticate_form(&form(KEY_ID, &signature), SIGNED).unwrap();
    assert_eq!(accepted.identity.access_key_id(), Some(KEY_ID));
    let refused = |form: &PostFields| authenticator().authenticate_form(form, SIGNED).unwrap_err().code;
    assert_eq!(refused(&form("other", &signature)), AuthErrorCode::InvalidAccessKeyId);
    assert_eq!(refused(&form(KEY_ID, "AAAA")), AuthErrorCode::SignatureDoesNotMatch);
    assert_eq!(refused(&fields(&[("awsaccesskeyid", KEY_ID)])), AuthErrorCode::InvalidArgument);
    let off = authenticator().sigv2_presign(false).authenticate_form(&form(KEY_ID, &signature), SIGNED).unwrap_err();
    assert_eq!(off.code, AuthErrorCode::NotImplemented);
    let anonymous = authenticator().authenticate_form(&fields(&[("key", "k"), ("policy", &policy)]), SIGNED).unwrap();
    assert!(anonymous.identity == Identity::Anonymous && anonymous.policy.is_none());
}

fn policy(conditions: &str) -> Result<PostPolicy, String> {
    let text = format!("{{\"expiration\":\"2015-12-30T12:00:00.000Z\",\"conditions\":{conditions}}}");
    parse(&text)
}

fn parse(text: &str) -> Result<PostPolicy, String> {
    PostPolicy::parse(&BASE64.encode(text)).map_err(|refusal| {
        assert_eq!(refusal.code, AuthErrorCode::InvalidPolicyDocument);
        refusal.message.strip_prefix("Invalid Policy: ").unwrap().to_owned()
    })
}

#[test]
fn documents_that_are_none() {
    for (text, reason) in [
        ("", "Invalid JSON."),
        ("[]", "Invalid JSON."),
        ("{\"expiration\":\"2015-12-30T12:00:00Z\",\"conditions\":[],}", "Invalid JSON."),
        ("{\"conditions\":[]}", "Policy missing expiration."),
        ("{\"expiration\":\"2015-12-30T12:00:00Z\"}", "Policy missing conditions."),
        ("{\"EXPIRATION\":\"2015-12-30T12:00:00Z\",\"conditions\":[]}", "Unexpected: 'EXPIRATION'"),
        ("{\"expiration\":1,\"conditions\":[]}", "Invalid JSON."),
        (
            "{\"expiration\":\"2015-12-30 12:00:00Z\",\"conditions\":[]}",
            "Invalid 'expiration' value: '2015-12-30 12:00:00Z'",
        ),
        (
            "{\"expiration\":\"2015-12-30T12:00:00+00:00\",\"conditions\":[]}",
            "Invalid 'expiration' value: '2015-12-30T12:00:00+00:00'",
        ),
        ("{\"expiration\":\"2015-12-30T12:00:00Z\",\"conditions\":{}}", "Invalid 'conditions' value: must be a List."),
    ] {
        assert_eq!(parse(text).unwrap_err(), reason, "{text}");
    }
    assert!(PostPolicy::parse("e30*").unwrap_err().message.ends_with("invalid Base64 encoding."));
    let deep = "[".repeat(5000);
    assert_eq!(policy(&deep).unwrap_err(), "Invalid JSON.");
    for (conditions, reason) in [
        ("[{}]", "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."),
        (
            "[{\"a\":\"1\",\"b\":\"2\"}]",
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
        ),
        ("[{\"a\":1}]", "Invalid Simple-Condition: value must be a string."),
        ("[{\"a\":null}]", "Invalid JSON."),
        ("[[]]", "Invalid Condition: missing operation identifier."),
        ("[\"eq\"]", "Invalid condition test: must be a List or Object."),
        ("[[\"ends-with\",\"$a\",\"1\"]]", "Invalid Condition: unknown operation 'ends-with'."),
        ("[[\"eq\",\"$a\"]]", "Invalid eq: wrong number of arguments."),
        ("[[\"content-length-range\",1]]", "Invalid content-length-range: wrong number of arguments."),
        ("[[\"content-length-range\",-1,0]]", "Invalid JSON."),
        ("[[\"content-length-range\",0,512.0]]", "Invalid JSON."),
        ("[[\"eq\",\"$a\",1]]", "Invalid JSON."),
    ] {
        assert_eq!(policy(conditions).unwrap_err(), reason, "{conditions}");
    }
}

fn checked(conditions: &str, form: &[(&str, &str)]) -> Result<SizeRange, String> {
    let checked = policy(conditions).unwrap().check(&fields(form), "b", SIGNED);
    checked.map_err(|refusal| {
        assert_eq!(refusal.code, AuthErrorCode::AccessDenied);
        refusal.message.strip_prefix("Invalid according to Policy: ").unwrap().to_owned()
    })
}

#[test]
fn conditions() {
    let failed = |condition: &str| Err(format!("Policy Condition failed: {condition}"));
    let any = Ok(SizeRange::ANY);
    for (condition, form, outcome) in [
        ("{\"key\":\"a\"}", &[("key", "a")][..], any.clone()),
        ("{\"kEy\":\"a\"}", &[("KeY", "a")], any.clone()),
        ("{\"key\":\"a\\\"\"}", &[("key", "b")], failed("[\"eq\", \"$key\", \"a\\\"\"]")),
        ("[\"eq\",\"$Key\",\"a\"]", &[("key", "A")], failed("[\"eq\", \"$Key\", \"a\"]")),
        ("[\"eq\",\"key\",\"a\"]", &[("key", "a")], failed("[\"eq\", \"key\", \"a\"]")),
        ("[\"StArTs-WiTh\",\"$key\",\"a/\"]", &[("key", "a/b")], any.clone()),
        ("[\"starts-with\",\"$key\",\"\"]", &[("key", "")], any.clone()),
        ("[\"starts-with\",\"$key\",\"\"]", &[], failed("[\"starts-with\", \"$key\", \"\"]")),
        ("[\"starts-with\",\"$key\",\"a/\"]", &[("key", "A/b")], failed("[\"starts-with\", \"$key\", \"a/\"]")),
        ("[\"starts-with\",\"$Content-Type\",\"image/\"]", &[("content-type", "image/png,image/jpg")], any.clone()),
        (
            "[\"starts-with\",\"$Content-Type\",\"image/\"]",
            &[("content-type", "image/png,text/html")],
            failed("[\"starts-with\", \"$Content-Type\", \"image/\"]"),
        ),
        ("[\"eq\",\"$x-amz-meta-a\",\"1,2\"]", &[("x-amz-meta-A", "1"), ("X-Amz-Meta-a", "2")], any.clone()),
        ("{\"x\":\"1\"}", &[("x", "1"), ("Other", "2")], Err("Extra input fields: Other".to_owned())),
        (
            "{\"x\":\"1\"}",
            &[("x", "1"), ("x-ignore-y", "2"), ("file", ""), ("x-amz-checksum-crc32", ""), ("Content-MD5", "")],
            any.clone(),
        ),
        ("{\"x\":\"1\"}", &[("x", "1"), ("bucket", "b")], any.clone()),
        ("{\"x\":\"1\"}", &[("x", "1"), ("bucket", "c")], failed("[\"eq\", \"$bucket\", \"b\"]")),
        ("[\"content-length-range\",5,10]", &[], Ok(SizeRange { min: 5, max: 10 })),
        ("[\"content-length-range\",\"5\",\"10\"]", &[], Ok(SizeRange { min: 5, max: 10 })),
        ("[\"content-length-range\",\"test\",\"10\"]", &[], failed("[\"content-length-range\", \"test\", \"10\"]")),
    ] {
        assert_eq!(checked(&format!("[{{\"bucket\":\"b\"}},{condition}]"), form), outcome, "{condition} {form:?}");
    }
    let twice = "[[\"starts-with\",\"$bucket\",\"\"],[\"content-length-range\",1,9],[\"content-length-range\",3,20]]";
    assert_eq!(checked(twice, &[]), Ok(SizeRange { min: 3, max: 9 }));
    assert_eq!(checked("[]", &[]), Err("Extra input fields: bucket".to_owned()));
}

#[test]
fn the_name_of_the_file() {
    let mut form = fields(&[("key", "${filename}/${filename}"), ("policy", "${filename}"), ("a", "$filename")]);
    assert_eq!(form.expanded_bytes("12345"), "12345/12345${filename}$filename".len());
    form.expand("${filename}");
    assert_eq!(form.get("key"), Some("${filename}/${filename}"));
    form.expand("a");
    assert_eq!(
        (form.get("key"), form.get("policy"), form.get("a")),
        (Some("a/a"), Some("${filename}"), Some("$filename"))
    );
}
