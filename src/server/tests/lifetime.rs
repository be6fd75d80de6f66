//! Deadlines on connections, the cap, and draining.

use super::*;

#[tokio::test]
async fn a_head_that_never_ends_is_closed() {
    let site = site_with(Limits { header: SHORT, ..Limits::default() }, handler(answer));
    for start in ["", "G", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut client = connect(site.address).await;
        client.send(start).await;
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let site = site_with(Limits { header: SHORT, ..Limits::default() }, handler(answer));
    let mut client = connect(site.address).await;
    for _ in 0..3 {
        assert_eq!(client.ask(get("/who")).await.status(), 200);
    }
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait() {
    let site = site_with(Limits { connections: 1, ..Limits::default() }, handler(answer));
    let mut first = connect(site.address).await;
    assert_eq!(first.ask(get("/who")).await.status(), 200);
    let mut second = connect(site.address).await;
    second.send(get("/who")).await;
    let mut byte = [0];
    assert!(timeout(SHORT, second.io.peek(&mut byte)).await.is_err(), "the second is not served");
    drop(first);
    assert_eq!(second.answer().await.status(), 200);
}

#[tokio::test]
async fn several_listeners_are_served() {
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0)); 3];
    let config = Config { listen, tls: None, limits: Limits::default(), metrics: Metrics::new() };
    let running = Server::bind(config).unwrap().serve(handler(answer));
    let addresses = running.local_addrs().to_vec();
    assert_eq!(addresses.len(), 3);
    for address in &addresses {
        assert_eq!(connect(*address).await.ask(get("/who")).await.status(), 200);
    }
    let taken = Config { listen: addresses, tls: None, limits: Limits::default(), metrics: Metrics::new() };
    let error = Server::bind(taken).unwrap_err();
    assert!(error.to_string().contains(&running.local_addrs()[0].to_string()), "{error}");
}

/// A handler that says when it has begun and then waits to be let go.
fn held() -> (Handler, Arc<Notify>, Arc<Notify>) {
    let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, waits) = (Arc::clone(&begun), Arc::clone(&release));
    let handler = handler(move |request: Request<Body>| {
        let (begins, waits) = (Arc::clone(&begins), Arc::clone(&waits));
        async move {
            if request.uri().path() == "/held" {
                begins.notify_one();
                waits.notified().await;
            }
            text(StatusCode::OK, "done")
        }
    });
    (handler, begun, release)
}

async fn refused(address: SocketAddr) {
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(PATIENCE, refused).await.expect("the listener stays open");
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight() {
    let (handler, begun, release) = held();
    let site = site_with(Limits::default(), handler);
    let mut idle = connect(site.address).await;
    assert_eq!(idle.ask(get("/")).await.body, "done");
    let mut silent = connect(site.address).await;
    let mut busy = connect(site.address).await;
    busy.send(get("/held")).await;
    begun.notified().await;

    let draining = tokio::spawn(site.running.drain(PATIENCE));
    refused(site.address).await;
    assert_eq!(idle.rest().await, "", "an idle connection is closed at once");
    assert_eq!(silent.rest().await, "", "and one that never asked");
    release.notify_one();
    let answer = busy.answer().await;
    assert_eq!(answer.body, "done");
    assert!(answer.closes());
    drop(busy);
    assert_eq!(draining.await.unwrap(), 0);
}

#[tokio::test]
async fn draining_cuts_what_does_not_finish() {
    let (handler, begun, _release) = held();
    let site = site_with(Limits::default(), handler);
    let mut busy = connect(site.address).await;
    busy.send(get("/held")).await;
    begun.notified().await;
    assert_eq!(site.running.drain(SHORT).await, 1);
    assert_eq!(busy.rest().await, "");
}

#[tokio::test]
async fn dropping_the_server_cuts_everything() {
    let (handler, begun, _release) = held();
    let site = site_with(Limits::default(), handler);
    let mut busy = connect(site.address).await;
    busy.send(get("/held")).await;
    begun.notified().await;
    drop(site.running);
    assert_eq!(busy.rest().await, "");
    refused(site.address).await;
}
