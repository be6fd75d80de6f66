//! How many generations may be under way: of all callers, of one, and with callbacks.

use super::Generations;
use crate::base::limits::{
    CALLBACKS_PENDING_MAX, CALLBACKS_PENDING_PER_KEY_MAX, GENERATIONS_UNFINISHED_MAX,
    GENERATIONS_UNFINISHED_PER_KEY_MAX,
};

/// What there is when somebody asks for one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Generations that are not over.
    pub(super) unfinished: usize,
    /// Callbacks that wait or will.
    pub(super) calling_back: usize,
}

impl Load {
    /// Why one more would be too many, where there is so much of all and so much of whoever asks; the latter does not count for
    /// root.
    pub(super) fn too_much(self, own: Option<Self>, calls_back: bool) -> Option<&'static str> {
        let own = own.unwrap_or_default();
        if self.unfinished >= GENERATIONS_UNFINISHED_MAX {
            return Some("as many generations are under way as may be");
        }
        if own.unfinished >= GENERATIONS_UNFINISHED_PER_KEY_MAX {
            return Some("as many generations of this key are under way as may be");
        }
        if calls_back && self.calling_back >= CALLBACKS_PENDING_MAX {
            return Some("as many callbacks wait as may");
        }
        if calls_back && own.calling_back >= CALLBACKS_PENDING_PER_KEY_MAX {
            return Some("as many callbacks of this key wait as may");
        }
        None
    }
}

/// A generation that is being begun. It counts as one that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coming {
    /// The key that asks for it; nobody's where that is absent.
    pub(super) user: Option<String>,
    pub(super) calls_back: bool,
}

/// The place of a generation that is being begun, until it is there or was not to be.
pub(super) struct Room {
    pub(super) generations: Generations,
    pub(super) coming: Coming,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.generations.history().give_back(&self.coming);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_is_turned_away_where_there_are_enough() {
        let load = |unfinished, calling_back| Load { unfinished, calling_back };
        let (all, one) = (GENERATIONS_UNFINISHED_MAX, GENERATIONS_UNFINISHED_PER_KEY_MAX);
        let (calls, own_calls) = (CALLBACKS_PENDING_MAX, CALLBACKS_PENDING_PER_KEY_MAX);
        let least = Load::default();
        let most = load(all - 1, calls - 1);
        assert_eq!(most.too_much(Some(load(one - 1, own_calls - 1)), true), None);
        assert_eq!(load(0, calls).too_much(Some(load(0, own_calls)), false), None, "it has no callback");
        for (load, own, why) in [
            (load(all, 0), None, "generations are"),
            (least, Some(load(one, 0)), "generations of this key"),
            (load(0, calls), None, "many callbacks wait"),
            (least, Some(load(0, own_calls)), "callbacks of this key"),
        ] {
            assert!(load.too_much(own, true).is_some_and(|said| said.contains(why)), "{load:?} {own:?}");
        }
    }
}
