//! Request bodies: 100-continue, bodies left unread, truncated and lying ones.

use super::*;

const EXPECT: &str = "expect: 100-continue\r\n";

#[tokio::test]
async fn the_client_is_told_to_go_on_when_the_body_is_asked_for() {
    let site = site();
    let mut client = connect(site.address).await;
    for _ in 0..2 {
        client.send(put("/echo", 3, EXPECT)).await;
        assert_eq!(client.until(b"\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("abc").await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.body.as_str()), (200, "abc"));
    }
}

#[tokio::test]
async fn the_client_is_not_told_to_go_on_when_nobody_asks() {
    let site = site();
    for path in ["/refuse", "/panic", "/nowhere"] {
        let mut client = connect(site.address).await;
        let answer = client.ask(put(path, 3, EXPECT)).await;
        assert!(answer.status() >= 400, "{answer:?}");
        assert!(answer.closes(), "the body may or may not follow");
        assert_eq!(client.rest().await, "");
    }
    // A maximum below the declared length refuses before it asks.
    let mut client = connect(site.address).await;
    let answer = client.ask(put("/echo", MIB + 1, EXPECT)).await;
    assert_eq!((answer.status(), answer.body.as_str()), (400, "TooLarge"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_client_that_waits_with_an_empty_body_gets_a_connection_of_its_own() {
    // `aws s3 sync` hung for a minute after each empty file: botocore sends `Expect` with `Content-Length: 0` too, takes
    // the final status in place of the 100, and then misreads the next answer on the same connection.
    let site = site();
    let mut client = connect(site.address).await;
    let answer = client.ask(put("/echo", 0, EXPECT)).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.closes());
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_body_that_comes_without_being_asked_for_is_read() {
    let site = site();
    let mut client = connect(site.address).await;
    client.send(put("/echo", 3, EXPECT) + "abc").await;
    assert!(client.until(b"abc").await.ends_with("\r\n\r\nabc"));
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    // 20 of 20 clients saw a reset instead when the server closed at once.
    let site = site();
    for round in 0..20 {
        let path = if round % 2 == 0 { "/refuse" } else { "/peek" };
        let mut client = connect(site.address).await;
        client.send(put(path, 8 * MIB, "")).await;
        client.send(vec![b'z'; 8 * MIB]).await;
        let answer = client.answer().await;
        assert!(matches!(answer.status(), 403 | 400), "{answer:?}");
        assert!(answer.closes());
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn reading_on_after_an_early_answer_has_an_end() {
    let limits = Limits { linger_bytes: MIB, ..Limits::default() };
    let site = site_with(limits, handler(answer));
    let mut client = connect(site.address).await;
    client.send(put("/refuse", usize::MAX >> 1, "")).await;
    let mib = vec![0; MIB];
    let stopped = async { while client.io.write_all(&mib).await.is_ok() {} };
    timeout(PATIENCE, stopped).await.expect("the server reads for ever");

    let limits = Limits { linger: SHORT, ..Limits::default() };
    let site = site_with(limits, handler(answer));
    let mut client = connect(site.address).await;
    assert_eq!(client.ask(put("/refuse", 100_000, "")).await.status(), 403);
    // The client neither sends nor closes: the server ends it all the same.
    assert!(site_is_empty(&site).await);
}

/// Waits until no connection is open.
async fn site_is_empty(site: &Site) -> bool {
    let empty = async {
        while !site.metrics.encode().contains("\nwharf_connections 0\n") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, empty).await.is_ok()
}

#[tokio::test]
async fn a_small_unread_body_does_not_cost_the_connection() {
    let site = site();
    let mut client = connect(site.address).await;
    for length in [0, 1, 1000, 64 << 10] {
        let request = put("/refuse", length, "") + &"z".repeat(length);
        let answer = client.ask(request).await;
        assert_eq!(answer.status(), 403);
        assert!(!answer.closes(), "{length}: {answer:?}");
    }
    let answer = client.ask(put_chunked("/refuse") + "3\r\nabc\r\n0\r\n\r\n").await;
    assert!(!answer.closes(), "{answer:?}");
    assert_eq!(client.ask(get("/who")).await.status(), 200);

    // One that does not come at once does cost it.
    let limits = Limits { unread: SHORT, ..Limits::default() };
    let site = site_with(limits, handler(answer_of_refuse));
    let mut client = connect(site.address).await;
    let answer = client.ask(put("/refuse", 10, "") + "abc").await;
    assert!(answer.closes());
    assert_eq!(client.rest().await, "");
}

async fn answer_of_refuse(_request: Request<Body>) -> Response<Body> {
    text(StatusCode::FORBIDDEN, "no")
}

#[tokio::test]
async fn a_truncated_body_is_known_as_such() {
    let site = site();
    for request in [
        put("/count", 10, "") + "abc",
        put_chunked("/count") + "5\r\nabc",
        put_chunked("/count") + "3\r\nabc\r\n",
        put_chunked("/count"),
    ] {
        let mut client = connect(site.address).await;
        client.send(&request).await;
        client.io.shutdown().await.unwrap();
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.body.as_str()), (400, "Truncated"), "{request:?}");
        assert!(answer.closes());
    }
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let site = site_with(Limits { body_idle: SHORT, ..Limits::default() }, handler(answer));
    let mut client = connect(site.address).await;
    let answer = client.ask(put("/count", 10, "") + "abc").await;
    assert_eq!((answer.status(), answer.body.as_str()), (400, "Timeout"));
    assert!(answer.closes());
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn lies_about_chunks_are_framing_errors() {
    let site = site();
    for lie in [
        "z\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcdef\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc",
        "-1\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
    ] {
        let mut client = connect(site.address).await;
        let answer = client.ask(put_chunked("/count") + lie).await;
        assert_eq!((answer.status(), answer.body.as_str()), (400, "Framing"), "{lie:?}");
        assert!(answer.closes());
        assert_eq!(client.rest().await, "");
    }
    let trailers = "3;name=value\r\nabc\r\n0\r\nx-trailer: 1\r\n\r\n";
    let mut client = connect(site.address).await;
    assert_eq!(client.ask(put_chunked("/count") + trailers).await.body, "3");
    assert_eq!(client.ask(get("/who")).await.status(), 200);
}

#[tokio::test]
async fn collecting_too_much_is_refused() {
    let site = site();
    let mut client = connect(site.address).await;
    client.send(put_chunked("/echo")).await;
    client.send(format!("{:x}\r\n", 2 * MIB)).await;
    client.send(vec![b'z'; 2 * MIB]).await;
    client.send("\r\n0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.body.as_str()), (400, "TooLarge"));
    assert_eq!(client.rest().await, "");
}
