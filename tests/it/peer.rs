//! Somebody whom the gateway calls, played by the test: a generator, or who is called back. Answers as its script says, and
//! remembers what came.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::process::{PATIENCE, poll};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    /// Method and target.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A listener on loopback that is gone, with its port, when it is dropped.
pub(crate) struct Peer {
    pub address: SocketAddr,
    pub called: Receiver<Called>,
    script: Arc<Mutex<VecDeque<&'static str>>>,
    thread: Option<JoinHandle<()>>,
}

impl Called {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Peer {
    /// One on a free port, whose answers are 202.
    pub(crate) fn new() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// One on this port, which may have been another's a moment ago.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let listener = poll("the port", || TcpListener::bind(address).ok());
        let address = listener.local_addr().unwrap();
        let script: Arc<Mutex<VecDeque<&'static str>>> = Arc::default();
        let (sender, called) = channel();
        let said = Arc::clone(&script);
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                // Whoever connects and says nothing tells it to end.
                if !answer(&socket.unwrap(), &said, &sender) {
                    return;
                }
            }
        });
        Self { address, called, script, thread: Some(thread) }
    }

    /// The next answers: a status line's rest, and further header lines.
    pub(crate) fn script(&self, answers: &[&'static str]) {
        self.script.lock().unwrap().extend(answers);
    }

    /// What comes next.
    pub(crate) fn next(&self, what: &str) -> Called {
        self.called.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what} did not come"))
    }

    /// The next request of this method and target; others are passed over.
    pub(crate) fn next_of(&self, line: &str) -> Called {
        loop {
            let called = self.next(line);
            if called.line == line {
                return called;
            }
        }
    }

    /// Asserts that nothing came that was not looked at.
    pub(crate) fn assert_quiet(&self) {
        let rest: Vec<_> = self.called.try_iter().map(|called| called.line).collect();
        assert!(rest.is_empty(), "{rest:?}");
    }

    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Ok(socket) = TcpStream::connect(self.address) {
            drop(socket);
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Answers one request; false where none came.
fn answer(socket: &TcpStream, script: &Mutex<VecDeque<&'static str>>, sender: &Sender<Called>) -> bool {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(socket);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let line = lines[0].trim_end_matches(" HTTP/1.1").to_owned();
    let said = script.lock().unwrap().pop_front().unwrap_or("202 Accepted");
    let (status, more) =
        said.split_once('\n').map_or((said, String::new()), |(status, more)| (status, format!("{more}\r\n")));
    let answer = format!("HTTP/1.1 {status}\r\n{more}content-length: 2\r\nconnection: close\r\n\r\n{{}}");
    // A gateway that was killed does not wait for it.
    let _ = (&*socket).write_all(answer.as_bytes());
    let _ = sender.send(Called { line, headers, body });
    true
}
