//! The planner's session: what it hears, what it answers, and whether it may answer that.
//!
//! In -> out: changes of the run -> `observed`; the planner's answer -> a checked decision, `decided`.
//! Limits: 1000 changes a call; at most as many tasks as there are slots.
//! Invariant: a decision that leaves here names tasks that are ready, each once, within slots and budget.
//! Not here: what ready means (`run.rs`), starting a task (`attempt.rs`).

use std::sync::{Arc, Mutex, PoisonError};

use orch_journal::event::{Change, Decision, Event, TaskIndex};
use orch_task::{Kind, Task};
use sha2::{Digest, Sha256};

use super::desk::Desk;
use super::error::DriveError;
use super::run::Run;
use super::task_reader::StateReader;
use crate::call::CallContext;
use crate::capability::kv::{KvReader, KvUnavailable};
use crate::capability::nothing::Nothing;
use crate::capability::provided::Asking;
use crate::capability::tasks::{TaskCounts, TaskReader, TaskSummary};
use crate::clock::now_ms;
use crate::command_log::LogName;
use crate::engine::CallError;
use crate::role::Listed;
use crate::role::planner::{PlannerChange, PlannerExport, PlannerSession, ReadyTask};

/// A planner that listens.
pub struct Planning {
    session: PlannerSession,
    plugin: String,
    kinds: Vec<Kind>,
    reads: Arc<Reads>,
    finished: Option<String>,
}

impl Planning {
    /// Opens a session and tells it everything that is ready.
    pub async fn open(run: &mut Run, desk: &Desk) -> Result<Self, DriveError> {
        let planner = desk.roles.planner();
        let log = desk.command_log(LogName::Call {
            call: "plan",
            task: None,
            plugin: planner.id.clone(),
            at: now_ms(),
            place: run.last(),
        });
        // No permission with effects is for planners.
        let mut lent =
            desk.lend(planner, run.shared(), (Asking::default(), Arc::new(Nothing)), log, planner.wall);
        let (state, kv) = (StateReader::new(run.shared()), lent.kv.clone());
        let reads = Arc::new(Reads { state, kv, answers: Mutex::default() });
        lent.tasks = reads.clone();
        lent.kv = reads.clone();
        let kinds = desk.roles.kinds();
        let names: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
        let exported = PlannerExport::of(&planner.plugin);
        let exported =
            exported.ok_or_else(|| fault(&planner.id, "open", CallError::other_role(&planner.id)))?;
        let session = exported.open(CallContext::of_run(lent), &planner.settings, &names);
        let session =
            run.serving_a_call(desk, session).await?.map_err(|source| fault(&planner.id, "open", source))?;
        let restarted = run.state().sessions > 0;
        run.record(Event::SessionOpened { planner: planner.id.clone(), restarted, at: now_ms() })?;
        run.announce_all(now_ms());
        Ok(Self { session, plugin: planner.id.clone(), kinds, reads, finished: None })
    }

    /// Tells the planner what changed since it was told last.
    pub async fn observe(&mut self, run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
        while run.has_changes() {
            let changes = run.take_changes();
            let told: Vec<PlannerChange> = {
                let state = run.state();
                changes
                    .iter()
                    .filter_map(|change| {
                        self.told(change, |task| Some(&state.tasks.get(task as usize)?.task))
                    })
                    .collect()
            };
            let heard = run.serving_a_call(desk, self.session.observe(&told)).await?;
            run.record(Event::Observed { changes })?;
            self.note_reads(run)?;
            heard.map_err(|source| fault(&desk.roles.planner().id, "observe", source))?;
        }
        Ok(())
    }

