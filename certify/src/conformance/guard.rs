//! Conformance of guards: tasks judged, plain ones and those at the edges; not being able to judge is said.
//!
//! In -> out: a kind -> cases.
//! Not here: what a judgement leads to (`orch-host`'s `drive/guards.rs`).

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::role::guard::{Judgement, ProposedChange};
use orch_task::{Kind, Task};

use super::call::{Call, Judged};
use super::case::{Case, STORES};
use super::value::task;
use super::{Questions, tasks};

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 1 };

impl Judged for ProposedChange {
    /// Whoever is stopped, or has to decide, is told why.
    fn wrong(&self, answer: &Judgement) -> Vec<String> {
        let without_words = match answer {
            Judgement::Allow => false,
            Judgement::Escalate { reason, .. } | Judgement::Refuse { reason } => reason.trim().is_empty(),
        };
        without_words.then(|| "stops a change without a word".to_owned()).into_iter().collect()
    }
}

fn cases(kind: &Kind) -> Vec<Case> {
    let of_task = |task: Task| ProposedChange::Task(Box::new(task));
    let plain = tasks::plain("first", kind).map(of_task);
    let mut cases = Vec::new();
    cases.extend(plain.clone().map(|change| Case::survived("task", change)));
    cases.extend(tasks::odd(kind).into_iter().map(|(name, task)| Case::survived(name, of_task(task))));
    if let Some(change) = &plain {
        cases.extend(STORES.map(|(name, mood)| Case::in_mood(name, change, mood)));
    }
    cases
}

fn seeded(source: &mut Unstructured<'_>, kind: &Kind) -> Result<Arc<dyn Call>> {
    Ok(Arc::new(ProposedChange::Task(Box::new(task(source, kind)?))))
}
