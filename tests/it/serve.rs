//! `wharf serve` as a process: ready line, lock, format, credentials, drain; and `wharf healthcheck`.

use std::os::unix::fs::PermissionsExt as _;

use crate::certificate::Certificate;
use crate::digests::bytes;
use crate::gateway::{Gateway, Launch};
use crate::process::{directory, poll, run, wharf};

#[test]
fn the_ready_line_is_all_it_prints() {
    let gateway = Launch::new().start();
    let ready = &gateway.ready;
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(ready["data_dir"], gateway.data_dir.to_str().unwrap());
    gateway.bucket().put("k", "v").send().ok(200);
    gateway.terminate();
    let ended = gateway.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, Vec::<String>::new());
}

#[test]
fn the_data_directory_is_private() {
    let gateway = Launch::new().without_keys().start();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&gateway.data_dir), 0o700);
    assert_eq!(mode(&gateway.data_dir.join("credentials")), 0o600);
    assert_eq!(std::fs::read_to_string(gateway.data_dir.join("FORMAT")).unwrap().trim(), "4");
}

#[test]
fn credentials_are_made_once_kept_and_said_once() {
    let directory = directory();
    let gateway = Launch::on(&directory).without_keys().start();
    let text = std::fs::read_to_string(gateway.data_dir.join("credentials")).unwrap();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    assert!(text.starts_with("[default]\n"), "{text}");
    let (access_key, secret_key) = (value("aws_access_key_id"), value("aws_secret_access_key"));
    let get = |gateway: &Gateway| {
        let (access_key, secret_key) = (access_key.clone(), secret_key.clone());
        gateway
            .request("GET", "/")
            .signer(|signer| (signer.access_key, signer.secret_key) = (access_key, secret_key))
            .send()
    };
    get(&gateway).ok(200);
    gateway.request("GET", "/").send().refused(403, "InvalidAccessKeyId");
    assert!(gateway.stderr().contains(&secret_key), "said once: {}", gateway.stderr());
    gateway.terminate();
    gateway.wait();
    let again = Launch::on(&directory).without_keys().start();
    get(&again).ok(200);
    assert!(!again.stderr().contains(&secret_key), "said twice: {}", again.stderr());
}

#[test]
fn one_process_at_a_time() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    bucket.put("k", "v").send().ok(200);
    let ended = Launch::on(&gateway.directory()).fail();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("in use") && ended.stderr.contains(gateway.data_dir.to_str().unwrap()),
        "{}",
        ended.stderr
    );
    // The first one did not notice.
    assert_eq!(bucket.get("k").send().ok(200).body, b"v");
    gateway.kill();
    Launch::on(&gateway.directory()).start();
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    gateway.terminate();
    gateway.wait();
    let file = gateway.data_dir.join("FORMAT");
    std::fs::write(&file, "5\n").unwrap();
    let ended = Launch::on(&directory).fail();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("format 5"), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "5\n");
    std::fs::write(&file, "junk").unwrap();
    let ended = Launch::on(&directory).fail();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("FORMAT"), "{}", ended.stderr);
    // An earlier one is read, and from then on it is this one's.
    for earlier in ["1\n", "2\n", "3\n"] {
        std::fs::write(&file, earlier).unwrap();
        Launch::on(&directory).start().kill();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "4\n");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let gateway = Gateway::shared();
    let directory = directory();
    let taken = gateway.s3.to_string();
    let mut command = wharf(&["serve", "--s3-listen", &taken, "--api-listen", "127.0.0.1:0"]);
    command.arg("--data-dir").arg(directory.path().join("data"));
    let ended = run(command);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stdout.is_empty() && ended.stderr.contains(&taken), "{}", ended.stderr);
}

#[test]
fn a_drain_finishes_the_upload_in_flight() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    let body = bytes(4 << 20, 1);
    let put = bucket.put("k", body.clone()).unsigned_header("expect", "100-continue");
    let mut uploading = gateway.connect();
    uploading.write(put.head());
    assert_eq!(uploading.read_interim(), 100);
    uploading.write(&body[..body.len() / 2]);
    let mut idle = gateway.connect();
    bucket.get("missing").send_on(&mut idle).refused(404, "NoSuchKey");

    gateway.terminate();
    // Draining closes what is idle and takes nothing new.
    idle.assert_closes();
    poll("the listener is gone", || std::net::TcpStream::connect(gateway.s3).is_err().then_some(()));
    uploading.write(&body[body.len() / 2..]);
    let answer = put.answer_on(&mut uploading).ok(200);
    assert!(answer.closes(), "{answer:?}");
    let ended = gateway.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let again = Launch::on(&gateway.directory()).start();
    let bucket = crate::bucket::Bucket { gateway: &again, name: bucket.name };
    assert!(bucket.get("k").send().ok(200).body == body);
}

#[test]
fn a_drain_does_not_wait_for_ever() {
    let gateway = Launch::new().set("--drain-timeout", "200ms").start();
    let bucket = gateway.bucket();
    let put = bucket.put("k", bytes(1 << 20, 1)).unsigned_header("expect", "100-continue");
    let mut stuck = gateway.connect();
    stuck.write(put.head());
    assert_eq!(stuck.read_interim(), 100);
    gateway.terminate();
    let ended = gateway.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let again = Launch::on(&gateway.directory()).start();
    let bucket = crate::bucket::Bucket { gateway: &again, name: bucket.name };
    bucket.get("k").send().refused(404, "NoSuchKey");
}

