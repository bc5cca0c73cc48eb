//! Rows that follow from events: the seeds' tables, metrics and values of `kv`.
//!
//! In -> out: events in the order of their commits -> rows, in `main` while they are written or in `temp` to compare.
//! Invariant: what comes out does not depend on how events were grouped; only events are read, never clocks or rows.
//! Not here: the SQL (`statements.rs`), comparing and replacing (`rebuild.rs`).

mod kept;
mod pruned;

use std::collections::BTreeMap;

use orch_task::{Status, Task};
use rusqlite::params;
use serde_json::json;

use crate::artifacts::{self, Artifact};
use crate::event::{Actor, AddedTask, AttemptFinished, Ending, Event, RunStarted, TaskIndex};
use crate::iso_time::iso_time;
use crate::journal::CommitError;
use crate::rows::{TASK_FILE, plain_name};
use crate::statements::ProjectionSql;
use kept::{KeptBy, write_kept};

/// A run and the start of the ids of its rows.
#[derive(Clone, Debug)]
pub(crate) struct RunNames {
    pub(crate) id: String,
    pub(crate) key: String,
}

impl RunNames {
    /// Id of a task's row. In the order of places up to 16 million, and as text what is short and sorts.
    pub(crate) fn phase(&self, task: TaskIndex) -> String {
        format!("{}-{task:06x}", self.key)
    }

    /// The same of whose effect it is; none: it is no task's.
    fn phase_of(&self, by: Actor) -> Option<String> {
        match by {
            Actor::Attempt { task, .. } => Some(self.phase(task)),
            Actor::Call { .. } => None,
        }
    }

    /// Id of an attempt's row; starts with its task's.
    pub(crate) fn execution(&self, task: TaskIndex, attempt: u32) -> String {
        format!("{}-{task:06x}-{attempt:02x}", self.key)
    }

    /// Of one run, in order by length, then text.
    fn row(&self, seq: u64, nth: usize) -> String {
        format!("{}-{seq:08x}-{nth:x}", self.key)
    }
}

/// What an `open` intervention asks for.
const ACTION_APPROVE: &str = "approve";
const ACTION_RESOLVE: &str = "resolve";

/// Changes of a task within a group: its row is written once.
#[derive(Default)]
struct PhaseChange {
    seq: u64,
    status: &'static str,
    /// True when `failures` counts from 0.
    reset: bool,
    failures: u32,
    attempts: Option<u32>,
    started_at: Option<u64>,
    completed_at: Option<u64>,
}

/// Changes of an attempt within a group.
struct ExecutionChange {
    started_at: u64,
    end: Option<ExecutionEnd>,
}

struct ExecutionEnd {
    status: &'static str,
    output: Option<String>,
    error: Option<String>,
    log: Option<String>,
    at: u64,
}

/// Collects what a group changes and writes it. Nothing is kept from one group to the next.
#[derive(Default)]
pub(crate) struct Projector {
    run: Option<RunNames>,
    reopened: bool,
    phases: BTreeMap<TaskIndex, PhaseChange>,
    executions: BTreeMap<(TaskIndex, u32), ExecutionChange>,
}

