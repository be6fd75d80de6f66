//! Requests to the S3 port, and what every answer to one must have.

use std::time::{Duration, SystemTime};

use crate::cors::EXPOSED;
use crate::digests::{now_seconds, parse_http_date, sha256_hex};
use crate::gateway::{ACCESS_KEY, Gateway, SECRET_KEY};
use crate::http::{Answer, Connection};
use crate::signer::{ChunkSigner, Signable, Signer, encode_query};
use crate::xml;

/// A request being put together. It is signed with the root credentials and the body's SHA-256 unless told otherwise.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    gateway: &'a Gateway,
    method: String,
    host: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    /// Headers that are sent and not signed.
    unsigned: Vec<(String, String)>,
    body: Vec<u8>,
    payload_hash: Option<String>,
    framing: Framing,
    signing: Signing,
    signer: Signer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// `Content-Length`, where there is a body or the method usually has one.
    Length,
    /// `Transfer-Encoding: chunked`, in chunks of at most so many bytes.
    Chunked(usize),
    /// Whatever the test adds itself.
    Own,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signing {
    Header,
    Presigned(Duration),
    None,
}

impl<'a> Request<'a> {
    /// A request of this path as it goes over the wire.
    pub(crate) fn new(gateway: &'a Gateway, method: &str, path: &str) -> Self {
        Self {
            gateway,
            method: method.to_owned(),
            host: gateway.s3.to_string(),
            path: path.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            unsigned: Vec::new(),
            body: Vec::new(),
            payload_hash: None,
            framing: Framing::Length,
            signing: Signing::Header,
            signer: Signer {
                access_key: ACCESS_KEY.to_owned(),
                secret_key: SECRET_KEY.to_owned(),
                region: "us-east-1".to_owned(),
                service: "s3".to_owned(),
                time: SystemTime::now(),
            },
        }
    }

    /// With a query parameter, which is encoded here.
    pub(crate) fn query(self, name: &str, value: &str) -> Self {
        let pair = format!("{}={}", encode_query(name), encode_query(value));
        self.raw_query(&pair)
    }

    /// With a piece of query as it stands.
    pub(crate) fn raw_query(mut self, piece: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(piece);
        self
    }

    /// With a signed header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a header that is sent and not signed.
    pub(crate) fn unsigned_header(mut self, name: &str, value: &str) -> Self {
        self.unsigned.push((name.to_owned(), value.to_owned()));
        self
    }

    /// To this host, whatever the connection goes to.
    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// With a body.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this `x-amz-content-sha256` instead of the body's own.
    pub(crate) fn payload_hash(mut self, hash: &str) -> Self {
        self.payload_hash = Some(hash.to_owned());
        self
    }

    /// With a body that the signature does not cover.
    pub(crate) fn unsigned_payload(self) -> Self {
        self.payload_hash("UNSIGNED-PAYLOAD")
    }

    /// With HTTP's chunked coding around the body, in chunks of at most so many bytes.
    pub(crate) fn chunked(mut self, chunk_bytes: usize) -> Self {
        self.framing = Framing::Chunked(chunk_bytes);
        self
    }

    /// Without any header that frames the body: the test adds its own.
    pub(crate) fn own_framing(mut self) -> Self {
        self.framing = Framing::Own;
        self
    }

    /// Without credentials.
    pub(crate) fn anonymous(mut self) -> Self {
        self.signing = Signing::None;
        self
    }

    /// With the credentials in the query, valid for so long.
    pub(crate) fn presigned(mut self, expires: Duration) -> Self {
        self.signing = Signing::Presigned(expires);
        self
    }

    /// Signed by somebody else, or at another time.
    pub(crate) fn signer(mut self, change: impl FnOnce(&mut Signer)) -> Self {
        change(&mut self.signer);
        self
    }

    /// Signed for this service.
    pub(crate) fn service(self, service: &str) -> Self {
        self.signer(|signer| service.clone_into(&mut signer.service))
    }

