//! The layers over each other, and what is refused.

use std::ffi::OsString;

use clap::{Args as _, FromArgMatches as _};

use super::*;

fn flags(arguments: &[&str]) -> Flags {
    let command = Flags::augment_args(clap::Command::new("wharf").no_binary_name(true));
    Flags::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    Variables::new(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

fn load(arguments: &[&str], pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(&flags(arguments), &variables(pairs))
}

/// The one line of an error, with what it must not be: empty of either name or place.
fn refused(arguments: &[&str], pairs: &[(&str, &str)]) -> String {
    let line = load(arguments, pairs).unwrap_err().to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

struct SettingsFile(tempfile::TempDir);

impl SettingsFile {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("wharf.toml"), text).unwrap();
        Self(directory)
    }

    fn path(&self) -> String {
        self.0.path().join("wharf.toml").to_str().unwrap().to_owned()
    }
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let config = load(&[], &[]).unwrap();
    let expected = Config {
        data_dir: PathBuf::from("./wharf-data"),
        s3_listen: vec![([127, 0, 0, 1], 9000).into()],
        api_listen: vec![([127, 0, 0, 1], 9001).into()],
        credentials: None,
        region: "us-east-1".to_owned(),
        buckets: vec![StartBucket { name: BucketName::parse("uploads").unwrap(), public: false }],
        public_urls: vec![],
        api_public_url: None,
        internal_url: None,
        generator_listen: vec![([127, 0, 0, 1], 9002).into()],
        generator_url: None,
        generator_token: None,
        generator_allow: Destinations::loopback(),
        callback_base_url: None,
        callback_allow: Destinations::loopback(),
        ca_file: None,
        domains: vec!["localhost".to_owned()],
        cors_allow_origins: vec![],
        trusted_proxies: Networks::default(),
        tls: None,
        tls_self_signed: false,
        durability: Durability::Strict,
        presign_expires: Duration::from_secs(3600),
        sigv2_presign: true,
        expire_uploads: Duration::from_secs(7 * 24 * 3600),
        reserve: Reserve::Standard,
        drain_timeout: Duration::from_secs(8),
        log: "info".to_owned(),
    };
    assert_eq!(config, expected);
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let file =
        SettingsFile::new("region = \"file-1\"\nbucket = [\"file-bucket\", \"second\"]\ndrain-timeout = \"1s\"\n");
    let path = file.path();
    let region = |arguments: &[&str], pairs: &[(&str, &str)]| load(arguments, pairs).unwrap().region;
    let environment = [("WHARF_CONFIG", path.as_str()), ("WHARF_REGION", "environment-1")];
    assert_eq!(region(&["--region", "flag-1"], &environment), "flag-1");
    assert_eq!(region(&[], &environment), "environment-1");
    assert_eq!(region(&["--config", &path], &[]), "file-1");
    assert_eq!(region(&["--config", &path], &[("WHARF_CONFIG", "/nowhere")]), "file-1");
    assert_eq!(region(&[], &[]), "us-east-1");

    let config = load(&["--bucket", "flag-bucket"], &environment).unwrap();
    assert_eq!(
        config.buckets.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(),
        ["flag-bucket"],
        "lists are not merged"
    );
    assert_eq!(config.drain_timeout, Duration::from_secs(1));
    assert_eq!(load(&[], &environment).unwrap().buckets.len(), 2);
}

#[test]
fn lists_are_repeated_or_comma_separated() {
    let config =
        load(&["--s3-listen", "127.0.0.1:0,[::1]:0", "--s3-listen", "127.0.0.1:80"], &[("WHARF_DOMAIN", "a, b")]);
    let config = config.unwrap();
    assert_eq!(config.s3_listen.len(), 3);
    assert_eq!(config.domains, ["a", "b"]);
    let file = SettingsFile::new("bucket = []\ndomain = \"a,b\"\n");
    let config = load(&["--config", &file.path()], &[]).unwrap();
    assert!(config.buckets.is_empty());
    assert_eq!(config.domains, ["a", "b"]);
}

#[test]
fn what_no_setting_owns_is_named() {
    assert_eq!(refused(&[], &[("WHARF_REGOIN", "x")]), "regoin (environment variable WHARF_REGOIN): no such setting");
    assert!(refused(&[], &[("WHARF_REGION_FILE", "x")]).contains("WHARF_REGION_FILE"));
    assert!(refused(&[], &[("WHARF_API_PORT", "9001")]).contains("WHARF_API_PORT"));
    for text in ["regoin = \"x\"", "config = \"x\"", "pulbic-url = \"http://x\"", "[region]\nx = 1"] {
        let file = SettingsFile::new(text);
        let line = refused(&["--config", &file.path()], &[]);
        assert!(line.contains(&file.path()) && line.contains(&text[..6].replace('[', "")), "{line}");
    }
}

#[test]
fn kubernetes_service_variables_are_not_settings() {
    let links = [
        ("WHARF_SERVICE_HOST", "10.0.0.11"),
        ("WHARF_SERVICE_PORT", "9000"),
        ("WHARF_SERVICE_PORT_S3", "9000"),
        ("WHARF_PORT", "tcp://10.0.0.11:9000"),
        ("WHARF_PORT_9000_TCP", "tcp://10.0.0.11:9000"),
        ("WHARF_PORT_9000_TCP_ADDR", "10.0.0.11"),
        ("WHARF_S3_PORT_9000_TCP_PROTO", "tcp"),
    ];
    assert!(load(&[], &links).is_ok());
}

#[test]
fn an_empty_variable_is_unset() {
    assert_eq!(load(&[], &[("WHARF_REGION", ""), ("WHARF_SECRET_KEY", "")]), load(&[], &[]));
}

#[test]
fn a_bad_value_names_setting_and_place() {
    assert_eq!(
        refused(&["--durability", "sloppy"], &[]),
        "durability (flag --durability): expected strict or relaxed, found \"sloppy\""
    );
    assert!(refused(&[], &[("WHARF_RESERVE", "lots")]).starts_with("reserve (environment variable WHARF_RESERVE): "));
    let file = SettingsFile::new("region = \"x\"\nexpire-uploads = 7\n");
    let line = refused(&["--config", &file.path()], &[]);
    assert_eq!(line, format!("expire-uploads (file {}): expected a text in quotes", file.path()));
    assert!(refused(&["--region", ""], &[]).starts_with("region (flag --region): "));
    assert!(refused(&["--data-dir", ""], &[]).starts_with("data-dir "));
    assert!(refused(&["--bucket", "uploads:private"], &[]).contains("uploads:public"));
    assert!(refused(&["--presign-expires", "8d"], &[]).starts_with("presign-expires (flag --presign-expires): "));
    let line = refused(&[], &[("WHARF_PUBLIC_URL", "https://user@files.example.com/")]);
    assert!(
        line.starts_with("public-url (environment variable WHARF_PUBLIC_URL): expected http:// or https://"),
        "{line}"
    );
    assert!(refused(&["--expire-uploads", "0s"], &[]).starts_with("expire-uploads "));
}

#[test]
fn a_file_that_cannot_be_read_names_the_line() {
    let file = SettingsFile::new("region = \"x\"\n\nbucket = [\n");
    assert!(refused(&["--config", &file.path()], &[]).contains(": line "));
    let twice = SettingsFile::new("region = \"x\"\nregion = \"y\"\n");
    assert!(refused(&["--config", &twice.path()], &[]).contains("line 2"));
    assert!(
        refused(&["--config", "/nowhere/wharf.toml"], &[]).starts_with("config (flag --config): cannot read /nowhere")
    );
}

#[test]
fn pairs_are_whole() {
    assert_eq!(refused(&["--tls-cert", "c.pem"], &[]), "tls-cert (flag --tls-cert): needs tls-key beside it");
    assert!(refused(&[], &[("WHARF_TLS_KEY", "k.pem")]).starts_with("tls-key (environment variable WHARF_TLS_KEY)"));
    assert!(refused(&["--access-key", "root"], &[]).starts_with("access-key "));
    assert!(refused(&[], &[("MINIO_ROOT_PASSWORD", "12345678")]).contains("MINIO_ROOT_PASSWORD"));
    let tls = load(&["--tls-cert", "c.pem", "--tls-key", "k.pem"], &[]).unwrap().tls.unwrap();
    assert_eq!((tls.cert, tls.key), (PathBuf::from("c.pem"), PathBuf::from("k.pem")));
}

#[test]
fn two_listeners_never_share_an_address() {
    let line = refused(&["--s3-listen", "127.0.0.1:9001"], &[]);
    assert_eq!(line, "api-listen (default): 127.0.0.1:9001 is already an address of s3-listen");
    assert!(load(&["--s3-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"], &[]).is_ok());
}

#[test]
fn secrets_come_from_files_and_aliases() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    std::fs::write(&path, "from-the-file\r\n").unwrap();
    let path = path.to_str().unwrap();
    let pair = |arguments: &[&str], pairs: &[(&str, &str)]| {
        let credentials = load(arguments, pairs).unwrap().credentials.unwrap();
        (credentials.access_key, credentials.secret_key.expose().to_owned())
    };
    let from_file = [("WHARF_ACCESS_KEY", "root"), ("WHARF_SECRET_KEY_FILE", path)];
    assert_eq!(pair(&[], &from_file), ("root".to_owned(), "from-the-file".to_owned()));
    assert_eq!(pair(&["--secret-key", "from-the-flag"], &from_file).1, "from-the-flag");

    let aliases = [("MINIO_ROOT_USER", "minio"), ("MINIO_ROOT_PASSWORD", "from-minio")];
    assert_eq!(pair(&[], &aliases), ("minio".to_owned(), "from-minio".to_owned()));
    let settings = SettingsFile::new("access-key = \"file\"\nsecret-key = \"from-settings\"\n");
    assert_eq!(pair(&["--config", &settings.path()], &aliases), ("file".to_owned(), "from-settings".to_owned()));

    let config = load(&[], &[("CALLBACK_BASE_URL", "http://gateway:9001/")]).unwrap();
    assert_eq!(config.callback_base_url.unwrap().to_string(), "http://gateway:9001/");
    assert!(refused(&[], &[("CALLBACK_BASE_URL", "gateway")]).contains("CALLBACK_BASE_URL"));
    let config = load(&[], &[("WHARF_GENERATOR_TOKEN_FILE", path)]).unwrap();
    assert_eq!(config.generator_token.unwrap().expose(), "from-the-file");

    let both = [("WHARF_SECRET_KEY", "12345678"), ("WHARF_SECRET_KEY_FILE", path)];
    assert!(refused(&[], &both).contains("WHARF_SECRET_KEY is set too"));
    assert!(refused(&[], &[("WHARF_SECRET_KEY_FILE", "/nowhere")]).contains("WHARF_SECRET_KEY_FILE"));
}

