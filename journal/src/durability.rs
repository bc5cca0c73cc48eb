//! How durable an event is, and why one was not taken or not committed.

use std::io::ErrorKind;
use std::sync::Arc;

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
    #[error("value of key `{key}` is not base64")]
    KvValue { key: String },
    #[error("event `{event}` is {found_bytes} bytes, limit is {EVENT_BYTES_MAX}")]
    TooLarge { event: &'static str, found_bytes: u64 },
    #[error("event `{event}` cannot be written as JSON")]
    Json {
        event: &'static str,
        #[source]
        source: Arc<serde_json::Error>,
    },
}

/// Why nothing more is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// The disk, or this user, may not write any more.
    ReadOnly,
    /// A full disk, mostly.
    Otherwise,
}

impl JournalError {
    /// Why the disk took no more, if it is that.
    pub fn unwritten(&self) -> Option<Unwritten> {
        use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
        let Self::Poisoned { source } = self else { return None };
        let is_read_only = match &**source {
            CommitError::Sqlite(error) | CommitError::WriteBack(error) => {
                matches!(error.sqlite_error_code(), Some(ReadOnly | PermissionDenied | CannotOpen))
            }
            CommitError::Head(error) => {
                matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
            }
            CommitError::NoRow { .. } | CommitError::WriterGone => return None,
        };
        Some(if is_read_only { Unwritten::ReadOnly } else { Unwritten::Otherwise })
    }

    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Poisoned { .. } => "journal-poisoned",
            Self::Closed => "journal-closed",
            Self::NoSuchEvent { .. } => "journal-no-such-event",
            Self::OutOfPlace { .. } => "journal-out-of-place",
            Self::MetricValue { .. } => "metric-not-finite",
            Self::KvValue { .. } => "kv-not-base64",
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
