//! Conformance of reflectors: tasks inside the grant, with ids of their own and known dependencies.
//!
//! In -> out: a trial -> its findings.
//! Not here: the grant's bounds, which `orch-host`'s `role/reflector.rs` checks.

use orch_host::engine::CallError;
use orch_host::role::reflector::Reflector;

use super::{Expected, Trial};

pub(super) async fn run(trial: &mut Trial) -> Result<(), CallError> {
    let reflector = Reflector::link(&trial.engine, trial.compiled.clone())?;
    let report = reflector.reflect(trial.context(), "run-1", 3).await;
    if let Some(asked) = trial.judge_report("reflect", Expected::Answer, report) {
        trial.check_asked("reflect", &asked);
    }
    for (run, tasks) in [("", 0), ("\u{1b}[2J\u{0}", u32::MAX), (&*"r".repeat(64 * 1024), 1)] {
        let report = reflector.reflect(trial.context(), run, tasks).await;
        trial.judge_report("reflect on a hostile cycle", Expected::AnswerOrFailure, report);
    }
    Ok(())
}
