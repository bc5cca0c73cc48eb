//! What runs of a host are held to, which may be something else by the next moment.
//!
//! In -> out: rules that somebody took -> [`Standing`], as of now for whoever begins something.
//! Invariant: who begins something keeps the rules of that moment.
//! Not here: where other rules come from and which may change (`reload.rs` of the host).

use std::sync::{Arc, PoisonError, RwLock};

use orch_journal::event::Event;

use super::rules::RunRules;

/// The rules of now.
#[derive(Debug)]
pub struct Standing(RwLock<Arc<RunRules>>);

impl Standing {
    pub fn new(rules: RunRules) -> Self {
        Self(RwLock::new(Arc::new(rules)))
    }

    pub fn now(&self) -> Arc<RunRules> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, rules: RunRules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}

/// Whoever knows whether other rules are to be taken, and takes them.
pub trait Watches: Send + Sync {
    /// What became of a change since the last look, for the journal.
    fn look(&self) -> Option<Event>;
}
