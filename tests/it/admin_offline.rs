//! Administration while no gateway runs: the commands open the store themselves, one at a time.

use serde_json::Value;

use crate::admin::{assert_failed, assert_known, command, list_buckets, pair, succeed};
use crate::gateway::{ACCESS_KEY, Launch};
use crate::process::{Process, directory, poll, run, wharf};

#[test]
fn what_is_done_offline_holds_online() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    let bucket = gateway.bucket();
    bucket.upload("k").put_part(1, "part");
    bucket.put("o", "object").send().ok(200);
    let name = bucket.name.clone();
    gateway.terminate();
    assert_eq!(gateway.wait().status.code(), Some(0));

    let wharf = |arguments: &[&str]| command(&gateway.data_dir, arguments);
    let kept = pair(&succeed(wharf(&["key", "create", "--policy", "readwrite", "--json"])));
    let disabled = pair(&succeed(wharf(&["key", "create", "--json"])));
    succeed(wharf(&["key", "disable", &disabled.0]));
    succeed(wharf(&["bucket", "create", "offline"]));
    let uploads: Value = serde_json::from_str(&succeed(wharf(&["upload", "list", "--json"]))).unwrap();
    assert_eq!((&uploads[0]["bucket"], &uploads[0]["bytes"]), (&name.clone().into(), &4.into()));
    assert_eq!(succeed(wharf(&["upload", "abort", "--older-than", "0s"])), "1 aborted");
    assert_failed(&run(wharf(&["bucket", "delete", &name])), 1, "BucketNotEmpty");
    assert!(!gateway.data_dir.join("admin.sock").exists());

    let again = Launch::on(&directory).start();
    assert_known(&again, &kept);
    list_buckets(&again, &disabled).refused(403, "InvalidAccessKeyId");
    again.request("HEAD", "/offline").send().ok(200);
    assert_eq!(again.request("GET", &format!("/{name}/o")).send().ok(200).body, b"object");
    crate::process::poll("staged bytes", || (again.metric("wharf_staged_bytes") == 0.0).then_some(()));
}

#[test]
fn commands_at_once_take_turns() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    gateway.terminate();
    gateway.wait();
    let mut running: Vec<Process> =
        (0..6).map(|_| Process::start(&mut command(&gateway.data_dir, &["key", "create", "--json"]))).collect();
    let mut made: Vec<(String, String)> = Vec::new();
    for process in &mut running {
        let ended = process.wait();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        made.push(pair(&ended.stdout.join("\n")));
    }
    let again = Launch::on(&directory).start();
    for key in &made {
        assert_known(&again, key);
    }
}

#[test]
fn no_store_is_made_by_mistake() {
    let directory = directory();
    let nowhere = directory.path().join("nowhere");
    assert_failed(&run(command(&nowhere, &["key", "create"])), 1, "holds no store");
    assert!(!nowhere.exists());
    std::fs::create_dir(&nowhere).unwrap();
    assert_failed(&run(command(&nowhere, &["bucket", "list"])), 1, "holds no store");
    assert_eq!(std::fs::read_dir(&nowhere).unwrap().count(), 0);
}

#[test]
fn a_kept_key_never_stands_for_the_root_key() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    gateway.terminate();
    gateway.wait();
    // Offline, nobody says what the root key of the environment is called.
    let taken = pair(&succeed(command(&gateway.data_dir, &["key", "create", ACCESS_KEY, "--json"])));
    let again = Launch::on(&directory).start();
    list_buckets(&again, &taken).refused(403, "SignatureDoesNotMatch");
    again.request("GET", "/").send().ok(200);
    poll("it is said", || again.stderr().contains("has the root key's id").then_some(()));
}

#[test]
fn completions_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let printed = succeed(wharf(&["completions", shell]));
        assert!(printed.contains("wharf") && printed.contains("older-than"), "{shell}: {printed}");
    }
    assert_failed(&run(wharf(&["completions", "dos"])), 2, "dos");
}
