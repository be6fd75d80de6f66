//! Signatures by the `aws-sigv4` crate, and by plain HMACs what it does not do: a signer that shares no code with the
//! gateway.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::{self, calculate_signature, generate_signing_key};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::digests::{base64, sha256_hex};

/// Who signs, for which region, and when.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
    pub service: String,
    pub time: SystemTime,
}

/// A request as far as it is signed. The path and the query are those on the wire, already percent-encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signable<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    /// Without `host`.
    pub headers: &'a [(String, String)],
}

impl Signer {
    /// The headers that authenticate the request: `x-amz-date`, `x-amz-content-sha256`, `authorization`. `payload_hash` is
    /// a SHA-256 in hexadecimal or one of the words that stand for it.
    pub(crate) fn authorize(&self, request: Signable<'_>, payload_hash: &str) -> Vec<(String, String)> {
        if request.headers.iter().any(|(_, value)| !value.is_ascii()) {
            return self.authorize_by_hand(request, payload_hash);
        }
        let body = SignableBody::Precomputed(payload_hash.to_owned());
        let (instructions, _) = self.run(request, body, SignatureLocation::Headers, None);
        instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The query of a presigned URL: the request's own and what authenticates it.
    pub(crate) fn presign(&self, request: Signable<'_>, expires: Duration) -> String {
        let location = SignatureLocation::QueryParams;
        let (instructions, _) = self.run(request, SignableBody::UnsignedPayload, location, Some(expires));
        let own = Some(request.query.to_owned()).filter(|query| !query.is_empty());
        let added =
            instructions.params().iter().map(|(name, value)| format!("{name}={}", encode_query(value.as_bytes())));
        own.into_iter().chain(added).collect::<Vec<_>>().join("&")
    }

    fn run(
        &self,
        request: Signable<'_>,
        body: SignableBody<'_>,
        location: SignatureLocation,
        expires: Option<Duration>,
    ) -> (aws_sigv4::http_request::SigningInstructions, String) {
        let identity = Credentials::new(&self.access_key, &self.secret_key, None, None, "test").into();
        let mut settings = SigningSettings::default();
        // S3 takes the path as it is on the wire: encoded once, never normalised.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.signature_location = location;
        settings.expires_in = expires;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(self.time)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let question_mark = if request.query.is_empty() { "" } else { "?" };
        let url = format!("http://{}{}{question_mark}{}", request.host, request.path, request.query);
        let host = std::iter::once(("host", request.host));
        let headers = host.chain(request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let signable = SignableRequest::new(request.method, url, headers, body).unwrap();
        sign(signable, &parameters).unwrap().into_parts()
    }

    /// As [`Self::authorize`], for header values the crate does not take: the canonical request is written down here by
    /// AWS's recipe, and only the keys and the signature come from the crate.
    fn authorize_by_hand(&self, request: Signable<'_>, payload_hash: &str) -> Vec<(String, String)> {
        let date = crate::digests::amz_date(self.time);
        let mut headers: Vec<(String, String)> = vec![
            ("host".to_owned(), request.host.to_owned()),
            ("x-amz-content-sha256".to_owned(), payload_hash.to_owned()),
            ("x-amz-date".to_owned(), date.clone()),
        ];
        headers.extend(request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
        headers.sort();
        let canonical_headers: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let mut query: Vec<&str> = request.query.split('&').filter(|pair| !pair.is_empty()).collect();
        query.sort_unstable();
        let query = query.join("&");
        let (method, path) = (request.method, request.path);
        let canonical = format!("{method}\n{path}\n{query}\n{canonical_headers}\n{names}\n{payload_hash}");
        let scope = format!("{}/{}/s3/aws4_request", &date[..8], self.region);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256_hex(canonical));
        let key = generate_signing_key(&self.secret_key, self.time, &self.region, &self.service);
        let signature = calculate_signature(key, text.as_bytes());
        let access_key = &self.access_key;
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}");
        vec![
            ("x-amz-date".to_owned(), date),
            ("x-amz-content-sha256".to_owned(), payload_hash.to_owned()),
            ("authorization".to_owned(), authorization),
        ]
    }
}

/// Signs the chunks of a body, one after the other: each signature builds on the one before, the first on the request's.
#[derive(Clone, Debug)]
pub(crate) struct ChunkSigner {
    key: Vec<u8>,
    /// Date and scope.
    head: String,
    previous: String,
}

impl Signer {
    /// A signer for the body of the request with this `Authorization` header.
    pub(crate) fn chunks(&self, authorization: &str) -> ChunkSigner {
        let date = crate::digests::amz_date(self.time);
        let (_, seed) = authorization.rsplit_once("Signature=").unwrap();
        ChunkSigner {
            key: generate_signing_key(&self.secret_key, self.time, &self.region, &self.service).as_ref().to_vec(),
            head: format!("{date}\n{}/{}/s3/aws4_request", &date[..8], self.region),
            previous: seed.to_owned(),
        }
    }
}

impl ChunkSigner {
    /// The signature of the next chunk.
    pub(crate) fn chunk(&mut self, data: &[u8]) -> String {
        let Self { head, previous, .. } = &*self;
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{head}\n{previous}\n{}\n{}", sha256_hex(b""), sha256_hex(data));
        self.sign(&text)
    }

    /// The signature of the trailers, of which each line is `name:value\n`.
    pub(crate) fn trailers(&mut self, lines: &str) -> String {
        let Self { head, previous, .. } = &*self;
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{head}\n{previous}\n{}", sha256_hex(lines));
        self.sign(&text)
    }

    fn sign(&mut self, text: &str) -> String {
        self.previous = calculate_signature(&self.key, text.as_bytes());
        self.previous.clone()
    }
}

/// The signature of version 2 in base64: an HMAC with SHA-1.
pub(crate) fn signature_v2(secret_key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    base64(mac.finalize().into_bytes())
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub(crate) fn encode_query(text: impl AsRef<[u8]>) -> String {
    encode(text.as_ref(), b"-._~")
}

/// The same, but leaves slashes: a key in a path.
pub(crate) fn encode_path(text: impl AsRef<[u8]>) -> String {
    encode(text.as_ref(), b"-._~/")
}

fn encode(bytes: &[u8], plain: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || plain.contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Undoes either encoding, and the plus that some encoders write for a space.
pub(crate) fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned()
}
