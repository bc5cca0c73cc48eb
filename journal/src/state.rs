//! What a run's events add up to.
//!
//! In -> out: events in order -> [`RunState`].
//! Invariant: a pure fold; the same events give the same state on any machine, and the live loop uses this very fold.
//! Not here: readiness and the choice of what runs next (`orch-host`'s `drive`).

mod earlier;
mod edits;
mod looks;
mod reported;

use std::collections::{BTreeMap, HashMap};

use orch_task::{Status, Task, TaskId};

use crate::event::{
    Actor, AddedTask, AskedProvider, Called, Choice, EnvSeal, Event, FAILURE, Reported, RunStarted,
    RunStatus, Severity, TaskIndex,
};

pub use earlier::Earlier;
pub use edits::{Edits, Fate, Held};
pub use looks::{MissingLook, Waived};

/// An event that cannot follow what came before it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReplayError {
    #[error("event `{event}` comes before `run_started`")]
    NotStarted { event: &'static str },
    #[error("event `{event}` names task {task}, the run has {tasks}")]
    UnknownTask { event: &'static str, task: TaskIndex, tasks: usize },
    #[error("event `tasks_added` starts at {first}, the run has {tasks} tasks")]
    TaskGap { first: TaskIndex, tasks: usize },
    #[error("task id `{id}` is added twice")]
    DuplicateTask { id: TaskId },
}

/// One task of a run and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskState {
    pub task: Task,
    pub status: Status,
    pub added_by: Option<String>,
    /// The task whose attempt asked for it.
    pub added_for: Option<TaskIndex>,
    /// What `env` of the task says.
    pub env: Option<EnvSeal>,
    /// Digest of the task that a person let run.
    pub approved: Option<String>,
    /// Guards that were asked about it, and those of them that had been when it was approved.
    pub judged_by: Vec<String>,
    pub approved_after: Vec<String>,
    /// Number of the last attempt; 0 before the first.
    pub attempts: u32,
    /// Attempts that count against `retries`: answered failures.
    pub failures: u32,
    /// Attempts that the host's end put in doubt, since a person last put the task back.
    pub crashes: u32,
    /// The attempt that runs now recorded an effect.
    pub intent: bool,
    /// Processes of the attempt that runs now: pid, start in clock ticks, boot id.
    pub processes: Vec<(u32, u64, String)>,
    pub not_before: u64,
    /// Done without an attempt, because nothing changed since it was done last.
    pub fresh: bool,
    /// Done without an attempt, because its condition did not hold.
    pub skipped: bool,
    /// A person put it back, and no attempt began since.
    pub asked_again: bool,
    /// An attempt began, and it was not done since.
    pub unfinished: bool,
    earlier: Option<Box<Earlier>>,
    /// What an attempt made and guards have something against.
    pub held: Option<Held>,
}

impl TaskState {
    fn new(task: Task, status: Status) -> Self {
        Self {
            task,
            status,
            added_by: None,
            added_for: None,
            env: None,
            approved: None,
            judged_by: Vec::new(),
            approved_after: Vec::new(),
            attempts: 0,
            failures: 0,
            crashes: 0,
            intent: false,
            processes: Vec::new(),
            not_before: 0,
            fresh: false,
            skipped: false,
            asked_again: false,
            unfinished: false,
            earlier: None,
            held: None,
        }
    }
}

/// A call, repeatable by contract, that did not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    pub call: String,
    pub plugin: String,
    pub task: Option<TaskIndex>,
    pub number: u64,
    /// Its processes: pid, start in clock ticks, boot id.
    pub processes: Vec<(u32, u64, String)>,
}

impl OpenCall {
    pub fn is(&self, call: &str, plugin: &str, task: Option<TaskIndex>) -> bool {
        self.call == call && self.plugin == plugin && self.task == task
    }
}

/// A notice of the host's own that nobody is known to have got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    pub asked: AskedProvider,
    /// How the run ended.
    pub status: RunStatus,
    pub why: String,
}

