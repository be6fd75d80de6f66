//! Everything under config/, the Dockerfile and deny.toml against the program: what they set is accepted, what they
//! document is true.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed assumption is the test's answer")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as _, FromArgMatches as _};
use wharf::config::settings::{Default, SETTINGS};
use wharf::config::{Config, Flags, Variables, sample_file};

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn load(arguments: &[&str], variables: impl IntoIterator<Item = (String, String)>) -> Config {
    let command = Flags::augment_args(clap::Command::new("wharf").no_binary_name(true));
    let flags = Flags::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap();
    let variables = variables.into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::load(&flags, &Variables::new(variables)).unwrap()
}

fn load_file(name: &str, text: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    load(&["--config", path.to_str().unwrap()], [])
}

#[test]
fn every_file_under_config_is_checked_here() {
    let checked = ["compose.yaml", "wharf.service", "wharf.toml"];
    let mut found: Vec<_> = std::fs::read_dir(repository("config"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, checked);
}

#[test]
fn wharf_toml_is_what_the_table_says() {
    let expected = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wharf.toml");
    std::fs::write(&expected, sample_file()).unwrap();
    let same = text("config/wharf.toml") == sample_file();
    assert!(same, "config/wharf.toml differs from the table of settings; the right text is in {}", expected.display());
}

#[test]
fn wharf_toml_changes_nothing_and_its_defaults_are_the_program_s() {
    assert_eq!(load_file("as-it-is.toml", &text("config/wharf.toml")), load(&[], []));
    let keys: BTreeMap<_, _> = text("config/wharf.toml")
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once(" = "))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let (mut defaults, mut all) = (String::new(), String::new());
    for setting in SETTINGS.iter().filter(|setting| setting.in_file) {
        let line = format!("{} = {}\n", setting.name, keys[setting.name]);
        all += &line;
        if matches!(setting.default, Default::Text(_)) {
            defaults += &line;
        }
    }
    assert_eq!(load_file("defaults.toml", &defaults), load(&[], []), "spelled out, the defaults change nothing");
    let config = load_file("all.toml", &all);
    assert!(config.credentials.is_some() && config.tls.is_some(), "the examples are accepted too");
}

/// Joins lines that end in a backslash, and drops comments.
fn instructions(dockerfile: &str) -> Vec<(String, String)> {
    let lines: Vec<_> = dockerfile.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = |line: &str| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()));
    joined.lines().filter_map(split).collect()
}

