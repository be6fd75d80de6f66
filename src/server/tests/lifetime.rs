//! Deadlines on connections, the cap, and draining.

use super::*;
use crate::wire::network::{Network, Networks};

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

/// A connection from one of this machine's many addresses; none where it is closed without an answer.
async fn ask_from(address: SocketAddr, from: [u8; 4]) -> Option<Client<TcpStream>> {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut client = Client { io: socket.connect(address).await.unwrap(), unread: Vec::new() };
    // A connection that is closed at once may be reset while the request is on its way.
    let _ = client.io.write_all(get("/who").as_bytes()).await;
    while client.more().await.unwrap_or(false) {
        if client.unread.ends_with(b"})") {
            client.unread.clear();
            return Some(client);
        }
    }
    assert!(client.unread.is_empty());
    None
}

#[tokio::test]
async fn one_client_cannot_take_every_slot() {
    let uncapped = Networks::new(vec![Network::parse("127.0.0.3").unwrap()]);
    let limits = Limits { connections: 10, connections_per_client: 2, uncapped, ..Limits::default() };
    let site = site_with(limits, handler(answer));
    let (greedy, other, proxy) = ([127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]);
    let first = ask_from(site.address, greedy).await.expect("the first is served");
    let second = ask_from(site.address, greedy).await.expect("the second is served");
    for _ in 0..20 {
        assert!(ask_from(site.address, greedy).await.is_none(), "beyond its share a client is closed");
    }
    assert!(site.metrics.encode().contains("\nwharf_connections_refused_total 20\n"));
    assert!(ask_from(site.address, other).await.is_some(), "others are served");
    let mut many = Vec::new();
    for _ in 0..5 {
        many.push(ask_from(site.address, proxy).await.expect("who speaks for many is not bounded"));
    }
    drop(first);
    let again = async { while ask_from(site.address, greedy).await.is_none() {} };
    timeout(PATIENCE, again).await.expect("a place that is free again is given");
    drop(second);
}

#[tokio::test]
async fn a_head_that_trickles_has_the_same_end() {
    let site = site_with(Limits { header: SHORT * 3, ..Limits::default() }, handler(answer));
    let mut client = connect(site.address).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    let trickling = async {
        // A byte at a time, and far sooner than any pause would be noticed.
        while timeout(SHORT / 8, client.more()).await.map_or(true, |more| more.unwrap_or(false)) {
            if client.io.write_all(b"y").await.is_err() {
                return;
            }
        }
    };
    timeout(PATIENCE, trickling).await.expect("the head is waited for as long as it trickles");
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
