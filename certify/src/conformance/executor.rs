//! Conformance of executors: one harmless task of its first kind, then tasks at the edges.
//!
//! In -> out: a trial -> its findings.
//! Invariant: commands meet fake processes that exit with 0, so nothing runs.
//! Not here: what the task does in a real workspace.

use orch_host::engine::CallError;
use orch_host::role::executor::Executor;

use super::{Expected, Trial, hostile_tasks, task};

pub(super) async fn run(trial: &mut Trial) -> Result<(), CallError> {
    let executor = Executor::link(&trial.engine, trial.compiled.clone())?;
    let kind = trial.first_kind();
    // An executor may need settings that only its own tasks have: it says so in words.
    let good = task("first", &kind).into_iter().map(|task| ("execute", task));
    let hostile = hostile_tasks(&kind).into_iter().map(|task| ("execute a hostile task", task));
    for (call, task) in good.chain(hostile) {
        let report = executor.execute(trial.context(), &task, 1).await;
        trial.judge_report(call, Expected::AnswerOrFailure, report);
    }
    Ok(())
}
