//! Minted URLs against the `aws-sigv4` crate, against our own verification, and against AWS's example.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::Method;
use percent_encoding::percent_decode_str;

use super::{KEY_ID, NOW, REGION, SECRET, Wire};
use crate::auth::presign::{AddressingStyle, PresignError, PresignKey, PresignRequest, mint};
use crate::base::clock::Timestamp;
use crate::base::rng::SeededRng;
use crate::wire::base_url::BaseUrl;

/// A request to be presigned, owned.
#[derive(Clone, Debug)]
struct Wanted {
    method: Method,
    base: BaseUrl,
    style: AddressingStyle,
    token: Option<String>,
    object: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    expires: Duration,
    time: Timestamp,
}

impl Wanted {
    fn get(object: &str) -> Self {
        Self {
            method: Method::GET,
            base: BaseUrl::parse("https://files.example.com").unwrap(),
            style: AddressingStyle::Path,
            token: None,
            object: Some(object.to_owned()),
            query: vec![],
            headers: vec![],
            expires: Duration::from_secs(600),
            time: NOW,
        }
    }

    fn mint(&self) -> Result<String, PresignError> {
        let (query, headers) = (borrowed(&self.query), borrowed(&self.headers));
        mint(&PresignRequest {
            key: PresignKey { access_key_id: KEY_ID, secret: SECRET, session_token: self.token.as_deref() },
            region: REGION,
            method: &self.method,
            base: &self.base,
            style: self.style,
            bucket: "bucket",
            object: self.object.as_deref(),
            query: &query,
            headers: &headers,
            expires: self.expires,
            time: self.time,
        })
    }
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn pick<'a, T: ?Sized>(rng: &SeededRng, choices: &[&'a T]) -> &'a T {
    choices[usize::try_from(rng.below(choices.len() as u64)).unwrap()]
}

/// A request made of what breaks encodings elsewhere.
fn wanted(rng: &SeededRng) -> Wanted {
    let segments =
        ["a b+c~d(1)é//x&y=z", "..", ".", "//", "%41", "日本", "a%2Fb", "!*'();:@", "#?[]", "plain.txt", "\u{1}\u{7f}"];
    let names = ["uploads", "prefix", "partNumber", "uploadId", "response-content-type", "a b", "Ünï", "~", "A", "a"];
    let values = ["", "2", "p/ath", "a+b", "a b", "é=&", "%", "(x)", "..", "~", "attachment; filename=\"x\""];
    let key: Vec<&str> = (0..1 + rng.below(4)).map(|_| pick(rng, &segments)).collect();
    let mut query: Vec<(String, String)> = Vec::new();
    for _ in 0..rng.below(6) {
        let name = pick(rng, &names);
        if !query.iter().any(|(known, _)| known == name) {
            query.push((name.to_owned(), pick(rng, &values).to_owned()));
        }
    }
    let mut headers = Vec::new();
    if rng.below(2) == 0 {
        headers.push(("Content-Type".to_owned(), "text/plain;  charset=utf-8".to_owned()));
    }
    for index in 0..rng.below(4) {
        let value = pick(rng, &["one", "two  inner   blanks", " a,b ;c ", "x=\"y  z\""]);
        headers.push((format!("x-amz-meta-{index}"), value.to_owned()));
    }
    let methods = [Method::GET, Method::PUT, Method::POST, Method::HEAD, Method::DELETE];
    Wanted {
        method: pick(rng, &methods.each_ref()).clone(),
        base: BaseUrl::parse(pick(rng, &["http://gateway.example:9000", "https://files.example.com"])).unwrap(),
        style: if rng.below(2) == 0 { AddressingStyle::Path } else { AddressingStyle::VirtualHost },
        token: (rng.below(3) == 0).then(|| "FwoGZXIvYXdzE/+token==".to_owned()),
        object: Some(key.join("/")).filter(|_| rng.below(10) != 0),
        query,
        headers,
        expires: Duration::from_secs(1 + rng.below(604_800)),
        time: Timestamp((NOW.0 + rng.below(400_000_000_000)) / 1000 * 1000),
    }
}

/// The parameters of a query, decoded.
fn parameters(query: &str) -> BTreeSet<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    let all: Vec<_> = pairs.map(|(name, value)| (decode(name), decode(value))).collect();
    let set: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(set.len(), all.len(), "{query}");
    set
}

/// The parameters that the crate adds to the same request.
fn added_by_the_crate(wanted: &Wanted, unsigned_url: &str) -> Vec<(String, String)> {
    let identity = Credentials::new(KEY_ID, SECRET, wanted.token.clone(), None, "tests").into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(wanted.expires);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(UNIX_EPOCH + Duration::from_millis(wanted.time.0))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers: Vec<_> =
        wanted.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::UnsignedPayload;
    let signable = SignableRequest::new(wanted.method.as_str(), unsigned_url, headers, body).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    instructions.params().iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_owned())).collect()
}

