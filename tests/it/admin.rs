//! `wharf key`, `wharf bucket` and `wharf upload` through `admin.sock` of a running gateway, and what the socket takes.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::gateway::{Gateway, Launch};
use crate::http::Answer;
use crate::process::{Ended, PATIENCE, directory, run, wharf};

/// A command about the store of this data directory.
pub(crate) fn command(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = wharf(arguments);
    command.arg("--data-dir").arg(data_dir);
    command
}

/// Runs a command that is to succeed; what it printed.
pub(crate) fn succeed(command: Command) -> String {
    let ended = run(command);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    ended.stdout.join("\n")
}

/// Asserts an exit code, and one line on standard error that contains this.
pub(crate) fn assert_failed(ended: &Ended, code: i32, said: &str) {
    assert_eq!(ended.status.code(), Some(code), "{:?} {}", ended.stdout, ended.stderr);
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains(said), "no {said} in {}", ended.stderr);
}

/// The two halves of a key that `wharf key create --json` printed.
pub(crate) fn pair(printed: &str) -> (String, String) {
    let made: Value = serde_json::from_str(printed).unwrap();
    let half = |name: &str| made[name].as_str().unwrap().to_owned();
    assert_eq!(made.as_object().unwrap().len(), 2, "{printed}");
    (half("accessKey"), half("secretKey"))
}

/// What ListBuckets answers to this key.
pub(crate) fn list_buckets(gateway: &Gateway, (access_key, secret_key): &(String, String)) -> Answer {
    let (access_key, secret_key) = (access_key.clone(), secret_key.clone());
    let signed = |signer: &mut crate::signer::Signer| (signer.access_key, signer.secret_key) = (access_key, secret_key);
    gateway.request("GET", "/").signer(signed).send()
}

/// Asserts that the gateway knows this key, whatever it may do.
pub(crate) fn assert_known(gateway: &Gateway, key: &(String, String)) {
    let answer = list_buckets(gateway, key);
    assert!(answer.status == 200 || answer.text().contains("<Code>AccessDenied</Code>"), "{}", answer.text());
}

