//! The match and the headers, as tables.

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> Rule {
    Rule {
        origins: origins.iter().map(|text| pattern(text)).collect(),
        methods: methods.iter().map(|name| name.parse().unwrap()).collect(),
        headers: headers.iter().map(|text| pattern(text)).collect(),
        ..Rule::default()
    }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// What is said to a request of this method with these headers, by name.
fn said(rules: &[Rule], method: Method, pairs: &[(&str, &str)]) -> Option<HeaderMap> {
    let request = headers(pairs);
    let asked = Asked::of(&method, &request)?;
    let mut answer = HeaderMap::new();
    asked.allow(asked.find(rules)?, &[], &mut answer);
    Some(answer)
}

#[test]
fn one_star_stands_for_anything() {
    for (text, covered, not) in [
        ("*", &["", "null", "https://a"][..], &[][..]),
        ("https://a", &["https://a"], &["", "http://a", "https://a:443", "https://a/", "https://A", "xhttps://a"]),
        (
            "https://*.example.com",
            &["https://a.example.com", "https://a.b.example.com", "https://.example.com"],
            &[
                "https://example.com",
                "https://a.example.com.evil.org",
                "http://a.example.com",
                "https://a.example.com:8443",
            ],
        ),
        ("start*end", &["startend", "start1end", "start12end"], &["0start1end", "start1end2", "starend", "end", ""]),
        ("*suffix", &["suffix", "foo.suffix"], &["foo.suffix.get", "uffix"]),
        ("prefix*", &["prefix", "prefix.suffix"], &["bla.prefix", "prefi"]),
        ("aba*aba", &["abaaba", "abaXaba"], &["aba", "ababa"]),
        ("", &[""], &["a"]),
    ] {
        let pattern = pattern(text);
        for origin in covered {
            assert!(pattern.matches(origin), "{text} and {origin}");
        }
        for origin in not {
            assert!(!pattern.matches(origin), "{text} and {origin}");
        }
    }
    assert_eq!(Pattern::parse("*.*"), None);
    assert!(pattern("X-Amz-*").matches_name("x-amz-meta-a") && !pattern("x-amz-*").matches_name("x-am"));
}

#[test]
fn the_first_rule_that_fits_counts() {
    let rules = [
        rule(&["https://a"], &["GET"], &[]),
        rule(&["https://a", "https://*.b"], &["PUT", "GET"], &["X-Amz-*", "content-type"]),
        rule(&["*"], &["DELETE"], &["*"]),
    ];
    let found = |method: &str, origin: &str, names: &str| {
        let mut pairs = vec![("origin", origin), ("access-control-request-method", method)];
        if !names.is_empty() {
            pairs.push(("access-control-request-headers", names));
        }
        let request = headers(&pairs);
        let asked = Asked::of(&Method::OPTIONS, &request)?;
        asked.find(&rules).map(|rule| rules.iter().position(|known| known == rule).unwrap())
    };
    for (method, origin, names, expected) in [
        ("GET", "https://a", "", Some(0)),
        ("GET", "https://a", "Content-Type", Some(1)),
        ("PUT", "https://x.b", "content-type,X-AMZ-DATE ,, x-amz-meta-a", Some(1)),
        ("PUT", "https://x.b", "content-type,authorization", None),
        ("PUT", "https://x.c", "", None),
        ("get", "https://a", "", None),
        ("DELETE", "null", "anything", Some(2)),
        ("DELETE", "null", "not a name", None),
        ("DELETE", "null", "bad\u{e9}", None),
        ("POST", "https://a", "", None),
    ] {
        assert_eq!(found(method, origin, names), expected, "{method} {origin} {names}");
    }
}

#[test]
fn an_origin_that_nobody_can_have_matches_nothing() {
    let rules = [rule(&["*"], &["GET"], &[])];
    let long = format!("https://{}", "a".repeat(CORS_ORIGIN_MAX_BYTES - 8));
    assert!(said(&rules, Method::GET, &[("origin", &long)]).is_some());
    for pairs in [
        &[][..],
        &[("origin", "")],
        &[("origin", &format!("{long}a"))],
        &[("origin", "https://a"), ("origin", "https://b")],
        &[("origin", "https://a"), ("origin", "https://a")],
        &[("origin", "https://a b")],
        &[("origin", "https://\u{e9}")],
        &[("origin", "https://a\tb")],
        &[("origin", "https://a"), ("access-control-request-method", "GET"), ("access-control-request-method", "GET")],
    ] {
        assert_eq!(said(&rules, Method::GET, pairs), None, "{pairs:?}");
    }
    let names = |count: usize| vec!["a"; count].join(",");
    let rules = [rule(&["*"], &["GET"], &["*"])];
    let asks = |names: &str| said(&rules, Method::GET, &[("origin", "x"), ("access-control-request-headers", names)]);
    assert!(asks(&names(HEADERS_MAX)).is_some());
    assert!(asks(&names(HEADERS_MAX + 1)).is_none());
    assert!(!has_origin(&headers(&[("origin", "")])) && !has_origin(&HeaderMap::new()));
    assert!(has_origin(&headers(&[("origin", "null")])));
}

#[test]
fn what_is_said() {
    let mut rules = [rule(&["https://a"], &["GET", "PUT"], &["*"])];
    rules[0].exposed = vec!["ETag".to_owned(), "no name".to_owned(), "x-amz-id-2".to_owned()];
    rules[0].max_age_seconds = Some(3000);
    let asks = [("origin", "https://a"), ("access-control-request-headers", "B,x-AMZ-a")];
    let answer = said(&rules, Method::PUT, &asks).unwrap();
    for (name, value) in [
        ("access-control-allow-origin", "https://a"),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-headers", "b, x-amz-a"),
        ("access-control-expose-headers", "ETag, x-amz-id-2"),
        ("access-control-max-age", "3000"),
        ("access-control-allow-credentials", "true"),
        ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    ] {
        assert_eq!(answer[name], value);
    }
    assert_eq!(answer.len(), 7);
}

#[test]
fn a_rule_for_all_never_names_an_origin() {
    for origins in [&["*"][..], &["https://a", "*"], &["*", "https://a"]] {
        let answer = said(&[rule(origins, &["GET"], &[])], Method::GET, &[("origin", "https://a")]).unwrap();
        assert_eq!(answer["access-control-allow-origin"], "*");
        assert_eq!(answer.keys().filter(|name| name.as_str().starts_with("access-control-")).count(), 2, "{answer:?}");
    }
    // A star inside of an origin names one: browsers accept no other answer with credentials.
    let answer = said(&[rule(&["https://*"], &["GET"], &[])], Method::GET, &[("origin", "https://a")]).unwrap();
    assert_eq!(
        (&answer["access-control-allow-origin"], &answer["access-control-allow-credentials"]),
        (&HeaderValue::from_static("https://a"), &HeaderValue::from_static("true"))
    );
}

#[test]
fn the_method_of_a_preflight_counts_in_place_of_the_requests() {
    let rules = [rule(&["*"], &["GET"], &[])];
    let asks = |method, asked| said(&rules, method, &[("origin", "x"), ("access-control-request-method", asked)]);
    assert!(asks(Method::PUT, "GET").is_some());
    assert!(asks(Method::GET, "PUT").is_none());
    assert!(said(&rules, Method::GET, &[("origin", "x")]).is_some());
    assert!(said(&rules, Method::PUT, &[("origin", "x")]).is_none());
}
