//! Conformance of executors: one harmless task of its first kind, tasks at the edges, commands that go wrong.
//!
//! In -> out: a kind -> cases.
//! Invariant: commands meet fake processes, so nothing runs.
//! Not here: what the task does in a real workspace.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::role::executor::{Completion, Earlier, Execute};
use orch_journal::event::{Category, Finding, Severity};
use orch_task::{Kind, Task};

use super::call::{Call, Judged};
use super::case::{COMMANDS, Case};
use super::value::{task, text};
use super::{Questions, tasks};

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 1 };

impl Judged for Execute {
    fn wrong(&self, _answer: &Completion) -> Vec<String> {
        Vec::new()
    }
}

fn cases(kind: &Kind) -> Vec<Case> {
    let execute = |task: Task, attempt| Execute::of(task, attempt);
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
    Ok(Arc::new(seeded_attempt(source, kind)?))
}

/// An attempt, now and then one that was told of another before it.
fn seeded_attempt(source: &mut Unstructured<'_>, kind: &Kind) -> Result<Execute> {
    let ask = Execute::of(task(source, kind)?, source.arbitrary()?);
    let told = |source: &mut Unstructured<'_>| {
        let finding = Finding {
            severity: Severity::Major,
            category: Category::Test,
            message: text(source)?,
            location: Some(text(source)?),
        };
        Ok(Earlier { message: text(source)?, findings: vec![finding], diff: text(source)? })
    };
    let earlier = if source.arbitrary()? { Some(told(source)?) } else { None };
    Ok(Execute { goal: text(source)?, earlier, ..ask })
}
