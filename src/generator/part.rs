//! One part on its way: drawn piece by piece, each while the one before is sent, hashed in passing and sent with its length
//! declared; and what the storage's answer means. Each try draws the part anew: that is faster than keeping it.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::ETAG;
use http::{Method, Request, Response, StatusCode};
use tokio::task::JoinSet;

use super::backoff::retry_after;
use super::gateway::{WORDS_MAX_CHARACTERS, is_passing};
use super::render::{BackendKind, RenderError, Rendered, Renderer};
use super::uploader::Tools;
use crate::base::digest::{Checksum, ChecksumAlgorithm, ChecksumHasher};
use crate::base::limits::{PART_ANSWER_MAX_BYTES, PART_ANSWER_TIMEOUT, RENDER_FRAME_BYTES};
use crate::wire::client::{Bounds, ClientError, send};
use crate::wire::image::Image;
use crate::wire::url::HttpUrl;
use crate::wire::{Body, BodyError};

/// What storage keeps of every body; the answer to a PUT carries it.
const ALGORITHM: ChecksumAlgorithm = ChecksumAlgorithm::Crc64Nvme;

/// A part that is there.
#[derive(Debug)]
pub(super) struct PartDone {
    pub(super) number: u16,
    pub(super) etag: String,
    pub(super) bytes: u64,
    /// The GPU if it made all of the part.
    pub(super) backend: BackendKind,
}

/// Why a part is not there yet, or never will be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PartError {
    /// The same may succeed later.
    Passing { why: String, retry_after: Option<Duration> },
    /// What arrived is not what was sent.
    Damaged,
    /// The URL is refused: another one may be taken.
    Url(String),
    /// There is no such upload any more.
    Gone,
    /// It would fail again.
    Final(String),
}

/// Sends bytes `range` of the image to `url` as part `number`, once.
pub(super) async fn put(
    tools: &Tools,
    image: &Arc<Image>,
    number: u16,
    range: Range<u64>,
    url: &HttpUrl,
) -> Result<PartDone, PartError> {
    let peer = tools.outbound.peer(url).await.map_err(|error| match error.is_passing() {
        true => passing(error.to_string()),
        false => PartError::Final(error.to_string()),
    })?;
    let bytes = range.end.saturating_sub(range.start);
    let told = Arc::new(Mutex::new(Told::default()));
    let pieces = Pieces::begin(&tools.renderer, image, range, Arc::clone(&told));
    let mut request = Request::new(Body::stream(futures_util::stream::unfold(pieces, Pieces::frame), Some(bytes)));
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = url.target().parse().map_err(|_| PartError::Final("its URL cannot be called".to_owned()))?;
    let bounds = Bounds { timeout: PART_ANSWER_TIMEOUT, answer_max_bytes: PART_ANSWER_MAX_BYTES };
    let answer = send(&peer, request, bounds).await;
    let told = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(error) = told.failure {
        return Err(PartError::Final(format!("it cannot be drawn: {error}")));
    }
    let etag = judge(answer, told.checksum.as_ref())?;
    Ok(PartDone { number, etag, bytes, backend: told.backend.unwrap_or(BackendKind::Cpu) })
}

fn passing(why: String) -> PartError {
    PartError::Passing { why, retry_after: None }
}

/// The ETag of a part that arrived whole.
fn judge(answer: Result<Response<Bytes>, ClientError>, sent: Option<&Checksum>) -> Result<String, PartError> {
    let answer = answer.map_err(|error| passing(error.to_string()))?;
    if answer.status() != StatusCode::OK {
        return Err(refused(&answer));
    }
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let Some(sent) = sent else { return Err(passing("it was answered before it was sent".to_owned())) };
    if let Some(received) = header(ALGORITHM.header())
        && Checksum::from_base64(ALGORITHM, received).as_ref() != Some(sent)
    {
        return Err(PartError::Damaged);
    }
    let etag = header(ETAG.as_str()).map(str::to_owned);
    etag.ok_or_else(|| PartError::Final("the answer to its PUT has no ETag".to_owned()))
}

