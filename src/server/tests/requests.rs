//! Heads, keep-alive, pipelining and panics.

use super::*;

#[tokio::test]
async fn a_connection_carries_a_hundred_requests() {
    let site = site();
    let mut client = connect(site.address).await;
    for number in 0..100 {
        let body = format!("request {number}");
        let answer = client.ask(put("/echo", body.len(), "") + &body).await;
        assert_eq!((answer.status(), answer.body), (200, body));
    }
    let metrics = site.metrics.encode();
    assert!(metrics.contains("\nwharf_connections 1\n"), "{metrics}");
    assert!(!metrics.contains("\nwharf_bytes_received_total 0\n"), "{metrics}");
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let site = site();
    let mut client = connect(site.address).await;
    let mut ahead = String::new();
    for number in 0..50 {
        ahead += &put("/echo", 2, "");
        ahead += &format!("{number:02}");
        ahead += &get("/who");
        // A small body nobody reads must not be taken for a request.
        ahead += &put("/refuse", 24, "");
        ahead += "GET /smuggled HTTP/1.1\r\n\r\n".get(..24).unwrap();
    }
    client.send(ahead).await;
    for number in 0..50 {
        assert_eq!(client.answer().await.body, format!("{number:02}"));
        assert!(client.answer().await.body.contains("tls: false"));
        assert_eq!(client.answer().await.status(), 403);
    }
}

#[tokio::test]
async fn an_oversized_head_is_told_so() {
    let site = site();
    // Long enough that the client is still sending when it is refused.
    let long = "y".repeat(8 * MIB);
    for head in [
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-many: 1\r\n".repeat(crate::base::limits::HEADERS_MAX + 1)),
    ] {
        let mut client = connect(site.address).await;
        let answer = client.ask(head).await;
        assert_eq!(answer.status(), 431);
        assert!(answer.closes());
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn junk_is_a_bad_request() {
    let site = site();
    for junk in [
        "hello?\r\n\r\n",
        "GET / HTTP/3.0\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "PUT /echo HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "PUT /echo HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        "PUT /echo HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
    ] {
        let mut client = connect(site.address).await;
        assert_eq!(client.ask(junk).await.status(), 400, "{junk:?}");
        assert_eq!(client.rest().await, "");
    }
    assert_eq!(connect(site.address).await.ask(get("/who")).await.status(), 200, "the server goes on");
}

#[tokio::test]
async fn a_request_framed_twice_ends_the_connection() {
    let site = site();
    let mut client = connect(site.address).await;
    let twice = "PUT /echo HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let answer = client.ask(twice.to_owned() + &get("/smuggled")).await;
    assert_eq!(answer.body, "ab", "chunked wins (RFC 9112 section 6.3)");
    assert!(answer.closes());
    assert_eq!(client.rest().await, "", "what follows is not believed");
}

#[tokio::test]
async fn a_panic_is_a_500() {
    let site = site();
    for path in ["/panic", "/panic-later"] {
        let mut client = connect(site.address).await;
        let answer = client.ask(put(path, 3, "") + "abc").await;
        assert_eq!((answer.status(), answer.body.as_str()), (500, ""));
        assert!(answer.closes());
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn the_handler_knows_the_connection() {
    let site = site();
    let mut client = connect(site.address).await;
    let peer = client.io.local_addr().unwrap();
    let answer = client.ask(get("/who")).await;
    let expected = ConnectionInfo { peer, local: site.address, tls: false };
    assert_eq!(answer.body, format!("{:?}", Some(expected)));
}

#[tokio::test]
async fn http_1_0_gets_one_answer() {
    let site = site();
    let mut client = connect(site.address).await;
    client.send("PUT /echo HTTP/1.0\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\nabc").await;
    let all = client.rest().await;
    assert!(all.starts_with("HTTP/1.0 200 OK\r\n"), "{all}");
    assert!(all.ends_with("\r\n\r\nabc"), "{all}");
}

#[tokio::test]
async fn a_client_that_has_ended_its_side_is_answered() {
    // The handler takes its time: the server has long seen that nothing more will come.
    let slow = handler(|request: Request<Body>| async {
        tokio::time::sleep(SHORT).await;
        answer(request).await
    });
    let site = site_with(Limits::default(), slow);
    let mut client = connect(site.address).await;
    client.send(put("/echo", 3, "") + "abc").await;
    client.io.shutdown().await.unwrap();
    assert!(client.rest().await.ends_with("\r\n\r\nabc"));
}

#[tokio::test]
async fn an_upgrade_nobody_gives_changes_nothing() {
    // hyper hands a connection that asked for an upgrade back without shutting it down.
    let site = site_with(Limits { linger: 2 * PATIENCE, ..Limits::default() }, handler(answer));
    let mut client = connect(site.address).await;
    let upgrade = "connection: upgrade\r\nupgrade: h2c\r\n";
    assert_eq!(client.ask(put("/echo", 3, upgrade) + "abc").await.body, "abc");
    client.send(put("/refuse", 8 * MIB, upgrade)).await;
    client.send(vec![0; 8 * MIB]).await;
    assert_eq!(client.answer().await.status(), 403);
    assert_eq!(client.rest().await, "");
}
