//! One run as the loop works on it: the fold of its events, the graph, and what the planner has not heard yet.
//!
//! In -> out: events -> journal and [`RunState`], in one step; statuses -> changes for the planner.
//! Invariant: [`Run::record`] is the only way to change a run, and the only caller of `Journal::append`.
//! Not here: effects of attempts (`run/effects.rs`), which event comes next (`drive.rs` and its leaves), what a state means after a crash (`recover.rs`).

mod checked;
mod chosen;
mod effects;
mod moves;
mod reported;
mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use orch_journal::event::{Change, EnvSeal, Event, TaskIndex};
use orch_journal::state::TaskState;
use orch_journal::{Journal, Level, RunState};
use orch_task::{Env, FileTask, Status, TaskId};
use tokio::sync::mpsc;

use self::turns::Turns;
use super::act::Said;
use super::desk::Desk;
use super::env::{EnvKey, Envs};
use super::error::DriveError;
use super::gate::Asked;
use super::graph::Graph;
use super::keeping::Keeping;
use super::marks::Begun;
use super::reported::LeftOut;
use super::retry::Backoff;
use super::room::Room;
use super::task_reader::{RunView, SharedState};
use crate::watch::Observer;

/// So many words of people wait for the loop; more wait at whoever says them.
const SAID_MAX: usize = 64;

/// What comes from outside of the loop while it waits.
pub enum Heard {
    Effect(Asked),
    Word(Said),
}

/// What the loop works on.
pub struct Run {
    pub id: String,
    state: SharedState,
    journal: Arc<Journal>,
    graph: Graph,
    /// Told to the planner as ready and not started or withdrawn since.
    announced: Vec<bool>,
    announced_count: usize,
    /// What the planner has not heard yet, oldest first.
    changes: Vec<Change>,
    /// Tasks that wait for their next attempt: due time, task.
    waiting: BTreeSet<(Instant, TaskIndex)>,
    /// What `not_before` of a task means on this host's own clock, which nobody sets.
    due: HashMap<TaskIndex, (u64, Instant)>,
    /// Bounds how long a task waits, whatever the clock said when its attempt ended.
    backoff: Backoff,
    /// Tasks that the task file lacks: none of them starts.
    held: BTreeSet<TaskIndex>,
    /// What must be looked at before it starts, what is looked at, and what was seen of those that may.
    unchecked: BTreeSet<TaskIndex>,
    checking: HashMap<TaskIndex, u64>,
    checked: HashMap<TaskIndex, Option<Begun>>,
    /// Looks that were begun.
    looks: u64,
    /// Tasks that were said to be done and whose files are to be looked at, or are, in that look.
    said_done: BTreeMap<TaskIndex, Option<u64>>,
    turns: Turns,
    /// Tasks that were done and wait for what they depend on, which is done again.
    put_back: BTreeSet<TaskIndex>,
    /// Tasks that run while something that they depend on is to be done again: they are put back at their end.
    overtaken: BTreeSet<TaskIndex>,
    /// Tasks that are done whatever is known of them.
    forced: BTreeSet<TaskIndex>,
    /// The tasks that the run is asked for; none for every task.
    chosen: Option<BTreeSet<TaskIndex>>,
    /// Whether the first failure ends it, and did.
    fail_fast: bool,
    ends_early: bool,
    /// Attempts that run now and what they cost.
    running: HashMap<TaskIndex, u32>,
    /// 0 is unlimited.
    budget: u64,
    /// Effects that attempts are about to have.
    asks: mpsc::UnboundedReceiver<Asked>,
    ask: mpsc::UnboundedSender<Asked>,
    /// What people say while it goes on.
    said: mpsc::Receiver<Said>,
    say: mpsc::Sender<Said>,
    observer: Option<Box<dyn Observer>>,
    /// For tasks of plugins; counted at the first one.
    room: Option<Room>,
    /// Of the task file as it was read or written last.
    file_bytes: u64,
    envs: Envs,
    /// Attempts whose trees are looked at.
    pub keeping: Keeping,
    /// Metrics for which there was no room.
    left_out: LeftOut,
}

