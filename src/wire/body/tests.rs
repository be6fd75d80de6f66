//! The one body: counting, limits, failures, and what it leaves unread.

use std::sync::Mutex;

use futures_util::stream;
use http_body::Body as _;

use super::*;

fn pieces(pieces: &[&'static [u8]], length: Option<u64>) -> Body {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
    Body::stream(stream::iter(pieces), length)
}

#[tokio::test]
async fn pieces_are_counted_and_empty_ones_skipped() {
    let mut body = pieces(&[b"ab", b"", b"cde"], Some(5));
    let progress = body.progress();
    assert!(!progress.polled() && !progress.finished());
    assert_eq!(body.next().await.unwrap().unwrap(), "ab");
    assert_eq!((progress.bytes(), progress.polled(), progress.finished()), (2, true, false));
    assert_eq!(body.size_hint().exact(), Some(3));
    assert_eq!(body.next().await.unwrap().unwrap(), "cde");
    // The declared length is there: whoever stops reading here has read to the end.
    assert!(progress.finished() && body.is_end_stream());
    assert!(body.next().await.is_none());
    assert_eq!(progress.bytes(), 5);
}

#[tokio::test]
async fn a_body_of_another_length_than_declared_fails() {
    let short = pieces(&[b"ab"], Some(5));
    let progress = short.progress();
    assert!(matches!(short.collect(10).await, Err(BodyError::Failed(_))));
    assert!(!progress.finished());

    let mut long = pieces(&[b"ab", b"cd"], Some(3));
    assert_eq!(long.next().await.unwrap().unwrap(), "ab");
    assert!(matches!(long.next().await, Some(Err(BodyError::Failed(_)))));
    assert!(long.next().await.is_none(), "nothing follows an error");
    assert!(!long.progress().finished(), "and that end is not the proper one");
}

#[tokio::test]
async fn collecting_stops_at_the_maximum() {
    assert_eq!(pieces(&[b"ab", b"cd"], None).collect(4).await.unwrap(), "abcd");
    assert_eq!(Body::full("abcd").collect(4).await.unwrap(), "abcd");
    assert_eq!(Body::empty().collect(0).await.unwrap(), "");
    assert!(matches!(pieces(&[b"ab", b"cd"], None).collect(3).await, Err(BodyError::TooLarge(3))));
    assert!(matches!(pieces(&[b"abcd"], None).collect(3).await, Err(BodyError::TooLarge(3))));

    let declared = pieces(&[b"abcd"], Some(4));
    let progress = declared.progress();
    assert!(matches!(declared.collect(3).await, Err(BodyError::TooLarge(3))));
    assert!(!progress.polled(), "a declared excess is refused before the first byte is asked for");
}

#[tokio::test]
async fn observers_hear_of_the_end_once_and_in_order() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |name| {
        let seen = Arc::clone(&seen);
        move |progress: &Progress| seen.lock().unwrap().push((name, progress.bytes(), progress.finished()))
    };
    let mut body = pieces(&[b"ab", b"cd"], None).at_end(note("first")).at_end(note("second"));
    body.next().await.unwrap().unwrap();
    assert!(seen.lock().unwrap().is_empty());
    drop(body);
    assert_eq!(*seen.lock().unwrap(), [("first", 2, false), ("second", 2, false)]);
}

#[test]
fn known_lengths_are_known_before_the_first_byte() {
    assert!(Body::empty().is_end_stream());
    assert!(Body::full("").progress().finished());
    assert_eq!(Body::full("abc").size_hint().exact(), Some(3));
    assert_eq!(pieces(&[b"abc"], None).size_hint().exact(), None);
    assert!(pieces(&[], Some(0)).is_end_stream());
}
