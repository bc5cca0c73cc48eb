//! Conformance of verifiers: a run and a task looked at; not being able to look is said, never hidden.
//!
//! In -> out: a kind -> cases.
//! Not here: the form of a finding, which `orch-host`'s `role/verifier.rs` checks.

use orch_host::role::verifier::Subject;
use orch_task::{Kind, Task};

use super::case::{COMMANDS, Call, Case};
use super::{reflector, tasks};

pub(super) fn cases(kind: &Kind) -> Vec<Case> {
    let of_task = |task: Task| Call::Verify(Subject::Task(Box::new(task)));
    let of_run = |run: String| Call::Verify(Subject::Run(run));
    // Its commands meet processes that say nothing, which is no answer of a real tool.
    let mut cases = vec![Case::survived("run", of_run("run-1".to_owned()))];
    cases.extend(tasks::plain("first", kind).map(|task| Case::survived("task", of_task(task))));
    let odd = reflector::odd_runs().into_iter();
    cases.extend(odd.map(|(name, id)| Case::survived(name, of_run(id))));
    cases.extend(COMMANDS.map(|(name, mood)| Case::in_mood(name, &of_run(name.to_owned()), mood)));
    cases.extend(tasks::odd(kind).into_iter().map(|(name, task)| Case::survived(name, of_task(task))));
    cases
}
