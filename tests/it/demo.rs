//! `wharf demo`, the first command of the README.

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{Process, directory, poll, run, wharf};

/// What is left of the store that the demo made below this directory.
fn left_over(directory: &crate::process::Directory) -> usize {
    std::fs::read_dir(directory.path()).unwrap().count()
}

#[test]
fn every_byte_is_equal_and_nothing_is_left_behind() {
    for pattern in ["gradient", r#"{"kind":"random","seed":3}"#] {
        let directory = directory();
        let mut command = wharf(&["demo", "--size", "12MiB", "--pattern", pattern]);
        command.arg("--directory").arg(directory.path());
        let ended = run(command);
        let said = ended.stdout.join("\n");
        assert!(ended.status.success(), "{said} {}", ended.stderr);
        assert!(said.contains("bytes: every byte equal"), "{said}");
        for stage in ["start the gateway", "generate, upload, complete", "callback", "read back, compare"] {
            assert!(said.contains(stage), "{stage}: {said}");
        }
        assert_eq!(left_over(&directory), 0);
    }
}

#[test]
fn one_that_is_kept_ends_with_a_signal_and_takes_its_store_along() {
    let directory = directory();
    let mut command = wharf(&["demo", "--size", "1MiB", "--keep"]);
    command.arg("--directory").arg(directory.path());
    let mut demo = Process::start(&mut command);
    let mut lines = Vec::new();
    let api = poll("the address of the API", || {
        lines.extend(demo.stdout.try_iter());
        lines.iter().find_map(|line: &String| line.strip_prefix("API").map(|rest| rest.trim().to_owned()))
    });
    let address: std::net::SocketAddr = api.strip_prefix("http://").unwrap().parse().unwrap();
    assert!(std::net::TcpStream::connect(address).is_ok());
    kill_process(Pid::from_raw(demo.child.id().try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(demo.wait().status.code(), Some(1));
    assert_eq!(left_over(&directory), 0);
    assert!(std::net::TcpStream::connect(address).is_err(), "its gateway is still there");
}

#[test]
fn wrong_usage_is_said_in_a_line() {
    for arguments in [["--size", "57"], ["--size", "x"], ["--pattern", "plaid"]] {
        let ended = run(wharf(&[&["demo"], &arguments[..]].concat()));
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(arguments[0]), "{}", ended.stderr);
    }
}
