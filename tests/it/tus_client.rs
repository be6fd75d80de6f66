//! A client of tus, which can also send what none would.

use crate::bucket::Bucket;
use crate::digests::base64;
use crate::gateway::{ACCESS_KEY, Gateway, SECRET_KEY};
use crate::http::{Answer, Connection};

/// A request to `/files/`.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    gateway: &'a Gateway,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
}

impl<'a> Ask<'a> {
    /// As root, by tus 1.0.0.
    pub(crate) fn new(gateway: &'a Gateway, method: &str, path: &str) -> Self {
        Self::plain(gateway, method, path).header("Tus-Resumable", "1.0.0")
    }

    /// As root, by no protocol.
    pub(crate) fn plain(gateway: &'a Gateway, method: &str, path: &str) -> Self {
        let authorization = format!("Basic {}", base64(format!("{ACCESS_KEY}:{SECRET_KEY}")));
        let (method, path) = (method.to_owned(), path.to_owned());
        let ask = Self { gateway, method, path, headers: Vec::new(), body: Vec::new(), chunked: false };
        ask.header("Authorization", &authorization)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn anonymous(self) -> Self {
        self.without("Authorization")
    }

    /// With bytes of an upload, and the content type that says so.
    pub(crate) fn bytes(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("Content-Type", "application/offset+octet-stream").body(body)
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// In chunked framing, so that nobody knows the length before.
    pub(crate) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// What is sent: head, and the body in its framing.
    pub(crate) fn wire(&self) -> (String, Vec<u8>) {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, self.gateway.api);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.chunked {
            return (format!("{head}Content-Length: {}\r\n\r\n", self.body.len()), self.body.clone());
        }
        let mut framed = Vec::new();
        for chunk in self.body.chunks(100_000) {
            framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        framed.extend_from_slice(b"0\r\n\r\n");
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n"), framed)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.gateway.api, self.gateway.tls.as_ref())
    }

    pub(crate) fn send(&self) -> Answer {
        self.send_on(&mut self.connect())
    }

    pub(crate) fn send_on(&self, connection: &mut Connection) -> Answer {
        let (head, body) = self.wire();
        connection.write([head.into_bytes(), body].concat());
        self.answer_on(connection)
    }

    /// Reads the answer, and checks what each has.
    pub(crate) fn answer_on(&self, connection: &mut Connection) -> Answer {
        let answer = connection.read_answer(&self.method);
        if self.method != "OPTIONS" {
            assert_eq!(answer.header("tus-resumable"), Some("1.0.0"), "{answer:?}");
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        answer
    }
}

/// `Upload-Metadata`.
pub(crate) fn metadata(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name} {}", base64(value))).collect::<Vec<_>>().join(",")
}

/// The number in a header.
pub(crate) fn number(answer: &Answer, name: &str) -> Option<u64> {
    answer.header(name).map(|value| value.parse().unwrap())
}

/// The code of a refusal.
pub(crate) fn code(answer: &Answer) -> String {
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(!document["error"]["message"].as_str().unwrap().is_empty());
    document["error"]["code"].as_str().unwrap().to_owned()
}

impl<'a> Bucket<'a> {
    /// Begins an upload of this key.
    pub(crate) fn begin(&self, key: &str) -> Ask<'a> {
        let metadata = metadata(&[("bucket", &self.name), ("key", key)]);
        Ask::new(self.gateway, "POST", "/files/").header("Upload-Metadata", &metadata)
    }

    /// The path of a new upload of this key and length.
    pub(crate) fn begun(&self, key: &str, length: usize) -> String {
        let answer = self.begin(key).header("Upload-Length", &length.to_string()).send().ok(201);
        answer.header("location").unwrap().to_owned()
    }
}

impl Gateway {
    pub(crate) fn tus(&self, method: &str, path: &str) -> Ask<'_> {
        Ask::new(self, method, path)
    }

    /// Where an upload is.
    pub(crate) fn offset(&self, path: &str) -> u64 {
        number(&self.tus("HEAD", path).send().ok(200), "upload-offset").unwrap()
    }

    /// The next bytes of an upload.
    pub(crate) fn patch(&self, path: &str, offset: usize, body: impl Into<Vec<u8>>) -> Ask<'_> {
        self.tus("PATCH", path).header("Upload-Offset", &offset.to_string()).bytes(body)
    }
}
