//! What the command line makes of its arguments.

use clap::Parser as _;

use super::*;
use crate::config::Variables;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    presign: Presign,
}

const KEYS: [&str; 4] = ["--access-key", "root", "--secret-key", "12345678"];

fn presign(arguments: &[&str]) -> (Presign, Config) {
    let all = ["presign"].into_iter().chain(arguments.iter().copied()).chain(KEYS);
    let presign = Line::try_parse_from(all).unwrap_or_else(|error| panic!("{error}")).presign;
    let config = Config::load(presign.settings(), &Variables::default()).unwrap();
    (presign, config)
}

fn minted(arguments: &[&str]) -> Result<String, String> {
    let (presign, config) = presign(arguments);
    presign.minted(&config).map_err(|refusal| refusal.to_string())
}

#[test]
fn each_operation_has_its_method_and_parameters() {
    let upload = ["--upload-id", "u/1"];
    for (operation, options, expected) in [
        ("get", &[][..], "/bkt/a/b%20c?X-Amz-"),
        ("put", &[], "/bkt/a/b%20c?X-Amz-"),
        ("part", &["--upload-id", "u/1", "--part", "7"], "/bkt/a/b%20c?partNumber=7&uploadId=u%2F1&X-Amz-"),
        ("create", &[], "/bkt/a/b%20c?uploads=&X-Amz-"),
        ("complete", &upload, "/bkt/a/b%20c?uploadId=u%2F1&X-Amz-"),
        ("abort", &upload, "/bkt/a/b%20c?uploadId=u%2F1&X-Amz-"),
        ("list-parts", &upload, "/bkt/a/b%20c?uploadId=u%2F1&X-Amz-"),
        ("list", &[], "/bkt?list-type=2&prefix=a%2Fb%20c&X-Amz-"),
        (
            "get",
            &["--query", "response-content-type=a=b", "--query", "x"],
            "/bkt/a/b%20c?response-content-type=a%3Db&x=&X",
        ),
    ] {
        let arguments: Vec<_> = [operation, "s3://bkt/a/b c"].iter().chain(options).copied().collect();
        let url = minted(&arguments).unwrap();
        assert!(url.starts_with(&format!("http://127.0.0.1:9000{expected}")), "{url}");
    }
    let by_name = minted(&["list", "s3://bkt", "--virtual-host", "--public-url", "https://s3.example.com"]).unwrap();
    assert!(by_name.starts_with("https://bkt.s3.example.com/?list-type=2&X-Amz-"), "{by_name}");
}

#[test]
fn what_cannot_be_is_named() {
    let long = format!("s3://bkt/{}", "k".repeat(1025));
    for (arguments, named) in [
        (&["get", "bkt/k"][..], "S3_URI"),
        (&["get", "s3://bkt"], "names no object"),
        (&["get", "s3://B_T/k"], "not a bucket name"),
        (&["get", &long], "longer than 1024 bytes"),
        (&["part", "s3://bkt/k", "--part", "1"], "--upload-id: part needs it"),
        (&["part", "s3://bkt/k", "--upload-id", "u"], "--part: part needs it"),
        (&["get", "s3://bkt/k", "--upload-id", "u"], "--upload-id: get has no use for it"),
        (&["get", "s3://bkt/k", "--expires", "8d"], "--expires: "),
        (&["get", "s3://bkt/k", "--at", "tomorrow"], "--at: "),
        (&["get", "s3://bkt/k", "--header", "x"], "--header: "),
        (&["get", "s3://bkt/k", "--header", "user-agent: x"], "user-agent"),
        (&["get", "s3://bkt/k", "--virtual-host"], "is an address"),
        (&["get", "s3://bkt/k", "--method", "PUT"], "--method: is for --explain"),
        (&["get", "s3://bkt/k", "--s3-listen", "127.0.0.1:0"], "--public-url"),
    ] {
        let problem = minted(arguments).unwrap_err();
        assert!(problem.contains(named), "{problem}");
    }
    for arguments in [
        &["presign"][..],
        &["presign", "get"],
        &["presign", "move", "s3://bkt/k"],
        &["presign", "part", "s3://bkt/k", "--upload-id", "u", "--part", "10001"],
        &["presign", "--explain", "http://h/", "--expires", "1s"],
    ] {
        assert!(Line::try_parse_from(arguments).is_err(), "{arguments:?}");
    }
}

#[test]
fn what_is_minted_explains_well() {
    let url = minted(&["put", "s3://bkt/a b", "--header", "Content-Type: text/x", "--at", "20260101T000000Z"]).unwrap();
    let explained = |more: &[&str]| {
        let arguments: Vec<_> = ["--explain", &url].iter().chain(more).copied().collect();
        let (presign, config) = presign(&arguments);
        let (text, _) = explain::explain(&presign, &url, &config).unwrap();
        text
    };
    let good = ["--method", "PUT", "--header", "content-type: text/x", "--at", "20260101T001000Z"];
    let text = explained(&good);
    assert!(!text.contains("FAILED") && text.contains("ok      signature: matches"), "{text}");
    assert!(explained(&[&good[..], &["--region", "eu"][..]].concat()).contains("FAILED  credential scope: "));
    assert!(explained(&["--at", "20260102T000000Z"]).contains("FAILED  life: Request has expired"));
    assert!(explained(&good[2..]).contains("signed for PUT and not for GET"));
    let elsewhere = [&good[..], &["--header", "Host: 10.0.0.1:9000"][..]].concat();
    assert!(explained(&elsewhere).contains("FAILED  signature: "));
    let accepted = explained(&[&elsewhere[..], &["--public-url", "http://127.0.0.1:9000"][..]].concat());
    assert!(!accepted.contains("FAILED"), "{accepted}");
}

#[test]
fn keys_come_from_the_data_directory_when_none_are_set() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["presign", "get", "s3://bkt/k", "--data-dir", directory.path().to_str().unwrap()];
    let load = || {
        let presign = Line::try_parse_from(arguments).unwrap().presign;
        let config = Config::load(presign.settings(), &Variables::default()).unwrap();
        presign.minted(&config).map_err(|refusal| refusal.to_string())
    };
    assert!(load().unwrap_err().starts_with("access-key: none is set"));
    let path = directory.path().join("credentials");
    std::fs::write(&path, "[default]\naws_access_key_id = kept\naws_secret_access_key = 12345678\n").unwrap();
    assert!(load().unwrap().contains("X-Amz-Credential=kept%2F"));
    std::fs::write(&path, "nothing").unwrap();
    assert!(load().unwrap_err().contains("no aws_access_key_id"));
}
