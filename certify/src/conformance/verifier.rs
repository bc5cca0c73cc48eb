//! Conformance of verifiers: a run and a task looked at; not being able to look is said, never hidden.
//!
//! In -> out: a kind -> cases.
//! Not here: the form of a finding, which `orch-host`'s `role/verifier.rs` checks.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::role::verifier::Subject;
use orch_journal::event::Finding;
use orch_task::{Kind, Task};

use super::call::{Call, Judged};
use super::case::{COMMANDS, Case};
use super::value::{task, text};
use super::{Questions, reflector, tasks};

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 1 };

impl Judged for Subject {
    fn wrong(&self, _answer: &Vec<Finding>) -> Vec<String> {
        Vec::new()
    }
}

fn cases(kind: &Kind) -> Vec<Case> {
    let of_task = |task: Task| Subject::Task(Box::new(task));
    let of_run = Subject::Run;
    // Its commands meet processes that say nothing, which is no answer of a real tool.
    let mut cases = vec![Case::survived("run", of_run("run-1".to_owned()))];
    cases.extend(tasks::plain("first", kind).map(|task| Case::survived("task", of_task(task))));
    let odd = reflector::odd_runs().into_iter();
    cases.extend(odd.map(|(name, id)| Case::survived(name, of_run(id))));
    cases.extend(COMMANDS.map(|(name, mood)| Case::in_mood(name, &of_run(name.to_owned()), mood)));
    cases.extend(tasks::odd(kind).into_iter().map(|(name, task)| Case::survived(name, of_task(task))));
    cases
}

fn seeded(source: &mut Unstructured<'_>, kind: &Kind) -> Result<Arc<dyn Call>> {
    Ok(Arc::new(match source.ratio(1, 3)? {
        true => Subject::Run(text(source)?),
        false => Subject::Task(Box::new(task(source, kind)?)),
    }))
}
