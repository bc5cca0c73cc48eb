//! Conformance of auditors: metrics of a form, and tasks inside the grant.
//!
//! Limits: 1000 paths or finished tasks a call.
//! Not here: the form of a metric, which `orch-host`'s `role/auditor.rs` checks.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::capability::tasks::AskedTask;
use orch_host::role::auditor::{Analyze, Audit, FinishedTask};
use orch_journal::event::Metric;
use orch_task::{Kind, Status};

use super::Questions;
use super::call::{Call, Judged};
use super::case::{Case, STORES};
use super::value::{LIST_MAX, id, list, status, text};

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 2 };

impl Judged for Analyze {
    fn wrong(&self, _answer: &Vec<Metric>) -> Vec<String> {
        Vec::new()
    }
}

impl Judged for Audit {
    fn wrong(&self, _answer: &Vec<AskedTask>) -> Vec<String> {
        Vec::new()
    }
}

fn cases(_kind: &Kind) -> Vec<Case> {
    let paths = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect::<Vec<String>>();
    let finished = |index, id: &str, status| FinishedTask { index, id: id.to_owned(), status };
    let two = [finished(0, "first", Status::Done), finished(1, "second", Status::Failed)];
    let audit = Audit(two.to_vec());
    let odd =
        paths(&["", "/", "..", "../../etc/passwd", "\u{0}", "src/\u{1b}[2J", "src/broken.py", "no/such"]);
    let many = (0..1000).map(|number| format!("{}{number}", "deep/".repeat(40))).collect();
    let thousand =
        (0..1000).map(|number| finished(u32::MAX - number, "\u{1b}]0;x\u{7}", Status::InDoubt)).collect();
    let mut cases = vec![
        Case::answered("analyze-all", Analyze(Vec::new())),
        Case::answered("analyze-two", Analyze(paths(&["src/app.py", "src/lib.rs"]))),
        Case::answered("audit-two", audit.clone()),
        Case::survived("analyze-odd-paths", Analyze(odd)),
        Case::survived("analyze-many-paths", Analyze(many)),
        Case::survived("audit-none", Audit(Vec::new())),
        Case::survived("audit-a-thousand", Audit(thousand)),
    ];
    cases.extend(STORES.map(|(name, mood)| Case::in_mood(name, &audit, mood)));
    cases
}

fn seeded(source: &mut Unstructured<'_>, _kind: &Kind) -> Result<Arc<dyn Call>> {
    if source.ratio(1, 2)? {
        return Ok(Arc::new(Analyze(list(source, LIST_MAX, text)?)));
    }
    let finished = |source: &mut Unstructured<'_>| {
        Ok(FinishedTask { index: source.arbitrary()?, id: id(source)?, status: status(source)? })
    };
    Ok(Arc::new(Audit(list(source, LIST_MAX, finished)?)))
}
