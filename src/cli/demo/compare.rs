//! Reads an image back and compares every byte with its definition, a few pieces at a time.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_RANGE, RANGE};
use http::{Request, StatusCode};
use indicatif::ProgressBar;

use super::DemoError;
use super::gateway::peer;
use crate::generator::cpu;
use crate::generator::params::Params;
use crate::wire::client::{Bounds, Peer, ask};
use crate::wire::image::Image;

/// Bytes of one request.
const PIECE_BYTES: u64 = 4 << 20;
/// Requests at a time.
const PIECES_CONCURRENT: usize = 4;
/// For one of them.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What all pieces are read from and compared with.
struct Source {
    peer: Peer,
    target: String,
    image: Image,
    params: Params,
}

/// Compares; an error names the first byte that differs.
pub(super) async fn every_byte(url: &str, image: &Image, bar: &ProgressBar) -> Result<(), DemoError> {
    let source = Arc::new(Source::new(url, image).ok_or_else(|| DemoError::Failed(format!("{url} is no address")))?);
    let size = image.file_bytes();
    let pieces =
        (0..size.div_ceil(PIECE_BYTES)).map(|index| index * PIECE_BYTES..((index + 1) * PIECE_BYTES).min(size));
    let compared = stream::iter(pieces).map(|range| {
        let source = Arc::clone(&source);
        async move {
            let bytes = source.read(&range).await?;
            let length = bytes.len() as u64;
            let judged = tokio::task::spawn_blocking(move || source.judge(range.start, &bytes)).await;
            judged.map_err(DemoError::failed)??;
            Ok::<_, DemoError>(length)
        }
    });
    let lengths = compared.buffer_unordered(PIECES_CONCURRENT).inspect_ok(|length| bar.inc(*length));
    let total = lengths.try_fold(0_u64, |sum, length| async move { Ok(sum + length) }).await?;
    if total == size { Ok(()) } else { Err(DemoError::Failed(format!("{total} of {size} bytes were compared"))) }
}

impl Source {
    fn new(url: &str, image: &Image) -> Option<Self> {
        let authority_end = url.strip_prefix("http://")?.find('/')?.saturating_add("http://".len());
        let (base, target) = url.split_at_checked(authority_end)?;
        Some(Self { peer: peer(base)?, target: target.to_owned(), image: image.clone(), params: Params::of(image) })
    }

    async fn read(&self, range: &Range<u64>) -> Result<Bytes, DemoError> {
        let length = range.end.saturating_sub(range.start);
        let last = range.end.saturating_sub(1);
        let request = Request::builder()
            .uri(&self.target)
            .header(RANGE, format!("bytes={}-{last}", range.start))
            .body(Bytes::new())
            .map_err(DemoError::failed)?;
        let bounds = Bounds { timeout: TIMEOUT, answer_max_bytes: usize::try_from(length).unwrap_or(usize::MAX) };
        let answer = ask(&self.peer, request, bounds).await.map_err(DemoError::failed)?;
        let expected = format!("bytes {}-{last}/{}", range.start, self.image.file_bytes());
        let said = answer.headers().get(CONTENT_RANGE).map(|range| range.as_bytes());
        if answer.status() != StatusCode::PARTIAL_CONTENT || said != Some(expected.as_bytes()) {
            return Err(DemoError::Failed(format!("reading {expected}: {}", answer.status())));
        }
        match answer.into_body() {
            bytes if bytes.len() as u64 == length => Ok(bytes),
            bytes => Err(DemoError::Failed(format!("reading {expected}: {} bytes came", bytes.len()))),
        }
    }

    fn judge(&self, offset: u64, bytes: &[u8]) -> Result<(), DemoError> {
        let mut expected = vec![0; bytes.len()];
        cpu::fill(&self.image, &self.params, offset, &mut expected);
        match bytes.iter().zip(&expected).position(|(byte, expected)| byte != expected) {
            None => Ok(()),
            Some(at) => Err(DemoError::Failed(format!("byte {} differs", offset.saturating_add(at as u64)))),
        }
    }
}
