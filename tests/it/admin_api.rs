//! The administration on port 9001: who may, and who is refused; and `--api`.

use std::process::Command;

use serde_json::Value;

use crate::admin::{assert_failed, assert_known, command, list_buckets, pair, succeed};
use crate::certificate::Certificate;
use crate::digests::base64;
use crate::gateway::{ACCESS_KEY, Gateway, Launch, SECRET_KEY};
use crate::http::{Answer, Connection};
use crate::process::{directory, run, wharf};

/// What port 9001 answers to a request with these headers and this body.
fn ask(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut connection = Connection::open(gateway.api, gateway.tls.as_ref());
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", gateway.api);
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    connection.write(format!("{request}Content-Length: {}\r\n\r\n{body}", body.len()));
    connection.read_answer(method)
}

fn basic(access_key: &str, secret_key: &str) -> String {
    format!("Basic {}", base64(format!("{access_key}:{secret_key}")))
}

fn code(answer: &Answer) -> String {
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    document["error"]["code"].as_str().unwrap().to_owned()
}

/// `wharf` with `--api`, and the root credentials in the environment.
fn over_api(gateway: &Gateway, arguments: &[&str]) -> Command {
    let mut command = wharf(arguments);
    command.arg("--api").arg(gateway.ready["api"].as_str().unwrap());
    command.env("WHARF_ACCESS_KEY", ACCESS_KEY).env("WHARF_SECRET_KEY", SECRET_KEY);
    command
}

