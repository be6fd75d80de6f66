//! Which bodies are being read, so that gc leaves them alone.
//!
//! A reader *enters*, reads the catalog, *pins* the body it found and leaves. gc reads the grave, raises a *fence* and waits
//! until everyone who entered before the fence has left: whoever enters later sees a catalog in which the body is buried
//! already. Then what is pinned stays, and the rest goes. Entering lasts for one catalog read; a pin as long as a client
//! takes to download.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::meta::schema::Content;

/// Readers and what they read.
#[derive(Debug, Default)]
pub(super) struct Pins(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    fence: u64,
    entered: BTreeMap<u64, usize>,
    pinned: HashMap<Content, usize>,
}

/// A reader that looks into the catalog.
pub(super) struct Entered<'a> {
    pins: &'a Arc<Pins>,
    fence: u64,
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Pin {
    pins: Arc<Pins>,
    content: Content,
}

impl Pins {
    pub(super) fn enter(self: &Arc<Self>) -> Entered<'_> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fence = state.fence;
        *state.entered.entry(fence).or_default() += 1;
        Entered { pins: self, fence }
    }

    /// A fence behind everyone who has entered so far.
    pub(super) fn raise_fence(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.fence += 1;
        state.fence
    }

    /// Whether all who entered before `fence` have left.
    pub(super) fn passed(&self, fence: u64) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.entered.first_key_value().is_none_or(|(entered, _)| *entered >= fence)
    }

    pub(super) fn is_pinned(&self, content: &Content) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pinned.contains_key(content)
    }
}

impl Entered<'_> {
    pub(super) fn pin(&self, content: &Content) -> Pin {
        let mut state = self.pins.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state.pinned.entry(content.clone()).or_default() += 1;
        Pin { pins: Arc::clone(self.pins), content: content.clone() }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut state = self.pins.0.lock().unwrap_or_else(PoisonError::into_inner);
        release(&mut state.entered, &self.fence);
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.pins.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = state.pinned.get_mut(&self.content) {
            *count -= 1;
            if *count == 0 {
                state.pinned.remove(&self.content);
            }
        }
    }
}

fn release(entered: &mut BTreeMap<u64, usize>, fence: &u64) {
    if let Some(count) = entered.get_mut(fence) {
        *count -= 1;
        if *count == 0 {
            entered.remove(fence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_waits_for_those_before_it_alone() {
        let pins = Arc::new(Pins::default());
        let before = pins.enter();
        let fence = pins.raise_fence();
        let after = pins.enter();
        assert!(!pins.passed(fence));
        drop(before);
        assert!(pins.passed(fence));
        drop(after);
    }

    #[test]
    fn a_body_is_pinned_until_its_last_reader_leaves() {
        let pins = Arc::new(Pins::default());
        let content = Content::Manifest(3);
        let first = pins.enter().pin(&content);
        let second = pins.enter().pin(&content);
        drop(first);
        assert!(pins.is_pinned(&content));
        drop(second);
        assert!(!pins.is_pinned(&content));
    }
}
