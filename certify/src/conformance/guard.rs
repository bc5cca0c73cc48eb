//! Conformance of guards: tasks, edits and merges judged, plain ones and those at the edges; not being able to judge is said.
//!
//! In -> out: a kind -> cases.
//! Not here: what a judgement leads to (`orch-host`'s `drive/guards.rs`).

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::role::guard::{
    ChangedFile, Difference, FILES_MAX, FileStatus, Judgement, ProposedChange, ProposedEdits, ProposedMerge,
    TASKS_MAX,
};
use orch_task::{Kind, Task};

use super::call::{Call, Judged};
use super::case::{Case, STORES};
use super::value::{list, task, text};
use super::{Questions, tasks};

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 1 };

impl Judged for ProposedChange {
    /// Whoever is stopped, or has to decide, is told why.
    fn wrong(&self, answer: &Judgement) -> Vec<String> {
        let without_words = match answer {
            Judgement::Allow => false,
            Judgement::Escalate { reason, .. } | Judgement::Refuse { reason } => reason.trim().is_empty(),
        };
        without_words.then(|| "stops a change without a word".to_owned()).into_iter().collect()
    }
}

fn cases(kind: &Kind) -> Vec<Case> {
    let of_task = |task: Task| ProposedChange::Task(Box::new(task));
    let plain = tasks::plain("first", kind).map(of_task);
    let mut cases = Vec::new();
    cases.extend(plain.clone().map(|change| Case::survived("task", change)));
    cases.extend(tasks::odd(kind).into_iter().map(|(name, task)| Case::survived(name, of_task(task))));
    if let Some(task) = tasks::plain("first", kind) {
        let edits = differences().map(|(name, difference)| {
            let edits = ProposedEdits { task: task.clone(), attempt: 1, difference };
            Case::survived(name, ProposedChange::Edits(Box::new(edits)))
        });
        cases.extend(edits);
    }
    cases.extend(merges().map(|(name, merge)| Case::survived(name, ProposedChange::Merge(Box::new(merge)))));
    if let Some(change) = &plain {
        cases.extend(STORES.map(|(name, mood)| Case::in_mood(name, change, mood)));
    }
    cases
}

/// What a person takes in, plain and at the edges.
fn merges() -> [(&'static str, ProposedMerge); 2] {
    let [(_, plain), .., (_, many)] = differences();
    let merge = |tasks: Vec<String>, onto: Option<&str>, difference| ProposedMerge {
        run: "20261121-121726-4f3a".to_owned(),
        tasks,
        onto: onto.map(str::to_owned),
        difference,
    };
    let all = (0..TASKS_MAX).map(|number| format!("task-{number}")).collect();
    [("merge", merge(vec!["first".to_owned()], Some("main"), plain)), ("many-merged", merge(all, None, many))]
}

/// Differences, plain ones and those at the edges.
fn differences() -> [(&'static str, Difference); 4] {
    let file = |path: String, status, lines| ChangedFile { path, status, added: lines, removed: lines };
    let plain = vec![
        file("README.md".to_owned(), FileStatus::Changed, Some(1)),
        file("src/new.rs".to_owned(), FileStatus::Added, Some(20)),
        file("src/old.rs".to_owned(), FileStatus::Removed, Some(3)),
    ];
    let odd = vec![
        file("picture.png".to_owned(), FileStatus::Changed, None),
        file("\u{1b}[2J\n\u{202e}".to_owned(), FileStatus::Added, Some(u32::MAX)),
        file("a/".repeat(2047) + "b", FileStatus::Removed, Some(0)),
    ];
    let many = (0..FILES_MAX).map(|number| file(format!("src/{number}.rs"), FileStatus::Changed, Some(1)));
    let all = |files: Vec<ChangedFile>, patch: &str, is_whole: bool| Difference {
        files_count: u32::try_from(files.len()).unwrap_or(u32::MAX).saturating_add(u32::from(!is_whole)),
        added: files.iter().filter_map(|file| file.added).map(u64::from).sum(),
        removed: files.iter().filter_map(|file| file.removed).map(u64::from).sum(),
        files,
        patch: patch.to_owned(),
        patch_is_whole: is_whole,
    };
    [
        ("edits", all(plain, "--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-a\n+b\n", true)),
        ("no-edits", all(Vec::new(), "", true)),
        ("odd-edits", all(odd, "\u{0}\u{1b}[2J@@ -1 +1 @@", true)),
        ("many-edits", all(many.collect(), &"+x\n".repeat(80_000), false)),
    ]
}

fn seeded(source: &mut Unstructured<'_>, kind: &Kind) -> Result<Arc<dyn Call>> {
    let task = task(source, kind)?;
    let change = match source.int_in_range(0..=2)? {
        0 => ProposedChange::Task(Box::new(task)),
        1 => {
            let (attempt, difference) = (source.arbitrary()?, any_difference(source)?);
            ProposedChange::Edits(Box::new(ProposedEdits { task, attempt, difference }))
        }
        _ => ProposedChange::Merge(Box::new(ProposedMerge {
            run: text(source)?,
            tasks: list(source, 20, text)?,
            onto: if source.arbitrary()? { Some(text(source)?) } else { None },
            difference: any_difference(source)?,
        })),
    };
    Ok(Arc::new(change))
}

fn any_difference(source: &mut Unstructured<'_>) -> Result<Difference> {
    let file = |source: &mut Unstructured<'_>| {
        let statuses = [FileStatus::Added, FileStatus::Changed, FileStatus::Removed];
        let (path, status) = (text(source)?, *source.choose(&statuses)?);
        Ok(ChangedFile { path, status, added: source.arbitrary()?, removed: source.arbitrary()? })
    };
    Ok(Difference {
        files: list(source, 20, file)?,
        files_count: source.arbitrary()?,
        added: source.arbitrary()?,
        removed: source.arbitrary()?,
        patch: text(source)?,
        patch_is_whole: source.arbitrary()?,
    })
}
