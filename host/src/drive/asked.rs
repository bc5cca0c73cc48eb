//! Tasks that services asked for, until a run takes them in.
//!
//! In -> out: calls of the workspace's stream -> what waits, oldest first.
//! Limits: 10,000 tasks wait.
//! Invariant: what waits is in the store.
//! Not here: how a run takes them in, and what a service may ask for (`extend.rs`), the calls (`serve/mounts.rs`).

use std::sync::{Arc, Mutex, PoisonError};

use orch_journal::event::{AskedTask, Event};
use orch_journal::{Journal, JournalError, Reader, StoreError};
use tokio::sync::Notify;

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
    pub fn open(reader: &Reader, name: &str, stream: Arc<Journal>) -> Result<Self, StoreError> {
        let waiting = Mutex::new(reader.asked(name)?);
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

    /// Everything that waits; it is taken when [`taken`](Self::taken) says so.
    pub fn take(&self) -> Vec<(u64, String, AskedTask)> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// That a run took in what calls asked for up to and with the event `until`.
    pub fn taken(&self, run: &str, until: u64) -> Result<u64, JournalError> {
        self.stream.append(Event::TasksTaken { run: run.to_owned(), until, at: now_ms() })
    }

    /// Returns once something was added since the last time.
    pub async fn more(&self) {
        self.more.notified().await;
    }
}