/// A run as of its last event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    pub started: Option<RunStarted>,
    pub tasks: Vec<TaskState>,
    pub by_id: HashMap<TaskId, TaskIndex>,
    /// Costs of all started attempts.
    pub budget_used: u64,
    pub budget_warned: bool,
    pub major: u32,
    pub medium: u32,
    pub minor: u32,
    /// Sessions that planners of this run had.
    pub sessions: u32,
    /// What each verifier saw when it looked last, by subject: in the counts above.
    pub seen: HashMap<(String, Option<TaskIndex>), Vec<Severity>>,
    /// What each plugin has reported in this run.
    pub reported: BTreeMap<String, Reported>,
    /// A warning about the findings was given.
    pub judged: bool,
    /// Calls of reflectors, auditors, verifiers and guards that did not come back.
    pub open_calls: Vec<OpenCall>,
    /// A reflector's answer is in the journal, by plugin id.
    pub reflected: Vec<String>,
    /// Attempts finished since the last audit.
    pub unaudited: Vec<TaskIndex>,
    /// What is not verified, with the looks that are missing in their order: tasks that are done and name the verifiers,
    /// and the run itself (`None`), if at its end a verifier could not look.
    pub unverified: BTreeMap<Option<TaskIndex>, Vec<MissingLook>>,
    /// Looks that a person does without: at what a task did, or at the run (`None`) as it is until something of it starts.
    pub waived: BTreeMap<Option<TaskIndex>, Waived>,
    /// Which tasks the run was asked for last.
    pub chosen: Choice,
    /// A host has looked at what was done in earlier runs.
    pub looked: bool,
    /// The last call of a service that asked for it, by its place in the workspace's stream.
    pub begun_by: Option<u64>,
    /// The same, while nobody else asked since, nobody stopped it and it did not come to an end.
    pub owed_to: Option<u64>,
    /// SHA-256 of `tasks.yml` as the host last saw it.
    pub saved: Option<String>,
    /// What it said then of each task, by place.
    pub saved_statuses: Vec<Status>,
    pub finished: Option<(RunStatus, String)>,
    /// Of ends of this run.
    pub owed: Vec<Owed>,
    pub warnings: u32,
    /// Of a run whose edits go to a branch of their own.
    pub edits: Option<Edits>,
}