#[test]
fn everything_is_there_after_a_clean_restart() {
    let gateway = Launch::new().start();
    let bucket = gateway.bucket();
    bucket.put("inline", "v").header("x-amz-meta-a", "b").send().ok(200);
    bucket.put("blob", bytes(100_000, 1)).send().ok(200);
    let upload = bucket.upload("k");
    let first = upload.put_part(1, bytes(5 << 20, 2));
    gateway.terminate();
    assert_eq!(gateway.wait().status.code(), Some(0));

    let again = Launch::on(&gateway.directory()).start();
    let bucket = crate::bucket::Bucket { gateway: &again, name: bucket.name.clone() };
    let upload = crate::bucket::Upload { bucket: &bucket, key: upload.key.clone(), id: upload.id.clone() };
    assert_eq!(bucket.get("inline").send().ok(200).header("x-amz-meta-a"), Some("b"));
    assert!(bucket.get("blob").send().ok(200).body == bytes(100_000, 1));
    let second = upload.put_part(2, "end");
    upload.complete(&[(1, &first), (2, &second)]).send().ok(200);
    let got = bucket.get("k").send().ok(200);
    assert!(got.body == [bytes(5 << 20, 2), b"end".to_vec()].concat());
}

#[test]
fn a_health_check_says_by_its_exit_code() {
    let directory = directory();
    let certificate = Certificate::new(&directory, "own");
    let check = |address: &str, certificate: Option<&Certificate>| {
        let mut command = wharf(&["healthcheck", "--api-listen", address]);
        if let Some(certificate) = certificate {
            command.arg("--tls-cert").arg(&certificate.cert).arg("--tls-key").arg(&certificate.key);
        }
        run(command)
    };
    let plain = Launch::new().start();
    let secure = Launch::new().tls(&certificate).start();
    assert_eq!(check(&plain.api.to_string(), None).status.code(), Some(0));
    assert_eq!(check(&secure.api.to_string(), Some(&certificate)).status.code(), Some(0));
    let other = Certificate::new(&directory, "other");
    assert_eq!(check(&secure.api.to_string(), Some(&other)).status.code(), Some(1), "another certificate");
    assert_eq!(check(&secure.api.to_string(), None).status.code(), Some(1), "not over TLS");
    let port = plain.api.to_string();
    plain.kill();
    let ended = check(&port, None);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    assert_eq!(check("127.0.0.1:0", None).status.code(), Some(2));
}

#[test]
fn relaxed_durability_says_so_and_syncs_nothing() {
    // What it writes for itself at its start is synced always: a lock and a format are no user's bytes.
    let syncs_of_writes = |gateway: &Gateway| {
        let bucket = gateway.bucket();
        let count = || {
            ["file", "directory", "catalog"]
                .map(|what| gateway.metric(&format!("wharf_fsyncs_total{{what=\"{what}\"}}")))
        };
        let before = count();
        bucket.put("inline", "v").send().ok(200);
        bucket.put("blob", bytes(100_000, 1)).send().ok(200);
        let after = count();
        [0, 1, 2].map(|index| after[index] - before[index])
    };
    let relaxed = Launch::new().set("--durability", "relaxed").start();
    assert_eq!(syncs_of_writes(&relaxed), [0.0; 3]);
    let strict = Launch::new().start();
    let [files, directories, catalog] = syncs_of_writes(&strict);
    assert!(files >= 1.0 && directories >= 1.0 && catalog >= 2.0, "{files} {directories} {catalog}");
    assert!(relaxed.stderr().contains("relaxed"), "{}", relaxed.stderr());
}

#[test]
fn a_catalog_that_is_gone_is_not_replaced_by_an_empty_one() {
    // The next crash would have made every blob an orphan and removed it.
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    let bucket = gateway.bucket();
    bucket.put("blob", bytes(100_000, 1)).send().ok(200);
    let name = bucket.name.clone();
    let catalog = gateway.data_dir.join("catalog.redb");
    gateway.terminate();
    gateway.wait();
    let kept = std::fs::read(&catalog).unwrap();
    for gone in [true, false] {
        if gone {
            std::fs::remove_file(&catalog).unwrap()
        } else {
            std::fs::write(&catalog, "").unwrap()
        }
        let ended = Launch::on(&directory).fail();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("catalog.redb is missing or empty"), "{}", ended.stderr);
    }
    std::fs::write(&catalog, kept).unwrap();
    let gateway = Launch::on(&directory).start();
    assert!(gateway.request("GET", &format!("/{name}/blob")).send().ok(200).body == bytes(100_000, 1));
}

#[test]
fn a_removed_lock_file_lets_nobody_in() {
    let directory = directory();
    let gateway = Launch::on(&directory).start();
    gateway.bucket().put("k", "v").send().ok(200);
    std::fs::remove_file(gateway.data_dir.join("wharf.lock")).unwrap();
    let ended = Launch::on(&directory).fail();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    gateway.bucket().put("k", "v").send().ok(200);
}

#[test]
fn a_hangup_ends_nothing() {
    let gateway = Launch::new().start();
    gateway.hang_up();
    gateway.bucket().put("k", "v").send().ok(200);
    gateway.terminate();
    assert_eq!(gateway.wait().status.code(), Some(0));
}
