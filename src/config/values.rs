//! From the text of a setting to its value. Each parser takes the texts that one layer gave (exactly one, unless the
//! setting may be repeated) and answers with the value or with words that say what was expected. Secrets are never
//! repeated in those words.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::{Durability, Reserve, Secret, StartBucket};
use crate::base::limits::PRESIGN_MAX;
use crate::store::types::BucketName;
use crate::wire::base_url::BaseUrl;
use crate::wire::cors::Pattern;
use crate::wire::destination::{Destination, Destinations};
use crate::wire::network::{Network, Networks};
use crate::wire::url::HttpUrl;

/// Longest duration a setting may have: a hundred years, so that no sum of times overflows.
const DURATION_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
/// Shortest access key; AWS's own are longer.
const ACCESS_KEY_MIN_CHARS: usize = 3;
/// Shortest secret that is not guessed by trying.
const SECRET_KEY_MIN_CHARS: usize = 8;
/// Longest access or secret key.
const KEY_MAX_CHARS: usize = 128;

/// The only text of a setting that is not repeatable.
fn single(texts: &[String]) -> Result<&str, String> {
    match texts {
        [text] => Ok(text),
        _ => Err("expected one value".to_owned()),
    }
}

/// Every item of every text: repeated, or separated by commas.
fn items(texts: &[String]) -> impl Iterator<Item = &str> {
    texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|item| !item.is_empty())
}

/// Parses each item, refusing to take one twice.
fn each<T: PartialEq>(texts: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut values = Vec::new();
    for item in items(texts) {
        let value = parse(item)?;
        if values.contains(&value) {
            return Err(format!("{item:?} is given twice"));
        }
        values.push(value);
    }
    Ok(values)
}

pub(super) fn path(texts: &[String]) -> Result<PathBuf, String> {
    match single(texts)? {
        "" => Err("expected a path, found nothing".to_owned()),
        text if text.contains('\0') => Err("a path holds no NUL".to_owned()),
        text => Ok(PathBuf::from(text)),
    }
}

/// At least one address. Port 0 may be repeated: each picks a port of its own.
pub(super) fn listeners(texts: &[String]) -> Result<Vec<SocketAddr>, String> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for item in items(texts) {
        let address = listener(item)?;
        if address.port() != 0 && addresses.contains(&address) {
            return Err(format!("{item:?} is given twice"));
        }
        addresses.push(address);
    }
    if addresses.is_empty() { Err("expected at least one ADDRESS:PORT".to_owned()) } else { Ok(addresses) }
}

/// An IP address and a port; `localhost` is the one name that needs no resolver.
fn listener(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    local
        .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        .or_else(|| text.parse().ok())
        .ok_or_else(|| format!("expected ADDRESS:PORT such as 127.0.0.1:9000 or [::]:9000, found {text:?}"))
}

