//! Answers of operations that may take long: completes and copies.
//!
//! What is done within [`ANSWER_WITHIN`] is answered with a status of its own. What is not begins its answer with a 200 and
//! the document's declaration, sends a blank every [`BLANK_EVERY`] so that neither the client nor a proxy gives up, and ends
//! with the document, or with an `Error` document that stands in the 200, as AWS's pages on CompleteMultipartUpload and
//! CopyObject say. Clients look into such answers. The access log has the error; the status stays the one that was sent.
//!
//! Once the answer has begun, its body drives the operation: a client that goes away ends it at its next await. Each of these
//! operations changes the store in one commit, which is carried out or not whether anybody waits or not, and what it staged
//! before has a guard of its own. So there is no half work to clean up.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response};

use super::call::Call;
use super::error::{Code, Error};
use super::xml::DECLARATION;
use super::{Trace, panic_text};
use crate::base::limits::{ANSWER_WITHIN, BLANK_EVERY, XML_BODY_MAX_BYTES};
use crate::wire::{Body, BodyError};

/// The code of an error that the answer's status or document does not carry in S3's way: it came after the answer had begun, or
/// the answer is another service's. Empty otherwise.
pub(super) type LateError = Arc<OnceLock<&'static str>>;

type Answer = Result<Response<Body>, Error>;

/// Whoever is told how the request ends.
#[derive(Clone, Debug)]
pub(super) struct Client {
    method: Method,
    trace: Trace,
}

impl Client {
    /// The one who sent the request.
    pub(super) fn of(call: &Call) -> Self {
        Self { method: call.method.clone(), trace: call.trace.clone() }
    }
}

/// Runs `work`, whose answer is a document of at most [`XML_BODY_MAX_BYTES`].
///
/// # Errors
/// Those of `work`, as long as the answer has not begun.
pub(super) async fn answer(client: Client, work: impl Future<Output = Answer> + Send + 'static) -> Answer {
    answer_at(Pace { within: ANSWER_WITHIN, every: BLANK_EVERY }, client, work).await
}

/// When an answer begins, and how often it shows that it goes on.
#[derive(Clone, Copy)]
struct Pace {
    within: Duration,
    every: Duration,
}

async fn answer_at(pace: Pace, client: Client, work: impl Future<Output = Answer> + Send + 'static) -> Answer {
    let mut work = AssertUnwindSafe(work).catch_unwind().map(unpanicked).boxed();
    match tokio::time::timeout(pace.within, &mut work).await {
        Ok(answer) => answer,
        Err(_) => Ok(begin(pace, client, work)),
    }
}

fn unpanicked(outcome: Result<Answer, Box<dyn std::any::Any + Send>>) -> Answer {
    let panicked = |panic: Box<dyn std::any::Any + Send>| {
        Err(Error::new(Code::INTERNAL_ERROR).detail(format!("panic: {}", panic_text(panic.as_ref()))))
    };
    outcome.unwrap_or_else(panicked)
}

/// An answer whose end is not known yet.
struct Begun {
    pace: Pace,
    client: Client,
    /// Gone when it is done.
    work: Option<BoxFuture<'static, Answer>>,
    /// What is to be sent at once.
    ready: VecDeque<Result<Bytes, BodyError>>,
}

fn begin(pace: Pace, client: Client, work: BoxFuture<'static, Answer>) -> Response<Body> {
    let ready = VecDeque::from([Ok(Bytes::from_static(DECLARATION.as_bytes()))]);
    let begun = Begun { pace, client, work: Some(work), ready };
    let pieces = stream::unfold(begun, |mut begun| async move { Some((begun.next().await?, begun)) });
    let mut response = Response::new(Body::stream(pieces, None));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

impl Begun {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        if let Some(piece) = self.ready.pop_front() {
            return Some(piece);
        }
        match tokio::time::timeout(self.pace.every, self.work.as_mut()?).await {
            Err(_) => Some(Ok(Bytes::from_static(b" "))),
            Ok(answer) => {
                self.work = None;
                Some(self.client.document(answer).await)
            }
        }
    }
}

impl Client {
    /// The document of an answer, without the declaration that was sent before.
    async fn document(&self, answer: Answer) -> Result<Bytes, BodyError> {
        let response = answer.unwrap_or_else(|error| {
            // Nobody else sets it: the work ends once.
            let _ = self.trace.late_error.set(error.code().name);
            self.trace.render(&self.method, error)
        });
        let document = response.into_body().collect(XML_BODY_MAX_BYTES).await?;
        let declared = document.starts_with(DECLARATION.as_bytes());
        Ok(if declared { document.slice(DECLARATION.len()..) } else { document })
    }
}

#[cfg(test)]
mod tests;