impl Run {
    /// Waits of attempts that fail from now on.
    pub fn held_to(&mut self, backoff: Backoff) {
        self.backoff = backoff;
    }

    /// A run whose events so far fold to `state`.
    pub fn new(id: String, state: RunState, journal: Arc<Journal>, backoff: Backoff) -> Self {
        let graph = Graph::of(&state, None);
        let budget = state.started.as_ref().map_or(0, |started| started.budget);
        let announced = vec![false; state.tasks.len()];
        let (ask, asks) = mpsc::unbounded_channel();
        let (say, said) = mpsc::channel(SAID_MAX);
        Self {
            id,
            state: Arc::new(RwLock::new(state)),
            journal,
            graph,
            announced,
            announced_count: 0,
            changes: Vec::new(),
            waiting: BTreeSet::new(),
            due: HashMap::new(),
            held: BTreeSet::new(),
            unchecked: BTreeSet::new(),
            checking: HashMap::new(),
            checked: HashMap::new(),
            looks: 0,
            said_done: BTreeMap::new(),
            turns: Turns::default(),
            put_back: BTreeSet::new(),
            overtaken: BTreeSet::new(),
            forced: BTreeSet::new(),
            chosen: None,
            fail_fast: false,
            ends_early: false,
            backoff,
            running: HashMap::new(),
            budget,
            asks,
            ask,
            said,
            say,
            observer: None,
            room: None,
            file_bytes: 0,
            envs: Envs::default(),
            keeping: Keeping::default(),
            left_out: LeftOut::new(),
        }
    }

    /// With the key that this host seals environments with.
    pub fn sealed_by(mut self, key: EnvKey) -> Self {
        self.envs = Envs::new(key);
        self
    }

    /// What is recorded of the environment that the file says.
    pub fn seal(&self, found: &FileTask) -> Option<EnvSeal> {
        self.envs.seal(&self.id, found)
    }

    /// From now on environments are what these say.
    pub fn take_env(&mut self, tasks: &[FileTask]) {
        self.envs.take(tasks);
    }

    /// For the commands of an attempt at that task; none: its values are in no file.
    pub fn env_of(&self, task: &TaskState) -> Option<Arc<Env>> {
        self.envs.of(task)
    }

    /// Where people's words are said.
    pub fn say(&self) -> mpsc::Sender<Said> {
        self.say.clone()
    }

    /// The next effect that is about to be had, or the next word of a person.
    pub async fn next_heard(&mut self) -> Option<Heard> {
        tokio::select! {
            biased;
            asked = self.asks.recv() => asked.map(Heard::Effect),
            said = self.said.recv() => said.map(Heard::Word),
        }
    }

    /// A word of a person that was said before.
    pub fn already_said(&mut self) -> Option<Said> {
        self.said.try_recv().ok()
    }

    /// Tells an observer of every event from now on.
    pub fn observed_by(mut self, observer: Box<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Lets the observer go: it was told everything.
    pub fn unobserved(&mut self) {
        self.observer = None;
    }

    /// The state as of the last event.
    pub fn state(&self) -> RwLockReadGuard<'_, RunState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What others may see of it.
    pub fn view(&self) -> RunView {
        RunView { id: self.id.clone(), state: self.state.clone(), journal: self.journal.clone() }
    }

    pub fn shared(&self) -> SharedState {
        self.state.clone()
    }

    /// Place of the last event.
    pub fn last(&self) -> u64 {
        self.journal.events().saturating_sub(1)
    }

    /// Returns once everything recorded so far may be seen outside.
    pub async fn durable(&mut self, desk: &Desk) -> Result<(), DriveError> {
        let durable = self.journal.durable(self.last(), desk.rules().durability.answers());
        Ok(self.serving(durable).await??)
    }

    /// The same at that level, whatever the run's own is.
    pub async fn durable_at(&mut self, level: Level) -> Result<(), DriveError> {
        let durable = self.journal.durable(self.last(), level);
        Ok(self.serving(durable).await??)
    }

    /// What a run that begins may spend; 0 is unlimited.
    /// What a person said that the run is for; empty if nobody did.
    pub fn goal(&self) -> String {
        self.state().started.as_ref().and_then(|started| started.said_goal()).unwrap_or_default().to_owned()
    }

    pub fn set_budget(&mut self, budget: u64) {
        self.budget = budget;
    }

    /// Takes the next event into the state and hands it to the journal.
    pub fn record(&mut self, event: Event) -> Result<u64, DriveError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.apply(&event)?;
        if let Some(observer) = &mut self.observer {
            observer.recorded(self.journal.events(), &event, &state);
        }
        drop(state);
        Ok(self.journal.append(event)?)
    }

