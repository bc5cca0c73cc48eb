//! Tasks that services asked for, until a run takes them in.
//!
//! In -> out: calls of the workspace's stream -> tasks of the run at work, or of the next one.
//! Limits: 10,000 tasks wait.
//! Invariant: what waits is in the store; a run records its tasks before the stream says that they were taken, and a task
//! that a run has already is not added again.
//! Not here: what a service may ask for (`extend.rs`), the calls (`serve/mounts.rs`).

use std::sync::{Arc, Mutex, PoisonError};

use orch_journal::event::{AskedTask, Event, WORKSPACE_STREAM};
use orch_journal::{Journal, Reader, StoreError};
use tokio::sync::Notify;

use super::desk::Desk;
use super::error::DriveError;
use super::extend;
use super::run::Run;
use crate::clock::now_ms;

/// As many as a run keeps of plugins.
const WAITING_MAX: usize = 10_000;

/// What waits, oldest first.
pub struct AskedQueue {
    waiting: Mutex<Vec<(u64, String, AskedTask)>>,
    stream: Arc<Journal>,
    more: Notify,
}

impl AskedQueue {
    /// What waits in the store that this journal of the workspace's stream belongs to.
    pub fn open(reader: &Reader, stream: Arc<Journal>) -> Result<Self, StoreError> {
        let waiting = Mutex::new(reader.asked(WORKSPACE_STREAM)?);
        Ok(Self { waiting, stream, more: Notify::new() })
    }

    /// Takes in what the event at that place asked for.
    pub fn add(&self, event: u64, plugin: &str, asked: &[AskedTask]) {
        let fresh = asked.iter().map(|task| (event, plugin.to_owned(), task.clone()));
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(fresh);
        self.more.notify_one();
    }

    /// True if so many more may wait.
    pub fn has_room(&self, more: usize) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len() + more <= WAITING_MAX
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Returns once something was added since the last time.
    pub async fn more(&self) {
        self.more.notified().await;
    }
}

/// Adds to the run what waits. What cannot be added any more is said in the run.
pub fn take(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let queue = &desk.asked;
    let waiting = std::mem::take(&mut *queue.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    let Some(&(until, ..)) = waiting.last() else { return Ok(()) };
    for (_, plugin, task) in waiting {
        match extend::add(run, desk, &plugin, vec![task]) {
            Err(error @ DriveError::AskedTask { .. }) => {
                run.record(Event::Warned { code: "asked-task".to_owned(), text: error.to_string() })?;
            }
            added => drop(added?),
        }
    }
    queue.stream.append(Event::TasksTaken { run: run.id.clone(), until, at: now_ms() })?;
    Ok(())
}
