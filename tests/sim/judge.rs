//! Whether a place's history can be explained: some order of its operations, each between its question and its answer,
//! gives every answer that was heard. An operation in doubt may have happened at any moment since its question, or never.
//!
//! The judge keeps every explanation that is left and extends it only as far as the next answer needs (Lowe, "Testing for
//! linearizability", 2017). When nothing is under way, looking at the store settles what is in doubt.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{LOOK, Op, OpId, Outcome, State};

/// More explanations than a history of few clients can have.
const EXPLANATIONS_MAX: usize = 50_000;

/// What the place holds now, and the answers of operations that have happened and were not heard yet.
type Explanation = (State, BTreeMap<OpId, Outcome>);

/// The judge of one place.
#[derive(Default)]
pub(crate) struct Judge {
    explanations: BTreeSet<Explanation>,
    pending: BTreeMap<OpId, Pending>,
}

struct Pending {
    op: Op,
    /// Nobody will hear its answer.
    in_doubt: bool,
}

impl Judge {
    pub(crate) fn new(state: State) -> Self {
        Self { explanations: [(state, BTreeMap::new())].into(), pending: BTreeMap::new() }
    }

    /// A question was asked.
    pub(crate) fn asked(&mut self, id: OpId, op: Op) {
        if let Op::Complete { upload, parts } = &op {
            let look = Op::Look { complete: id, upload: *upload, parts: parts.clone() };
            self.pending.insert(id | LOOK, Pending { op: look, in_doubt: true });
        }
        self.pending.insert(id, Pending { op, in_doubt: false });
    }

    /// The answer may never be heard.
    pub(crate) fn in_doubt(&mut self, id: OpId) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.in_doubt = true;
        }
    }

    /// The operation failed and certainly did nothing.
    pub(crate) fn failed(&mut self, id: OpId) {
        self.pending.remove(&id);
        self.pending.remove(&(id | LOOK));
        self.explanations.retain(|(_, happened)| !happened.contains_key(&id));
    }

    /// An answer was heard.
    pub(crate) fn answered(&mut self, id: OpId, outcome: &Outcome) -> Result<(), String> {
        let reached = self.reach(|(_, happened)| happened.contains_key(&id));
        let heard = reached
            .into_iter()
            .filter_map(|(state, mut happened)| (happened.remove(&id)? == *outcome).then_some((state, happened)));
        let before = std::mem::replace(&mut self.explanations, heard.collect());
        let asked = self.pending.remove(&id);
        self.pending.remove(&(id | LOOK));
        if self.explanations.is_empty() {
            let (op, others) = (asked.map(|pending| pending.op), self.under_way());
            return Err(format!(
                "{id} {op:?} answered {outcome:?}; beside it {others:?}; explanations so far: {before:#?}"
            ));
        }
        Ok(())
    }

    /// Nothing is under way any more, and this is what the place holds.
    pub(crate) fn settle(&mut self, found: &State) -> Result<(), String> {
        let reached = self.reach(|_| false).into_iter();
        let possible: BTreeSet<_> = reached.map(|(state, _)| State { looked: BTreeSet::new(), ..state }).collect();
        if !possible.contains(found) {
            return Err(format!("found {found:#?}, in doubt {:?}, possible: {possible:#?}", self.under_way()));
        }
        *self = Self::new(found.clone());
        Ok(())
    }

    /// Every place this could be now.
    pub(crate) fn possible(&self) -> impl Iterator<Item = &State> {
        self.explanations.iter().map(|(state, _)| state)
    }

    /// Whether this very operation is under way.
    pub(crate) fn awaits(&self, op: &Op) -> bool {
        self.pending.values().any(|pending| pending.op == *op)
    }

    fn under_way(&self) -> Vec<(OpId, &Op)> {
        self.pending.iter().map(|(id, pending)| (*id, &pending.op)).collect()
    }

    /// All explanations in which any of the pending operations have happened, in any order, up to those that are `enough`.
    fn reach(&self, enough: impl Fn(&Explanation) -> bool) -> BTreeSet<Explanation> {
        let mut reached = BTreeSet::new();
        let mut ahead: Vec<_> = self.explanations.iter().cloned().collect();
        while let Some(explanation) = ahead.pop() {
            if !enough(&explanation) {
                for (id, pending) in self.pending.iter().filter(|(id, _)| !explanation.1.contains_key(id)) {
                    let (mut state, mut happened) = explanation.clone();
                    let outcome = state.apply(*id, &pending.op);
                    // What changes nothing and is never heard of explains nothing.
                    if pending.in_doubt && state == explanation.0 {
                        continue;
                    }
                    happened.insert(*id, if pending.in_doubt { Outcome::Done } else { outcome });
                    if !reached.contains(&(state.clone(), happened.clone())) {
                        ahead.push((state, happened));
                    }
                }
            }
            reached.insert(explanation);
            assert!(reached.len() < EXPLANATIONS_MAX, "too much is in doubt to be judged");
        }
        reached
    }
}
