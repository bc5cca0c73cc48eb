//! Looks of verifiers: which are still to be made, which a person does without.
//!
//! Not here: what verifiers saw (`state.rs`), when they are asked (`orch-host`'s `drive`).

use orch_task::Look;

use super::RunState;
use crate::event::{Called, TaskIndex, Who};

/// A look that was not made yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLook {
    pub verifier: String,
    /// Why it could not look, if it was asked since a host last attached.
    pub why: Option<String>,
}

/// Looks that a person does without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waived {
    pub verifiers: Vec<String>,
    pub reason: String,
    pub who: Who,
}

impl RunState {
    /// Tasks that are done while a verifier that they name has not looked: nothing that depends on them starts.
    pub fn unverified_tasks(&self) -> impl Iterator<Item = TaskIndex> {
        self.unverified.keys().flatten().copied()
    }

    /// True unless a verifier that the task names still has to look at what it did.
    pub fn is_verified(&self, task: TaskIndex) -> bool {
        !self.unverified.contains_key(&Some(task))
    }

    /// True if a person does without that verifier's look at the run.
    pub fn is_waived(&self, verifier: &str) -> bool {
        self.waived.get(&None).is_some_and(|waived| waived.verifiers.iter().any(|one| one == verifier))
    }

    /// The verifier that looks at the task next; one that could not is not asked again before a host attaches.
    pub fn next_look(&self, task: TaskIndex) -> Option<&str> {
        let looks = self.unverified.get(&Some(task))?;
        looks.iter().find(|look| look.why.is_none()).map(|look| look.verifier.as_str())
    }

    /// Nobody but these has looked at what that task did.
    pub(super) fn want_looks(&mut self, task: TaskIndex, looked: &[String]) {
        let named = self.tasks.get(task as usize).map_or(&[][..], |found| &found.task.verify);
        let missing = |look: &Look| MissingLook { verifier: look.verifier.clone(), why: None };
        let others = named.iter().filter(|look| !looked.contains(&look.verifier));
        let looks: Vec<MissingLook> = others.map(missing).collect();
        if !looks.is_empty() {
            self.unverified.insert(Some(task), looks);
        }
    }

    /// A verifier answered, or could not look.
    pub(super) fn looked(&mut self, called: &Called) {
        let looks = self.unverified.entry(called.task).or_default();
        match &called.fault {
            None => looks.retain(|look| look.verifier != called.plugin),
            Some((_, why)) if called.task.is_none() => {
                looks.push(MissingLook { verifier: called.plugin.clone(), why: Some(why.clone()) });
            }
            Some((_, why)) => {
                let of_it = looks.iter_mut().filter(|look| look.verifier == called.plugin);
                of_it.for_each(|look| look.why = Some(why.clone()));
            }
        }
        if looks.is_empty() {
            self.unverified.remove(&called.task);
        }
    }
}
