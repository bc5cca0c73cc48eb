//! Conformance of executors: one harmless task of its first kind, tasks at the edges, commands that go wrong.
//!
//! In -> out: a kind -> cases.
//! Invariant: commands meet fake processes, so nothing runs.
//! Not here: what the task does in a real workspace.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::role::executor::{Completion, Execute};
use orch_task::{Kind, Task};

use super::call::{Call, Judged};
use super::case::{COMMANDS, Case};
use super::value::task;
use super::{Questions, tasks};

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 1 };

impl Judged for Execute {
    fn wrong(&self, _answer: &Completion) -> Vec<String> {
        Vec::new()
    }
}

fn cases(kind: &Kind) -> Vec<Case> {
    let execute = |task: Task, attempt| Execute { task: Box::new(task), attempt };
    // An executor may need settings that only its own tasks have: it says so in words.
    let mut cases = Vec::new();
    let plain = |id: &str, attempt| tasks::plain(id, kind).map(|task| execute(task, attempt));
    cases.extend(plain("first", 1).map(|call| Case::survived("plain", call)));
    cases.extend(plain("last-attempt", u32::MAX).map(|call| Case::survived("last-attempt", call)));
    let commands = COMMANDS.into_iter();
    cases.extend(commands.filter_map(|(name, mood)| Some(Case::in_mood(name, &plain(name, 1)?, mood))));
    cases.extend(tasks::odd(kind).into_iter().map(|(name, task)| Case::survived(name, execute(task, 1))));
    cases
}

fn seeded(source: &mut Unstructured<'_>, kind: &Kind) -> Result<Arc<dyn Call>> {
    Ok(Arc::new(Execute { task: Box::new(task(source, kind)?), attempt: source.arbitrary()? }))
}