/// What an answer that is no success means: by its status, and by the code in S3's error document.
fn refused(answer: &Response<Bytes>) -> PartError {
    let text = String::from_utf8_lossy(answer.body());
    let (code, message) = (element(&text, "Code"), element(&text, "Message"));
    let status = answer.status();
    let why = format!("storage answered {status} {code}: {message}");
    match (status, code) {
        (StatusCode::NOT_FOUND, "NoSuchUpload") => PartError::Gone,
        // Also what a body that broke off, or was damaged on its way, is answered with.
        (_, "RequestTimeout" | "IncompleteBody" | "BadDigest" | "OperationAborted" | "SlowDown") => passing(why),
        (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _) | (_, "ExpiredToken" | "TokenRefreshRequired") => {
            PartError::Url(why)
        }
        (StatusCode::BAD_REQUEST, _) if message.contains("expired") => PartError::Url(why),
        (status, _) if is_passing(status) => PartError::Passing { why, retry_after: retry_after(answer.headers()) },
        _ => PartError::Final(why),
    }
}

/// The text of the first element of this name: enough for two words of an error.
fn element<'a>(text: &'a str, name: &str) -> &'a str {
    let inside = || {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0)
    };
    let inside = inside().unwrap_or_default();
    let end = inside.char_indices().nth(WORDS_MAX_CHARACTERS).map_or(inside.len(), |(at, _)| at);
    inside.get(..end).unwrap_or_default()
}

/// What is known of a part once it is sent.
#[derive(Default)]
struct Told {
    checksum: Option<Checksum>,
    backend: Option<BackendKind>,
    failure: Option<RenderError>,
}

/// A part being drawn: the rest of one piece, and the next in the making. So a part has two pieces in memory, of whatever
/// size it is.
struct Pieces {
    renderer: Arc<Renderer>,
    image: Arc<Image>,
    /// What nobody draws yet.
    ahead: Range<u64>,
    /// At most one piece; dropped with the body, it is given up.
    making: JoinSet<Result<Rendered, RenderError>>,
    current: Bytes,
    /// What was not handed out yet.
    left_bytes: u64,
    hasher: Option<ChecksumHasher>,
    told: Arc<Mutex<Told>>,
}

impl Pieces {
    fn begin(renderer: &Arc<Renderer>, image: &Arc<Image>, range: Range<u64>, told: Arc<Mutex<Told>>) -> Self {
        Self {
            renderer: Arc::clone(renderer),
            image: Arc::clone(image),
            left_bytes: range.end.saturating_sub(range.start),
            ahead: range,
            making: JoinSet::new(),
            current: Bytes::new(),
            hasher: Some(ChecksumHasher::new(ALGORITHM)),
            told,
        }
    }