    fn told<'a>(
        &self,
        change: &Change,
        task: impl Fn(TaskIndex) -> Option<&'a Task>,
    ) -> Option<PlannerChange> {
        Some(match change {
            Change::Ready(index) => {
                let task = task(*index)?;
                let kind = self.kinds.binary_search(&task.kind).ok()?;
                PlannerChange::Ready(ReadyTask {
                    index: *index,
                    priority: task.priority,
                    cost: task.cost,
                    kind: u16::try_from(kind).ok()?,
                })
            }
            Change::Withdrawn(index) => PlannerChange::Withdrawn(*index),
            Change::Finished(index, status) => PlannerChange::Finished(*index, *status),
            Change::Budget(left) => PlannerChange::Budget(*left),
        })
    }

    /// Asks for at most `slots` tasks.
    pub async fn next(&mut self, run: &mut Run, desk: &Desk, slots: u32) -> Result<Decision, DriveError> {
        let answer = run.serving_a_call(desk, self.session.next(slots)).await?;
        self.note_reads(run)?;
        let decision = answer.map_err(|source| fault(&desk.roles.planner().id, "next", source))?;
        run.record(Event::Decided { slots, decision: decision.clone() })?;
        match &decision {
            Decision::Start(picked) => self.check(run, picked, slots)?,
            Decision::Finished(why) => self.finished = Some(why.clone()),
            Decision::Wait => {}
        }
        Ok(decision)
    }

    /// The planner said that nothing more starts in this run, and why.
    pub fn finished(&self) -> Option<&str> {
        self.finished.as_deref()
    }

    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// The fault of a planner that waits while nothing runs.
    pub fn stalled(&self, ready: usize) -> DriveError {
        DriveError::PlannerStalled { plugin: self.plugin.clone(), ready }
    }

    fn check(&self, run: &Run, picked: &[TaskIndex], slots: u32) -> Result<(), DriveError> {
        let wrong = |found: String, expected: &'static str| {
            Err(DriveError::PlannerAnswer { plugin: self.plugin.clone(), found, expected })
        };
        if picked.is_empty() {
            return wrong("`start` with no task".to_owned(), "at least one task, or `wait`");
        }
        if picked.len() > slots as usize {
            return wrong(
                format!("{} tasks for {slots} slots", picked.len()),
                "at most as many tasks as slots",
            );
        }
        let tasks = run.state().tasks.len();
        let mut left = run.budget_left();
        for (place, &task) in picked.iter().enumerate() {
            if task as usize >= tasks {
                return wrong(format!("task {task} of {tasks}"), "a task that exists");
            }
            if !run.is_ready(task) {
                return wrong(format!("task {task}, which is not ready"), "only ready tasks");
            }
            if picked.iter().take(place).any(|before| *before == task) {
                return wrong(format!("task {task} twice"), "each task once");
            }
            let cost = run.state().tasks.get(task as usize).map_or(0, |found| u64::from(found.task.cost));
            match left.checked_sub(cost) {
                Some(rest) => left = rest,
                None => {
                    return wrong(
                        format!("task {task} of cost {cost} with {left} left"),
                        "tasks within the budget",
                    );
                }
            }
        }
        Ok(())
    }

    fn note_reads(&self, run: &mut Run) -> Result<(), DriveError> {
        let answers = std::mem::take(&mut *self.reads.answers.lock().unwrap_or_else(PoisonError::into_inner));
        for (call, answer) in answers {
            run.record(Event::PlannerRead { call, answer })?;
        }
        Ok(())
    }
}

fn fault(plugin: &str, call: &'static str, source: CallError) -> DriveError {
    DriveError::Plugin { plugin: plugin.to_owned(), call, source }
}

/// The tasks and values as a planner reads them; keeps a digest of each answer for the journal.
struct Reads {
    state: StateReader,
    kv: Arc<dyn KvReader>,
    answers: Mutex<Vec<(String, String)>>,
}

impl Reads {
    fn note<T: serde::Serialize>(&self, call: String, answer: &T) {
        let bytes = serde_json::to_vec(answer).unwrap_or_default();
        let digest = hex::encode(Sha256::digest(bytes));
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push((call, digest));
    }
}

impl TaskReader for Reads {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        let answer = self.state.describe(index);
        self.note(format!("describe {index}"), &answer);
        answer
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        let answer = self.state.find(id);
        self.note("find".to_owned(), &answer);
        answer
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        let answer = self.state.scan(start);
        self.note(
            format!("scan {start}"),
            &answer.iter().map(|task| (&task.id, task.status)).collect::<Vec<_>>(),
        );
        answer
    }

    fn count(&self) -> TaskCounts {
        let answer = self.state.count();
        self.note("count".to_owned(), &answer);
        answer
    }
}

impl KvReader for Reads {
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        let answer = self.kv.read(plugin, label, key)?;
        self.note(format!("kv get {label}"), &(key, &answer));
        Ok(answer)
    }

    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        let answer = self.kv.keys(plugin, label, prefix, after)?;
        self.note(format!("kv keys {label}"), &(prefix, after, &answer));
        Ok(answer)
    }

    fn bytes(&self, plugin: &str) -> Result<u64, KvUnavailable> {
        let answer = self.kv.bytes(plugin)?;
        self.note("kv bytes".to_owned(), &answer);
        Ok(answer)
    }
}
