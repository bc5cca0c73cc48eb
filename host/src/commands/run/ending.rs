//! The end of a run for people: what failed and why, and where the time went.
//!
//! In -> out: a run's rows -> lines, before those that say how it ended.
//! Limits: [`FAILED_MAX`] tasks with [`OUTPUT_LINES`] of each, [`FINDINGS_MAX`] findings, [`SLOWEST_MAX`] tasks.
//! Invariant: who looks at the end only, as in the log of a CI, sees the reason and where the rest of it stands.
//! Not here: how the run ended (`run.rs`), all of it (`report.rs`).

use std::collections::BTreeMap;

use orch_journal::event::{Severity, TaskIndex};
use orch_journal::rows::{AttemptRow, TaskRow};
use orch_journal::{Event, Reader, StoreError};
use orch_task::Status;

use crate::commands::stored_run::result_of;
use crate::console::{Console, Tone, escape, lines};
use crate::exit::Fault;
use crate::place::Place;

const FAILED_MAX: u32 = 20;
/// As much as a plugin may say of one attempt.
const OUTPUT_LINES: usize = 48;
const FINDINGS_MAX: usize = 20;
const SLOWEST_MAX: u32 = 3;
/// Nobody asks where the time went if the slowest took less.
const SLOW_MS: u64 = 1000;
const SHOWN_MS: u64 = 100;

/// Shows it; gives the id of a task that failed and has a log, if there is one. `allowed`: tasks that may fail.
pub(super) fn show(
    place: &Place,
    run: &str,
    allowed: &[String],
    console: Console,
) -> Result<Option<String>, Fault> {
    let reader = place.reader()?;
    let mut failed = reader.tasks_page(run, (Some(Status::Failed.as_str()), None), 0, FAILED_MAX + 1)?;
    failed.retain(|task| !allowed.contains(&task.id));
    let moved = why_moved(&reader, run, &failed)?;
    let mut with_log = None;
    for (nth, task) in failed.iter().enumerate() {
        if nth == FAILED_MAX as usize {
            console.line(&format!("{:>16}  `orch-host status` shows more", "…"));
            break;
        }
        let moved = moved.get(&task.place).map(String::as_str);
        if show_failed(&reader, run, task, moved, console)? {
            with_log.get_or_insert_with(|| task.id.clone());
        }
    }
    let mut findings = reader.findings(run)?;
    findings.retain(|found| !found.resolved && found.severity == Severity::Major.as_str());
    for finding in findings.iter().take(FINDINGS_MAX) {
        let word = console.paint(Tone::Bad, &format!("{:>16}", "major finding"));
        let at = finding.location.as_deref().map(|at| format!(" at {}", escape(at))).unwrap_or_default();
        let text = format!("{}{at}: {}", finding.category, finding.message);
        block(&word, &lines::told(&text, OUTPUT_LINES), console);
    }
    if findings.len() > FINDINGS_MAX {
        console.line(&format!("{:>16}  `orch-host report` shows more", "…"));
    }
    let has_slowest = show_slowest(&reader, run, console)?;
    if has_slowest || !failed.is_empty() || !findings.is_empty() {
        console.line("");
    }
    Ok(with_log)
}

/// Why tasks were moved that no attempt made fail: findings of their verifiers, a person's word.
fn why_moved(
    reader: &Reader,
    run: &str,
    failed: &[TaskRow],
) -> Result<BTreeMap<TaskIndex, String>, StoreError> {
    let mut moved = BTreeMap::new();
    let attempts = failed.iter().map(|task| reader.attempts(run, task.place));
    let attempts = attempts.collect::<Result<Vec<_>, _>>()?;
    // Most failed by an attempt; only then the journal need not be read.
    if attempts.iter().all(|of| of.last().is_some_and(|last| last.error.is_some())) {
        return Ok(moved);
    }
    for event in reader.events(run) {
        match event?.1 {
            Event::TaskMoved { task, why, .. } => drop(moved.insert(task, why)),
            Event::AttemptStarted { task, .. } => drop(moved.remove(&task)),
            _ => {}
        }
    }
    Ok(moved)
}

/// True if it has a log.
fn show_failed(
    reader: &Reader,
    run: &str,
    task: &TaskRow,
    moved: Option<&str>,
    console: Console,
) -> Result<bool, StoreError> {
    let last = reader.attempts(run, task.place)?.pop();
    let mut told = match (moved, &last) {
        (Some(why), _) => lines::told(why, OUTPUT_LINES),
        (None, Some(AttemptRow { error: Some(error), .. })) => lines::told(error, OUTPUT_LINES),
        (None, Some(last)) => result_of(last, OUTPUT_LINES),
        (None, None) => vec!["in an earlier run, and it was not tried again".to_owned()],
    };
    if let Some(head) = told.first_mut() {
        *head = format!("{}  {head}", escape(&task.id));
    }
    let log = last.and_then(|last| last.log);
    if let Some(log) = &log {
        told.push(console.paint(Tone::Faint, &format!("log: {}", escape(log))));
    }
    block(&console.paint(Tone::Bad, &format!("{:>16}", "failed")), &told, console);
    Ok(log.is_some())
}

/// A word and lines, each below the other.
fn block(word: &str, told: &[String], console: Console) {
    for (nth, line) in told.iter().enumerate() {
        match nth {
            0 => console.line(&format!("{word}  {line}")),
            _ => console.line(format!("{:>16}  {line}", "").trim_end()),
        }
    }
}

/// True if it was worth saying.
fn show_slowest(reader: &Reader, run: &str, console: Console) -> Result<bool, StoreError> {
    let slowest = reader.slowest_tasks(run, SLOWEST_MAX)?;
    let is_worth = matches!(slowest.as_slice(), [(_, most), _, ..] if *most >= SLOW_MS);
    if is_worth {
        let said = slowest.iter().filter(|(_, ms)| *ms >= SHOWN_MS);
        let said = said.map(|(id, ms)| format!("{} {}", escape(id), lines::span(*ms)));
        let word = console.paint(Tone::Faint, &format!("{:>16}", "slowest"));
        console.line(&format!("{word}  {}", said.collect::<Vec<_>>().join(", ")));
    }
    Ok(is_worth)
}