/// What the socket answers to these bytes.
fn ask_socket(gateway: &Gateway, bytes: impl AsRef<[u8]>) -> String {
    let mut socket = UnixStream::connect(gateway.data_dir.join("admin.sock")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // A gateway that has seen enough may close before it has taken everything.
    let _ = socket.write_all(bytes.as_ref());
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[test]
fn a_key_is_made_used_disabled_enabled_and_deleted() {
    let gateway = Launch::new().start();
    let wharf = |arguments: &[&str]| command(&gateway.data_dir, arguments);
    let key = pair(&succeed(wharf(&["key", "create", "--policy", "readwrite", "--name", "the camera", "--json"])));
    assert!(key.0.starts_with("WHARF") && key.0.len() == 20 && key.1.len() == 40, "{key:?}");
    assert_known(&gateway, &key);
    let wrong = (key.0.clone(), "wrong-secret".to_owned());
    list_buckets(&gateway, &wrong).refused(403, "SignatureDoesNotMatch");

    let listed: Value = serde_json::from_str(&succeed(wharf(&["key", "list", "--json"]))).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!((&listed[0]["accessKey"], &listed[0]["policy"]), (&key.0.clone().into(), &"readwrite".into()));
    assert_eq!((&listed[0]["enabled"], &listed[0]["name"]), (&true.into(), &"the camera".into()));
    let table = succeed(wharf(&["key", "list"]));
    assert!(table.starts_with("ACCESS KEY") && table.contains("the camera") && !table.contains(&key.1), "{table}");

    succeed(wharf(&["key", "disable", &key.0]));
    list_buckets(&gateway, &key).refused(403, "InvalidAccessKeyId");
    succeed(wharf(&["key", "enable", &key.0]));
    assert_known(&gateway, &key);

    succeed(wharf(&["key", "policy", &key.0, "readonly"]));
    assert_eq!(succeed(wharf(&["key", "policy", &key.0])), "\"readonly\"");
    succeed(wharf(&["key", "policy", &key.0, "--none"]));
    assert_eq!(succeed(wharf(&["key", "policy", &key.0])), "null");

    succeed(wharf(&["key", "delete", &key.0]));
    list_buckets(&gateway, &key).refused(403, "InvalidAccessKeyId");
    assert_failed(&run(wharf(&["key", "delete", &key.0])), 1, "NoSuchAccessKey");
    assert_eq!(succeed(wharf(&["key", "list", "--json"])), "[]");
}

#[test]
fn a_key_may_do_what_its_policy_says_from_the_next_request_on() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    let wharf = |arguments: &[&str]| command(&gateway.data_dir, arguments);
    let key = pair(&succeed(wharf(&["key", "create", "--json"])));
    let ask = |method: &str, body: &str| {
        let (access_key, secret_key) = key.clone();
        let signed =
            |signer: &mut crate::signer::Signer| (signer.access_key, signer.secret_key) = (access_key, secret_key);
        bucket.object(method, "k").body(body).signer(signed).send().status
    };
    assert_eq!((ask("PUT", "v"), ask("GET", "")), (403, 403));
    succeed(wharf(&["key", "policy", &key.0, "writeonly"]));
    assert_eq!((ask("PUT", "v"), ask("GET", "")), (200, 403));
    succeed(wharf(&["key", "policy", &key.0, "readonly"]));
    assert_eq!((ask("PUT", "v"), ask("GET", "")), (403, 200));
    succeed(wharf(&["key", "policy", &key.0, "readwrite"]));
    assert_eq!((ask("PUT", "v"), ask("GET", "")), (200, 200));
    succeed(wharf(&["key", "policy", &key.0, "--none"]));
    assert_eq!((ask("PUT", "v"), ask("GET", "")), (403, 403));
}

#[test]
fn keys_survive_a_kill_and_their_secrets_are_nowhere_to_be_read() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "a-secret-of-its-own-7f3a9c\n").unwrap();
    let mut create = command(&gateway.data_dir, &["key", "create", "camera", "--json", "--policy", "readonly"]);
    create.arg("--secret-key-file").arg(&secret);
    let key = pair(&succeed(create));
    assert_eq!(key, ("camera".to_owned(), "a-secret-of-its-own-7f3a9c".to_owned()));
    let token = succeed(command(&gateway.data_dir, &["key", "token", "camera"]));
    assert!(token.starts_with("wharf_") && token.len() == 49, "{token}");
    assert_known(&gateway, &key);

    let ended = gateway.kill();
    for secret in [key.1.as_bytes(), token.as_bytes()] {
        assert!(!ended.stderr.contains(std::str::from_utf8(secret).unwrap()), "{}", ended.stderr);
        assert_in_no_file(&gateway.data_dir, secret);
    }
    let master = gateway.data_dir.join("master.key");
    assert_eq!(std::fs::metadata(&master).unwrap().permissions().mode() & 0o777, 0o600);

    let again = Launch::on(&directory).start();
    assert_known(&again, &key);
    let tokens = succeed(command(&again.data_dir, &["key", "token", "camera", "--list", "--json"]));
    let tokens: Value = serde_json::from_str(&tokens).unwrap();
    assert_eq!(tokens.as_array().unwrap().len(), 1, "{tokens}");

    // Without the master key the gateway does not start, and makes no other.
    again.terminate();
    again.wait();
    let kept = std::fs::read(&master).unwrap();
    std::fs::remove_file(&master).unwrap();
    let ended = Launch::on(&directory).fail();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("master.key is missing") && !master.exists(), "{}", ended.stderr);
    std::fs::write(&master, "0".repeat(64)).unwrap();
    let ended = Launch::on(&directory).fail();
    assert!(ended.stderr.contains("another master key"), "{}", ended.stderr);
    std::fs::write(&master, &kept).unwrap();
    assert_known(&Launch::on(&directory).start(), &key);
}

