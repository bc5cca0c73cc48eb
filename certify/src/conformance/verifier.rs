//! Conformance of verifiers: a run and a task looked at; not being able to look is said, never hidden.
//!
//! In -> out: a trial -> its findings.
//! Not here: the form of a finding, which `orch-host`'s `role/verifier.rs` checks.

use orch_host::engine::CallError;
use orch_host::role::verifier::{Subject, Verifier};

use super::{Expected, Trial, hostile_tasks, task};

pub(super) async fn run(trial: &mut Trial) -> Result<(), CallError> {
    let verifier = Verifier::link(&trial.engine, trial.compiled.clone())?;
    let kind = trial.first_kind();
    let mut subjects = vec![("verify a run", Subject::Run("run-1".to_owned()))];
    subjects.extend(task("first", &kind).map(|task| ("verify a task", Subject::Task(Box::new(task)))));
    for run in [String::new(), "\u{1b}[2J\u{0}".to_owned(), "r".repeat(64 * 1024)] {
        subjects.push(("verify a hostile run", Subject::Run(run)));
    }
    let hostile = hostile_tasks(&kind).into_iter();
    subjects.extend(hostile.map(|task| ("verify a hostile task", Subject::Task(Box::new(task)))));
    for (call, subject) in subjects {
        // Its commands meet processes that say nothing, which is no answer of a real tool.
        let report = verifier.verify(trial.context(), &subject).await;
        trial.judge_report(call, Expected::AnswerOrFailure, report);
    }
    Ok(())
}
