//! Requests to the upload API on port 9001: JSON and forms, from whoever they come; and the URLs that it hands out.

use serde_json::Value;

use crate::admin::{command, succeed};
use crate::digests::base64;
use crate::form::BOUNDARY;
use crate::gateway::{ACCESS_KEY, Gateway, SECRET_KEY};
use crate::http::{Answer, Connection};
use crate::key::Key;
use crate::signer::encode_query;

/// A request being put together. It comes from the root key, over HTTP Basic, unless told otherwise.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    gateway: &'a Gateway,
    method: String,
    target: String,
    host: String,
    authorization: Option<String>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A form of fields and files, in the order in which they are added.
#[derive(Clone, Default)]
pub(crate) struct Multipart(Vec<u8>);

/// The value of `Authorization` of an access key and its secret.
pub(crate) fn basic(access_key: &str, secret_key: &str) -> String {
    format!("Basic {}", base64(format!("{access_key}:{secret_key}")))
}

impl Gateway {
    /// A request to port 9001; the target is the path and perhaps a query, as they go over the wire.
    pub(crate) fn api(&self, method: &str, target: &str) -> Call<'_> {
        Call {
            gateway: self,
            method: method.to_owned(),
            target: target.to_owned(),
            host: self.api.to_string(),
            authorization: Some(basic(ACCESS_KEY, SECRET_KEY)),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A bearer token of this key, with more arguments of `wharf key token`. A policy stands in them as its text.
    pub(crate) fn token(&self, key: &str, more: &[&str]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut arguments = vec!["key", "token", key];
        for argument in more {
            if argument.starts_with('{') {
                std::fs::write(file.path(), argument).unwrap();
                arguments.push(file.path().to_str().unwrap());
            } else {
                arguments.push(argument);
            }
        }
        succeed(command(&self.data_dir, &arguments)).trim().to_owned()
    }

    /// Uses a URL that the gateway handed out, without any credentials but those in it.
    pub(crate) fn visit(&self, method: &str, url: &str, body: impl AsRef<[u8]>) -> Answer {
        let (_, rest) = url.split_once("://").unwrap_or_else(|| panic!("no URL: {url}"));
        let (host, target) = rest.split_once('/').unwrap_or_else(|| panic!("no path: {url}"));
        let body = body.as_ref();
        let mut connection = self.connect();
        let head = format!("{method} /{target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.write([head.as_bytes(), body].concat());
        let answer = connection.read_answer(method);
        answer.check(method);
        answer
    }
}

impl Call<'_> {
    /// From this key, over HTTP Basic.
    pub(crate) fn by(self, key: &Key) -> Self {
        self.authorized(&basic(&key.id, &key.secret))
    }

    /// From whoever has this token.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.authorized(&format!("Bearer {token}"))
    }

    /// With this `Authorization`.
    pub(crate) fn authorized(mut self, value: &str) -> Self {
        self.authorization = Some(value.to_owned());
        self
    }

    /// From nobody in particular.
    pub(crate) fn anonymous(mut self) -> Self {
        self.authorization = None;
        self
    }

    /// With a parameter more in the query, which is encoded here.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        let mark = if self.target.contains('?') { '&' } else { '?' };
        self.target.push_str(&format!("{mark}{}={}", encode_query(name), encode_query(value)));
        self
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
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

    /// With a body of JSON.
    pub(crate) fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }

    /// With a form as its body.
    pub(crate) fn form(self, form: &Multipart) -> Self {
        self.header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}")).body(form.bytes())
    }

    /// Its head as it goes over the wire, up to and with the empty line.
    pub(crate) fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(authorization) = &self.authorization {
            head.push_str(&format!("Authorization: {authorization}\r\n"));
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head + "\r\n"
    }

    /// Its body.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// A connection to where it goes.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.gateway.api, self.gateway.tls.as_ref())
    }

    /// Sends it over a connection of its own.
    pub(crate) fn send(&self) -> Answer {
        self.send_on(&mut self.connect())
    }

    /// Sends it over this connection.
    pub(crate) fn send_on(&self, connection: &mut Connection) -> Answer {
        connection.write([self.head().as_bytes(), &self.body].concat());
        self.answer_on(connection)
    }

    /// Sends its head, says that it waits, and reads the answer; the body never comes.
    pub(crate) fn send_head(&self) -> Answer {
        let mut connection = self.connect();
        connection.write(self.clone().header("expect", "100-continue").head());
        let answer = self.answer_on(&mut connection);
        assert!(answer.interim.is_empty(), "the body was asked for: {answer:?}");
        answer
    }

    /// Reads and checks the answer to this request, which somebody has sent over this connection.
    pub(crate) fn answer_on(&self, connection: &mut Connection) -> Answer {
        let answer = connection.read_answer(&self.method);
        if self.method != "HEAD" && answer.status != 204 && !answer.body.is_empty() {
            assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        }
        if answer.status >= 400 && self.method != "HEAD" && self.method != "OPTIONS" {
            let error = &answer.json()["error"];
            assert!(error["code"].is_string() && error["message"].is_string(), "no error: {answer:?}");
        }
        assert_eq!(answer.header("retry-after").is_some(), matches!(answer.status, 429 | 503), "{answer:?}");
        assert_eq!(answer.header("allow").is_some(), answer.status == 405, "{answer:?}");
        answer
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Asserts a refusal by the API with status and code and gives what it said.
    pub(crate) fn fails(self, status: u16, code: &str) -> Value {
        let error = self.json()["error"].clone();
        assert_eq!((self.status, error["code"].as_str()), (status, Some(code)), "{error}");
        error
    }

    /// Asserts a refusal of a field: 400, and its name.
    pub(crate) fn blames(self, field: &str) {
        let error = self.fails(400, "InvalidRequest");
        assert_eq!(error["field"], field, "{error}");
        assert!(error["message"].as_str().unwrap().contains(&format!("\"{field}\"")), "{error}");
    }
}

impl Multipart {
    /// With a field more.
    pub(crate) fn field(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        self.0.extend_from_slice(format!("{head}{}\r\n", value.as_ref()).as_bytes());
        self
    }

    /// With the file, as browsers call a piece of one.
    pub(crate) fn file(self, bytes: impl AsRef<[u8]>) -> Self {
        self.named_file("blob", bytes)
    }

    /// With the file and its name.
    pub(crate) fn named_file(mut self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n");
        self.0.extend_from_slice(format!("{head}Content-Type: application/octet-stream\r\n\r\n").as_bytes());
        self.0.extend_from_slice(bytes.as_ref());
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// As it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.0, format!("--{BOUNDARY}--\r\n").as_bytes()].concat()
    }
}
