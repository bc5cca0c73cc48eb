//! Where a run's branch stands, by its events.
//!
//! Not here: the branch itself (`orch-host`'s `drive/keep.rs`).

use crate::event::{ABORTED, AttemptFinished, EditsKept, Ending, HOST_GONE, HeldEdits, RunBased};

/// The branch of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Edits {
    pub based: RunBased,
    /// The commit that it is at, or comes to if `open` is one.
    pub tip: String,
    /// How many attempts' edits are on it.
    pub commits: u32,
    /// Kept, and the attempt's end is not recorded: whether the branch moved is not known.
    pub open: Option<Box<EditsKept>>,
    /// What a person did with it last.
    pub fate: Option<Fate>,
}

/// What became of a run's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// With the commit that the person's checkout came to.
    Accepted(String),
    Rejected,
}

impl Edits {
    pub(super) fn new(based: &RunBased) -> Self {
        Self { based: based.clone(), tip: based.base.clone(), commits: 0, open: None, fate: None }
    }

    pub(super) fn kept(&mut self, kept: &EditsKept) {
        self.tip = kept.new.clone();
        self.commits += 1;
        self.open = Some(Box::new(kept.clone()));
    }

    pub(super) fn finished(&mut self, finished: &AttemptFinished) {
        let is_it = |open: &EditsKept| {
            (open.finished.task, open.finished.attempt) == (finished.task, finished.attempt)
        };
        if self.open.as_ref().is_some_and(|open| is_it(open)) {
            self.open = None;
        }
    }
}

/// Edits that wait for a person, or that one let be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub edits: HeldEdits,
    pub is_approved: bool,
}

impl Held {
    /// What of an attempt that ended waits, or is about to be kept still.
    pub(super) fn after(finished: &AttemptFinished, before: Option<Self>) -> Option<Self> {
        match (&finished.held, &finished.ending) {
            (Some(edits), _) => Some(Self { edits: (**edits).clone(), is_approved: false }),
            (None, Ending::Rerun { code }) if code == HOST_GONE || code == ABORTED => before,
            _ => None,
        }
    }
}