/// No `/` (it divides the credential scope), no `:` (it divides HTTP Basic), nothing that needs escaping in a URL's path.
pub(super) fn access_key(texts: &[String]) -> Result<String, String> {
    let text = single(texts)?;
    let sane = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    match text.chars().count() {
        0..ACCESS_KEY_MIN_CHARS => Err(format!("shorter than {ACCESS_KEY_MIN_CHARS} characters")),
        count if count > KEY_MAX_CHARS => Err(format!("longer than {KEY_MAX_CHARS} characters")),
        _ if !text.chars().all(sane) => Err("only letters, digits and -_.@+ are allowed".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

pub(super) fn secret_key(texts: &[String]) -> Result<Secret, String> {
    let text = single(texts)?;
    match text.chars().count() {
        0..SECRET_KEY_MIN_CHARS => Err(format!("shorter than {SECRET_KEY_MIN_CHARS} characters")),
        count if count > KEY_MAX_CHARS => Err(format!("longer than {KEY_MAX_CHARS} characters")),
        _ if text.trim() != text => Err("begins or ends with white space".to_owned()),
        _ if text.chars().any(char::is_control) => Err("holds a control character".to_owned()),
        _ => Ok(Secret::new(text.to_owned())),
    }
}

/// What a header can carry behind `Bearer`.
pub(super) fn bearer_token(texts: &[String]) -> Result<Secret, String> {
    match single(texts)? {
        text if !(SECRET_KEY_MIN_CHARS..=KEY_MAX_CHARS).contains(&text.len()) => {
            Err(format!("expected {SECRET_KEY_MIN_CHARS} to {KEY_MAX_CHARS} characters"))
        }
        text if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("only visible characters of ASCII are allowed".to_owned())
        }
        text => Ok(Secret::new(text.to_owned())),
    }
}

/// A region is one element of the credential scope.
pub(super) fn region(texts: &[String]) -> Result<String, String> {
    let text = single(texts)?;
    let sane = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if (1..=63).contains(&text.len()) && text.chars().all(sane) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected a region such as us-east-1 (letters, digits, - and _), found {text:?}"))
    }
}

/// `NAME` or `NAME:public`, each name once.
pub(super) fn buckets(texts: &[String]) -> Result<Vec<StartBucket>, String> {
    let mut buckets: Vec<StartBucket> = Vec::new();
    for item in items(texts) {
        let (name, public) = match item.split_once(':') {
            None => (item, false),
            Some((name, "public")) => (name, true),
            Some((name, property)) => {
                return Err(format!("{item:?}: a bucket has no {property:?}; expected {name:?} or \"{name}:public\""));
            }
        };
        let name = bucket_name(name)?;
        if buckets.iter().any(|bucket| bucket.name == name) {
            return Err(format!("{name} is given twice"));
        }
        buckets.push(StartBucket { name, public });
    }
    Ok(buckets)
}

/// The name of a bucket that clients can reach. The error says what is wrong with it.
pub fn bucket_name(text: &str) -> Result<BucketName, String> {
    if text == "minio" {
        return Err("\"minio\" is no bucket name: /minio/health/... answers probes".to_owned());
    }
    BucketName::parse(text).ok_or_else(|| {
        format!("{text:?} is not a bucket name (3 to 63 of a-z, 0-9, . and -, by the rules of Amazon S3)")
    })
}

/// Host names in lower case. An address is refused: it has no names below it.
pub(super) fn domains(texts: &[String]) -> Result<Vec<String>, String> {
    each(texts, |item| {
        let sane = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let good = item.len() <= 253 && item.parse::<Ipv4Addr>().is_err() && item.split('.').all(sane);
        if good {
            Ok(item.to_ascii_lowercase())
        } else {
            Err(format!("expected a host name such as s3.example.com, without scheme, port or *, found {item:?}"))
        }
    })
}

/// Origins as browsers send them, each with one `*` at most, or `*` alone.
pub(super) fn origins(texts: &[String]) -> Result<Vec<Pattern>, String> {
    each(texts, |item| {
        let origin = item.to_ascii_lowercase();
        let (scheme, host) = origin.split_once("://").unwrap_or_default();
        if (scheme == "http" && host.ends_with(":80")) || (scheme == "https" && host.ends_with(":443")) {
            return Err(format!("{item:?}: browsers leave out a port that is the scheme's own"));
        }
        let sane = |text: &str, marks: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
        };
        let good = origin == "*" || (sane(scheme, "+-.*") && sane(host, "-._:[]*"));
        Pattern::parse(&origin).filter(|_| good).ok_or_else(|| {
            format!("expected an origin such as https://app.example.com, with one * at most, or *, found {item:?}")
        })
    })
}

pub(super) fn base_urls(texts: &[String]) -> Result<Vec<BaseUrl>, String> {
    each(texts, parse_base_url)
}

pub(super) fn base_url(texts: &[String]) -> Result<BaseUrl, String> {
    parse_base_url(single(texts)?)
}

fn parse_base_url(text: &str) -> Result<BaseUrl, String> {
    BaseUrl::parse(text).ok_or_else(|| {
        format!("expected http:// or https:// with a host and perhaps a port, and nothing behind them, found {text:?}")
    })
}

/// A life that a presigned URL can have.
pub(super) fn presign_life(texts: &[String]) -> Result<Duration, String> {
    match duration(single(texts)?)? {
        life if life > PRESIGN_MAX => Err("a presigned URL lives 7d at most".to_owned()),
        life if life.as_secs() == 0 || life.subsec_nanos() != 0 => {
            Err("a presigned URL lives a whole number of seconds, at least 1s".to_owned())
        }
        life => Ok(life),
    }
}

pub(super) fn networks(texts: &[String]) -> Result<Networks, String> {
    let network = |item: &str| {
        let wrong = || format!("expected an address such as 10.0.0.1 or a range such as 10.0.0.0/8, found {item:?}");
        Network::parse(item).ok_or_else(wrong)
    };
    each(texts, network).map(Networks::new)
}

/// Hosts and addresses that clients of ours may call.
pub(super) fn destinations(texts: &[String]) -> Result<Destinations, String> {
    let destination = |item: &str| {
        let expected = "expected a host such as wharf.example.com, an address or a range such as 10.0.0.0/8";
        Destination::parse(item).ok_or_else(|| format!("{expected}, without scheme, port or *, found {item:?}"))
    };
    each(texts, destination).map(Destinations::new)
}