#[test]
fn only_root_may() {
    let gateway = Launch::new().start();
    let user = pair(&succeed(command(&gateway.data_dir, &["key", "create", "--policy", "readwrite", "--json"])));
    let get = |headers: &[(&str, &str)]| ask(&gateway, "GET", "/admin/keys", headers, "");
    let token = |key: &str| succeed(command(&gateway.data_dir, &["key", "token", key]));
    let root = basic(ACCESS_KEY, SECRET_KEY);

    let answer = get(&[("Authorization", &root)]).ok(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(!answer.text().contains(&user.1) && answer.text().contains(&user.0), "{}", answer.text());
    let bearer = format!("Bearer {}", token(ACCESS_KEY));
    get(&[("Authorization", &bearer)]).ok(200);

    // Somebody, but not root.
    for authorization in [basic(&user.0, &user.1), format!("Bearer {}", token(&user.0))] {
        let answer = get(&[("Authorization", &authorization)]);
        assert_eq!((answer.status, code(&answer)), (403, "AccessDenied".to_owned()));
    }
    // Root, but narrowed.
    let narrowed = succeed(command(&gateway.data_dir, &["key", "token", ACCESS_KEY, "--policy", "readonly"]));
    assert_eq!(get(&[("Authorization", &format!("Bearer {narrowed}"))]).status, 403);

    // Nobody: one answer, whatever is wrong.
    let bad = [
        basic(ACCESS_KEY, "wrong-secret"),
        basic("nobody", SECRET_KEY),
        basic("", ""),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        format!("Basic {}", base64(b"no colon")),
        format!("Basic {}", base64(b"\xff\xfe:\xff")),
        format!("Bearer {}x", token(ACCESS_KEY)),
        "Bearer ".to_owned(),
        "Digest username=\"x\"".to_owned(),
    ];
    let none = get(&[]);
    for answer in bad.iter().map(|bad| get(&[("Authorization", bad)])).chain([none.clone()]) {
        assert_eq!((answer.status, &answer.body), (401, &none.body));
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic realm=") && challenge.contains("Bearer"), "{challenge}");
    }
    assert_eq!(get(&[("Authorization", &root), ("Authorization", &root)]).status, 401);

    // A disabled key, an ended token.
    succeed(command(&gateway.data_dir, &["key", "disable", &user.0]));
    assert_eq!(get(&[("Authorization", &basic(&user.0, &user.1))]).status, 401);
    succeed(command(&gateway.data_dir, &["key", "token", ACCESS_KEY, "--end-all"]));
    assert_eq!(get(&[("Authorization", &bearer)]).status, 401);
    let stderr = gateway.stderr();
    assert!(!stderr.contains(&user.1) && !stderr.contains("wharf_"), "{stderr}");
}

#[test]
fn pages_of_other_origins_are_refused_before_their_body() {
    let gateway = Launch::new().start();
    let root = basic(ACCESS_KEY, SECRET_KEY);
    let own = format!("http://{}", gateway.api);
    for (origin, status) in
        [("http://evil.example", 403), ("null", 403), (gateway.ready["s3"].as_str().unwrap(), 403), (&own, 201)]
    {
        let headers = [("Authorization", root.as_str()), ("Origin", origin)];
        assert_eq!(ask(&gateway, "POST", "/admin/keys", &headers, "{}").status, status, "{origin}");
    }
    // Its body was not asked for.
    let mut connection = Connection::open(gateway.api, None);
    let head = format!("POST /admin/keys HTTP/1.1\r\nHost: {}\r\nOrigin: http://evil.example\r\n", gateway.api);
    connection.write(format!("{head}Authorization: {root}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    let answer = connection.read_answer("POST");
    assert_eq!((answer.status, answer.interim.len()), (403, 0));
    // Credentials are not looked at either: an answer to a page must not tell whether they are good.
    assert_eq!(ask(&gateway, "GET", "/admin/keys", &[("Origin", "http://evil.example")], "").status, 403);
    gateway.ask_api("/health/ready").ok(200);
    assert_eq!(gateway.ask_api("/admin").status, 404);
}

#[test]
fn commands_go_over_the_api() {
    let gateway = Launch::new().start();
    let key = pair(&succeed(over_api(&gateway, &["key", "create", "--json"])));
    assert_known(&gateway, &key);
    succeed(over_api(&gateway, &["key", "disable", &key.0]));
    list_buckets(&gateway, &key).refused(403, "InvalidAccessKeyId");

    let mut wrong = over_api(&gateway, &["key", "list"]);
    wrong.env("WHARF_SECRET_KEY", "another-secret");
    assert_failed(&run(wrong), 1, "Unauthorized");
    let mut without = over_api(&gateway, &["key", "list"]);
    without.env_remove("WHARF_SECRET_KEY").env_remove("WHARF_ACCESS_KEY");
    assert_failed(&run(without), 2, "access-key");
    for (url, said) in [
        ("127.0.0.1", "http://HOST:PORT"),
        ("ftp://127.0.0.1", "http://HOST:PORT"),
        ("http://a:b@127.0.0.1", "credentials"),
        ("http://127.0.0.1/path", "path"),
        ("https://127.0.0.1", "--tls-cert"),
    ] {
        let mut command = wharf(&["key", "list", "--api", url]);
        command.env("WHARF_ACCESS_KEY", ACCESS_KEY).env("WHARF_SECRET_KEY", SECRET_KEY);
        assert_failed(&run(command), 2, said);
    }
    let mut nobody = wharf(&["key", "list", "--api", "http://127.0.0.1:1"]);
    nobody.env("WHARF_ACCESS_KEY", ACCESS_KEY).env("WHARF_SECRET_KEY", SECRET_KEY);
    assert_failed(&run(nobody), 1, "cannot connect");
    // Port 9000 is not the API.
    let mut other = wharf(&["key", "list", "--api", gateway.ready["s3"].as_str().unwrap()]);
    other.env("WHARF_ACCESS_KEY", ACCESS_KEY).env("WHARF_SECRET_KEY", SECRET_KEY);
    assert_failed(&run(other), 1, "API");
}

#[test]
fn over_tls_only_the_right_certificate_is_believed() {
    let directory = directory();
    let (own, other) = (Certificate::new(&directory, "own"), Certificate::new(&directory, "other"));
    let gateway = Launch::on(&directory).tls(&own).start();
    for (flag, file, good) in [
        ("--tls-cert", &own.cert, true),
        ("--tls-cert", &other.cert, false),
        ("--ca-file", &own.cert, true),
        ("--ca-file", &other.cert, false),
    ] {
        let mut command = over_api(&gateway, &["key", "create", "--json"]);
        command.arg(flag).arg(file);
        if flag == "--tls-cert" {
            command.arg("--tls-key").arg(&own.key);
        }
        let ended = run(command);
        match good {
            true => assert_known(&gateway, &pair(&ended.stdout.join("\n"))),
            false => assert_failed(&ended, 1, "TLS"),
        }
    }
}