    /// Everything that could be ready, told to a planner that knows nothing yet.
    pub fn announce_all(&mut self, now: u64) {
        let tasks = self.state().tasks.len();
        self.announced = vec![false; tasks];
        self.announced_count = 0;
        self.changes.clear();
        self.waiting.clear();
        if self.budget > 0 {
            self.changes.push(Change::Budget(self.budget_left()));
        }
        for task in 0..self.announced.len() as TaskIndex {
            self.announce(task, now);
        }
    }

    /// True if nothing but its time, a look and the planner is between a task and its start.
    pub fn may_start(&self, task: TaskIndex) -> bool {
        let is_pending =
            self.state().tasks.get(task as usize).is_some_and(|found| found.status == Status::Pending);
        is_pending
            && self.graph.is_free(task)
            && !self.is_at_work_behind(task)
            && !self.held.contains(&task)
            && !self.is_left_out(task)
            && (!self.ends_early || self.is_always(task))
    }

    /// Tells the planner that a task is ready, if it is; or later, when it is due.
    pub fn announce(&mut self, task: TaskIndex, now: u64) {
        if !self.may_start(task) {
            return;
        }
        let not_before = self.state().tasks.get(task as usize).map_or(0, |found| found.not_before);
        let due = self.due(task, not_before, now);
        if due > Instant::now() {
            self.waiting.insert((due, task));
            return;
        }
        if self.must_be_checked(task) {
            return;
        }
        if let Some(mark) = self.announced.get_mut(task as usize)
            && !std::mem::replace(mark, true)
        {
            self.announced_count += 1;
            self.changes.push(Change::Ready(task));
        }
    }

    /// When a task may start: as its attempt's end says, but never later than its pause from when this host first saw it.
    fn due(&mut self, task: TaskIndex, not_before: u64, now: u64) -> Instant {
        if let Some((seen, due)) = self.due.get(&task)
            && *seen == not_before
        {
            return *due;
        }
        let pause = self.pause_ms(task, now);
        let due = Instant::now() + Duration::from_millis(pause);
        if pause > 0 {
            self.due.insert(task, (not_before, due));
        }
        due
    }

    /// How long a task waits from `now` for its next attempt, in milliseconds.
    pub fn pause_ms(&self, task: TaskIndex, now: u64) -> u64 {
        let state = self.state();
        let Some(found) = state.tasks.get(task as usize).filter(|found| found.status == Status::Pending)
        else {
            return 0;
        };
        found.not_before.saturating_sub(now).min(self.backoff.delay_ms(found.failures, 0))
    }

    /// Announces the tasks whose time has come.
    pub fn announce_due(&mut self, now: u64) {
        while let Some(&(due, task)) = self.waiting.first() {
            if due > Instant::now() {
                return;
            }
            self.waiting.pop_first();
            self.announce(task, now);
        }
    }

    /// When the next task is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Takes back what was announced: the task is not ready any more.
    pub fn withdraw(&mut self, task: TaskIndex) {
        self.waiting.retain(|(_, waiting)| *waiting != task);
        self.unchecked.remove(&task);
        self.checking.remove(&task);
        self.checked.remove(&task);
        if self.take_announced(task) {
            self.changes.push(Change::Withdrawn(task));
        }
    }

