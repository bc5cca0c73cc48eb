//! Conformance of auditors: metrics of a form, and tasks inside the grant.
//!
//! Limits: 1000 paths or finished tasks a call.
//! Not here: the form of a metric, which `orch-host`'s `role/auditor.rs` checks.

use orch_host::role::auditor::FinishedTask;
use orch_task::Status;

use super::case::{Call, Case, STORES};

pub(super) fn cases() -> Vec<Case> {
    let paths = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect::<Vec<String>>();
    let finished = |index, id: &str, status| FinishedTask { index, id: id.to_owned(), status };
    let two = [finished(0, "first", Status::Done), finished(1, "second", Status::Failed)];
    let audit = Call::Audit(two.to_vec());
    let odd =
        paths(&["", "/", "..", "../../etc/passwd", "\u{0}", "src/\u{1b}[2J", "src/broken.py", "no/such"]);
    let many = (0..1000).map(|number| format!("{}{number}", "deep/".repeat(40))).collect();
    let thousand =
        (0..1000).map(|number| finished(u32::MAX - number, "\u{1b}]0;x\u{7}", Status::InDoubt)).collect();
    let mut cases = vec![
        Case::answered("analyze-all", Call::Analyze(Vec::new())),
        Case::answered("analyze-two", Call::Analyze(paths(&["src/app.py", "src/lib.rs"]))),
        Case::answered("audit-two", audit.clone()),
        Case::survived("analyze-odd-paths", Call::Analyze(odd)),
        Case::survived("analyze-many-paths", Call::Analyze(many)),
        Case::survived("audit-none", Call::Audit(Vec::new())),
        Case::survived("audit-a-thousand", Call::Audit(thousand)),
    ];
    cases.extend(STORES.map(|(name, mood)| Case::in_mood(name, &audit, mood)));
    cases
}
