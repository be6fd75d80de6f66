//! Liveness and readiness. A process that answers is live; it is ready while every named condition holds.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// The shared state of health. A clone is the same state.
#[derive(Clone, Debug)]
pub struct Health(Arc<Mutex<Vec<Condition>>>);

#[derive(Debug)]
struct Condition {
    name: &'static str,
    /// Why it does not hold.
    failing: Option<String>,
}

impl Health {
    /// Health that depends on `conditions`, none of which holds yet.
    pub fn new(conditions: &[&'static str]) -> Self {
        let condition = |name: &&'static str| Condition { name, failing: Some("not started".to_owned()) };
        Self(Arc::new(Mutex::new(conditions.iter().map(condition).collect())))
    }

    /// The condition holds. One that was unknown so far exists from now on.
    pub fn holds(&self, name: &'static str) {
        self.set(name, None);
    }

    /// The condition does not hold, for a short reason an operator may see. One that was unknown so far exists from now
    /// on: draining, for one, is a condition that comes up only at the end.
    pub fn fails(&self, name: &'static str, reason: impl Into<String>) {
        self.set(name, Some(reason.into()));
    }

    /// `Ok` when every condition holds; otherwise those that do not, each with its reason, in one line.
    pub fn ready(&self) -> Result<(), String> {
        let conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reasons = String::new();
        for condition in conditions.iter() {
            let Some(reason) = &condition.failing else { continue };
            let separator = if reasons.is_empty() { "" } else { "; " };
            // Writing into a string does not fail.
            let _ = write!(reasons, "{separator}{}: {reason}", condition.name);
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    fn set(&self, name: &'static str, failing: Option<String>) {
        let mut conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match conditions.iter_mut().find(|condition| condition.name == name) {
            Some(condition) => condition.failing = failing,
            None => conditions.push(Condition { name, failing }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_all_conditions_hold() {
        let health = Health::new(&["catalog", "recovery"]);
        assert_eq!(health.ready(), Err("catalog: not started; recovery: not started".to_owned()));
        health.holds("catalog");
        health.clone().holds("recovery");
        assert_eq!(health.ready(), Ok(()));
        health.fails("draining", "the server is stopping");
        assert_eq!(health.ready(), Err("draining: the server is stopping".to_owned()));
    }
}