/// No file below holds these bytes.
fn assert_in_no_file(directory: &Path, bytes: &[u8]) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_in_no_file(&path, bytes);
        } else if let Ok(content) = std::fs::read(&path) {
            assert!(!content.windows(bytes.len()).any(|window| window == bytes), "{}", path.display());
        }
    }
}

#[test]
fn names_that_cannot_be_are_wrong_usage() {
    let gateway = Launch::new().start();
    let wharf = |arguments: &[&str]| run(command(&gateway.data_dir, arguments));
    assert_failed(&wharf(&["key", "create", "ab"]), 2, "accessKey");
    assert_failed(&wharf(&["key", "create", "a/b/c"]), 2, "accessKey");
    assert_failed(&wharf(&["key", "create", crate::gateway::ACCESS_KEY]), 1, "AccessKeyExists");
    assert_failed(&wharf(&["key", "disable", crate::gateway::ACCESS_KEY]), 2, "root key");
    assert_failed(&wharf(&["key", "disable", "nobody"]), 1, "NoSuchAccessKey");
    assert_failed(&wharf(&["key", "create", "--policy", "/nonexistent"]), 2, "/nonexistent");
    assert_failed(&wharf(&["key", "token", "nobody", "--expires", "soon"]), 2, "--expires");
    assert_failed(&wharf(&["key", "token", crate::gateway::ACCESS_KEY, "--expires", "400d"]), 2, "expiresIn");
    assert_failed(&wharf(&["bucket", "create", "No_Bucket"]), 2, "No_Bucket");
    assert_failed(&wharf(&["bucket", "create", "minio"]), 2, "minio");
    assert_failed(&wharf(&["bucket", "quota", "nowhere", "1G"]), 2, "1G");
    assert_failed(&wharf(&["bucket", "delete", "nowhere"]), 1, "NoSuchBucket");
    assert_failed(&wharf(&["upload", "abort", "a", "b"]), 2, "UPLOAD_ID");
    assert_failed(&wharf(&["upload", "abort", "--bucket", "uploads"]), 2, "BUCKET");
    assert_failed(&run(crate::process::wharf(&["key"])), 2, "command");
    assert_failed(&run(crate::process::wharf(&["key", "frobnicate"])), 2, "frobnicate");
    let policy = gateway.data_dir.join("policy.json");
    std::fs::write(&policy, r#"{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}"#).unwrap();
    assert_failed(&wharf(&["key", "create", "--policy", policy.to_str().unwrap()]), 2, "Perhaps");
}

#[test]
fn buckets_have_quotas_and_policies() {
    let gateway = Launch::new().start();
    let wharf = |arguments: &[&str]| command(&gateway.data_dir, arguments);
    succeed(wharf(&["bucket", "create", "pictures", "--public", "--quota", "1MiB"]));
    assert_failed(&run(wharf(&["bucket", "create", "pictures"])), 1, "BucketAlreadyExists");
    gateway.request("PUT", "/pictures/a").body("hello").send().ok(200);
    let listed: Value = serde_json::from_str(&succeed(wharf(&["bucket", "list", "--json"]))).unwrap();
    let pictures = listed.as_array().unwrap().iter().find(|bucket| bucket["name"] == "pictures").unwrap();
    assert_eq!(
        (&pictures["objects"], &pictures["bytes"], &pictures["quota"]),
        (&1.into(), &5.into(), &(1 << 20).into())
    );
    assert_eq!(pictures["policy"]["Statement"][0]["Principal"], "*");
    assert_eq!(gateway.request("GET", "/pictures/a").anonymous().send().ok(200).body, b"hello");
    gateway.request("PUT", "/pictures/a").anonymous().send().refused(403, "AccessDenied");
    assert!(succeed(wharf(&["bucket", "list"])).contains("1.0 MiB"));

    succeed(wharf(&["bucket", "quota", "pictures", "10B"]));
    assert_eq!(succeed(wharf(&["bucket", "quota", "pictures"])), "10 B");
    assert_eq!(gateway.request("PUT", "/pictures/b").body("more than is allowed").send().status / 100, 4);
    succeed(wharf(&["bucket", "quota", "pictures", "--none"]));
    gateway.request("PUT", "/pictures/b").body("more than is allowed").send().ok(200);

    let file = gateway.data_dir.join("policy.json");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::pictures/*"}]}"#;
    std::fs::write(&file, policy).unwrap();
    succeed(wharf(&["bucket", "policy", "pictures", file.to_str().unwrap()]));
    let shown: Value = serde_json::from_str(&succeed(wharf(&["bucket", "policy", "pictures"]))).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(policy).unwrap());
    std::fs::write(&file, policy.replace("pictures", "others")).unwrap();
    assert_failed(&run(wharf(&["bucket", "policy", "pictures", file.to_str().unwrap()])), 2, "olic");
    succeed(wharf(&["bucket", "policy", "pictures", "--none"]));
    assert_failed(&run(wharf(&["bucket", "policy", "pictures"])), 1, "NoSuchBucketPolicy");

    assert_failed(&run(wharf(&["bucket", "delete", "pictures"])), 1, "BucketNotEmpty");
    for key in ["a", "b"] {
        gateway.request("DELETE", &format!("/pictures/{key}")).send().ok(204);
    }
    succeed(wharf(&["bucket", "delete", "pictures"]));
    gateway.request("HEAD", "/pictures").send().ok(404);
}

#[test]
fn open_uploads_are_listed_and_aborted() {
    let gateway = Launch::new().start();
    let wharf = |arguments: &[&str]| command(&gateway.data_dir, arguments);
    let (first, second) = (gateway.bucket(), gateway.bucket());
    for key in ["a&b+c/ü", "b"] {
        first.upload(key).put_part(1, vec![b'x'; 1000]);
    }
    let kept = second.upload("c");
    kept.put_part(1, vec![b'x'; 10]);
    kept.put_part(1, vec![b'x'; 20]);
    kept.put_part(2, "abc");
    let list = |more: &[&str]| -> Vec<Value> {
        let printed = succeed(wharf(&[&["upload", "list", "--json"], more].concat()));
        serde_json::from_str::<Value>(&printed).unwrap().as_array().unwrap().clone()
    };
    let all = list(&[]);
    assert_eq!(all.iter().map(|upload| upload["key"].as_str().unwrap()).collect::<Vec<_>>(), ["a&b+c/ü", "b", "c"]);
    assert_eq!(
        (&all[2]["bytes"], &all[2]["parts"], &all[2]["bucket"]),
        (&23.into(), &2.into(), &second.name.clone().into())
    );
    assert!(all[2]["ageSeconds"].as_u64().unwrap() < 60 && all[2]["initiated"].as_str().unwrap().ends_with('Z'));
    assert_eq!(list(&["--bucket", &first.name]).len(), 2);
    assert_eq!(list(&["--prefix", "a"]).len(), 1);
    assert_eq!(list(&["--older-than", "1h"]).len(), 0);
    let table = succeed(wharf(&["upload", "list"]));
    assert!(table.starts_with("BUCKET") && table.contains("1000 B"), "{table}");

    let id = all[0]["uploadId"].as_str().unwrap();
    succeed(wharf(&["upload", "abort", &first.name, "a&b+c/ü", id]));
    assert_failed(&run(wharf(&["upload", "abort", &first.name, "a&b+c/ü", id])), 1, "NoSuchUpload");
    assert_failed(&run(wharf(&["upload", "abort", &first.name, "b", "nonsense"])), 1, "NoSuchUpload");
    assert_eq!(succeed(wharf(&["upload", "abort", "--older-than", "1h"])), "0 aborted");
    assert_eq!(succeed(wharf(&["upload", "abort", "--older-than", "0s", "--bucket", &first.name])), "1 aborted");
    assert_eq!(list(&[]).len(), 1);
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let gateway = Launch::new().start();
    let (first, second) = (gateway.bucket(), gateway.bucket());
    for bucket in [&first, &second] {
        for key in ["k", "k", "l"] {
            bucket.upload(key);
        }
    }
    let (mut path, mut seen) = ("/admin/uploads?limit=2".to_owned(), Vec::new());
    loop {
        let answer = ask_socket(&gateway, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
        let page: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let uploads = page["uploads"].as_array().unwrap();
        seen.extend(uploads.iter().map(|upload| upload["uploadId"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(uploads.len(), 2);
        path = format!("/admin/uploads?limit=2&after={next}");
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (6, 6));
}

#[test]
fn the_socket_is_private_and_takes_no_nonsense() {
    let gateway = Launch::new().start();
    let socket = gateway.data_dir.join("admin.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let long_name = format!("{{\"name\":\"{}\"}}", "x".repeat(129));
    let deep = format!("{{\"policy\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    for (body, status, said) in [
        ("{\"accessKey\":5}", 400, "accessKey"),
        ("{\"secretKey\":[]}", 400, "secretKey"),
        ("{\"secretKey\":\"short\"}", 400, "secretKey"),
        ("{\"enabled\":\"yes\"}", 400, "enabled"),
        ("{\"policy\":\"everything\"}", 400, "policy"),
        ("{\"policy\":7}", 400, "must be a text"),
        ("{\"policy\":{\"Statement\":[]}}", 400, "must be a text"),
        ("{\"policy\":\"{}\"}", 400, "MalformedPolicy"),
        ("{\"name\":\"a\\u0000b\"}", 400, "name"),
        (&long_name, 400, "name"),
        ("[1]", 400, "object"),
        ("{", 400, "JSON"),
        ("\u{0}\u{1}", 400, "JSON"),
        (&deep, 400, "JSON"),
        (&huge, 413, "EntityTooLarge"),
        ("{\"unknown\":1,\"accessKey\":null}", 201, "secretKey"),
    ] {
        let answer = ask_socket(&gateway, post("/admin/keys", body));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{body:.100}: {answer}");
        assert!(answer.contains(said), "{body:.100}: {answer}");
        assert!(!answer.contains("short\""), "{answer}");
    }
    for (line, status) in [
        ("GET /admin HTTP/1.1", 404),
        ("GET /admin/ HTTP/1.1", 404),
        ("GET /metrics HTTP/1.1", 404),
        ("GET /admin/keys/%ff HTTP/1.1", 404),
        ("GET /admin/keys?limit=0 HTTP/1.1", 400),
        ("GET /admin/keys?limit=1001 HTTP/1.1", 400),
        ("GET /admin/keys?after=%ff HTTP/1.1", 400),
        ("GET /admin/uploads?after=junk HTTP/1.1", 400),
        ("GET /admin/uploads?bucket=No_Bucket HTTP/1.1", 404),
        ("PUT /admin/keys HTTP/1.1", 405),
        ("DELETE /admin/uploads/0 HTTP/1.1", 400),
        ("GET /admin/keys/..%2f..%2fetc HTTP/1.1", 404),
    ] {
        let answer = ask_socket(&gateway, format!("{line}\r\nhost: x\r\nconnection: close\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
    }
    assert!(ask_socket(&gateway, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    // It is the same gateway still, and takes its socket away when it ends.
    assert!(ask_socket(&gateway, post("/admin/keys", "")).starts_with("HTTP/1.1 201 "));
    gateway.terminate();
    let ended = gateway.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!socket.exists());
}

#[test]
fn a_gateway_with_a_long_path_has_a_socket_too() {
    let long = tempfile::Builder::new().prefix(&"d".repeat(120)).tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let gateway = Launch::on(&Arc::new(long)).start();
    pair(&succeed(command(&gateway.data_dir, &["key", "create", "--json"])));
}

#[test]
fn what_a_dead_process_left_is_replaced() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    gateway.kill();
    assert!(gateway.data_dir.join("admin.sock").exists());
    let again = Launch::on(&directory).start();
    pair(&succeed(command(&again.data_dir, &["key", "create", "--json"])));
}
