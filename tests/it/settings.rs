//! Wrong usage and configuration: exit 2 and one line that names what is wrong.

use std::process::Command;

use crate::certificate::Certificate;
use crate::gateway::Launch;
use crate::process::{Ended, directory, run, wharf};

/// Asserts exit 2 and one line on standard error that contains each of these.
fn assert_usage(ended: &Ended, names: &[&str]) {
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert!(ended.stdout.is_empty(), "{:?}", ended.stdout);
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    for name in names {
        assert!(ended.stderr.contains(name), "no {name} in {}", ended.stderr);
    }
}

fn wharf_with(variable: &str, value: &str) -> Command {
    let mut command = wharf(&["serve"]);
    command.env(variable, value);
    command
}

#[test]
fn unknown_flags_variables_and_keys_are_named() {
    assert_usage(&run(wharf(&["serve", "--no-such-flag", "1"])), &["--no-such-flag"]);
    assert_usage(&run(wharf_with("WHARF_NO_SUCH_SETTING", "1")), &["WHARF_NO_SUCH_SETTING"]);
    let directory = directory();
    let file = directory.path().join("wharf.toml");
    for (text, name) in [
        ("no-such-key = \"1\"", "no-such-key"),
        ("[section]\nregion = \"x\"", "section"),
        ("region = 5", "region"),
        ("region = \"us-east-1\"\nregion = \"us-east-1\"", "line 2"),
        ("region = ", "line 1"),
    ] {
        std::fs::write(&file, text).unwrap();
        assert_usage(&Launch::new().set("--config", &file).fail(), &[name, "wharf.toml"]);
    }
    assert_usage(&Launch::new().set("--config", directory.path().join("missing.toml")).fail(), &["missing.toml"]);
}

#[test]
fn values_that_cannot_be_are_named() {
    for (flag, value) in [
        ("--s3-listen", "nonsense"),
        ("--s3-listen", "127.0.0.1:99999"),
        ("--region", ""),
        ("--bucket", "No_Bucket"),
        ("--durability", "maybe"),
        ("--tls-self-signed", "perhaps"),
        ("--trusted-proxy", "10.0.0.0/33"),
        ("--trusted-proxy", "proxy.example.com"),
        ("--expire-uploads", "soon"),
        ("--reserve", "lots"),
        ("--cors-allow-origin", "example.com"),
        ("--drain-timeout", "never"),
        ("--log", "wharf=nonsense"),
        ("--access-key", "a"),
        ("--secret-key", "pa55w0"),
    ] {
        let ended = run(wharf(&["serve", flag, value]));
        assert_usage(&ended, &[flag.trim_start_matches('-')]);
        assert!(!ended.stderr.contains("pa55w0"), "a secret is not repeated: {}", ended.stderr);
    }
}

#[test]
fn one_key_without_the_other_is_half_a_pair() {
    assert_usage(&run(wharf(&["serve", "--access-key", "somebody"])), &["secret-key"]);
    assert_usage(&run(wharf_with("WHARF_SECRET_KEY", "long-enough-secret")), &["access-key"]);
}

#[test]
fn tls_files_that_are_none_are_named() {
    let directory = directory();
    let good = Certificate::new(&directory, "good");
    let other = Certificate::new(&directory, "other");
    let junk = directory.path().join("junk.pem");
    std::fs::write(&junk, "junk").unwrap();
    let missing = directory.path().join("missing.pem");
    for (cert, key) in [
        (&missing, &good.key),
        (&good.cert, &missing),
        (&junk, &good.key),
        (&good.cert, &junk),
        (&good.cert, &good.cert),
        (&good.cert, &other.key),
    ] {
        let ended = Launch::new().set("--tls-cert", cert).set("--tls-key", key).fail();
        assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains("tls-cert") || ended.stderr.contains("tls-key"), "{}", ended.stderr);
    }
    assert_usage(&Launch::new().set("--tls-cert", &good.cert).fail(), &["tls-key"]);
    assert_usage(&Launch::new().set("--tls-key", &good.key).fail(), &["tls-cert"]);
    let both = Launch::new().set("--tls-cert", &good.cert).set("--tls-key", &good.key);
    assert_usage(&both.set("--tls-self-signed", "on").fail(), &["tls-self-signed", "tls-cert"]);
}

#[test]
fn help_and_version_are_no_mistakes() {
    for (arguments, expected) in
        [(&["--version"][..], env!("CARGO_PKG_VERSION")), (&["--help"], "serve"), (&["serve", "--help"], "--data-dir")]
    {
        let ended = run(wharf(arguments));
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert!(ended.stdout.iter().any(|line| line.contains(expected)), "{:?}", ended.stdout);
    }
    assert_usage(&run(wharf(&[])), &[]);
    assert_usage(&run(wharf(&["no-such-command"])), &["no-such-command"]);
}

#[test]
fn flag_wins_over_environment_over_file() {
    let directory = directory();
    let file = directory.path().join("wharf.toml");
    std::fs::write(&file, "region = \"from-file\"\nbucket = [\"from-file-one\", \"from-file-two\"]\n").unwrap();
    let launch = || Launch::new().set("--config", &file);
    let region = |gateway: &crate::gateway::Gateway| {
        let get = gateway.request("GET", "/").signer(|signer| signer.region = "no-such-region".to_owned());
        crate::xml::text(&get.send().text(), "Region").unwrap()
    };
    let gateway = launch().start();
    assert_eq!(region(&gateway), "from-file");
    for name in ["from-file-one", "from-file-two"] {
        let head = gateway.request("HEAD", &format!("/{name}")).signer(|signer| signer.region = "from-file".to_owned());
        head.send().ok(200);
    }
    let gateway = launch().env("WHARF_REGION", "from-environment").start();
    assert_eq!(region(&gateway), "from-environment");
    let gateway = launch().env("WHARF_REGION", "from-environment").set("--region", "from-flag").start();
    assert_eq!(region(&gateway), "from-flag");
}

#[test]
fn secrets_come_from_files_and_foreign_names() {
    let directory = directory();
    let file = directory.path().join("secret");
    std::fs::write(&file, "secret-from-a-file\n").unwrap();
    let gateway = Launch::new()
        .without_keys()
        .env("WHARF_ACCESS_KEY", "somebody")
        .env("WHARF_SECRET_KEY_FILE", file.to_str().unwrap())
        .start();
    let get = |gateway: &crate::gateway::Gateway, access_key: &str, secret_key: &str| {
        let (access_key, secret_key) = (access_key.to_owned(), secret_key.to_owned());
        gateway
            .request("GET", "/")
            .signer(|signer| (signer.access_key, signer.secret_key) = (access_key, secret_key))
            .send()
            .ok(200)
    };
    get(&gateway, "somebody", "secret-from-a-file");
    let gateway = Launch::new()
        .without_keys()
        .env("MINIO_ROOT_USER", "minio-user")
        .env("MINIO_ROOT_PASSWORD", "minio-password")
        .start();
    get(&gateway, "minio-user", "minio-password");
}
