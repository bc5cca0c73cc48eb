//! Conformance of auditors: metrics of a form, and tasks inside the grant.
//!
//! In -> out: a trial -> its findings.
//! Not here: the form of a metric, which `orch-host`'s `role/auditor.rs` checks.

use orch_host::engine::CallError;
use orch_host::role::auditor::{Auditor, FinishedTask};
use orch_task::Status;

use super::{Expected, Trial};

pub(super) async fn run(trial: &mut Trial) -> Result<(), CallError> {
    let auditor = Auditor::link(&trial.engine, trial.compiled.clone())?;
    for paths in [Vec::new(), vec!["src/app.py".to_owned(), "src/lib.rs".to_owned()]] {
        let report = auditor.analyze(trial.context(), &paths).await;
        trial.judge_report("analyze", Expected::Answer, report);
    }
    let finished = |index, id: &str, status| FinishedTask { index, id: id.to_owned(), status };
    let good = [finished(0, "first", Status::Done), finished(1, "second", Status::Failed)];
    let report = auditor.audit(trial.context(), &good).await;
    if let Some(asked) = trial.judge_report("audit", Expected::Answer, report) {
        trial.check_asked("audit", &asked);
    }
    let mut paths: Vec<String> =
        ["", "/", "..", "../../etc/passwd", "\u{0}", "src/\u{1b}[2J", "src/broken.py", "no/such"]
            .map(str::to_owned)
            .into();
    paths.extend((0..992).map(|number| format!("{}{number}", "deep/".repeat(40))));
    let report = auditor.analyze(trial.context(), &paths).await;
    trial.judge_report("analyze hostile paths", Expected::AnswerOrFailure, report);
    let hostile: Vec<FinishedTask> =
        (0..1000).map(|number| finished(u32::MAX - number, "\u{1b}]0;x\u{7}", Status::InDoubt)).collect();
    let report = auditor.audit(trial.context(), &hostile).await;
    trial.judge_report("audit hostile tasks", Expected::AnswerOrFailure, report);
    Ok(())
}
