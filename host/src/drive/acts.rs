//! What services asked of the host, until it did it.
//!
//! In -> out: calls of the workspace's stream -> a start for the thread that drives runs, a stop for the loop at work.
//! Invariant: what waits is in the store, in the order in which it was asked; it leaves here together with the event that says so.
//! Not here: what a service may ask (`capability/control.rs`), the calls (`serve/mounts.rs`), runs (`serve.rs`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_journal::event::{AskedAct, Event, ServiceAct, Who};
use orch_journal::{Journal, JournalError, Reader, StoreError};
use tokio::sync::Notify;

use super::choice::Wanted;
use crate::clock::now_ms;

/// What waits, oldest first.
pub struct ActQueue {
    waiting: Mutex<VecDeque<AskedAct>>,
    stream: Arc<Journal>,
    more: Notify,
    /// Calls from there on are of this process.
    since: u64,
}

impl ActQueue {
    /// What waits in the store that this journal of the workspace's stream belongs to.
    pub fn open(reader: &Reader, name: &str, stream: Arc<Journal>) -> Result<Self, StoreError> {
        let waiting = Mutex::new(reader.acts(name)?.into());
        let since = stream.events();
        Ok(Self { waiting, stream, more: Notify::new(), since })
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<AskedAct>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a recorded call asked for.
    pub fn add(&self, act: AskedAct) {
        self.waiting().push_back(act);
        self.more.notify_one();
    }

    /// What was asked first and is not done.
    pub fn first(&self) -> Option<AskedAct> {
        self.waiting().front().cloned()
    }

    /// What was asked last and is not done.
    pub fn last(&self) -> Option<ServiceAct> {
        self.waiting().back().map(|asked| asked.act.clone())
    }

    /// The last stop that was asked for: whatever was asked before it is over with it.
    pub fn stop(&self) -> Option<AskedAct> {
        self.waiting().iter().rev().find(|asked| asked.act == ServiceAct::Stop).cloned()
    }

    /// The same of those that this process was asked for: an older one was for a run that is at work no more.
    pub fn fresh_stop(&self) -> Option<AskedAct> {
        self.stop().filter(|asked| asked.call >= self.since)
    }

    /// That everything up to and with the call at `until` is done, in that run, or why it could not be.
    pub fn done(&self, until: u64, run: Option<&str>, fault: Option<String>) -> Result<(), JournalError> {
        let mut waiting = self.waiting();
        let before = waiting.len();
        waiting.retain(|asked| asked.call > until);
        if waiting.len() < before {
            let run = run.map(str::to_owned);
            self.stream.append(Event::ActsTaken { run, until, fault, at: now_ms() })?;
        }
        Ok(())
    }

    /// Returns once something was added since the last time.
    pub async fn more(&self) {
        self.more.notified().await;
    }
}

/// Who that is for the events of a run.
pub fn who(asked: &AskedAct) -> Who {
    Who {
        uid: rustix::process::geteuid().as_raw(),
        pid: std::process::id(),
        program: String::new(),
        token: asked.token.clone(),
        plugin: Some(asked.plugin.clone()),
    }
}

/// The tasks that a start asks for; none if it is no start.
pub fn wanted(act: &ServiceAct) -> Option<Wanted> {
    let ServiceAct::Start { tasks, tags, exclude, fail_fast } = act.clone() else { return None };
    Some(Wanted { tasks, tags, exclude, fail_fast, ..Wanted::default() })
}
