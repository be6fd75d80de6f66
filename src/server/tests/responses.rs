//! Responses that break off, and readers that do not read.

use super::*;

#[tokio::test]
async fn a_stream_of_unknown_length_is_chunked() {
    let site = site();
    let mut client = connect(site.address).await;
    client.send(get("/stream")).await;
    let head = client.until(b"\r\n\r\n").await;
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    assert_eq!(client.until(b"0\r\n\r\n").await, "3\r\nabc\r\n".repeat(3) + "0\r\n\r\n");
    assert_eq!(client.ask(get("/who")).await.status(), 200);
}

#[tokio::test]
async fn a_response_that_breaks_off_is_short_and_closed() {
    let site = site();
    for path in ["/broken", "/short"] {
        let mut client = connect(site.address).await;
        client.send(get(path) + &get("/who")).await;
        let all = client.rest().await;
        if let Some((head, body)) = all.split_once("\r\n\r\n") {
            assert!(head.contains("content-length: 100"), "{all}");
            assert_eq!(body, "abcabc");
        } else {
            assert_eq!(all, "");
        }
    }
    let mut client = connect(site.address).await;
    client.send(get("/broken-chunked")).await;
    let all = client.rest().await;
    assert!(!all.contains("0\r\n\r\n"), "it looks complete: {all}");
}

#[tokio::test]
async fn a_close_is_no_end_for_a_response_that_broke_off() {
    // HTTP/1.0 knows no chunks: a response without a length ends with the connection, so only a reset can say that it
    // did not end.
    let site = site();
    let mut whole = connect(site.address).await;
    whole.send("GET /stream HTTP/1.0\r\n\r\n").await;
    assert!(whole.rest().await.ends_with("\r\n\r\nabcabcabc"));

    let mut broken = connect(site.address).await;
    broken.send("GET /broken-chunked HTTP/1.0\r\n\r\n").await;
    let error = loop {
        match broken.more().await {
            Ok(true) => {}
            Ok(false) => panic!("a clean end after {:?}", String::from_utf8_lossy(&broken.unread)),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_given_up() {
    let (gone, given_up) = oneshot::channel();
    let gone = Arc::new(std::sync::Mutex::new(Some(gone)));
    let flood = handler(move |_request| {
        let gone = Arc::clone(&gone);
        async move {
            let piece = Bytes::from(vec![0; 64 << 10]);
            let endless = stream::repeat_with(move || Ok(piece.clone()));
            Response::new(Body::stream(endless, None).at_end(move |progress| {
                if let Some(gone) = gone.lock().unwrap().take() {
                    let _ = gone.send(progress.bytes());
                }
            }))
        }
    });
    let site = site_with(Limits { body_idle: SHORT, ..Limits::default() }, flood);
    let mut client = connect(site.address).await;
    client.send(get("/")).await;
    let sent = timeout(PATIENCE, given_up).await.expect("the server waits for ever").unwrap();
    assert!(sent > 0);
    drop(client);
}
