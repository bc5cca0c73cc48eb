//! The run's tasks as services read them.
//!
//! In -> out: the run at work, or the last one -> answers of [`TaskReader`] for one call.
//! Invariant: a call lists the tasks of one moment; what a request costs is shared by those of the same moment.
//! Not here: who may read (`capability/tasks.rs`), when a call is made again (`mounts.rs`).

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use orch_journal::event::TaskIndex;
use orch_task::{Task, TaskId};

use crate::capability::tasks::{TaskCounts, TaskReader, TaskSummary};
use crate::control::HolderState;
use crate::drive::task_reader::{RunView, StateReader};

const PAGE: usize = 1000;
/// A list is made anew at most so often as this many times what it took to make it: of a thousand tasks at once, of a
/// hundred thousand after some tenths of a second.
const AGE_OF_MAKING: u32 = 20;

/// What was made of all tasks of one moment.
struct Made<T> {
    run: String,
    /// How many events the run had.
    events: u64,
    at: Instant,
    took: Duration,
    of_tasks: T,
}

/// The newest of its kind.
struct Newest<T>(Mutex<Option<Arc<Made<T>>>>);

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Newest<T> {
    fn get(&self, view: &RunView, make: impl FnOnce(&StateReader) -> T) -> Arc<Made<T>> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let events = view.journal.events();
        let fresh = newest.as_ref().filter(|made| {
            let is_young = || made.at.elapsed() < made.took * AGE_OF_MAKING;
            made.run == view.id && (made.events == events || is_young())
        });
        if let Some(made) = fresh {
            return made.clone();
        }
        let begun = Instant::now();
        let of_tasks = make(&StateReader::new(view.state.clone()));
        let (run, at) = (view.id.clone(), Instant::now());
        newest.insert(Arc::new(Made { run, events, at, took: at - begun, of_tasks })).clone()
    }
}

/// What all calls share.
pub(super) struct SharedTasks {
    state: Arc<HolderState>,
    lists: Newest<Vec<TaskSummary>>,
    counts: Newest<TaskCounts>,
}

impl SharedTasks {
    pub(super) fn of(state: Arc<HolderState>) -> Self {
        Self { state, lists: Newest::default(), counts: Newest::default() }
    }

    /// The run that is shown now.
    pub(super) fn view(&self) -> Option<RunView> {
        self.state.view()
    }
}

/// What one call read.
#[derive(Default)]
struct Read {
    described: Vec<(TaskIndex, Option<Task>)>,
    found: Vec<(String, Option<TaskIndex>)>,
}

/// The tasks for one call.
pub(super) struct CallTasks {
    shared: Arc<SharedTasks>,
    view: Option<RunView>,
    list: OnceLock<Arc<Made<Vec<TaskSummary>>>>,
    counts: OnceLock<TaskCounts>,
    read: Mutex<Read>,
}

impl CallTasks {
    pub(super) fn new(shared: Arc<SharedTasks>) -> Self {
        let view = shared.state.view();
        Self { shared, view, list: OnceLock::new(), counts: OnceLock::new(), read: Mutex::default() }
    }

    fn reader(&self) -> Option<StateReader> {
        self.view.as_ref().map(|view| StateReader::new(view.state.clone()))
    }

    fn read(&self) -> std::sync::MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the call read something of the run.
    pub(super) fn is_used(&self) -> bool {
        let read = self.read();
        self.list.get().is_some()
            || self.counts.get().is_some()
            || !read.described.is_empty()
            || !read.found.is_empty()
    }

    /// The run that was read, for who waits until it is durable.
    pub(super) fn view(&self) -> Option<&RunView> {
        self.view.as_ref()
    }

    /// True if the call would read the same now.
    pub(super) fn hold(&self) -> bool {
        if !self.is_used() {
            return true;
        }
        let now = self.shared.state.view();
        let is_same_run = now.as_ref().map(|view| &view.id) == self.view.as_ref().map(|view| &view.id);
        let (Some(reader), true) = (now.map(|view| StateReader::new(view.state)), is_same_run) else {
            return is_same_run;
        };
        let read = self.read();
        read.described.iter().all(|(index, task)| reader.describe(*index) == *task)
            && read.found.iter().all(|(id, index)| reader.find(id) == *index)
            && self.list.get().is_none_or(|list| reader.all() == list.of_tasks)
            && self.counts.get().is_none_or(|counts| reader.count() == *counts)
    }
}

impl TaskReader for CallTasks {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        let task = self.reader()?.describe(index);
        self.read().described.push((index, task.clone()));
        task
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        // Whatever is no id is no task's either, now and later.
        TaskId::parse(id).ok()?;
        let index = self.reader()?.find(id);
        self.read().found.push((id.to_owned(), index));
        index
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        let Some(view) = &self.view else { return Vec::new() };
        let list = self.list.get_or_init(|| self.shared.lists.get(view, StateReader::all));
        list.of_tasks.iter().skip(start as usize).take(PAGE).cloned().collect()
    }

    fn count(&self) -> TaskCounts {
        let Some(view) = &self.view else { return TaskCounts::default() };
        *self.counts.get_or_init(|| self.shared.counts.get(view, StateReader::count).of_tasks)
    }
}