#[test]
fn what_a_generator_is_told() {
    let allowed = |flag: &str, text: &str| load(&[flag, text], &[]).unwrap();
    assert_eq!(allowed("--generator-allow", "127.0.0.0/8, ::1").generator_allow, Destinations::loopback());
    assert_eq!(allowed("--callback-allow", "").callback_allow, Destinations::default());
    for bad in ["http://a", "a:9000", "*.a", "10.0.0.0/33", "1.2.3", "a,A"] {
        assert!(refused(&["--generator-allow", bad], &[]).starts_with("generator-allow (flag --generator-allow): "));
        assert!(refused(&["--callback-allow", bad], &[]).starts_with("callback-allow "), "{bad}");
    }
    for bad in ["1234567", "12345678 ", "1234\n5678", "schlüssel", &"x".repeat(129)] {
        let line = refused(&["--generator-token", bad], &[]);
        assert!(line.starts_with("generator-token ") && !line.contains(bad.trim()), "{line}");
    }
    assert!(load(&["--callback-base-url", "https://a/b"], &[]).is_ok());
    for bad in ["a", "https://a?b", "https://u@a", "https://a#b", ""] {
        assert!(refused(&["--callback-base-url", bad], &[]).starts_with("callback-base-url "), "{bad}");
    }
    assert!(refused(&["--generator-url", "http://a/b"], &[]).starts_with("generator-url "));
    assert!(refused(&["--generator-listen", "a"], &[]).starts_with("generator-listen "));
}

