//! The journal of one run, as the loop sees it.
//!
//! In -> out: [`Event`] -> its place; place and [`Level`] -> a wait until it is durable.
//! Limits: [`EVENT_BYTES_MAX`] an event; 8,192 events on their way, then `append` waits for the writer.
//! Invariant: an event that was refused is not in the journal; one that has a place is committed before any later one.
//! Not here: the writer's thread (`writer.rs`), groups (`queue.rs`), reading (`reader.rs`).

use std::sync::Arc;

use tokio::sync::oneshot;

pub use crate::durability::{CommitError, EVENT_BYTES_MAX, EventIndex, JournalError, Level};
use crate::event::{Event, Writes};
use crate::head::{self, JournalKeys};
use crate::queue::{Pending, Queue, Wait};

/// Takes a run's events. Copies lead to the same journal.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: Arc<Queue>,
    keys: Arc<JournalKeys>,
    slot: usize,
}

impl Journal {
    pub(crate) fn new(queue: Arc<Queue>, keys: Arc<JournalKeys>, slot: usize) -> Self {
        Self { queue, keys, slot }
    }

    /// How many events were appended; also those that are not durable yet.
    pub fn events(&self) -> u64 {
        self.queue.events(self.slot)
    }

    /// How many events are durable at `process` or more; asks nothing of the writer.
    pub fn committed(&self) -> u64 {
        self.queue.committed(self.slot).0
    }

    /// True when nothing more will be committed: after a fault, or when the store is closed.
    pub fn is_over(&self) -> bool {
        self.queue.committed(self.slot).1
    }

    /// How many groups the store has committed since it was opened, of all its runs.
    pub fn groups(&self) -> u64 {
        self.queue.groups()
    }

    /// A first event with this host's MAC, as [`append`](Self::append) stores it.
    ///
    /// # Errors
    /// `Json`.
    pub fn seal(&self, event: Event) -> Result<Event, JournalError> {
        let name = event.name();
        head::seal(&self.keys, event)
            .map_err(|source| JournalError::Json { event: name, source: Arc::new(source) })
    }

    /// Takes the next event and gives its place. The place says nothing about durability.
    ///
    /// Does not wait for the disk, unless 8,192 events or 64 MiB are on their way already. A first event gets this
    /// host's MAC here.
    ///
    /// # Errors
    /// `Poisoned`, `Closed`; `OutOfPlace` unless the first event of this very run is event 0 and nothing else is;
    /// `MetricValue`, `TooLarge`, `Json` for what could not be read back.
    pub fn append(&self, event: Event) -> Result<EventIndex, JournalError> {
        let name = event.name();
        let event = match event {
            first @ (Event::RunStarted(_) | Event::StreamStarted(_)) => self.seal(first)?,
            event => {
                event.writes().map_or(Ok(()), check_metrics)?;
                event
            }
        };
        let mut bytes = Vec::with_capacity(256);
        serde_json::to_writer(&mut bytes, &event)
            .map_err(|source| JournalError::Json { event: name, source: Arc::new(source) })?;
        if bytes.len() as u64 > EVENT_BYTES_MAX {
            return Err(JournalError::TooLarge { event: name, found_bytes: bytes.len() as u64 });
        }
        self.queue.push(self.slot, |seq, at| Pending { slot: self.slot, seq, bytes, event, at })
    }

    /// Returns once the event and all before it are durable at that level.
    ///
    /// The wait begins with the call, not with the first poll, and closes the open group.
    ///
    /// # Errors
    /// `Poisoned`, `Closed`, `NoSuchEvent`.
    pub fn durable(
        &self,
        index: EventIndex,
        level: Level,
    ) -> impl Future<Output = Result<(), JournalError>> + Send + use<> {
        let answer = self.queue.wait(self.slot, index, Wait::Durable(level));
        async move { answer.await.unwrap_or(Err(JournalError::Closed)) }
    }

    /// Like [`durable`](Self::durable), for threads that may block. Never called from async code.
    ///
    /// # Errors
    /// As `durable`.
    pub fn wait_durable(&self, index: EventIndex, level: Level) -> Result<(), JournalError> {
        blocking(self.queue.wait(self.slot, index, Wait::Durable(level)))
    }

    /// Returns once everything appended so far is durable at `power` and its head is signed and kept.
    /// Nothing to do for a run without events.
    ///
    /// # Errors
    /// As `durable`.
    pub fn checkpoint(&self) -> impl Future<Output = Result<(), JournalError>> + Send + use<> {
        let answer = self.ask_checkpoint();
        async move {
            match answer {
                Some(answer) => answer.await.unwrap_or(Err(JournalError::Closed)),
                None => Ok(()),
            }
        }
    }

    /// Has the head of everything appended so far signed and kept soon, without waiting for it. What goes wrong is
    /// heard with the next event or wait.
    pub fn sign_head(&self) {
        drop(self.ask_checkpoint());
    }

    /// Like [`checkpoint`](Self::checkpoint), for threads that may block. Never called from async code.
    ///
    /// # Errors
    /// As `durable`.
    pub fn wait_checkpoint(&self) -> Result<(), JournalError> {
        self.ask_checkpoint().map_or(Ok(()), blocking)
    }

    fn ask_checkpoint(&self) -> Option<oneshot::Receiver<Result<(), JournalError>>> {
        let last = self.events().checked_sub(1)?;
        Some(self.queue.wait(self.slot, last, Wait::Head))
    }
}

fn blocking(answer: oneshot::Receiver<Result<(), JournalError>>) -> Result<(), JournalError> {
    answer.blocking_recv().unwrap_or(Err(JournalError::Closed))
}

/// JSON has no infinities.
fn check_metrics(writes: &Writes) -> Result<(), JournalError> {
    match writes.of_each().flat_map(|one| &one.metrics).find(|metric| !metric.value.is_finite()) {
        Some(metric) => Err(JournalError::MetricValue { name: metric.name.clone(), value: metric.value }),
        None => Ok(()),
    }
}
