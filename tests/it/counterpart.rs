//! What a generator talks to, played by the test: storage that takes parts and a gateway's API, on one port. It does what they
//! do, unless a script says otherwise, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

use crate::digests::{checksum, etag};
use crate::process::{PATIENCE, poll};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What the script has the counterpart do.
pub(crate) enum Reply {
    /// What it does by itself.
    Usual,
    /// Another status, with further header lines and a body.
    Answer(u16, &'static str, String),
    /// Closes without a word.
    Close,
    /// What it does by itself, once the test says so.
    Later,
}

type Script = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// Storage and gateway.
pub(crate) struct Counterpart {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    script: Script,
    asked: Mutex<Vec<Asked>>,
    parts: Mutex<BTreeMap<u16, Vec<u8>>>,
    released: (Mutex<bool>, Condvar),
}

impl Asked {
    /// The path without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Counterpart {
    /// One that does as it should.
    pub(crate) fn new() -> Self {
        Self::with(|_| Reply::Usual)
    }

    /// One that asks `script` first.
    pub(crate) fn with(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            address,
            script: Box::new(script),
            asked: Mutex::default(),
            parts: Mutex::default(),
            released: (Mutex::new(false), Condvar::new()),
        });
        let accepting = Arc::clone(&shared);
        // The thread ends with the process; a generator that is gone asks nothing any more.
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || shared.serve(&socket.unwrap()));
            }
        });
        Self { address, shared }
    }

    /// The presigned URL of a part.
    pub(crate) fn part_url(&self, number: u16) -> String {
        format!("http://{}/part/{number}?X-Amz-Signature=s", self.address)
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// What was asked of this path so far.
    pub(crate) fn asked_of(&self, path: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.path() == path).collect()
    }

    /// Waits until this path was asked so often.
    pub(crate) fn await_asked(&self, path: &str, times: usize) -> Vec<Asked> {
        poll(&format!("{times} requests to {path}"), || Some(self.asked_of(path)).filter(|asked| asked.len() >= times))
    }

    /// Waits for the report of this generation.
    pub(crate) fn await_report(&self, uuid: &str) -> Value {
        self.await_asked(&format!("/bmp/{uuid}/complete"), 1)[0].json()
    }

    /// A part that is there.
    pub(crate) fn part(&self, number: u16) -> Vec<u8> {
        self.shared.parts.lock().unwrap()[&number].clone()
    }

    /// Puts a part there, as an earlier run did.
    pub(crate) fn has_part(&self, number: u16, bytes: Vec<u8>) {
        self.shared.parts.lock().unwrap().insert(number, bytes);
    }

    /// Answers what waits, and from now on at once.
    pub(crate) fn release(&self) {
        *self.shared.released.0.lock().unwrap() = true;
        self.shared.released.1.notify_all();
    }
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        self.release();
    }
}

impl Shared {
    /// One request; a generator has a connection for each.
    fn serve(&self, socket: &TcpStream) {
        let Some(asked) = read_request(socket) else { return };
        self.asked.lock().unwrap().push(asked.clone());
        let reply = (self.script)(&asked);
        let (status, head, body) = match reply {
            Reply::Close => return,
            Reply::Answer(status, head, body) => (status, head.to_owned(), body),
            Reply::Usual => self.usual(&asked),
            Reply::Later => {
                let (released, bell) = &self.released;
                let released = released.lock().unwrap();
                drop(bell.wait_timeout_while(released, PATIENCE, |released| !*released).unwrap());
                self.usual(&asked)
            }
        };
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status} X\r\n{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
        // A generator that was told to stop does not wait for the answer.
        let _ = (&*socket).write_all(answer.as_bytes());
    }

    fn usual(&self, asked: &Asked) -> (u16, String, String) {
        let ok = |value: Value| (200, "content-type: application/json\r\n".to_owned(), value.to_string());
        let path = asked.path();
        if let Some(number) = path.strip_prefix("/part/") {
            self.parts.lock().unwrap().insert(number.parse().unwrap(), asked.body.clone());
            let head = format!(
                "etag: {}\r\nx-amz-checksum-crc64nvme: {}\r\n",
                etag(&asked.body),
                checksum("crc64nvme", &asked.body)
            );
            return (200, head, String::new());
        }
        match path {
            "/s3/part-urls" => {
                let numbers: Vec<u64> = serde_json::from_value(asked.json()["partNumbers"].clone()).unwrap();
                let url = |number: &u64| format!("http://{}/part/{number}?X-Amz-Signature=renewed", self.address);
                ok(json!({"urls": numbers.iter().map(url).collect::<Vec<_>>(), "expiresAt": "2100-01-01T00:00:00Z"}))
            }
            "/s3/parts" => {
                let parts = self.parts.lock().unwrap();
                let part = |(number, bytes): (&u16, &Vec<u8>)| json!({"partNumber": number, "eTag": etag(bytes), "size": bytes.len()});
                ok(json!({"parts": parts.iter().map(part).collect::<Vec<_>>()}))
            }
            _ => ok(json!({})),
        }
    }
}

fn read_request(socket: &TcpStream) -> Option<Asked> {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(socket);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        Some(line.trim_end().to_owned())
    };
    let request = line()?;
    let mut words = request.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap();
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, target, headers, body })
}