#[test]
fn secrets_are_never_shown() {
    let arguments = ["--access-key", "root", "--secret-key", "correct-horse"];
    let config = load(&arguments, &[]).unwrap();
    assert!(!format!("{config:?}").contains("horse"));
    let config = load(&["--generator-token", "correct-horse"], &[]).unwrap();
    assert!(config.generator_token.is_some() && !format!("{config:?}").contains("horse"));
    assert!(!refused(&["--generator-token", "horse \u{e4}bcd"], &[]).contains("horse"));
    assert!(!refused(&["--access-key", "root", "--secret-key", "horse"], &[]).contains("\"horse"));
    let short = SettingsFile::new("access-key = \"root\"\nsecret-key = \"horse\"\n");
    assert!(!refused(&["--config", &short.path()], &[]).contains("horse"));
    // A syntax error shows its line's number, never its text.
    let broken = SettingsFile::new("secret-key = \"correct-horse\n");
    assert!(!refused(&["--config", &broken.path()], &[]).contains("horse"));
}

#[test]
fn presigned_urls_begin_with_the_public_url_or_the_listener() {
    let base = |arguments: &[&str]| load(arguments, &[]).unwrap().presign_base().map(|base| base.to_string());
    let listen = |address: &'static str| base(&["--s3-listen", address]);
    assert_eq!(base(&[]).as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!(base(&["--tls-cert", "c", "--tls-key", "k"]).as_deref(), Some("https://127.0.0.1:9000"));
    assert_eq!(listen("0.0.0.0:9000").as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!(listen("[::]:80").as_deref(), Some("http://[::1]"));
    assert_eq!(listen("127.0.0.1:0,10.0.0.1:81").as_deref(), Some("http://10.0.0.1:81"));
    assert_eq!(listen("127.0.0.1:0"), None);
    let several = ["--public-url", "https://files.example.com,http://intern:81", "--s3-listen", "127.0.0.1:0"];
    assert_eq!(base(&several).as_deref(), Some("https://files.example.com"));
}