#[test]
fn the_crate_signs_the_same() {
    let rng = SeededRng::new(5);
    for _ in 0..400 {
        let wanted = wanted(&rng);
        let url = wanted.mint().unwrap();
        let (before, query) = url.split_once('?').unwrap();
        let start = query.find("X-Amz-Algorithm=").unwrap();
        let own = query[..start].trim_end_matches('&');
        let unsigned = if own.is_empty() { before.to_owned() } else { format!("{before}?{own}") };
        let mut expected: BTreeSet<_> = wanted.query.iter().cloned().collect();
        expected.extend(added_by_the_crate(&wanted, &unsigned));
        assert_eq!(parameters(query), expected, "{wanted:?}");
    }
}

#[test]
fn what_is_minted_is_accepted() {
    let rng = SeededRng::new(6);
    for _ in 0..400 {
        let wanted = Wanted { token: None, ..wanted(&rng) };
        let url = wanted.mint().unwrap();
        let uri: http::Uri = url.parse().unwrap();
        let mut wire = Wire::new(wanted.method.clone(), uri.path_and_query().unwrap().as_str(), &[]);
        wire = wire.and("host", uri.authority().unwrap().as_str());
        for (name, value) in &wanted.headers {
            wire = wire.and(name, value.trim());
        }
        wire.authenticate_at(wanted.time).unwrap_or_else(|refusal| panic!("{url}: {refusal:?}"));
    }
}

/// The example of AWS's page on query-string authentication.
#[test]
fn aws_s_example_byte_for_byte() {
    let base = BaseUrl::parse("https://s3.amazonaws.com").unwrap();
    let url = mint(&PresignRequest {
        key: PresignKey { access_key_id: KEY_ID, secret: SECRET, session_token: None },
        region: REGION,
        method: &Method::GET,
        base: &base,
        style: AddressingStyle::VirtualHost,
        bucket: "examplebucket",
        object: Some("test.txt"),
        query: &[],
        headers: &[],
        expires: Duration::from_secs(86_400),
        time: NOW,
    });
    let expected = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
                    AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=\
                    86400&X-Amz-SignedHeaders=host&X-Amz-Signature=\
                    aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(url.as_deref(), Ok(expected));
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let refused = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = Wanted::get("k");
        change(&mut wanted);
        wanted.mint().unwrap_err()
    };
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let life = |millis: u64| refused(&move |wanted| wanted.expires = Duration::from_millis(millis));
    assert_eq!(life(604_801_000), PresignError::LifeTooLong);
    assert!(life(604_801_000).to_string().ends_with("must be less than 604800 seconds"));
    for millis in [0, 999, 1500] {
        assert_eq!(life(millis), PresignError::LifeNotSeconds);
    }
    for name in ["", "X-Amz-Date", "x-amz-signature", "X-Amz-Content-Sha256", "AWSAccessKeyId", "Signature"] {
        assert_eq!(refused(&|w| w.query = pair(name, "v")), PresignError::Parameter(name.to_owned()));
    }
    let twice = refused(&|w| w.query = [pair("a", "1"), pair("a", "2")].concat());
    assert_eq!(twice, PresignError::Parameter("a".to_owned()));
    for name in ["Host", "user-agent", "Authorization", "Expect", "traceparent"] {
        let refusal = refused(&|w| w.headers = pair(name, "v"));
        assert_eq!(refusal, PresignError::UnsignableHeader(name.to_ascii_lowercase()));
    }
    for (name, value) in [("a b", "v"), ("", "v"), ("a", "line\nline")] {
        assert_eq!(refused(&|w| w.headers = pair(name, value)), PresignError::Header(name.to_owned()));
    }
    let many = |count: usize| (0..count).map(|n| (format!("x-{n}"), "v".to_owned())).collect::<Vec<_>>();
    assert_eq!(refused(&|w| w.headers = many(400)), PresignError::TooManyHeaders);
    assert_eq!(refused(&|w| w.query = many(122)), PresignError::TooManyParameters);
    let addressed = refused(&|w| {
        w.style = AddressingStyle::VirtualHost;
        w.base = BaseUrl::parse("http://127.0.0.1:9000").unwrap();
    });
    assert_eq!(addressed, PresignError::AddressHost("127.0.0.1:9000".to_owned()));
    assert_eq!(refused(&|w| w.time = Timestamp(u64::MAX)), PresignError::Time);
    let mut most = Wanted::get("k");
    (most.headers, most.query) = (many(399), many(121));
    most.mint().unwrap();
}

#[test]
fn debug_output_hides_the_secret() {
    let key = PresignKey { access_key_id: KEY_ID, secret: SECRET, session_token: Some("token") };
    let shown = format!("{key:?}");
    assert!(shown.contains(KEY_ID) && !shown.contains(SECRET) && !shown.contains("token\""), "{shown}");
}