    /// What signs the chunks of its body, which may be set afterwards: its head does not depend on them.
    pub(crate) fn chunk_signer(&self) -> ChunkSigner {
        let head = self.head();
        let authorization = head.lines().find(|line| line.starts_with("authorization: "));
        self.signer.chunks(authorization.unwrap())
    }

    /// The head as it goes over the wire, up to and with the empty line.
    pub(crate) fn head(&self) -> String {
        let signable = Signable {
            method: &self.method,
            host: &self.host,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
        };
        let (mut query, mut added) = (self.query.clone(), Vec::new());
        match self.signing {
            Signing::Header => {
                let hash = self.payload_hash.clone().unwrap_or_else(|| sha256_hex(&self.body));
                added = self.signer.authorize(signable, &hash);
            }
            Signing::Presigned(expires) => query = self.signer.presign(signable, expires),
            Signing::None => {}
        }
        match self.framing {
            Framing::Length if !self.body.is_empty() || matches!(self.method.as_str(), "PUT" | "POST") => {
                added.push(("content-length".to_owned(), self.body.len().to_string()));
            }
            Framing::Chunked(_) => added.push(("transfer-encoding".to_owned(), "chunked".to_owned())),
            Framing::Length | Framing::Own => {}
        }
        let question_mark = if query.is_empty() { "" } else { "?" };
        let mut head =
            format!("{} {}{question_mark}{query} HTTP/1.1\r\nhost: {}\r\n", self.method, self.path, self.host);
        for (name, value) in self.headers.iter().chain(&self.unsigned).chain(&added) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }

    /// The whole request as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head().into_bytes();
        match self.framing {
            Framing::Length | Framing::Own => bytes.extend_from_slice(&self.body),
            Framing::Chunked(size) => {
                for chunk in self.body.chunks(size) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }

    /// Sends it over a connection of its own.
    pub(crate) fn send(&self) -> Answer {
        self.send_on(&mut self.gateway.connect())
    }

    /// Sends it over this connection.
    pub(crate) fn send_on(&self, connection: &mut Connection) -> Answer {
        connection.write(self.bytes());
        self.answer_on(connection)
    }

    /// Reads and checks the answer to this request, which somebody has sent over this connection.
    pub(crate) fn answer_on(&self, connection: &mut Connection) -> Answer {
        let answer = connection.read_answer(&self.method);
        answer.check(&self.method);
        answer
    }
}

impl Answer {
    /// Asserts the status of a success and gives the answer back.
    pub(crate) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, String::from_utf8_lossy(&self.body));
        self
    }

    /// Asserts a refusal with status and code and gives the document back.
    pub(crate) fn refused(self, status: u16, code: &str) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        assert_eq!((self.status, xml::text(&text, "Code").as_deref()), (status, Some(code)), "{text}");
        text
    }

    /// What every answer of the S3 port has.
    pub(crate) fn check(&self, method: &str) {
        let id = self.header("x-amz-request-id").unwrap_or_else(|| panic!("no request id: {self:?}"));
        assert!(!id.is_empty() && self.header("x-amz-id-2").is_some_and(|id| !id.is_empty()), "{self:?}");
        let date = self.header("date").unwrap_or_else(|| panic!("no date: {self:?}"));
        assert!((parse_http_date(date) - now_seconds()).abs() <= 5, "a wrong date: {date}");
        for (name, _) in self.headers.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
            assert!(name.starts_with("x-amz-meta-") || EXPOSED.contains(&name.as_str()), "pages cannot read {name}");
        }
        if self.status >= 400 && method != "HEAD" {
            assert_eq!(self.header("content-type"), Some("application/xml"), "{self:?}");
            let text = self.text();
            let error = xml::block(&text, "Error").unwrap_or_else(|| panic!("no error document: {text}"));
            assert_eq!(xml::text(error, "RequestId").as_deref(), Some(id), "{text}");
            for name in ["Code", "Message", "Resource", "HostId"] {
                assert!(xml::text(error, name).is_some_and(|text| !text.is_empty()), "no {name}: {text}");
            }
        }
    }
}
