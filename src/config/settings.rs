//! The table of settings: one row each, from which flags, help, environment variables, file keys, defaults and
//! `config/wharf.toml` derive. A new setting is a row here and a field in [`super::Config`].

use super::Draft;
use super::values;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The flag without its dashes; also the key in the file.
    pub name: &'static str,
    /// What stands for the value in help.
    pub value_name: &'static str,
    /// One sentence without its full stop: what it is, or why one would change it.
    pub about: &'static str,
    /// What holds when no layer sets it.
    pub default: Default,
    /// A value the parser accepts, for documents.
    pub example: &'static str,
    /// May be repeated; each value may also be several, separated by commas.
    pub many: bool,
    /// Also read from the file that `WHARF_..._FILE` names; never shown.
    pub secret: bool,
    /// May stand in the settings file.
    pub in_file: bool,
    /// A foreign environment variable that is read when nothing else sets it.
    pub alias: Option<&'static str>,
    /// Checks the texts (one, unless `many`) and writes them to the draft. The error says what is wrong with the value.
    pub(crate) set: fn(&mut Draft, &[String]) -> Result<(), String>,
}

/// What holds when no layer sets a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// This text, parsed like any other.
    Text(&'static str),
    /// No value; the words say what happens then.
    Absent(&'static str),
}

impl Setting {
    /// The environment variable: `WHARF_DATA_DIR` for `data-dir`.
    pub fn variable(&self) -> String {
        format!("{}{}", super::layers::VARIABLE_PREFIX, self.name.replace('-', "_").to_ascii_uppercase())
    }
}

/// What most rows share.
const ROW: Setting = Setting {
    name: "",
    value_name: "",
    about: "",
    default: Default::Absent(""),
    example: "",
    many: false,
    secret: false,
    in_file: true,
    alias: None,
    set: |_, _| Ok(()),
};

/// Every setting, in the order of help and of the file.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "config",
        value_name: "FILE",
        about: "Settings file in TOML; config/wharf.toml documents every key",
        default: Default::Absent("no file"),
        example: "/etc/wharf/wharf.toml",
        in_file: false,
        ..ROW
    },
    Setting {
        name: "data-dir",
        value_name: "DIR",
        about: "Where objects, catalog and credentials live; made with mode 0700 if missing, used by one process at a time",
        default: Default::Text("./wharf-data"),
        example: "/var/lib/wharf",
        set: |draft, texts| values::path(texts).map(|path| draft.config.data_dir = path),
        ..ROW
    },
    Setting {
        name: "s3-listen",
        value_name: "ADDRESS:PORT",
        about: "Where the S3 dialect listens; several allowed, port 0 picks a free one",
        default: Default::Text("127.0.0.1:9000"),
        example: "0.0.0.0:9000",
        many: true,
        set: |draft, texts| values::listeners(texts).map(|listeners| draft.config.s3_listen = listeners),
        ..ROW
    },
    Setting {
        name: "api-listen",
        value_name: "ADDRESS:PORT",
        about: "Where API, health and metrics listen; several allowed, port 0 picks a free one",
        default: Default::Text("127.0.0.1:9001"),
        example: "0.0.0.0:9001",
        many: true,
        set: |draft, texts| values::listeners(texts).map(|listeners| draft.config.api_listen = listeners),
        ..ROW
    },
    Setting {
        name: "access-key",
        value_name: "KEY",
        about: "Root access key, 3 to 128 letters, digits and any of -_.@+",
        default: Default::Absent("a random pair, made at the first start and kept in <data-dir>/credentials"),
        example: "wharf-root",
        secret: true,
        alias: Some("MINIO_ROOT_USER"),
        set: |draft, texts| values::access_key(texts).map(|key| draft.access_key = Some(key)),
        ..ROW
    },
    Setting {
        name: "secret-key",
        value_name: "SECRET",
        about: "Root secret key, at least 8 characters; a flag shows in the process list, WHARF_SECRET_KEY_FILE does not",
        default: Default::Absent("as for access-key"),
        example: "at-least-8-characters",
        secret: true,
        alias: Some("MINIO_ROOT_PASSWORD"),
        set: |draft, texts| values::secret_key(texts).map(|key| draft.secret_key = Some(key)),
        ..ROW
    },
    Setting {
        name: "region",
        value_name: "REGION",
        about: "Region that requests must be signed for",
        default: Default::Text("us-east-1"),
        example: "eu-central-1",
        set: |draft, texts| values::region(texts).map(|region| draft.config.region = region),
        ..ROW
    },
    Setting {
        name: "bucket",
        value_name: "NAME[:public]",
        about: "Bucket made at start if missing, with :public one whose objects everybody may read; several allowed, an empty list makes none",
        default: Default::Text("uploads"),
        example: "uploads",
        many: true,
        set: |draft, texts| values::buckets(texts).map(|buckets| draft.config.buckets = buckets),
        ..ROW
    },
    Setting {
        name: "public-url",
        value_name: "URL",
        about: "What clients reach the S3 listener as, behind a proxy or by name: presigned URLs begin with the first, signatures for any of their hosts are accepted whatever Host a proxy sends; several allowed",
        default: Default::Absent("the S3 listener's address"),
        example: "https://files.example.com",
        many: true,
        set: |draft, texts| values::base_urls(texts).map(|urls| draft.config.public_urls = urls),
        ..ROW
    },
    Setting {
        name: "api-public-url",
        value_name: "URL",
        about: "What clients reach the API listener as, behind a proxy or by name",
        default: Default::Absent("the API listener's address"),
        example: "https://api.example.com",
        set: |draft, texts| values::base_url(texts).map(|url| draft.config.api_public_url = Some(url)),
        ..ROW
    },
    Setting {
        name: "internal-url",
        value_name: "URL",
        about: "What the generator reaches the S3 listener as",
        default: Default::Absent("the S3 listener's address"),
        example: "http://127.0.0.1:9000",
        set: |draft, texts| values::base_url(texts).map(|url| draft.config.internal_url = Some(url)),
        ..ROW
    },
    Setting {
        name: "generator-listen",
        value_name: "ADDRESS:PORT",
        about: "Where wharf generator listens; several allowed, port 0 picks a free one",
        default: Default::Text("127.0.0.1:9002"),
        example: "0.0.0.0:9002",
        many: true,
        set: |draft, texts| values::listeners(texts).map(|listeners| draft.config.generator_listen = listeners),
        ..ROW
    },
    Setting {
        name: "generator-url",
        value_name: "URL",
        about: "The generator that the gateway sends generations to",
        default: Default::Absent("the one within the gateway"),
        example: "http://gpu.example.com:9002",
        set: |draft, texts| values::base_url(texts).map(|url| draft.config.generator_url = Some(url)),
        ..ROW
    },
    Setting {
        name: "generator-token",
        value_name: "TOKEN",
        about: "What the generator asks for as bearer token, 8 to 128 characters; WHARF_GENERATOR_TOKEN_FILE keeps it out of the process list",
        default: Default::Absent(
            "random within the gateway; wharf generator asks for none on loopback and does not start without one elsewhere",
        ),
        example: "at-least-8-characters",
        secret: true,
        set: |draft, texts| values::bearer_token(texts).map(|token| draft.config.generator_token = Some(token)),
        ..ROW
    },
    Setting {
        name: "generator-allow",
        value_name: "HOST|ADDRESS|CIDR",
        about: "Where the generator may be told to send parts and reports; several allowed",
        default: Default::Text("127.0.0.0/8,::1"),
        example: "wharf.example.com",
        many: true,
        set: |draft, texts| values::destinations(texts).map(|allowed| draft.config.generator_allow = allowed),
        ..ROW
    },
    Setting {
        name: "callback-base-url",
        value_name: "URL",
        about: "The API that the generator reports to: what serve tells it, and what wharf generator uses where a request names none",
        default: Default::Absent(
            "api-public-url where generator-url is set, else the API's own listener; wharf generator has none",
        ),
        example: "http://127.0.0.1:9001",
        alias: Some("CALLBACK_BASE_URL"),
        set: |draft, texts| values::callback_base(texts).map(|url| draft.config.callback_base_url = Some(url)),
        ..ROW
    },
    Setting {
        name: "callback-allow",
        value_name: "HOST|ADDRESS|CIDR",
        about: "Where callbacks of generations may go; several allowed",
        default: Default::Text("127.0.0.0/8,::1"),
        example: "hooks.example.com",
        many: true,
        set: |draft, texts| values::destinations(texts).map(|allowed| draft.config.callback_allow = allowed),
        ..ROW
    },
    Setting {
        name: "ca-file",
        value_name: "FILE",
        about: "Certificates in PEM that vouch for what generator and callbacks reach over TLS, beside the certificate of tls-cert itself; read for each connection",
        default: Default::Absent("only that of tls-cert is trusted"),
        example: "/etc/wharf/ca.pem",
        set: |draft, texts| values::path(texts).map(|path| draft.config.ca_file = Some(path)),
        ..ROW
    },
    Setting {
        name: "domain",
        value_name: "HOST",
        about: "Host name under which bucket.HOST addresses a bucket, beside path style; several allowed",
        default: Default::Text("localhost"),
        example: "s3.example.com",
        many: true,
        set: |draft, texts| values::domains(texts).map(|domains| draft.config.domains = domains),
        ..ROW
    },
    Setting {
        name: "cors-allow-origin",
        value_name: "ORIGIN",
        about: "Origin whose pages may use every bucket whatever its CORS document says; several allowed, one * in each, * alone for all",
        default: Default::Absent("only the console's own origin"),
        example: "https://app.example.com",
        many: true,
        set: |draft, texts| values::origins(texts).map(|origins| draft.config.cors_allow_origins = origins),
        ..ROW
    },
    Setting {
        name: "trusted-proxy",
        value_name: "ADDRESS|CIDR",
        about: "Proxy whose X-Forwarded-Host, -Proto and -For (or Forwarded) are believed; several allowed",
        default: Default::Absent("none: these headers mean nothing"),
        example: "10.0.0.0/8",
        many: true,
        set: |draft, texts| values::networks(texts).map(|networks| draft.config.trusted_proxies = networks),
        ..ROW
    },
    Setting {
        name: "tls-cert",
        value_name: "FILE",
        about: "Certificate chain in PEM for every listener; read again when it changes",
        default: Default::Absent("plain HTTP"),
        example: "/etc/wharf/tls.crt",
        set: |draft, texts| values::path(texts).map(|path| draft.tls_cert = Some(path)),
        ..ROW
    },
    Setting {
        name: "tls-key",
        value_name: "FILE",
        about: "Private key in PEM that belongs to tls-cert; read again when it changes",
        default: Default::Absent("plain HTTP"),
        example: "/etc/wharf/tls.key",
        set: |draft, texts| values::path(texts).map(|path| draft.tls_key = Some(path)),
        ..ROW
    },
    Setting {
        name: "tls-self-signed",
        value_name: "on|off",
        about: "Whether the gateway makes a certificate of its own, kept in <data-dir>/tls.crt and tls.key, for trials",
        default: Default::Text("off"),
        example: "off",
        set: |draft, texts| values::switch(texts).map(|on| draft.config.tls_self_signed = on),
        ..ROW
    },
    Setting {
        name: "durability",
        value_name: "strict|relaxed",
        about: "strict: a 200 means bytes and metadata are on the device; relaxed: nothing is synced, for tests",
        default: Default::Text("strict"),
        example: "strict",
        set: |draft, texts| values::durability(texts).map(|durability| draft.config.durability = durability),
        ..ROW
    },
    Setting {
        name: "expire-uploads",
        value_name: "DURATION",
        about: "Multipart uploads idle for this long are aborted",
        default: Default::Text("7d"),
        example: "7d",
        set: |draft, texts| values::expiry(texts).map(|duration| draft.config.expire_uploads = duration),
        ..ROW
    },
    Setting {
        name: "reserve",
        value_name: "SIZE|PERCENT",
        about: "Free room kept back: below it writes are refused with 507 while deletes and aborts still work",
        default: Default::Absent("1 % of the filesystem, at least 256 MiB, at most 10 GiB"),
        example: "1GiB",
        set: |draft, texts| values::reserve(texts).map(|reserve| draft.config.reserve = reserve),
        ..ROW
    },
    Setting {
        name: "presign-expires",
        value_name: "DURATION",
        about: "Life of the URLs that wharf presigns, 1s to 7d",
        default: Default::Text("1h"),
        example: "15m",
        set: |draft, texts| values::presign_life(texts).map(|life| draft.config.presign_expires = life),
        ..ROW
    },
    Setting {
        name: "sigv2-presign",
        value_name: "on|off",
        about: "Whether URLs presigned with signature version 2 are accepted for GET, HEAD and PUT; in headers it never is",
        default: Default::Text("on"),
        example: "on",
        set: |draft, texts| values::switch(texts).map(|on| draft.config.sigv2_presign = on),
        ..ROW
    },
    Setting {
        name: "drain-timeout",
        value_name: "DURATION",
        about: "Time for requests in flight after SIGTERM; below the 10 s that container runtimes wait",
        default: Default::Text("8s"),
        example: "8s",
        set: |draft, texts| values::drain(texts).map(|duration| draft.config.drain_timeout = duration),
        ..ROW
    },
    Setting {
        name: "log",
        value_name: "FILTER",
        about: "What is logged to stderr: a level, or directives such as info,wharf::store=debug",
        default: Default::Text("info"),
        example: "info",
        set: |draft, texts| values::log_filter(texts).map(|filter| draft.config.log = filter),
        ..ROW
    },
];