    fn take_announced(&mut self, task: TaskIndex) -> bool {
        let was = self.announced.get_mut(task as usize).is_some_and(|mark| std::mem::replace(mark, false));
        self.announced_count -= usize::from(was);
        was
    }

    /// True when a planner may start it.
    pub fn is_ready(&self, task: TaskIndex) -> bool {
        self.announced.get(task as usize).copied().unwrap_or(false)
    }

    /// How many tasks a planner may start.
    pub fn ready_count(&self) -> usize {
        self.announced_count
    }

    /// What there is room for of tasks that plugins ask for.
    pub fn room(&self) -> Room {
        let state = self.state();
        let room = self.room.unwrap_or_else(|| Room::of(&state));
        room.beside(state.tasks.len() as u64, self.file_bytes)
    }

    /// What is left of it with the tasks that were taken in.
    pub fn keep_room(&mut self, room: Room) {
        self.room = Some(room);
    }

    /// The size of the task file from now on.
    pub fn note_file_bytes(&mut self, file_bytes: u64) {
        self.file_bytes = file_bytes;
    }

    /// Takes in tasks that were added, and announces those that are ready.
    pub fn added(&mut self, now: u64) {
        let state = self.state.clone();
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        let known = self.announced.len();
        self.graph.extend(&state);
        self.announced.resize(state.tasks.len(), false);
        let all = state.tasks.len();
        drop(state);
        if self.chosen.is_some() {
            self.rechoose();
        }
        for task in known..all {
            self.announce(task as TaskIndex, now);
        }
    }

    /// Builds the graph anew, after dependencies changed, or something that was done is not any more. Whatever waits then
    /// for something is not looked at, and what was seen of it counts for nothing.
    pub fn regraph(&mut self, now: u64) {
        self.rechoose();
        let only = self.chosen.clone().filter(|_| self.state().chosen.only);
        let graph = Graph::of(&self.state(), only);
        self.graph = graph;
        for task in 0..self.announced.len() as TaskIndex {
            match self.may_start(task) || self.is_running(task) {
                true => self.announce(task, now),
                false => self.withdraw(task),
            }
        }
    }

    /// At most 1000 changes that the planner has not heard.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let count = self.changes.len().min(1000);
        self.changes.drain(..count).collect()
    }

    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What may still be spent; `u64::MAX` when there is no budget.
    pub fn budget_left(&self) -> u64 {
        match self.budget {
            0 => u64::MAX,
            budget => budget.saturating_sub(self.state().budget_used),
        }
    }

    pub fn budget(&self) -> u64 {
        self.budget
    }

    pub fn running_count(&self) -> usize {
        self.running.len()
    }

    pub fn is_running(&self, task: TaskIndex) -> bool {
        self.running.contains_key(&task)
    }

    /// Everything that depends on one of the tasks, directly or not.
    pub fn downstream(&self, tasks: &[TaskIndex]) -> Vec<TaskIndex> {
        self.graph.downstream(tasks)
    }

    /// Tasks that cannot start because one failed or was cancelled, each with one that is in its way.
    pub fn stuck(&self) -> BTreeMap<TaskIndex, TaskIndex> {
        self.graph.stuck(&self.state())
    }

    /// Notes that a repeatable call begins; gives its number, and whether it began before and never came back.
    pub fn begin_call(
        &mut self,
        call: &str,
        plugin: &str,
        task: Option<TaskIndex>,
    ) -> Result<(u64, bool), DriveError> {
        let before =
            self.state().open_calls.iter().find(|open| open.is(call, plugin, task)).map(|open| open.number);
        let number = before.unwrap_or_else(|| self.journal.events());
        let (call, plugin) = (call.to_owned(), plugin.to_owned());
        self.record(Event::CallStarted { call, plugin, task, number })?;
        Ok((number, before.is_some()))
    }

    pub fn id_of(&self, task: TaskIndex) -> Option<TaskId> {
        self.state().tasks.get(task as usize).map(|found| found.task.id.clone())
    }

    pub fn index_of(&self, id: &TaskId) -> Option<TaskIndex> {
        self.state().by_id.get(id).copied()
    }
}