/// A URL that paths are put below.
pub(super) fn callback_base(texts: &[String]) -> Result<HttpUrl, String> {
    match HttpUrl::parse(single(texts)?) {
        Ok(url) if url.has_query() => Err("a base URL has no query".to_owned()),
        Ok(url) => Ok(url),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn durability(texts: &[String]) -> Result<Durability, String> {
    match single(texts)? {
        "strict" => Ok(Durability::Strict),
        "relaxed" => Ok(Durability::Relaxed),
        text => Err(format!("expected strict or relaxed, found {text:?}")),
    }
}

pub(super) fn switch(texts: &[String]) -> Result<bool, String> {
    match single(texts)? {
        "on" => Ok(true),
        "off" => Ok(false),
        text => Err(format!("expected on or off, found {text:?}")),
    }
}

/// An expiry of nothing would abort uploads between two of their parts.
pub(super) fn expiry(texts: &[String]) -> Result<Duration, String> {
    match duration(single(texts)?)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}

pub(super) fn drain(texts: &[String]) -> Result<Duration, String> {
    duration(single(texts)?)
}

/// `7d`, `15m`, `1h30m`, `500ms`: whole numbers with units, from the largest unit down, each at most once.
pub fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let wrong = || format!("expected a duration such as 7d, 15m, 1h30m or 8s, found {text:?}");
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
        let (unit, after) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        total_ms = count.checked_mul(*unit_ms).and_then(|ms| total_ms.checked_add(ms)).ok_or_else(wrong)?;
        rest = after;
    }
    match Duration::from_millis(total_ms) {
        _ if text.is_empty() => Err(wrong()),
        duration if duration > DURATION_MAX => Err(format!("{text:?} is longer than a hundred years")),
        duration => Ok(duration),
    }
}

pub(super) fn reserve(texts: &[String]) -> Result<Reserve, String> {
    let text = single(texts)?;
    match text.strip_suffix('%') {
        Some(percent) => match percent.trim_end().parse() {
            Ok(percent @ 0..=99) => Ok(Reserve::Percent(percent)),
            _ => Err(format!("expected a whole percentage from 0% to 99%, found {text:?}")),
        },
        None => size(text).map(Reserve::Bytes),
    }
}

/// `1GiB`, `500MB`, `4096`: a whole number of bytes, with a decimal or binary unit in any case. `K`, `M`, `G` alone mean
/// one thing to some and another to others, and are refused.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a size such as 1GiB, 500MB or 1%, found {text:?}");
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit_bytes: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(unit_bytes).ok_or_else(wrong)
}

