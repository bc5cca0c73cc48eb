//! What plugins measured, as calls read it: the store, and in it all that was accepted before they ask.
//!
//! In -> out: a [`MetricQuery`] -> a page of the store's values.
//! Invariant: only what is committed is seen, and whatever the asking side's journal took before it was asked is: a task sees what
//! the tasks that it waited for recorded.
//! Not here: who may read what (`capability/metrics.rs`), the rows (`orch-journal`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use orch_journal::{Journal, Level, Reader, StoreError};
use tokio::runtime::Handle;

use crate::capability::effect::Boxed;
use crate::capability::metrics::{MetricPage, MetricQuery, MetricReader, MetricsUnavailable};

/// The store's values. Whoever looks for many of them keeps nobody from the store but others who do.
pub struct Measured {
    folder: PathBuf,
    guests: Handle,
    reader: Mutex<Option<Reader>>,
}

impl Measured {
    /// Of the store in that folder, opened when somebody first asks.
    pub fn of(folder: PathBuf, guests: Handle) -> Self {
        Self { folder, guests, reader: Mutex::default() }
    }

    fn page(&self, query: &MetricQuery) -> Result<MetricPage, StoreError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        match &*reader {
            Some(reader) => reader.recorded(query),
            None => reader.insert(Reader::open(&self.folder)?).recorded(query),
        }
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> MetricsUnavailable {
    tracing::warn!(error, "the store of `orch:metrics` could not be read");
    MetricsUnavailable
}

/// The same for calls whose results that journal takes.
pub struct MeasuredFor {
    pub measured: Arc<Measured>,
    pub journal: Arc<Journal>,
}

impl MetricReader for MeasuredFor {
    fn read(&self, query: MetricQuery) -> Boxed<'_, Result<MetricPage, MetricsUnavailable>> {
        let events = self.journal.events();
        Box::pin(async move {
            if self.journal.committed() < events {
                let committed = self.journal.durable(events - 1, Level::Process).await;
                committed.map_err(|error| unavailable(&error))?;
            }
            let measured = self.measured.clone();
            let page = self.measured.guests.spawn_blocking(move || measured.page(&query)).await;
            page.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))
        })
    }
}