impl RunState {
    /// The fold of all events of one run.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Self, ReplayError> {
        let mut state = Self::default();
        for event in events {
            state.apply(event)?;
        }
        Ok(state)
    }

    /// Tasks of no run yet, with ids that differ.
    pub fn of_tasks<'a>(tasks: impl IntoIterator<Item = (&'a Task, Status)>) -> Self {
        let mut state = Self::default();
        for (place, (task, status)) in (0..).zip(tasks) {
            state.by_id.insert(task.id.clone(), place);
            state.tasks.push(TaskState::new(task.clone(), status));
        }
        state
    }

    /// Takes the next event.
    pub fn apply(&mut self, event: &Event) -> Result<(), ReplayError> {
        if self.started.is_none() && !matches!(event, Event::RunStarted(_)) {
            return Err(ReplayError::NotStarted { event: event.name() });
        }
        match event {
            Event::RunStarted(started) => self.started = Some(started.clone()),
            Event::TasksAdded { first, tasks, .. } => self.add(*first, tasks)?,
            Event::TaskEdited { task, to, env, .. } => {
                let found = self.task_mut(event, *task)?;
                (found.task, found.env, found.held) = (Task::clone(to), env.clone(), None);
            }
            Event::TaskMoved { task, to, why, who, .. } => {
                let state = self.task_mut(event, *task)?;
                if *to == Status::Failed {
                    state.failed(why, None);
                }
                state.asked_again = match to {
                    Status::Pending => who.is_some() || state.asked_again,
                    Status::Blocked => state.asked_again,
                    _ => false,
                };
                // Only a person's approval lets what is held be kept; whatever else moves the task has it done anew.
                let stays = match to {
                    Status::Pending => {
                        who.is_some() && state.held.as_ref().is_some_and(|held| held.is_approved)
                    }
                    _ => *to == Status::WaitingApproval,
                };
                state.held = state.held.take().filter(|_| stays);
                state.status = *to;
                state.unfinished &= *to != Status::Done;
                (state.fresh, state.skipped) = (false, *to == Status::Done && who.is_none());
                state.intent = false;
                state.processes.clear();
                if *to == Status::Pending {
                    state.failures = 0;
                    state.crashes = 0;
                    state.not_before = 0;
                    // It is done anew, and looked at anew.
                    self.forget_seen(Some(*task));
                }
                self.unverified.remove(&Some(*task));
                self.waived.remove(&Some(*task));
                self.reopen();
            }
            Event::TasksFresh { tasks, .. } => {
                for task in tasks {
                    let state = self.task_mut(event, *task)?;
                    (state.status, state.fresh, state.skipped) = (Status::Done, true, false);
                    self.unverified.remove(&Some(*task));
                    self.waived.remove(&Some(*task));
                }
                (self.finished, self.looked) = (None, true);
            }
            Event::LooksAsked { tasks, .. } => {
                for task in tasks {
                    self.task_mut(event, *task)?;
                    self.want_looks(*task, &[]);
                }
                self.reopen();
            }
            Event::LooksWaived { task, verifiers, reason, who, .. } => {
                if let Some(task) = task {
                    self.task_mut(event, *task)?;
                }
                self.unverified.remove(task);
                let (verifiers, reason, who) = (verifiers.clone(), reason.clone(), who.clone());
                self.waived.insert(*task, Waived { verifiers, reason, who });
                self.reopen();
            }
            Event::TaskApproved { task, digest, .. } => {
                let state = self.task_mut(event, *task)?;
                state.approved = Some(digest.clone());
                state.approved_after = state.judged_by.clone();
                state.held.iter_mut().for_each(|held| held.is_approved = true);
            }
            Event::AttemptStarted { task, attempt, .. } => {
                let state = self.task_mut(event, *task)?;
                state.status = Status::InProgress;
                (state.fresh, state.skipped, state.asked_again) = (false, false, false);
                state.unfinished = true;
                state.attempts = *attempt;
                state.intent = false;
                let cost = u64::from(state.task.cost);
                self.waived.remove(&Some(*task));
                self.waived.remove(&None);
                self.budget_used = self.budget_used.saturating_add(cost);
            }
            Event::IntentRecorded { by, spends, .. } => {
                if let Actor::Attempt { task, .. } = by {
                    self.task_mut(event, *task)?.intent |= !spends;
                }
            }
            Event::ProcessStarted { by, pid, start_ticks, boot_id, .. } => {
                let processes = match by {
                    Actor::Attempt { task, .. } => Some(&mut self.task_mut(event, *task)?.processes),
                    Actor::Call { number } => {
                        let call = self.open_calls.iter_mut().find(|call| call.number == *number);
                        call.map(|call| &mut call.processes)
                    }
                };
                // A call that is over has no process left.
                processes.into_iter().for_each(|all| all.push((*pid, *start_ticks, boot_id.clone())));
            }
            Event::ModelAnswered(answered) => self.check_task(event, answered.by)?,
            Event::AnswerKept(kept) => self.check_task(event, kept.by)?,
            Event::HttpRequested(requested) => self.check_task(event, requested.by)?,
            Event::HttpEnded(ended) => self.check_task(event, ended.by)?,
            Event::NetworkUsed(used) => self.check_task(event, used.by)?,
            Event::AttemptFinished(finished) => {
                let state = self.task_mut(event, finished.task)?;
                state.status = finished.status;
                state.unfinished = finished.status != Status::Done;
                state.not_before = finished.not_before.unwrap_or(0);
                state.intent = false;
                state.processes.clear();
                state.failures += u32::from(finished.ending.counts_against_retries());
                state.crashes += u32::from(finished.ending.is_host_crash());
                state.has_ended(finished);
                state.held = Held::after(finished, state.held.take());
                if finished.status == Status::Done {
                    self.want_looks(finished.task, &finished.looked);
                }
                if finished.status == Status::Pending && finished.unkept.is_some() {
                    // What was seen is of edits that are gone.
                    self.forget_seen(Some(finished.task));
                }
                self.edits.iter_mut().for_each(|edits| edits.finished(finished));
                finished.held.iter().for_each(|held| self.take_reported(&held.writes));
                self.count(&finished.writes);
                self.unaudited.push(finished.task);
            }
            Event::RunBased(based) => self.edits = Some(Edits::new(based)),
            Event::EditsKept(kept) => {
                self.task_mut(event, kept.finished.task)?;
                self.edits.iter_mut().for_each(|edits| edits.kept(kept));
            }
            Event::EditsAccepted(accepted) => {
                let fate = Fate::Accepted(accepted.commit.clone());
                self.edits.iter_mut().for_each(|edits| edits.fate = Some(fate.clone()));
            }
            Event::EditsRejected { .. } => {
                self.edits.iter_mut().for_each(|edits| edits.fate = Some(Fate::Rejected));
            }
            Event::EditsRolledBack { .. } => self.edits.iter_mut().for_each(|edits| edits.fate = None),
            Event::CallStarted { call, plugin, task, number } => {
                self.open_calls.retain(|open| !open.is(call, plugin, *task));
                let (call, plugin) = (call.clone(), plugin.clone());
                let (task, number, processes) = (*task, *number, Vec::new());
                self.open_calls.push(OpenCall { call, plugin, task, number, processes });
            }
            Event::Called(called) => {
                self.open_calls.retain(|open| !open.is(&called.call, &called.plugin, called.task));
                if called.replaces_findings() {
                    let subject = (called.plugin.clone(), called.task);
                    let seen = called.writes.findings.iter().map(|finding| finding.severity).collect();
                    let before = self.seen.insert(subject, seen);
                    self.discount(before.into_iter().flatten());
                }
                self.count(&called.writes);
                if let Some(task) = called.task {
                    self.task_mut(event, task)?.was_looked_at(called);
                }
                // What is not allowed is no answer: the next host asks again.
                let answered = called.fault.as_ref().is_none_or(|(code, _)| code == FAILURE);
                match called.call.as_str() {
                    "verify" => self.looked(called),
                    "reflect" if answered => self.reflected.push(called.plugin.clone()),
                    "audit" if answered => self.unaudited.clear(),
                    "judge" => self.judged(event, called)?,
                    _ => {}
                }
            }
            Event::TasksSaved { sha256, .. } => {
                self.saved = Some(sha256.clone());
                self.saved_statuses = self.tasks.iter().map(|task| task.status).collect();
            }
            Event::BudgetWarned { .. } => self.budget_warned = true,
            Event::Warned { .. } => self.warnings += 1,
            Event::RunFinished { status, why, notices, .. } => {
                self.finished = Some((*status, why.clone()));
                self.owed_to = None;
                let owed =
                    |asked: &AskedProvider| Owed { asked: asked.clone(), status: *status, why: why.clone() };
                self.owed.extend(notices.iter().map(owed));
            }
            Event::NoticeSent(sent) => {
                self.owed.retain(|owed| owed.asked.key != sent.key);
                self.take_reported(&sent.writes);
            }
            Event::FileWritten { by, .. } => {
                if let Actor::Attempt { task, .. } = by {
                    self.task_mut(event, *task)?;
                }
            }
            Event::HostAttached { .. } => {
                self.reopen();
                // Who could not look is asked again: at a task first, at the run when it comes to its end.
                self.unverified.remove(&None);
                self.unverified.values_mut().flatten().for_each(|look| look.why = None);
            }
            Event::FindingsJudged { .. } => self.judged = true,
            Event::StartAsked { call, .. } => {
                (self.begun_by, self.owed_to) = (self.begun_by.max(*call), *call);
            }
            Event::StopAsked { .. } => self.owed_to = None,
            Event::TasksChosen { choice, .. } => self.chosen = choice.clone(),
            Event::SessionOpened { .. } => self.sessions += 1,
            Event::TaskMarked { .. }
            | Event::Observed { .. }
            | Event::Decided { .. }
            | Event::PlannerRead { .. }
            | Event::LookKept { .. }
            | Event::StreamStarted(_)
            | Event::TasksTaken { .. }
            | Event::ActsTaken { .. }
            | Event::RunsPruned(_)
            | Event::TokenRefused { .. }
            | Event::ConfigReloaded(_)
            | Event::HostDetached { .. }
            | Event::OperatorDecided { .. }
            | Event::Denied { .. } => {}
        }
        Ok(())
    }

    /// Where the run stands: as it ended, or what it does since.
    pub fn status(&self) -> RunStatus {
        match &self.finished {
            Some((status, _)) => *status,
            None if self.sessions > 0 => RunStatus::Executing,
            None => RunStatus::Planning,
        }
    }

    /// A guard answered, or could not judge.
    fn judged(&mut self, event: &Event, called: &Called) -> Result<(), ReplayError> {
        let Some(task) = called.task else { return Ok(()) };
        let state = self.task_mut(event, task)?;
        if !state.judged_by.contains(&called.plugin) {
            state.judged_by.push(called.plugin.clone());
        }
        Ok(())
    }

    fn add(&mut self, first: TaskIndex, tasks: &[AddedTask]) -> Result<(), ReplayError> {
        if first as usize != self.tasks.len() {
            return Err(ReplayError::TaskGap { first, tasks: self.tasks.len() });
        }
        for (place, added) in (first..).zip(tasks) {
            if self.by_id.insert(added.task.id.clone(), place).is_some() {
                return Err(ReplayError::DuplicateTask { id: added.task.id.clone() });
            }
            let AddedTask { task, status, added_by, added_for, env } = added.clone();
            self.tasks.push(TaskState { added_by, added_for, env, ..TaskState::new(task, status) });
        }
        Ok(())
    }

    /// A run that was over goes on; at its end it is looked at again.
    fn reopen(&mut self) {
        if self.finished.take().is_some() {
            self.forget_seen(None);
        }
    }

    /// Fails for an effect of an attempt at a task that there is not.
    fn check_task(&mut self, event: &Event, by: Actor) -> Result<(), ReplayError> {
        match by {
            Actor::Attempt { task, .. } => self.task_mut(event, task).map(drop),
            Actor::Call { .. } => Ok(()),
        }
    }

    fn task_mut(&mut self, event: &Event, task: TaskIndex) -> Result<&mut TaskState, ReplayError> {
        let tasks = self.tasks.len();
        self.tasks.get_mut(task as usize).ok_or(ReplayError::UnknownTask { event: event.name(), task, tasks })
    }
}
