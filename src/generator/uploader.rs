//! One generation from its first part to its report.
//!
//! Parts are sent a few at a time; one that fails is sent again, alone, until it is there or patience ends. Then the gateway is
//! asked for the parts that an earlier run left, told to complete, and told how it ended. Whatever fails for good is reported
//! as well. Dropping the future ends everything at once and reports nothing: who cancels knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::backoff::Backoff;
use super::gateway::{CallError, Gateway};
use super::order::Order;
use super::part::{PartDone, PartError, put};
use super::render::{BackendKind, Renderer};
use super::urls::{Urls, has_ended};
use crate::base::clock::{Clock, Stopwatch};
use crate::base::limits::{GENERATION_PARTS_CONCURRENT, GENERATION_PATIENCE, PART_DAMAGED_MAX, PART_RENEWALS_MAX};
use crate::base::rng::Rng;
use crate::wire::destination::Outbound;

/// What every generation works with.
pub(super) struct Tools {
    pub(super) outbound: Outbound,
    pub(super) renderer: Arc<Renderer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
}

/// How far a generation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Parts that are there, those of earlier runs included.
    pub parts_done: u16,
    /// Parts of the whole file.
    pub part_count: u16,
    /// Bytes of the parts that this run sent.
    pub bytes_done: u64,
    /// Who drew them: the GPU if it drew all.
    pub backend: Option<BackendKind>,
}

impl Progress {
    /// Nothing is sent yet.
    pub(super) fn of(order: &Order) -> Self {
        let part_count = order.part_count();
        let wanted = u16::try_from(order.parts.len()).unwrap_or(part_count);
        Self { parts_done: part_count.saturating_sub(wanted), part_count, bytes_done: 0, backend: None }
    }

    fn add(&mut self, part: &PartDone) {
        self.parts_done = self.parts_done.saturating_add(1);
        self.bytes_done = self.bytes_done.saturating_add(part.bytes);
        self.backend = match self.backend {
            None | Some(BackendKind::Cuda) => Some(part.backend),
            Some(BackendKind::Cpu) => Some(BackendKind::Cpu),
        };
    }
}

/// Why a generation failed, in the words that are reported.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self(error.to_string())
    }
}

/// What the parts of one generation share.
struct Work {
    order: Arc<Order>,
    tools: Arc<Tools>,
    gateway: Gateway,
    urls: Urls,
}

/// Works off an order.
pub(super) async fn run(order: Arc<Order>, tools: Arc<Tools>, progress: watch::Sender<Progress>) {
    let watch = Stopwatch::start();
    let gateway = Gateway::new(Arc::clone(&order), Arc::clone(&tools));
    let urls = Urls::new(order.parts.clone());
    tracing::info!(uuid = %order.uuid, bytes = order.image.file_bytes(), parts = order.parts.len(), "a generation begins");
    let work = Arc::new(Work { order: Arc::clone(&order), tools, gateway, urls });
    let failure = generate(&work, &progress).await.err().map(|Failure(why)| why);
    match &failure {
        None => tracing::info!(uuid = %order.uuid, elapsed = ?watch.elapsed(), "a generation is complete"),
        Some(why) => tracing::error!(uuid = %order.uuid, why, "a generation failed"),
    }
    if let Err(error) = work.gateway.report(failure.as_deref()).await {
        tracing::error!(uuid = %order.uuid, %error, "the gateway does not know how a generation ended");
    }
}

async fn generate(work: &Arc<Work>, progress: &watch::Sender<Progress>) -> Result<(), Failure> {
    let mut etags = send_parts(work, progress).await?;
    if etags.len() < usize::from(work.order.part_count()) {
        add_earlier(work, &mut etags).await?;
    }
    Ok(work.gateway.complete(&etags).await?)
}

/// Sends the wanted parts, a few at a time. The first that fails for good ends the others.
async fn send_parts(work: &Arc<Work>, progress: &watch::Sender<Progress>) -> Result<BTreeMap<u16, String>, Failure> {
    let mut etags = BTreeMap::new();
    let mut numbers = work.order.parts.keys().copied();
    let mut sending = JoinSet::new();
    loop {
        while sending.len() < GENERATION_PARTS_CONCURRENT
            && let Some(number) = numbers.next()
        {
            sending.spawn(send_part(Arc::clone(work), number));
        }
        let Some(ended) = sending.join_next().await else { return Ok(etags) };
        let part = ended.map_err(|error| Failure(format!("a part was lost: {error}")))??;
        progress.send_modify(|progress| progress.add(&part));
        etags.insert(part.number, part.etag);
    }
}

/// Sends one part until it is there.
async fn send_part(work: Arc<Work>, number: u16) -> Result<PartDone, Failure> {
    let mut backoff = Backoff::new(GENERATION_PATIENCE);
    let (mut damaged, mut refused) = (0, 0);
    let failed = |why: &str| Failure(format!("part {number}: {why}"));
    loop {
        let (mut url, mut renewals) = work.urls.of(number).ok_or_else(|| failed("it has no URL"))?;
        // A clock that is ahead takes every URL for an ended one; so each gets one chance.
        if has_ended(&url, work.tools.clock.now()) && refused == 0 {
            work.urls.renew(renewals, &work.gateway).await?;
            (url, renewals) = work.urls.of(number).ok_or_else(|| failed("it has no URL"))?;
        }
        let pause = match put(&work.tools, &work.order.image, number, work.order.range(number), &url).await {
            Ok(part) => {
                work.urls.done(number);
                work.gateway.note(&part).await;
                return Ok(part);
            }
            Err(PartError::Gone) => return Err(failed("there is no such upload any more")),
            Err(PartError::Final(why)) => return Err(failed(&why)),
            Err(PartError::Url(why)) => {
                refused += 1;
                if refused > PART_RENEWALS_MAX {
                    return Err(failed(&why));
                }
                tracing::info!(uuid = %work.order.uuid, number, why, "the URLs of the parts are renewed");
                work.urls.renew(renewals, &work.gateway).await?;
                Duration::ZERO
            }
            Err(PartError::Damaged) => {
                damaged += 1;
                let why = "what arrived is not what was sent";
                if damaged > PART_DAMAGED_MAX {
                    return Err(failed(why));
                }
                backoff.pause(work.tools.rng.as_ref(), None).ok_or_else(|| failed(why))?
            }
            Err(PartError::Passing { why, retry_after }) => {
                let pause = backoff.pause(work.tools.rng.as_ref(), retry_after).ok_or_else(|| failed(&why))?;
                tracing::warn!(uuid = %work.order.uuid, number, why, ?pause, "a part is sent again");
                pause
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// The parts that are there from before, which must be those of this very image.
async fn add_earlier(work: &Work, etags: &mut BTreeMap<u16, String>) -> Result<(), Failure> {
    let mut earlier = work.gateway.parts().await?;
    for number in 1..=work.order.part_count() {
        if etags.contains_key(&number) {
            continue;
        }
        let range = work.order.range(number);
        let size_bytes = range.end - range.start;
        let part = earlier
            .remove(&number)
            .ok_or_else(|| Failure(format!("part {number} was not ordered and is not there")))?;
        if part.size_bytes != size_bytes {
            return Err(Failure(format!("part {number} has {} bytes instead of {size_bytes}", part.size_bytes)));
        }
        etags.insert(number, part.etag);
    }
    Ok(())
}