    /// The next bytes, and the rest.
    async fn frame(mut self) -> Option<(Result<Bytes, BodyError>, Self)> {
        if self.current.is_empty() {
            if self.making.is_empty() {
                self.make_next();
            }
            self.current = match self.making.join_next().await? {
                Ok(Ok(rendered)) => self.made(rendered),
                Ok(Err(error)) => return Some(self.failed(error)),
                Err(error) => return Some(self.failed(RenderError::Lost(error.to_string()))),
            };
            self.make_next();
        }
        let frame = self.current.split_to(self.current.len().min(RENDER_FRAME_BYTES));
        self.left_bytes = self.left_bytes.saturating_sub(frame.len() as u64);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&frame);
        }
        if self.left_bytes == 0
            && let Some(hasher) = self.hasher.take()
        {
            self.told().checksum = Some(hasher.finish());
        }
        Some((Ok(frame), self))
    }

    /// Has the next piece drawn, where there is one.
    fn make_next(&mut self) {
        let piece_bytes = (self.renderer.slot_bytes() as u64).max(1);
        let end = self.ahead.start.saturating_add(piece_bytes).min(self.ahead.end);
        let piece = self.ahead.start..end;
        if piece.is_empty() {
            return;
        }
        self.ahead.start = end;
        let (renderer, image) = (Arc::clone(&self.renderer), Arc::clone(&self.image));
        self.making.spawn(async move { renderer.render(&image, piece).await });
    }

    fn made(&self, rendered: Rendered) -> Bytes {
        let mut told = self.told();
        told.backend = match (told.backend, rendered.backend) {
            (None | Some(BackendKind::Cuda), backend) => Some(backend),
            (Some(BackendKind::Cpu), _) => Some(BackendKind::Cpu),
        };
        rendered.bytes
    }

    fn failed(self, error: RenderError) -> (Result<Bytes, BodyError>, Self) {
        let failure = BodyError::failed(error.to_string());
        self.told().failure = Some(error);
        (Err(failure), self)
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::render::{BackendChoice, RendererConfig};
    use crate::wire::image::{BitsPerPixel, Pattern};

    #[tokio::test]
    async fn a_part_is_drawn_in_pieces_and_hashed_in_passing() {
        let config = RendererConfig { choice: BackendChoice::Cpu, slots: 2, slot_bytes: 1000 };
        let renderer = Renderer::open(config).unwrap();
        let image = Arc::new(Image::new(100, 50, BitsPerPixel::B24, false, Pattern::Random { seed: 7 }).unwrap());
        let mut whole = vec![0; usize::try_from(image.file_bytes()).unwrap()];
        crate::generator::cpu::fill(&image, &crate::generator::params::Params::of(&image), 0, &mut whole);
        for range in [0..1, 0..1000, 7..9001, 15_000..image.file_bytes()] {
            let told = Arc::new(Mutex::new(Told::default()));
            let pieces = Pieces::begin(&renderer, &image, range.clone(), Arc::clone(&told));
            let length = range.end - range.start;
            let body = Body::stream(futures_util::stream::unfold(pieces, Pieces::frame), Some(length));
            let bytes = body.collect(1 << 20).await.unwrap();
            let expected = &whole[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            assert!(bytes == expected, "{range:?}");
            let told = std::mem::take(&mut *told.lock().unwrap());
            assert_eq!(told.checksum, Some(Checksum::of(ALGORITHM, expected)));
            assert_eq!(told.backend, Some(BackendKind::Cpu));
        }
    }

    #[test]
    fn answers_are_understood() {
        let answer = |status: u16, code: &str, message: &str| {
            let body = format!("<?xml?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
            refused(&Response::builder().status(status).header("retry-after", "3").body(Bytes::from(body)).unwrap())
        };
        let kind = |error: &PartError| match error {
            PartError::Passing { .. } => "passing",
            PartError::Damaged => "damaged",
            PartError::Url(_) => "url",
            PartError::Gone => "gone",
            PartError::Final(_) => "final",
        };
        for (status, code, message, expected) in [
            (403, "AccessDenied", "Request has expired", "url"),
            (403, "SignatureDoesNotMatch", "", "url"),
            (403, "InvalidAccessKeyId", "", "url"),
            (400, "ExpiredToken", "The provided token has expired.", "url"),
            (400, "AuthorizationQueryParametersError", "the request has expired", "url"),
            (404, "NoSuchUpload", "", "gone"),
            (404, "NoSuchBucket", "", "final"),
            (400, "BadDigest", "", "passing"),
            (400, "InvalidRequest", "", "final"),
            (408, "", "", "passing"),
            (429, "", "", "passing"),
            (503, "SlowDown", "", "passing"),
            (501, "NotImplemented", "", "final"),
            (307, "TemporaryRedirect", "", "final"),
        ] {
            assert_eq!(kind(&answer(status, code, message)), expected, "{status} {code}");
        }
        assert!(matches!(answer(503, "", ""), PartError::Passing { retry_after: Some(_), .. }));
        let long = answer(418, &"x".repeat(9000), "y");
        assert!(matches!(long, PartError::Final(why) if why.len() < 1000));
    }

    #[test]
    fn only_what_arrived_whole_is_done() {
        let sent = Checksum::of(ALGORITHM, b"part");
        let other = Checksum::of(ALGORITHM, b"trap").to_base64();
        let answer = |checksum: Option<&str>, etag: Option<&str>| {
            let mut answer = Response::new(Bytes::new());
            for (name, value) in [("x-amz-checksum-crc64nvme", checksum), ("etag", etag)] {
                value.map(|value| answer.headers_mut().insert(name, value.parse().unwrap()));
            }
            Ok(answer)
        };
        let good = sent.to_base64();
        assert_eq!(judge(answer(Some(&good), Some("\"e\"")), Some(&sent)), Ok("\"e\"".to_owned()));
        assert_eq!(judge(answer(None, Some("\"e\"")), Some(&sent)), Ok("\"e\"".to_owned()), "storage that has none");
        assert_eq!(judge(answer(Some(&other), Some("\"e\"")), Some(&sent)), Err(PartError::Damaged));
        assert_eq!(judge(answer(Some("junk"), Some("\"e\"")), Some(&sent)), Err(PartError::Damaged));
        assert!(matches!(judge(answer(Some(&good), None), Some(&sent)), Err(PartError::Final(_))));
        assert!(matches!(judge(answer(Some(&good), Some("\"e\"")), None), Err(PartError::Passing { .. })));
    }
}