#[test]
fn the_image_serves_as_documented() {
    let instructions = instructions(&text("Dockerfile"));
    let all = |name: &str| -> Vec<&str> {
        instructions.iter().filter(|(found, _)| found == name).map(|(_, rest)| rest.as_str()).collect()
    };
    let stages = all("FROM");
    assert_eq!(stages.len(), 2, "{stages:?}");
    let rust_version =
        text("Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = ").map(str::to_owned));
    assert!(stages[0].starts_with(&format!("rust:{}-", rust_version.unwrap().trim_matches('"'))), "{stages:?}");
    assert!(!stages[1].contains("rust"), "the compiler stays behind: {stages:?}");

    assert_eq!(all("USER"), ["10001:10001"], "a number: runtimes can tell that it is not root");
    assert_eq!(all("VOLUME"), ["/data"]);
    assert_eq!(all("EXPOSE"), ["9000 9001"]);
    assert_eq!(all("ENTRYPOINT"), [r#"["wharf"]"#]);
    assert_eq!(all("CMD"), [r#"["serve"]"#]);
    assert!(all("HEALTHCHECK")[0].ends_with(r#"CMD ["wharf", "healthcheck"]"#));
    let place = |name: &str| instructions.iter().rposition(|(found, _)| found == name);
    assert!(place("RUN") < place("VOLUME"), "what is done to /data after VOLUME is lost");

    let variables =
        all("ENV").into_iter().flat_map(|rest| rest.split_whitespace()).filter_map(|pair| pair.split_once('='));
    let config = load(&[], variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(config.data_dir, PathBuf::from("/data"));
    assert_eq!(config.s3_listen, [([0, 0, 0, 0], 9000).into()]);
    assert_eq!(config.api_listen, [([0, 0, 0, 0], 9001).into()]);
}

#[test]
fn the_image_s_context_holds_what_is_copied() {
    let ignored = text(".dockerignore");
    for (name, rest) in instructions(&text("Dockerfile")) {
        if name != "COPY" || rest.starts_with("--from") {
            continue;
        }
        let sources: Vec<_> = rest.split_whitespace().collect();
        for source in &sources[..sources.len() - 1] {
            assert!(repository(source).exists(), "{source}");
            assert!(ignored.lines().any(|line| line == format!("!{source}")), "{source} is ignored");
        }
    }
}

#[test]
fn compose_sets_what_the_program_knows() {
    let compose = text("config/compose.yaml");
    assert!(!compose.contains('\t'), "YAML indents with spaces");
    let pairs =
        compose.lines().filter_map(|line| line.trim().split_once(": ")).filter(|(name, _)| name.starts_with("WHARF_"));
    // `${NAME:-default}` is the default when nothing is passed through.
    let value = |value: &str| {
        let value = value.trim_matches('"');
        let passed =
            value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).and_then(|rest| rest.split_once(":-"));
        passed.map_or(value, |(_, default)| default).to_owned()
    };
    let variables: Vec<_> = pairs.map(|(name, text)| (name.to_owned(), value(text))).collect();
    assert!(variables.len() >= 4, "{variables:?}");
    let config = load(&[], variables);
    assert_eq!(config.credentials, None, "nothing passed through: the gateway makes a pair");
    assert_eq!(config.domains, ["localhost", "wharf"]);
    for line in ["read_only: true", "- no-new-privileges:true", "- ALL", "- data:/data", "context: .."] {
        assert!(compose.lines().any(|found| found.trim() == line), "{line}");
    }
    assert!(compose.contains("\"127.0.0.1:9000:9000\"") && compose.contains("\"127.0.0.1:9001:9001\""));
    grace_is_longer_than_the_drain(&compose, "stop_grace_period: ");
}

#[test]
fn the_unit_starts_the_program_with_settings_it_knows() {
    let unit = text("config/wharf.service");
    let all = |key: &str| -> Vec<String> {
        unit.lines().filter_map(|line| line.strip_prefix(&format!("{key}="))).map(str::to_owned).collect()
    };
    let start = all("ExecStart").join(" ");
    let mut words = start.split_whitespace();
    assert_eq!((words.next(), words.next()), (Some("/usr/local/bin/wharf"), Some("serve")));
    let variables = all("Environment");
    let variables = variables.iter().filter_map(|pair| pair.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned()));
    let config = load(&words.collect::<Vec<_>>(), variables);
    let state = all("StateDirectory").join("");
    assert_eq!(config.data_dir, PathBuf::from("/var/lib").join(state), "the one directory it may write to");
    assert_eq!(all("RestartPreventExitStatus"), ["2"]);
    for (key, value) in
        [("DynamicUser", "yes"), ("ProtectSystem", "strict"), ("NoNewPrivileges", "yes"), ("CapabilityBoundingSet", "")]
    {
        assert_eq!(all(key), [value], "{key}");
    }
    grace_is_longer_than_the_drain(&unit, "TimeoutStopSec=");
}

/// Whoever stops wharf waits longer than wharf drains.
fn grace_is_longer_than_the_drain(text: &str, key: &str) {
    let grace = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_suffix('s')).unwrap();
    assert!(load(&[], []).drain_timeout.as_secs() < grace.parse().unwrap());
}

#[test]
fn banned_crates_are_not_in_the_tree() {
    let deny: toml::Table = text("deny.toml").parse().unwrap();
    let banned: Vec<_> = deny["bans"]["deny"].as_array().unwrap().iter().collect();
    for name in ["openssl", "aws-lc-rs", "native-tls"] {
        assert!(banned.iter().any(|entry| entry["crate"].as_str() == Some(name)), "{name}");
    }
    let lock: toml::Table = text("Cargo.lock").parse().unwrap();
    let packages: Vec<_> =
        lock["package"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert!(packages.contains(&"rustls"));
    for entry in banned {
        assert!(!entry["reason"].as_str().unwrap().is_empty());
        assert!(!packages.contains(&entry["crate"].as_str().unwrap()), "{entry:?}");
    }
    let demanding = ["GPL", "MPL", "SSPL", "BUSL", "EUPL"];
    for licence in deny["licenses"]["allow"].as_array().unwrap() {
        assert!(!demanding.iter().any(|word| licence.as_str().unwrap().contains(word)), "{licence:?}");
    }
}

#[test]
fn the_program_keeps_its_exit_codes() {
    let wharf = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wharf"));
        let output = command.args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        (output.status.code().unwrap(), out, err)
    };
    for (arguments, variables, named) in [
        (&["serve", "--regoin", "x"][..], &[][..], "--regoin"),
        (&["serve"], &[("WHARF_REGOIN", "x")], "WHARF_REGOIN"),
        (&["healthcheck"], &[("WHARF_DURABILITY", "none")], "WHARF_DURABILITY"),
        (&["healthcheck", "--api-listen", "127.0.0.1:0"], &[], "api-listen"),
        (&["serve", "--config", "/nowhere.toml"], &[], "--config"),
        (&["polish"], &[], "polish"),
        (&[], &[], "command"),
    ] {
        let (code, out, err) = wharf(arguments, variables);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{err}");
        assert!(err.contains(named), "{err}");
    }
    let (code, out, _) = wharf(&["--version"], &[]);
    assert_eq!((code, out), (0, concat!("wharf ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));
    let (code, out, err) = wharf(&["--help"], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("serve") && out.contains("healthcheck"));
}
