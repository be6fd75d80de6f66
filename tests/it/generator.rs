//! `wharf generator` as a process, and what it asks of those who order images.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::ClientConfig;
use serde_json::{Value, json};

use crate::counterpart::{Counterpart, Reply};
use crate::http::{Answer, Connection};
use crate::process::{Ended, PATIENCE, Process, poll, run, wharf};

/// The token of every generator here.
pub(crate) const TOKEN: &str = "generator-token";

/// A running generator.
pub(crate) struct Generator {
    pub address: SocketAddr,
    pub ready: Value,
    tls: Option<Arc<ClientConfig>>,
    process: Mutex<Process>,
}

impl Generator {
    pub(crate) fn new() -> Self {
        Self::start(&mut Self::command(&[]))
    }

    /// The command of a generator on a free port, with further arguments.
    pub(crate) fn command(arguments: &[&str]) -> Command {
        let mut command = wharf(&["generator", "--generator-listen", "127.0.0.1:0"]);
        command.args(arguments).env("WHARF_GENERATOR_TOKEN", TOKEN);
        command
    }

    /// Starts it and waits for its ready line.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_over(command, None)
    }

    /// The same where it is asked over TLS.
    pub(crate) fn start_over(command: &mut Command, tls: Option<Arc<ClientConfig>>) -> Self {
        let mut process = Process::start(command);
        let Ok(line) = process.stdout.recv_timeout(PATIENCE) else {
            panic!("the generator did not become ready: {}", process.kill().stderr);
        };
        let ready: Value = serde_json::from_str(&line).unwrap();
        let scheme = if tls.is_some() { "https://" } else { "http://" };
        let address = ready["generator"].as_str().unwrap().strip_prefix(scheme).unwrap().parse().unwrap();
        Self { address, ready, tls, process: Mutex::new(process) }
    }

    /// The answer to a request with these header lines.
    pub(crate) fn ask(&self, method: &str, path: &str, head: &str, body: &str) -> Answer {
        let mut connection = Connection::open(self.address, self.tls.as_ref());
        let length = body.len();
        connection
            .write(format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{head}\r\n{body}"));
        connection.read_answer(method)
    }

    /// The answer to a POST with the token.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &format!("authorization: Bearer {TOKEN}\r\n"), &body.to_string())
    }

    /// Orders an image, which is to be accepted.
    pub(crate) fn accepts(&self, order: &Value) {
        let answer = self.post("/generate", order);
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &said["ok"], &said["status"]), (202, &json!(true), &json!("ACCEPTED")));
        assert!(said["queued"].is_boolean() && said["known"].is_boolean(), "{said}");
    }

    pub(crate) fn cancel(&self, uuid: &str) {
        let answer = self.post("/cancel", &json!({"generationUuid": uuid}));
        assert_eq!((answer.status, answer.text().trim_end()), (200, r#"{"ok":true}"#));
    }

    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.process().child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    pub(crate) fn wait(&self) -> Ended {
        self.process().wait()
    }

    pub(crate) fn stderr(&self) -> String {
        self.process().stderr.lock().unwrap().clone()
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap()
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        if let Ok(process) = self.process.get_mut() {
            let ended = process.kill();
            if !std::thread::panicking() {
                assert!(!ended.stderr.contains("panicked"), "the generator panicked: {}", ended.stderr);
            }
        }
    }
}

/// An order of a red image of these measures and 32 bits a pixel, whose parts go to the counterpart.
pub(crate) fn order(counterpart: &Counterpart, uuid: &str, (width, height): (u32, u32), part_size: u64) -> Value {
    let volume = 54 + u64::from(width) * u64::from(height) * 4;
    let parts = u16::try_from(volume.div_ceil(part_size)).unwrap();
    json!({
        "partUploadUrls": (1..=parts).map(|number| counterpart.part_url(number)).collect::<Vec<_>>(),
        "uploadId": "upload/1", "objectName": "images/ä b.bmp", "auth": {"type": "Bearer", "token": "the-generation's"},
        "generationUuid": uuid, "bmpWidth": width, "bmpHeight": height, "bmpVolume": volume, "bitsPerPixel": 32,
        "pattern": {"kind": "solid", "color": "#FF0102"}, "partSize": part_size,
        "callbackBaseUrl": format!("http://{}", counterpart.address),
    })
}

/// The code and the message of an error.
fn refused(answer: &Answer, status: u16) -> (String, String) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let error: Value = serde_json::from_str(&answer.text()).unwrap();
    let text = |name: &str| error["error"][name].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

#[test]
fn the_ready_line_is_all_it_prints() {
    let generator = Generator::new();
    assert_eq!(generator.ready["ready"], true);
    assert_eq!(generator.ready["version"], env!("CARGO_PKG_VERSION"));
    assert!(matches!(generator.ready["backend"].as_str(), Some("cpu" | "cuda")), "{}", generator.ready);
    for path in ["/health/live", "/health/ready"] {
        generator.ask("GET", path, "", "").ok(200);
    }
    generator.terminate();
    let ended = generator.wait();
    assert_eq!((ended.status.code(), ended.stdout), (Some(0), vec![]), "{}", ended.stderr);
}

#[test]
fn settings_that_cannot_be_are_named() {
    for (arguments, token, named) in [
        (&["--generator-listen", "0.0.0.0:0"][..], None, "generator-token"),
        (&["--generator-listen", "127.0.0.1:0,[::]:0"], None, "generator-token"),
        (&["--generator-listen", "127.0.0.1:0"], Some("short"), "generator-token"),
        (&["--generator-listen", "nowhere"], None, "generator-listen"),
        (&["--generator-allow", "http://h"], None, "generator-allow"),
        (&["--tls-self-signed", "on"], None, "tls-self-signed"),
        (&["--tls-cert", "/nowhere", "--tls-key", "/nowhere"], None, "tls-cert"),
    ] {
        let mut command = wharf(&["generator"]);
        command.args(arguments).envs(token.map(|token| ("WHARF_GENERATOR_TOKEN", token)));
        let ended = run(command);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty() && ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn who_has_no_token_is_refused_before_the_body() {
    let generator = Generator::new();
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    for head in [
        String::new(),
        bearer("generator-tokem"),
        bearer("generator-toke"),
        bearer("generator-token-"),
        bearer(""),
        format!("authorization: Basic {TOKEN}\r\n"),
        format!("authorization: {TOKEN}\r\n"),
        format!("{0}{0}", bearer(TOKEN)),
    ] {
        for path in ["/generate", "/cancel"] {
            let mut connection = Connection::open(generator.address, None);
            let framing = "host: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n";
            connection.write(format!("POST {path} HTTP/1.1\r\n{framing}{head}\r\n"));
            let answer = connection.read_answer("POST");
            assert_eq!(refused(&answer, 401).0, "Unauthorized", "{head}");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{answer:?}");
            assert!(answer.interim.is_empty(), "{answer:?}");
        }
    }
    let page = format!("{}origin: http://{}\r\n", bearer(TOKEN), generator.address);
    assert_eq!(refused(&generator.ask("POST", "/generate", &page, "{}"), 403).0, "AccessDenied");
    let right = format!("authorization: bEaReR   {TOKEN}\r\n");
    refused(&generator.ask("POST", "/generate", &right, "{}"), 400);
}

#[test]
fn without_a_token_loopback_orders_freely_but_pages_do_not() {
    let mut command = wharf(&["generator", "--generator-listen", "127.0.0.1:0"]);
    let generator = Generator::start(&mut command);
    let counterpart = Counterpart::new();
    let order = order(&counterpart, "free", (2, 2), 100).to_string();
    let page = "origin: http://evil.example\r\ncontent-type: text/plain\r\n";
    refused(&generator.ask("POST", "/generate", page, &order), 403);
    assert_eq!(generator.ask("POST", "/generate", "", &order).status, 202);
    assert_eq!(counterpart.await_report("free")["isSuccess"], true);
    assert!(generator.stderr().contains("generator-token"), "{}", generator.stderr());
}

#[test]
fn everything_else_is_not_found_or_not_allowed() {
    let generator = Generator::new();
    for (method, path, status) in [
        ("GET", "/generate", 405),
        ("PUT", "/cancel", 405),
        ("POST", "/health/live", 405),
        ("GET", "/", 404),
        ("POST", "/generate/", 404),
        ("GET", "/metrics", 404),
    ] {
        refused(&generator.ask(method, path, "", ""), status);
    }
}

#[test]
fn wrong_fields_are_named() {
    let generator = Generator::new();
    let counterpart = Counterpart::new();
    let good = order(&counterpart, "wrong", (2, 2), 30);
    let url = counterpart.part_url(1);
    for (field, value, named) in [
        ("generationUuid", json!(7), "generationUuid"),
        ("bmpWidth", json!(0), "bmpWidth"),
        ("bmpHeight", json!(null), "bmpHeight"),
        ("bitsPerPixel", json!(16), "bitsPerPixel"),
        ("bmpVolume", json!(1), "bmpVolume"),
        ("partSize", json!(0), "partSize"),
        ("partSize", json!("30"), "partSize"),
        ("partNumbers", json!([3, 2, 1]), "partNumbers[1]"),
        ("partNumbers", json!([1, 2]), "partUploadUrls"),
        ("partUploadUrls", json!([url]), "partUploadUrls"),
        ("partUploadUrls", json!([url, url, "nonsense"]), "partUploadUrls[2]"),
        ("uploadId", json!(null), "uploadId"),
        ("objectName", json!(""), "objectName"),
        ("auth", json!({"type": "Bearer", "token": ""}), "auth.token"),
        ("callbackBaseUrl", json!(null), "callbackBaseUrl"),
    ] {
        let mut order = good.clone();
        order[field] = value;
        let (code, message) = refused(&generator.post("/generate", &order), 400);
        assert_eq!(code, "InvalidRequest");
        assert!(message.starts_with(&format!("{named} ")), "{field}: {message}");
    }
    assert!(refused(&generator.post("/generate", &json!([])), 400).1.starts_with("the body "));
    assert!(refused(&generator.post("/cancel", &json!({})), 400).1.starts_with("generationUuid "));
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    let long = generator.ask("POST", "/cancel", &token, &"x".repeat(5000));
    assert_eq!(refused(&long, 413).0, "EntityTooLarge");
    // What declares too much is refused before it comes.
    let mut connection = Connection::open(generator.address, None);
    connection.write(format!("POST /generate HTTP/1.1\r\nhost: x\r\n{token}content-length: 16777217\r\n\r\n"));
    assert_eq!(refused(&connection.read_answer("POST"), 413).0, "EntityTooLarge");
    assert!(counterpart.asked().is_empty(), "{:?}", counterpart.asked());
}

#[test]
fn parts_and_reports_go_to_allowed_hosts_alone() {
    // The image would be a gift for whatever takes a PUT, and the report one with a token in it.
    let generator = Generator::new();
    let counterpart = Counterpart::new();
    let port = counterpart.address.port();
    for host in [
        "10.0.0.1",
        "192.168.1.1:80",
        "169.254.169.254",
        "0.0.0.0",
        "[::]",
        "[::ffff:10.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "user@127.0.0.1",
        "127.0.0.1@10.0.0.1",
        "nobody.invalid",
    ] {
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:{port}") };
        let mut parts = order(&counterpart, "elsewhere", (2, 2), 100);
        parts["partUploadUrls"] = json!([format!("http://{host}/part/1")]);
        let (_, message) = refused(&generator.post("/generate", &parts), 400);
        assert!(message.starts_with("partUploadUrls[0] "), "{host}: {message}");
        let mut reports = order(&counterpart, "elsewhere", (2, 2), 100);
        reports["callbackBaseUrl"] = json!(format!("http://{host}"));
        let (_, message) = refused(&generator.post("/generate", &reports), 400);
        assert!(message.starts_with("callbackBaseUrl "), "{host}: {message}");
    }
    for scheme in ["file", "ftp", "gopher", "javascript"] {
        let mut order = order(&counterpart, "elsewhere", (2, 2), 100);
        order["partUploadUrls"] = json!([format!("{scheme}://127.0.0.1:{port}/part/1")]);
        refused(&generator.post("/generate", &order), 400);
    }
    assert!(counterpart.asked().is_empty(), "{:?}", counterpart.asked());
    // With another list loopback is elsewhere.
    let generator = Generator::start(&mut Generator::command(&["--generator-allow", "10.0.0.0/8,files.example.com"]));
    refused(&generator.post("/generate", &order(&counterpart, "elsewhere", (2, 2), 100)), 400);
    let generator = Generator::start(&mut Generator::command(&["--generator-allow", "localhost"]));
    let mut named = order(&counterpart, "named", (2, 2), 100);
    refused(&generator.post("/generate", &named), 400);
    named["partUploadUrls"] = json!([format!("http://LocalHost:{port}/part/1")]);
    named["callbackBaseUrl"] = json!(format!("http://localhost:{port}"));
    generator.accepts(&named);
    assert_eq!(counterpart.await_report("named")["isSuccess"], true);
}

#[test]
fn a_redirect_leads_nowhere() {
    let elsewhere = Counterpart::new();
    let location: &str = format!("location: http://{}/part/1\r\n", elsewhere.address).leak();
    let counterpart = Counterpart::with(move |asked| match asked.path() {
        "/part/1" => Reply::Answer(307, location, String::new()),
        _ => Reply::Usual,
    });
    let generator = Generator::new();
    generator.accepts(&order(&counterpart, "redirected", (2, 2), 100));
    let report = counterpart.await_report("redirected");
    assert_eq!(report["isSuccess"], false);
    assert!(report["errorMessage"].as_str().unwrap().contains("307"), "{report}");
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn a_full_queue_says_when_to_come_back() {
    let counterpart = Counterpart::with(|asked| match asked.path() {
        "/part/1" => Reply::Later,
        _ => Reply::Usual,
    });
    let generator = Generator::new();
    let named = |uuid: String| order(&counterpart, &uuid, (2, 2), 100);
    let mut accepted = 0;
    let full = loop {
        let answer = generator.post("/generate", &named(format!("full-{accepted}")));
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 1000, "a queue without an end");
    };
    assert_eq!(refused(&full, 429).0, "TooManyRequests");
    assert!(full.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    // What waits or is under way is known by its id, and not taken twice.
    for number in 0..accepted {
        generator.accepts(&named(format!("full-{number}")));
    }
    generator.cancel(&format!("full-{}", accepted - 1));
    generator.accepts(&named("one-more".to_owned()));
    refused(&generator.post("/generate", &named("two-more".to_owned())), 429);
    counterpart.release();
    for number in 0..accepted - 1 {
        assert_eq!(counterpart.await_report(&format!("full-{number}"))["isSuccess"], true);
    }
    counterpart.await_report("one-more");
    assert_eq!(counterpart.asked_of("/part/1").len(), accepted, "each once, and the cancelled one never");
    poll("room in the queue", || (generator.post("/generate", &named("again".to_owned())).status == 202).then_some(()));
}