impl Projector {
    /// Takes the next event, by its place in its run and its position among those of all runs. Rows that change often wait for [`flush`](Self::flush), the others are written now.
    pub(crate) fn apply(
        &mut self,
        sql: &mut ProjectionSql<'_>,
        run: &RunNames,
        (seq, position): (u64, i64),
        event: &Event,
    ) -> Result<(), CommitError> {
        if self.run.as_ref().is_none_or(|before| before.id != run.id) {
            self.flush(sql)?;
            self.run = Some(run.clone());
        }
        match event {
            Event::RunStarted(started) => start_run(sql, run, started)?,
            Event::HostAttached { .. } => self.reopened = true,
            Event::SessionOpened { at, .. } => {
                self.flush_run(sql, run)?;
                sql.run_session.execute(params![run.id, iso_time(*at)])?;
            }
            Event::RunFinished { status, why, at, .. } => {
                self.flush_run(sql, run)?;
                let completed_at = (!status.is_open()).then(|| iso_time(*at));
                sql.run_finished.execute(params![run.id, status.as_str(), completed_at, why])?;
            }
            Event::TasksAdded { first, tasks, at } => {
                for (task, added) in (*first..).zip(tasks) {
                    add_phase(sql, run, seq, task, added, *at)?;
                    if added.status == Status::Done {
                        sql.taken_for_done.execute(params![run.phase(task), position])?;
                    }
                }
            }
            Event::TaskEdited { task, to, .. } => edit_phase(sql, run, seq, *task, to)?,
            Event::TaskMoved { task, to, why, who, at } => {
                self.reopened = true;
                let phase = run.phase(*task);
                match (to, who) {
                    (Status::Done, Some(_)) => sql.done.execute(params![phase, position, *at as i64])?,
                    // Its condition does not hold.
                    (Status::Done, None) => sql.taken_for_done.execute(params![phase, 0])?,
                    // It waits again, and may turn out to be up to date.
                    (Status::Pending | Status::Blocked, None) => sql.put_back.execute([&phase])?,
                    // Whoever puts it back wants it done.
                    _ => sql.forgotten.execute([&phase])?,
                };
                sql.answered.execute(params![format!("{phase}-"), format!("{phase}."), iso_time(*at)])?;
                ask(sql, run, seq, *task, *to, why, *at)?;
                let change = self.phase(*task, seq, *to, *at);
                if *to == Status::Pending {
                    (change.reset, change.failures) = (true, 0);
                }
            }
            Event::TasksFresh { tasks, at } => {
                for task in tasks {
                    sql.fresh.execute([run.phase(*task)])?;
                    self.phase(*task, seq, Status::Done, *at);
                }
            }
            Event::TaskMarked { task, mark, .. } => {
                sql.marked.execute(params![run.phase(*task), json!(mark).to_string()])?;
            }
            Event::AttemptStarted { task, attempt, at } => {
                // What was known of it is true no more, however this ends.
                sql.begun.execute(params![run.phase(*task), position])?;
                let change = self.phase(*task, seq, Status::InProgress, *at);
                (change.attempts, change.started_at) = (Some(*attempt), Some(*at));
                self.execution(*task, *attempt, *at).end = None;
            }
            Event::AttemptFinished(finished) => {
                let phase = run.phase(finished.task);
                match finished.status {
                    Status::Done => {
                        let said_at = (!finished.ending.is_done()).then_some(finished.at as i64);
                        sql.done.execute(params![phase, position, said_at])?
                    }
                    Status::Failed => sql.failed.execute(params![phase, position])?,
                    _ => 0,
                };
                self.finish_attempt(sql, run, (seq, position), finished)?;
            }
            Event::Called(called) => {
                let task = called.task.map(|task| run.phase(task));
                if called.replaces_findings() {
                    sql.resolve_findings.execute(params![
                        run.id,
                        called.plugin,
                        task,
                        iso_time(called.at)
                    ])?;
                }
                let by = KeptBy {
                    execution: None,
                    phase: task,
                    caller: Some(&called.plugin),
                    token: called.token.as_deref(),
                    at: called.at,
                };
                write_kept(sql, run, (seq, position), &called.writes, by)?;
                for (nth, asked) in called.asked.iter().enumerate() {
                    let asked = json!(asked).to_string();
                    sql.task_asked.execute(params![run.id, seq as i64, nth as i64, called.plugin, asked])?;
                }
            }
            Event::RunsPruned(pruned) => pruned::write_pruned(sql, pruned)?,
            Event::ActsTaken { until, .. } => {
                sql.acts_taken.execute(params![run.id, *until as i64])?;
            }
            Event::NoticeSent(sent) => {
                let by = KeptBy { execution: None, phase: None, caller: None, token: None, at: sent.at };
                write_kept(sql, run, (seq, position), &sent.writes, by)?;
            }
            Event::TasksTaken { until, .. } => {
                sql.tasks_taken.execute(params![run.id, *until as i64])?;
            }
            // What is only in an attempt's own tree is no thing of the workspace yet.
            Event::FileWritten { in_tree: true, .. } | Event::FileWritten { after: None, .. } => {}
            Event::FileWritten { by, path, after: Some(after), size, at, .. } => {
                let written = Artifact {
                    name: path.rsplit('/').next().unwrap_or(path).to_owned(),
                    kind: "file".to_owned(),
                    path: Some(path.clone()),
                    size: *size,
                    sha256: after.clone(),
                    content: None,
                };
                let phase = run.phase_of(*by);
                let of = (run.id.as_str(), phase.as_deref());
                artifacts::insert(&mut sql.artifact, &run.row(seq, 0), of, &written, *at)?;
            }
            Event::AnswerKept(kept) => {
                let phase = run.phase_of(kept.by);
                let of = (run.id.as_str(), phase.as_deref());
                for (nth, text) in [&kept.question, &kept.answer].into_iter().enumerate() {
                    artifacts::insert(&mut sql.artifact, &run.row(seq, nth), of, text, Some(kept.at))?;
                }
            }
            Event::StreamStarted(_)
            | Event::TokenRefused { .. }
            | Event::ConfigReloaded(_)
            | Event::HostDetached { .. }
            | Event::OperatorDecided { .. }
            | Event::TaskApproved { .. }
            | Event::RunBased(_)
            | Event::EditsKept(_)
            | Event::EditsAccepted(_)
            | Event::EditsRejected { .. }
            | Event::EditsRolledBack { .. }
            | Event::IntentRecorded { .. }
            | Event::ModelAnswered(_)
            | Event::ProcessStarted { .. }
            | Event::HttpRequested(_)
            | Event::HttpEnded(_)
            | Event::NetworkUsed(_)
            | Event::CallStarted { .. }
            | Event::Observed { .. }
            | Event::Decided { .. }
            | Event::PlannerRead { .. }
            | Event::LooksWaived { .. }
            | Event::LookKept { .. }
            | Event::LooksAsked { .. }
            | Event::StartAsked { .. }
            | Event::StopAsked { .. }
            | Event::TasksChosen { .. }
            | Event::TasksSaved { .. }
            | Event::BudgetWarned { .. }
            | Event::FindingsJudged { .. }
            | Event::Denied { .. }
            | Event::Warned { .. } => {}
        }
        Ok(())
    }

