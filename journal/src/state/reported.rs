//! What plugins of a run reported: how many findings of which severity count, and what all of it takes.
//!
//! Invariant: of each verifier and subject only what it saw last counts; bytes are of all that is in the journal.
//! Not here: how much that may be (`orch-host`'s `drive`).

use std::collections::HashMap;

use super::RunState;
use crate::event::{Reported, Severity, TaskIndex, Writes};

impl RunState {
    /// Takes in what an accepted call reported.
    pub(super) fn count(&mut self, writes: &Writes) {
        for finding in &writes.findings {
            *self.of(finding.severity) += 1;
        }
        self.take_reported(writes);
    }

    /// Counts what a call reported, accepted or not yet, by the plugin whose it is.
    pub(super) fn take_reported(&mut self, writes: &Writes) {
        for one in writes.of_each() {
            let reported = one.reported();
            if reported != Reported::default() {
                *self.reported.entry(one.plugin.clone()).or_default() += reported;
            }
        }
    }

    pub(super) fn discount(&mut self, seen: impl IntoIterator<Item = Severity>) {
        for severity in seen {
            *self.of(severity) -= 1;
        }
    }

    /// What verifiers saw of that subject counts no more: they look again.
    pub(super) fn forget_seen(&mut self, subject: Option<TaskIndex>) {
        let (gone, kept) =
            std::mem::take(&mut self.seen).into_iter().partition(|((_, of), _)| *of == subject);
        self.seen = kept;
        let gone: HashMap<_, Vec<Severity>> = gone;
        self.discount(gone.into_values().flatten());
    }

    fn of(&mut self, severity: Severity) -> &mut u32 {
        match severity {
            Severity::Major => &mut self.major,
            Severity::Medium => &mut self.medium,
            Severity::Minor => &mut self.minor,
        }
    }
}
