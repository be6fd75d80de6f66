//! Work that ends when the test says so.

use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use tokio::sync::oneshot;

use super::*;
use crate::base::rng::SeededRng;
use crate::s3::call::document;
use crate::s3::xml::{self, Document};
use crate::store;

/// So that nobody waits long; no test depends on how long.
const FAST: Pace = Pace { within: Duration::from_millis(1), every: Duration::from_millis(1) };

fn client() -> Client {
    let (head, ()) = Request::builder().method("POST").uri("/bkt/k").body(()).unwrap().into_parts();
    Client { method: Method::POST, trace: Trace::new(&head, &SeededRng::new(1)) }
}

fn good() -> Answer {
    let mut text = Document::new("CopyObjectResult");
    text.text("ETag", "\"x\"");
    Ok(document(text.finish()))
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect(4096).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Begins an answer to work that is not done, waits for some blanks, lets the work come to this end, and gives the whole.
async fn late(client: Client, end: impl FnOnce() -> Answer + Send + 'static) -> String {
    let (finish, finished) = oneshot::channel::<()>();
    let work = async move {
        finished.await.unwrap();
        end()
    };
    let response = answer_at(FAST, client, work).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/xml");
    let mut body = response.into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), DECLARATION, "at once");
    for _ in 0..3 {
        assert_eq!(body.next().await.unwrap().unwrap(), " ");
    }
    finish.send(()).unwrap();
    let rest = String::from_utf8(body.collect(4096).await.unwrap().to_vec()).unwrap();
    format!("{DECLARATION}   {rest}")
}

#[tokio::test]
async fn what_is_done_in_time_keeps_its_status() {
    let client = client();
    let quick = answer(client.clone(), async { good() }).await.unwrap();
    assert_eq!(quick.headers()[CONTENT_TYPE], "application/xml");
    let quick = text(quick).await;
    assert!(quick.starts_with(DECLARATION) && quick.contains("\n<CopyObjectResult"), "{quick}");
    let refused = answer(client.clone(), async { Err(Code::NO_SUCH_KEY.into()) }).await;
    assert_eq!(refused.unwrap_err().code(), Code::NO_SUCH_KEY);
    assert_eq!(client.trace.late_error.get(), None);
}

#[tokio::test]
async fn blanks_keep_a_slow_answer_alive() {
    let client = client();
    let text = late(client.clone(), good).await;
    assert_eq!(text.matches("<?xml").count(), 1, "{text}");
    let read = xml::parse(text.as_bytes(), "CopyObjectResult").unwrap();
    assert_eq!(read.child_text("ETag"), Some("\"x\""), "{text}");
    assert_eq!(client.trace.late_error.get(), None);
}

#[tokio::test]
async fn a_late_failure_is_an_error_document_in_the_200() {
    let client = client();
    let text = late(client.clone(), || Err(store::error::Error::Conflict.into())).await;
    assert_eq!(text.matches("<?xml").count(), 1, "{text}");
    let error = xml::parse(text.as_bytes(), "Error").unwrap();
    assert_eq!(error.child_text("Code"), Some("OperationAborted"), "{text}");
    assert_eq!(error.child_text("RequestId"), Some(client.trace.request_id.as_str()));
    assert_eq!(client.trace.late_error.get(), Some(&"OperationAborted"), "for the log");
}

#[tokio::test]
async fn a_late_panic_is_an_internal_error() {
    let text = late(client(), || panic!("on purpose")).await;
    let error = xml::parse(text.as_bytes(), "Error").unwrap();
    assert_eq!(error.child_text("Code"), Some("InternalError"), "{text}");
    assert!(!text.contains("on purpose"));
}

#[tokio::test]
async fn work_ends_with_its_client() {
    struct Gone(Arc<AtomicBool>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let gone = Arc::new(AtomicBool::new(false));
    let held = Gone(Arc::clone(&gone));
    let work = async move {
        let _held = held;
        std::future::pending().await
    };
    let mut body = answer_at(FAST, client(), work).await.unwrap().into_body();
    for _ in 0..3 {
        body.next().await.unwrap().unwrap();
    }
    assert!(!gone.load(Ordering::Relaxed));
    drop(body);
    assert!(gone.load(Ordering::Relaxed));
}
