//! How durable an event is, and why one was not taken or not committed.

use std::sync::Arc;

use crate::refused::Refused;

/// Place of an event in its run, from 0 without gaps.
pub type EventIndex = u64;

/// A task list of the largest size, quoted as JSON, fits.
pub const EVENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a durable event survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The end of the process, however sudden.
    Process,
    /// The end of the machine's power too.
    Power,
}

/// Why an event was not taken or is not durable. The first three end the host; the others refuse one event.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    #[error("store stopped after a failed commit")]
    Poisoned {
        #[source]
        source: Arc<CommitError>,
    },
    #[error("store is closed")]
    Closed,
    #[error("run `{run}` has {events} events, there is no event {index} to wait for")]
    NoSuchEvent { run: String, index: EventIndex, events: u64 },
    #[error("event `{event}` cannot be event {index} of run `{run}`")]
    OutOfPlace { run: String, event: &'static str, index: EventIndex },
    #[error("metric `{name}` is {value}, expected a finite number")]
    MetricValue { name: String, value: f64 },
    #[error("event `{event}` is {found_bytes} bytes, limit is {EVENT_BYTES_MAX}")]
    TooLarge { event: &'static str, found_bytes: u64 },
    #[error("event `{event}` cannot be written as JSON")]
    Json {
        event: &'static str,
        #[source]
        source: Arc<serde_json::Error>,
    },
}

impl JournalError {
    /// What the system refused, if that is why nothing more is durable.
    pub fn refused(&self) -> Option<Refused> {
        let Self::Poisoned { source } = self else { return None };
        let refused = match &**source {
            CommitError::Sqlite(error) | CommitError::WriteBack(error) => Refused::of_sqlite(error),
            CommitError::Head(error) => Refused::of_io(error),
            CommitError::NoRow { .. } | CommitError::WriterGone => return None,
        };
        Some(refused.unwrap_or(Refused::Write))
    }

    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Poisoned { .. } => "journal-poisoned",
            Self::Closed => "journal-closed",
            Self::NoSuchEvent { .. } => "journal-no-such-event",
            Self::OutOfPlace { .. } => "journal-out-of-place",
            Self::MetricValue { .. } => "metric-not-finite",
            Self::TooLarge { .. } => "event-too-large",
            Self::Json { .. } => "event-not-json",
        }
    }
}

/// What went wrong while a group was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error("the group was not committed")]
    Sqlite(#[source] rusqlite::Error),
    #[error("the log was not written back")]
    WriteBack(#[source] rusqlite::Error),
    #[error("the signed head was not kept")]
    Head(#[source] std::io::Error),
    #[error("event {seq} of run `{run}` names a row that no event made")]
    NoRow { run: String, seq: u64 },
    #[error("the writer ended unasked")]
    WriterGone,
}

impl From<rusqlite::Error> for CommitError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite(source)
    }
}
