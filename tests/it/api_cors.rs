//! Pages of other origins on port 9001: preflights, which answers a page may read, and which credentials it may not use.

use serde_json::json;

use crate::api::Call;
use crate::gateway::{Gateway, Launch};
use crate::http::Answer;

const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example";
const PATHS: [(&str, &str); 4] =
    [("POST", "/upload-chunk/"), ("POST", "/s3/init"), ("GET", "/s3/multipart/x?key=k"), ("DELETE", "/upload-chunk/")];

fn allowing(origins: &str) -> Gateway {
    Launch::new().set("--cors-allow-origin", origins).start()
}

fn preflight<'a>(gateway: &'a Gateway, path: &str, origin: &str, method: &str) -> Call<'a> {
    let call = gateway.api("OPTIONS", path).anonymous().header("origin", origin);
    call.header("access-control-request-method", method)
}

/// What a browser is told of the origin.
fn origin_of(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

/// Asserts that a page may read this answer, and every header in it.
fn assert_readable(answer: &Answer, origin: &str) {
    assert_eq!(origin_of(answer), Some(origin), "{answer:?}");
    let exposed = answer.header("access-control-expose-headers").unwrap();
    let exposed: Vec<_> = exposed.split(", ").collect();
    for name in ["ETag", "Location", "Retry-After", "Upload-Offset", "Upload-Length", "Upload-Expires", "Tus-Resumable"]
    {
        assert!(exposed.contains(&name), "{name} in {exposed:?}");
    }
    assert!(exposed.iter().any(|name| name.starts_with("x-amz-")) && !exposed.contains(&"*"), "{exposed:?}");
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")), "{answer:?}");
}

#[test]
fn preflights_need_no_credentials() {
    let gateway = allowing(APP);
    for (method, path) in PATHS.iter().chain(&[("PATCH", "/upload-chunk/"), ("PUT", "/s3/init"), ("HEAD", "/s3/parts")])
    {
        let asked = "authorization, content-type, upload-offset, x-requested-with";
        let answer = preflight(&gateway, path, APP, method).header("access-control-request-headers", asked).send();
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{method} {path}");
        assert_readable(&answer, APP);
        assert!(answer.header("access-control-allow-methods").unwrap().split(", ").any(|known| known == *method));
        assert_eq!(answer.header("access-control-allow-headers"), Some(asked));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert!(answer.header("access-control-max-age").is_some());

        let refused = preflight(&gateway, path, EVIL, method).send();
        assert_eq!((refused.status, origin_of(&refused)), (403, None), "{method} {path}");
    }
    let refused = preflight(&gateway, "/s3/init", APP, "BREW").send();
    assert_eq!((refused.status, origin_of(&refused)), (403, None));
    // Without a setting nobody is let in but this port's own pages.
    let shared = Gateway::shared();
    let own = format!("http://{}", shared.api);
    assert_eq!(preflight(&shared, "/s3/init", &own, "POST").send().status, 204);
    for other in [APP, "null", &own.replace("http", "https")] {
        let refused = preflight(&shared, "/s3/init", other, "POST").send();
        assert_eq!((refused.status, origin_of(&refused)), (403, None), "{other}");
    }
}

#[test]
fn answers_and_errors_can_be_read_by_pages_that_are_let_in() {
    let gateway = allowing(APP);
    let begun = gateway.api("POST", "/s3/init").json(&json!({"fileName": "f"})).header("origin", APP).send().ok(200);
    assert_readable(&begun, APP);
    let call = |method, path| gateway.api(method, path).header("origin", APP);
    for (answer, status) in [
        (call("POST", "/s3/init").send(), 400),
        (call("POST", "/s3/init").authorized("Bearer x").send(), 401),
        (call("POST", "/s3/init").anonymous().json(&json!({"fileName": "f"})).send(), 403),
        (call("GET", "/upload-chunk/?upload_id=x").send(), 404),
        (call("GET", "/s3/init").send(), 405),
        (call("POST", "/upload-chunk/").send(), 415),
    ] {
        assert_eq!(answer.status, status);
        assert_readable(&answer, APP);
    }
    for answer in [
        gateway.api("POST", "/s3/init").send(),
        gateway.api("POST", "/s3/init").anonymous().header("origin", EVIL).send(),
    ] {
        assert_eq!(origin_of(&answer), None, "{answer:?}");
    }
}

#[test]
fn what_a_browser_adds_by_itself_is_not_taken_across_origins() {
    let closed = Gateway::shared();
    let body = json!({"fileName": "f"});
    let (named, all, both) = (allowing(APP), allowing("*"), allowing(&format!("*,{APP}")));
    for (gateway, origin, basic, bearer, said) in [
        (&*closed, EVIL, 403, 200, None),
        (&*closed, "null", 403, 200, None),
        (&*closed, "", 403, 200, None),
        (&named, APP, 200, 200, Some(APP)),
        (&named, EVIL, 403, 200, None),
        (&all, EVIL, 403, 200, Some("*")),
        (&both, EVIL, 403, 200, Some("*")),
        (&both, APP, 200, 200, Some(APP)),
    ] {
        let token = gateway.token(crate::gateway::ACCESS_KEY, &[]);
        let call = || gateway.api("POST", "/s3/init").json(&body).header("origin", origin);
        let with_cookie = call().bearer(&token).header("cookie", "session=x");
        for (call, status) in [(call(), basic), (call().bearer(&token), bearer), (with_cookie, basic)] {
            let answer = call.send();
            assert_eq!((answer.status, origin_of(&answer)), (status, said), "{origin}: {answer:?}");
        }
        if basic == 403 {
            // Neither the body nor the credentials are looked at.
            let error = call().authorized("Basic !!!").send_head().fails(403, "AccessDenied");
            assert!(error["message"].as_str().unwrap().contains("origin"), "{error}");
        }
        // Whatever else comes from there is nobody in particular.
        call().anonymous().send().fails(403, "AccessDenied");
    }
    // Pages of this very port, and what comes from no page.
    let own = format!("http://{}", closed.api);
    for call in [closed.api("POST", "/s3/init").header("origin", &own), closed.api("POST", "/s3/init")] {
        call.json(&body).send().ok(200);
    }
    // Two origins are none.
    let two = named.api("POST", "/s3/init").json(&body).header("origin", APP).header("origin", EVIL);
    two.send().fails(403, "AccessDenied");
}

#[test]
fn a_pattern_is_a_name() {
    let gateway = allowing("https://*.example.com");
    let body = json!({"fileName": "f"});
    for (origin, status) in [(APP, 200), ("https://example.com", 403), ("https://app.example.com.evil.example", 403)] {
        let answer = gateway.api("POST", "/s3/init").json(&body).header("origin", origin).send();
        assert_eq!((answer.status, origin_of(&answer)), (status, Some(origin).filter(|_| status == 200)), "{origin}");
    }
}
