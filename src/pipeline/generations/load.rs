//! How many generations may be under way: of all callers, of one, and with callbacks.

use crate::base::limits::{CALLBACKS_PENDING_MAX, GENERATIONS_UNFINISHED_MAX, GENERATIONS_UNFINISHED_PER_KEY_MAX};

/// What there is when somebody asks for one more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Generations that are not over.
    pub(super) unfinished: usize,
    /// ... of whoever asks; absent for root.
    pub(super) of_key: Option<usize>,
    /// Callbacks that wait or will; absent where the new one has none.
    pub(super) calling_back: Option<usize>,
}

impl Load {
    /// Why one more would be too many.
    pub(super) fn too_much(self) -> Option<&'static str> {
        if self.unfinished >= GENERATIONS_UNFINISHED_MAX {
            return Some("as many generations are under way as may be");
        }
        if self.of_key.is_some_and(|of_key| of_key >= GENERATIONS_UNFINISHED_PER_KEY_MAX) {
            return Some("as many generations of this key are under way as may be");
        }
        if self.calling_back.is_some_and(|calling_back| calling_back >= CALLBACKS_PENDING_MAX) {
            return Some("as many callbacks wait as may");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_is_turned_away_where_there_are_enough() {
        let least = Load { unfinished: 0, of_key: None, calling_back: None };
        let (all, one, calls) = (GENERATIONS_UNFINISHED_MAX, GENERATIONS_UNFINISHED_PER_KEY_MAX, CALLBACKS_PENDING_MAX);
        let most = Load { unfinished: all - 1, of_key: Some(one - 1), calling_back: Some(calls - 1) };
        assert_eq!((least.too_much(), most.too_much()), (None, None));
        for (load, why) in [
            (Load { unfinished: all, ..least }, "generations are"),
            (Load { of_key: Some(one), ..least }, "this key"),
            (Load { calling_back: Some(calls), ..least }, "callbacks"),
        ] {
            assert!(load.too_much().is_some_and(|said| said.contains(why)), "{load:?}");
        }
    }
}
