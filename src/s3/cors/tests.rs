//! The built-in rules, and the list of what they expose.

use http::{HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    pairs.iter().map(pair).collect()
}

/// What a request to this host from this origin is told of its origin.
fn told(defaults: &Defaults, host: &str, origin: &str) -> Option<String> {
    let headers = headers(&[("host", host), ("origin", origin), ("access-control-request-headers", "x-amz-date")]);
    let asked = Asked::of(&Method::PUT, &headers)?;
    let mut answer = HeaderMap::new();
    asked.allow(defaults.find(&asked, &headers)?, &[], &mut answer);
    Some(answer["access-control-allow-origin"].to_str().unwrap().to_owned())
}

fn defaults(console: &str, tls: bool, allowed: &[&str]) -> Defaults {
    let allowed: Vec<_> = allowed.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    let console: Vec<SocketAddr> = console.split(',').map(|address| address.parse().unwrap()).collect();
    Defaults::new(&console, tls, &allowed, &["s3.example.com".to_owned(), "localhost".to_owned()])
}

#[test]
fn the_consoles_origin_is_let_in() {
    for (console, tls, host, good, bad) in [
        (
            "127.0.0.1:9001",
            false,
            "evil:9000",
            &["http://127.0.0.1:9001", "http://localhost:9001"][..],
            &["https://127.0.0.1:9001", "http://127.0.0.1", "http://127.0.0.1:9000", "http://evil:9001", "null"][..],
        ),
        ("127.0.0.1:443", true, "h", &["https://localhost"], &["https://localhost:443", "http://localhost"]),
        ("127.0.0.1:80", false, "h", &["http://127.0.0.1"], &["http://127.0.0.1:80"]),
        ("127.0.0.1:80", true, "h", &["https://127.0.0.1:80"], &["https://127.0.0.1"]),
        ("[::1]:9001", false, "h", &["http://[::1]:9001", "http://localhost:9001"], &["http://127.0.0.1:9001"]),
        ("10.0.0.5:9001", false, "h", &["http://10.0.0.5:9001"], &["http://localhost:9001", "http://h:9001"]),
        (
            "10.0.0.5:9001,[::]:9002",
            false,
            "Bucket.S3.example.com:9000",
            &[
                "http://10.0.0.5:9001",
                "http://[::1]:9002",
                "http://localhost:9002",
                "http://bucket.s3.example.com:9002",
                "http://s3.example.com:9002",
            ],
            &[
                "http://s3.example.com:9001",
                "http://example.com:9002",
                "http://evil:9002",
                "https://s3.example.com:9002",
            ],
        ),
        (
            "0.0.0.0:80",
            false,
            "wharf:9000",
            &["http://wharf", "http://localhost"],
            &["http://wharf:80", "http://other"],
        ),
    ] {
        let defaults = defaults(console, tls, &[]);
        for origin in good {
            assert_eq!(told(&defaults, host, origin).as_deref(), Some(*origin), "{console}");
        }
        for origin in bad {
            assert_eq!(told(&defaults, host, origin), None, "{console} and {origin}");
        }
    }
}

#[test]
fn the_setting_widens_it() {
    let some = defaults("127.0.0.1:9001", false, &["https://*.example.com"]);
    assert_eq!(told(&some, "h", "https://a.example.com").as_deref(), Some("https://a.example.com"));
    assert_eq!(told(&some, "h", "https://example.com"), None);
    let all = defaults("127.0.0.1:9001", false, &["*", "https://a"]);
    assert_eq!(told(&all, "h", "https://b").as_deref(), Some("*"));
    assert_eq!(told(&all, "h", "https://a").as_deref(), Some("https://a"));
    assert_eq!(told(&all, "h", "http://localhost:9001").as_deref(), Some("http://localhost:9001"));
}

/// The texts of this crate's S3 code and of the digests, without their tests.
fn sources() -> Vec<String> {
    let mut folders = vec!["src/s3".to_owned(), "src/base/digest".to_owned()];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = format!("{folder}/{name}");
            if name.ends_with(".rs") && name != "tests.rs" && name != "cors.rs" {
                let text = std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
                texts.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
            } else if !name.contains('.') && name != "tests" {
                folders.push(path);
            }
        }
    }
    texts
}

#[test]
fn what_is_put_on_answers_is_exposed() {
    let exposed = |name: &str| EXPOSED.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut seen = 0;
    for text in sources() {
        for call in text.split("set(").skip(1) {
            let statement = call.split(';').next().unwrap();
            let name = statement.split('"').nth(1).unwrap_or_default();
            if statement.starts_with("headers,") || statement.contains("headers_mut()") && !name.is_empty() {
                assert!(name.is_empty() || exposed(name), "{name} is set and not exposed");
                seen += usize::from(!name.is_empty());
            }
        }
    }
    assert!(seen > 15, "the calls were not found: {seen}");
}

#[test]
fn what_is_exposed_is_put_on_answers() {
    let sources = sources().concat();
    for name in EXPOSED.iter().filter(|name| name.starts_with("x-amz-")) {
        assert!(sources.contains(&format!("\"{name}\"")), "nothing sends {name}");
    }
    let mut sorted: Vec<_> = EXPOSED.iter().map(|name| name.to_ascii_lowercase()).collect();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), EXPOSED.len());
}
