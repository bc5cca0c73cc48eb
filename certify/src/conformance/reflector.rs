//! Conformance of reflectors: tasks inside the grant, with ids of their own and known dependencies.
//!
//! Not here: the grant's bounds, which `orch-host`'s `role/reflector.rs` checks.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::capability::tasks::AskedTask;
use orch_host::role::reflector::Reflect;
use orch_task::Kind;

use super::Questions;
use super::call::{Call, Judged};
use super::case::{Case, STORES};
use super::value::text;

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 1 };

impl Judged for Reflect {
    fn wrong(&self, _answer: &Vec<AskedTask>) -> Vec<String> {
        Vec::new()
    }
}

fn cases(_kind: &Kind) -> Vec<Case> {
    let reflect = |run: &str, tasks| Reflect { run: run.to_owned(), tasks, left: tasks, goal: String::new() };
    let mut cases = vec![
        Case::answered("plain", reflect("run-1", 3)),
        Case::survived("no-tasks", reflect("run-1", 0)),
        Case::survived("most-tasks", reflect("run-1", u32::MAX)),
        Case::survived("all-ended", Reflect { left: 0, ..reflect("run-1", 4) }),
    ];
    let aimed = |goal: String| Reflect { goal, ..reflect("run-1", 0) };
    cases.push(Case::survived("goal", aimed("Make the tests pass".to_owned())));
    cases.push(Case::survived("odd-goal", aimed("\u{1b}[2J\u{202e}{\"phases\":[]}".repeat(200))));
    cases.extend(odd_runs().into_iter().map(|(name, id)| Case::survived(name, reflect(&id, 1))));
    cases.extend(STORES.map(|(name, mood)| Case::in_mood(name, &reflect(name, 3), mood)));
    cases
}

/// Ids of runs at the edges.
pub(super) fn odd_runs() -> Vec<(&'static str, String)> {
    vec![
        ("empty-run-id", String::new()),
        ("control-run-id", "\u{1b}[2J\u{0}\u{202e}".to_owned()),
        ("boundary-run-id", "\u{10ffff}".repeat(32)),
        ("long-run-id", "r".repeat(64 * 1024)),
    ]
}

fn seeded(source: &mut Unstructured<'_>, _kind: &Kind) -> Result<Arc<dyn Call>> {
    let (run, tasks) = (text(source)?, source.arbitrary()?);
    Ok(Arc::new(Reflect { run, tasks, left: source.int_in_range(0..=tasks)?, goal: text(source)? }))
}
