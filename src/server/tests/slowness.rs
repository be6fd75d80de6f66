//! Peers that move a byte now and then, and those that only seem to.

use super::*;

/// Longest pause here: long beside what a busy machine takes for anything.
const IDLE: Duration = Duration::from_secs(1);
/// Between two bytes of a trickle.
const DROP: Duration = Duration::from_millis(20);

fn limits(bytes_per_second_min: u64) -> Limits {
    Limits { body_idle: IDLE, bytes_per_second_min, ..Limits::default() }
}

/// Sends a piece after each drop's time until there is an answer; none after so many pieces.
async fn trickle(client: &mut Client<TcpStream>, piece: &[u8], pieces: usize) -> Option<Answer> {
    for _ in 0..pieces {
        if let Ok(answer) = timeout(DROP, client.answer()).await {
            return Some(answer);
        }
        // The answer may be on its way already.
        let _ = client.io.write_all(piece).await;
    }
    None
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    // One byte before the end of each idle deadline held a connection, its buffers and its file for ever.
    let site = site_with(limits(100_000), handler(answer));
    for (head, piece) in [(put("/count", MIB, ""), &b"z"[..]), (put_chunked("/count"), b"1\r\nz\r\n")] {
        let mut client = connect(site.address).await;
        client.send(head).await;
        let start = tokio::time::Instant::now();
        let answer = trickle(&mut client, piece, 10_000).await.expect("it is waited for as long as it trickles");
        assert_eq!((answer.status(), answer.body.as_str()), (400, "Timeout"));
        assert!(answer.closes() && start.elapsed() >= IDLE, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_body_above_the_floor_takes_its_time() {
    // 200 pieces take four times as long as the longest pause, and each earns a second of it.
    let site = site_with(limits(10), handler(answer));
    let mut client = connect(site.address).await;
    client.send(put("/count", 2000, "")).await;
    assert!(trickle(&mut client, b"0123456789", 200).await.is_none());
    assert_eq!(client.answer().await.body, "2000");
}

#[tokio::test]
async fn our_own_slowness_is_not_the_clients() {
    // The client has sent everything; the handler reads a piece and does something else for longer than any pause.
    let slow = handler(|request: Request<Body>| async move {
        let (mut body, mut count) = (request.into_body(), 0);
        tokio::time::sleep(IDLE + SHORT).await;
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => count += piece.len(),
                Err(error) => return refusal(&error),
            }
            if count < 100_000 {
                tokio::time::sleep(IDLE / 2).await;
            }
        }
        text(StatusCode::OK, count.to_string())
    });
    let site = site_with(limits(1 << 40), slow);
    let mut client = connect(site.address).await;
    client.send(put("/", 300_000, "") + &"z".repeat(300_000)).await;
    assert_eq!(client.answer().await.body, "300000");
}

#[tokio::test]
async fn an_answer_that_trickles_because_of_us_is_no_slow_reader() {
    // As a long complete does, which sends a blank now and then.
    let blanks = handler(|_request| async {
        let blanks = stream::unfold(0, |sent| async move {
            tokio::time::sleep(IDLE / 5).await;
            (sent < 10).then_some((Ok(Bytes::from_static(b" ")), sent + 1))
        });
        Response::new(Body::stream(blanks, Some(10)))
    });
    let site = site_with(limits(1 << 40), blanks);
    let mut client = connect(site.address).await;
    assert_eq!(client.ask(get("/")).await.body, " ".repeat(10));
}

/// Whether an endless answer breaks off within three times the longest pause, though the client takes some of it all the
/// time. What it takes is much beside the kernel's buffers, so that the server never has to pause for long.
async fn breaks_off(bytes_per_second_min: u64) -> bool {
    let flood = handler(|_request| async {
        let piece = Bytes::from(vec![0; 256 << 10]);
        Response::new(Body::stream(stream::repeat_with(move || Ok(piece.clone())), None))
    });
    let site = site_with(limits(bytes_per_second_min), flood);
    let mut client = connect(site.address).await;
    client.send(get("/")).await;
    let mut buffer = vec![0; MIB];
    let start = tokio::time::Instant::now();
    while start.elapsed() < IDLE * 3 {
        tokio::time::sleep(DROP).await;
        match timeout(PATIENCE, client.io.read(&mut buffer)).await.expect("nothing comes and nothing ends") {
            Ok(1..) => {}
            Ok(0) | Err(_) => return true,
        }
        if site.metrics.encode().contains("\nwharf_connections 0\n") {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn a_reader_that_takes_too_little_is_given_up() {
    assert!(breaks_off(1 << 40).await, "a slow reader holds its connection");
    assert!(!breaks_off(1).await, "a reader above the floor takes its time");
}
