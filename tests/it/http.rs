//! A small blocking HTTP/1.1 client that sends whatever bytes it is given and reads answers strictly.
//!
//! Every read and write has a deadline, so a gateway that hangs fails the test instead of stopping it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// Longest wait for one read or write.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Connection {
    stream: Stream,
    /// Bytes that arrived and belong to no answer yet.
    buffer: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The final status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
    /// The 1xx statuses that came before.
    pub interim: Vec<u16>,
}

struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Connection {
    /// Connects; over TLS when there is a configuration.
    pub(crate) fn open(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let stream = match tls {
            None => Stream::Plain(socket),
            Some(tls) => {
                let name = ServerName::from(address.ip());
                let client = ClientConnection::new(Arc::clone(tls), name).unwrap();
                Stream::Tls(Box::new(StreamOwned::new(client, socket)))
            }
        };
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_write(bytes).unwrap();
    }

    /// Sends bytes; a gateway that has closed already is for the caller to judge.
    pub(crate) fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes.as_ref()),
            Stream::Tls(stream) => stream.write_all(bytes.as_ref()).and_then(|()| stream.flush()),
        }
    }

    /// A second handle on the socket, to write from another thread while this one reads.
    pub(crate) fn writer(&self) -> TcpStream {
        self.socket().try_clone().unwrap()
    }

    /// Sends nothing any more, but still reads.
    pub(crate) fn end_writing(&mut self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Closes without a word.
    pub(crate) fn abandon(self) {
        // The peer may have closed first, which is what was wanted.
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    /// The answer to a request of this method.
    pub(crate) fn read_answer(&mut self, method: &str) -> Answer {
        self.try_read_answer(method).unwrap()
    }

    /// The answer to a request of this method; an error when the connection ends before or within it.
    pub(crate) fn try_read_answer(&mut self, method: &str) -> io::Result<Answer> {
        let mut interim = Vec::new();
        let head = loop {
            let head = self.read_head()?;
            if (100..200).contains(&head.status) {
                interim.push(head.status);
            } else {
                break head;
            }
        };
        let mut answer = Answer { status: head.status, headers: head.headers, body: Vec::new(), interim };
        let bodiless = method == "HEAD" || matches!(answer.status, 204 | 304);
        if !bodiless {
            answer.body = self.read_body(&answer)?;
        }
        Ok(answer)
    }

    /// The head of an answer whose body comes bit by bit, in chunks.
    pub(crate) fn read_stream_head(&mut self) -> Answer {
        let head = self.read_head().unwrap();
        let answer = Answer { status: head.status, headers: head.headers, body: Vec::new(), interim: Vec::new() };
        assert!(answer.status >= 400 || answer.header("transfer-encoding") == Some("chunked"), "{answer:?}");
        answer
    }

    /// The next chunk of such a body; nothing at its end.
    pub(crate) fn read_stream_chunk(&mut self) -> Vec<u8> {
        let size = usize::from_str_radix(&self.read_line().unwrap(), 16).unwrap();
        let chunk = self.read_exact(size).unwrap();
        assert_eq!(self.read_line().unwrap(), "", "a chunk ends with its line");
        chunk
    }

    /// Waits for one 1xx answer.
    pub(crate) fn read_interim(&mut self) -> u16 {
        let head = self.read_head().unwrap();
        assert!((100..200).contains(&head.status), "a final answer {} where an interim one was due", head.status);
        head.status
    }

    /// Waits until something has arrived, and says how many bytes are here.
    pub(crate) fn peek(&mut self) -> usize {
        while self.buffer.is_empty() {
            self.fill_some().unwrap();
        }
        self.buffer.len()
    }

    /// Waits until the gateway closes, and asserts that nothing comes before it does.
    pub(crate) fn assert_closes(&mut self) {
        assert!(self.buffer.is_empty(), "bytes behind the answer: {:?}", String::from_utf8_lossy(&self.buffer));
        match self.fill() {
            Ok(0) => {}
            Ok(_) => panic!("bytes behind the answer: {:?}", String::from_utf8_lossy(&self.buffer)),
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {}
            // A TLS peer that closes without its farewell.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => panic!("the connection stays open: {error}"),
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut bytes = vec![0; 64 << 10];
        let count = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut bytes)?,
            Stream::Tls(stream) => stream.read(&mut bytes)?,
        };
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn fill_some(&mut self) -> io::Result<()> {
        match self.fill()? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                self.buffer.drain(..at + 2);
                return Ok(line);
            }
            self.fill_some()?;
        }
    }

    fn read_exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill_some()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn read_head(&mut self) -> io::Result<Head> {
        let status_line = self.read_line()?;
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {status_line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(Head { status, headers });
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line:?}"));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn read_body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        if answer.header("transfer-encoding") == Some("chunked") {
            return self.read_chunks();
        }
        match answer.header("content-length") {
            Some(length) => self.read_exact(length.parse().unwrap()),
            None => {
                assert!(answer.closes(), "an answer without length must close: {answer:?}");
                while self.fill()? > 0 {}
                Ok(std::mem::take(&mut self.buffer))
            }
        }
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.read_line()?, 16).unwrap();
            body.extend(self.read_exact(size)?);
            assert_eq!(self.read_line()?, "", "a chunk ends with its line");
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

impl Answer {
    /// The value of a header that comes at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} comes twice: {:?}", self.headers);
        value
    }

    /// Whether the gateway said it would close.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}