    /// Writes what waited.
    pub(crate) fn flush(&mut self, sql: &mut ProjectionSql<'_>) -> Result<(), CommitError> {
        let Some(run) = self.run.take() else { return Ok(()) };
        self.flush_run(sql, &run)?;
        for (task, change) in std::mem::take(&mut self.phases) {
            let changed = sql.phase_changed.execute(params![
                run.phase(task),
                change.status,
                change.reset,
                change.failures,
                change.attempts,
                change.started_at.map(iso_time),
                change.completed_at.map(iso_time),
            ])?;
            expect_row(changed, &run, change.seq)?;
        }
        for ((task, attempt), change) in std::mem::take(&mut self.executions) {
            let end = change.end.as_ref();
            sql.execution.execute(params![
                run.execution(task, attempt),
                run.phase(task),
                run.id,
                attempt,
                end.map_or("running", |end| end.status),
                end.and_then(|end| end.output.as_ref()),
                end.and_then(|end| end.error.as_ref()),
                end.and_then(|end| end.log.as_ref()),
                iso_time(change.started_at),
                end.map(|end| iso_time(end.at)),
            ])?;
        }
        Ok(())
    }

    fn flush_run(&mut self, sql: &mut ProjectionSql<'_>, run: &RunNames) -> Result<(), CommitError> {
        if std::mem::take(&mut self.reopened) {
            sql.run_reopened.execute([&run.id])?;
        }
        Ok(())
    }

    fn phase(&mut self, task: TaskIndex, seq: u64, to: Status, at: u64) -> &mut PhaseChange {
        let change = self.phases.entry(task).or_default();
        change.seq = seq;
        change.status = to.as_str();
        change.completed_at = to.is_final().then_some(at);
        change
    }

    fn execution(&mut self, task: TaskIndex, attempt: u32, at: u64) -> &mut ExecutionChange {
        self.executions.entry((task, attempt)).or_insert(ExecutionChange { started_at: at, end: None })
    }