/// Directives of `tracing_subscriber::EnvFilter`, checked here so that a mistake is an error and not silence: a word
/// alone is a level, and not, as the filter would have it, a module that logs everything while all others are mute.
pub(super) fn log_filter(texts: &[String]) -> Result<String, String> {
    let text = single(texts)?;
    let word = |directive: &str| !directive.contains(['=', '[', ']', '{', '}']);
    let clear = |directive: &str| !word(directive) || directive.trim().parse::<LevelFilter>().is_ok();
    match EnvFilter::builder().parse(text) {
        Ok(_) if !text.is_empty() && text.split(',').all(clear) => Ok(text.to_owned()),
        _ => Err(format!(
            "expected a level (off, error, warn, info, debug, trace) or directives such as info,wharf::store=debug, found {text:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let good = [
            ("7d", 604_800_000),
            ("15m", 900_000),
            ("8s", 8000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1d1h1m1s1ms", 90_061_001),
            ("0s", 0),
        ];
        for (text, ms) in good {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in
            ["", "7", "d", "-1s", "1.5h", "1m1h", "1m1m", "7 d", "7D", "1w", "99999999999999999999d", "40000d", "1sm"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_reserves() {
        let one = |text: &str| reserve(&[text.to_owned()]);
        assert_eq!(one("1GiB"), Ok(Reserve::Bytes(1 << 30)));
        assert_eq!(one("500MB"), Ok(Reserve::Bytes(500_000_000)));
        assert_eq!(one("500 mb"), Ok(Reserve::Bytes(500_000_000)));
        assert_eq!(one("4096"), Ok(Reserve::Bytes(4096)));
        assert_eq!(one("1%"), Ok(Reserve::Percent(1)));
        for text in ["", "GiB", "-1", "1G", "1.5GiB", "100%", "-1%", "%", "99999999TiB"] {
            assert!(one(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_reserve_of_a_filesystem() {
        assert_eq!(Reserve::Standard.bytes(1 << 30), 256 << 20);
        assert_eq!(Reserve::Standard.bytes(100 << 30), 1 << 30);
        assert_eq!(Reserve::Standard.bytes(1 << 50), 10 << 30);
        assert_eq!(Reserve::Percent(50).bytes(1000), 500);
        assert_eq!(Reserve::Percent(99).bytes(u64::MAX), u64::MAX / 100 * 99);
        assert_eq!(Reserve::Bytes(7).bytes(1), 7);
    }

    #[test]
    fn listeners_are_addresses() {
        let many = |texts: &[&str]| listeners(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let parsed = many(&["127.0.0.1:0,[::]:9000", "localhost:80"]).unwrap();
        assert_eq!(
            parsed.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["127.0.0.1:0", "[::]:9000", "127.0.0.1:80"]
        );
        assert_eq!(many(&["127.0.0.1:0,127.0.0.1:0"]).unwrap().len(), 2);
        for bad in [":9000", "9000", "127.0.0.1", "example.com:9000", "127.0.0.1:65536", "", "127.0.0.1:1,127.0.0.1:1"]
        {
            assert!(many(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_those_of_browsers() {
        let many = |text: &str| {
            let parsed = origins(&[text.to_owned()])?;
            Ok::<_, String>(parsed.iter().map(|origin| origin.as_str().to_owned()).collect::<Vec<_>>())
        };
        let good = "*,https://App.example.com, http://*.example.com:8080,http://[::1]:3000,capacitor://localhost";
        let parsed = many(good).unwrap();
        assert_eq!(parsed[..3], ["*", "https://app.example.com", "http://*.example.com:8080"]);
        assert_eq!(parsed.len(), 5);
        for bad in [
            "null",
            "example.com",
            "https://",
            "://a",
            "https://a/",
            "https://a/b",
            "https://*.*",
            "**",
            "https://a b",
            "https://a:443",
            "http://a:80",
            "https://a,https://A",
        ] {
            assert!(many(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lives_and_base_urls() {
        let life = |text: &str| presign_life(&[text.to_owned()]);
        assert_eq!(life("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(life("7d"), Ok(PRESIGN_MAX));
        for text in ["0s", "500ms", "1s500ms", "7d1s", "8d", "900", ""] {
            assert!(life(text).is_err(), "{text}");
        }
        let urls =
            |text: &str| base_urls(&[text.to_owned()]).map(|urls| urls.iter().map(ToString::to_string).collect());
        assert_eq!(
            urls("https://A.example, http://b:81"),
            Ok(vec!["https://a.example".to_owned(), "http://b:81".to_owned()])
        );
        assert_eq!(base_urls(&[]), Ok(vec![]));
        for bad in ["https://a,https://A:443", "https://a/", "a.example", "https://a,,x"] {
            assert!(base_urls(&[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(base_url(&["https://a,https://b".to_owned()]).is_err());
    }

    #[test]
    fn names() {
        let one = |text: &str| vec![text.to_owned()];
        assert_eq!(
            domains(&one("S3.Example.com, localhost")),
            Ok(vec!["s3.example.com".to_owned(), "localhost".to_owned()])
        );
        for bad in ["127.0.0.1", "http://a", "a:9000", "*.a", ".a", "a..b", "-a", "a,A"] {
            assert!(domains(&one(bad)).is_err(), "{bad}");
        }
        assert!(buckets(&one("a-bucket,another")).is_ok());
        let public = buckets(&one("a-bucket,another:public")).unwrap();
        assert_eq!(public.iter().map(|bucket| bucket.public).collect::<Vec<_>>(), [false, true]);
        for bad in ["uploads:private", "uploads:", "uploads,uploads:public", "uploads:public:public"] {
            assert!(buckets(&one(bad)).is_err(), "{bad}");
        }
        assert!(buckets(&one("Bucket")).is_err());
        assert!(region(&one("eu-central-1")).is_ok());
        assert!(region(&one("eu/central")).is_err());
        assert!(access_key(&one("root")).is_ok());
        for bad in ["ab", "a/b/c", "a:bc", "a bc", "schlüssel"] {
            assert!(access_key(&one(bad)).is_err(), "{bad}");
        }
        assert!(secret_key(&one("12345678")).is_ok());
        for bad in ["1234567", " 12345678", "1234\n5678", &"x".repeat(129)] {
            let problem = secret_key(&one(bad)).unwrap_err();
            assert!(!problem.contains(bad.trim()), "{problem}");
        }
        assert!(log_filter(&one("info,wharf::store=debug")).is_ok());
        for bad in ["", "wharf=loudly", "verbose", "a=b=c"] {
            assert!(log_filter(&one(bad)).is_err(), "{bad}");
        }
    }
}