    fn finish_attempt(
        &mut self,
        sql: &mut ProjectionSql<'_>,
        run: &RunNames,
        (seq, position): (u64, i64),
        finished: &AttemptFinished,
    ) -> Result<(), CommitError> {
        let AttemptFinished { task, attempt, ending, status, writes, log, at, .. } = finished;
        let change = self.phase(*task, seq, *status, *at);
        change.failures += u32::from(ending.counts_against_retries());
        let (word, output, error) = told(ending);
        let end = ExecutionEnd { status: word, output, error, log: log.clone(), at: *at };
        self.execution(*task, *attempt, *at).end = Some(end);
        let why = match ending {
            Ending::InDoubt { code, message } => format!("{code}: {message}"),
            _ => word.to_owned(),
        };
        ask(sql, run, seq, *task, *status, &why, *at)?;
        if !writes.is_empty() {
            let (execution, phase) = (Some(run.execution(*task, *attempt)), Some(run.phase(*task)));
            write_kept(
                sql,
                run,
                (seq, position),
                writes,
                KeptBy { execution, phase, caller: None, token: None, at: *at },
            )?;
        }
        Ok(())
    }
}

/// Word, output and error of an attempt's row.
fn told(ending: &Ending) -> (&'static str, Option<String>, Option<String>) {
    let both = |code: &String, message: &String| Some(format!("{code}: {message}"));
    match ending {
        Ending::Done { summary } => ("done", (!summary.is_empty()).then(|| summary.clone()), None),
        Ending::Failed { message, .. } => ("failed", None, Some(message.clone())),
        Ending::Broken { code, message } => ("broken", None, both(code, message)),
        Ending::InDoubt { code, message } => ("in_doubt", None, both(code, message)),
        Ending::Rerun { code } => ("rerun", None, Some(code.clone())),
        Ending::Cancelled => ("cancelled", None, None),
    }
}

fn start_run(sql: &mut ProjectionSql<'_>, run: &RunNames, started: &RunStarted) -> Result<(), CommitError> {
    let metadata = json!({
        "plugins": started.plugins,
        "jobs": started.jobs,
        "durability": started.durability,
        "budget": started.budget,
        "unsigned": started.unsigned,
    });
    sql.run_started.execute(params![run.id, started.goal, iso_time(started.at), metadata.to_string()])?;
    sql.task_file.execute(params![run.id, plain_name(started.tasks.as_deref().unwrap_or(TASK_FILE))])?;
    Ok(())
}

fn add_phase(
    sql: &mut ProjectionSql<'_>,
    run: &RunNames,
    seq: u64,
    place: TaskIndex,
    added: &AddedTask,
    at: u64,
) -> Result<(), CommitError> {
    let AddedTask { task, status, added_by, added_for: _, env: _ } = added;
    sql.phase_added.execute(params![
        run.phase(place),
        run.id,
        task.id.as_str(),
        task.description,
        status.as_str(),
        dependencies(task),
        task.retries,
        place,
        task.kind.as_str(),
        added_by,
        iso_time(at),
        status.is_final().then(|| iso_time(at)),
    ])?;
    let why = added_by.as_ref().map_or_else(|| "added".to_owned(), |plugin| format!("added by `{plugin}`"));
    // Many tasks of one event may ask, so the place makes the id; the event's number follows it.
    ask(sql, run, seq, place, *status, &why, at)
}

fn edit_phase(
    sql: &mut ProjectionSql<'_>,
    run: &RunNames,
    seq: u64,
    place: TaskIndex,
    task: &Task,
) -> Result<(), CommitError> {
    let changed = sql.phase_edited.execute(params![
        run.phase(place),
        task.description,
        dependencies(task),
        task.retries,
        task.kind.as_str(),
    ])?;
    expect_row(changed, run, seq)
}

/// Opens an intervention if the status is one that only a person ends.
fn ask(
    sql: &mut ProjectionSql<'_>,
    run: &RunNames,
    seq: u64,
    task: TaskIndex,
    status: Status,
    why: &str,
    at: u64,
) -> Result<(), CommitError> {
    let action = match status {
        Status::WaitingApproval => ACTION_APPROVE,
        Status::InDoubt => ACTION_RESOLVE,
        _ => return Ok(()),
    };
    let phase = run.phase(task);
    sql.asked.execute(params![format!("{phase}-{seq:08x}"), run.id, phase, why, action, iso_time(at)])?;
    Ok(())
}

fn dependencies(task: &Task) -> String {
    json!(task.dependencies).to_string()
}

fn expect_row(changed: usize, run: &RunNames, seq: u64) -> Result<(), CommitError> {
    match changed {
        1 => Ok(()),
        _ => Err(CommitError::NoRow { run: run.id.clone(), seq }),
    }
}
