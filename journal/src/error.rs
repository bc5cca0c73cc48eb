//! Why a store cannot be opened or read.
//!
//! Invariant: each error has a stable code; what an operator can do about it stands in the hint.
//! Not here: why an event was not committed (`durability.rs`), what shows that a store was changed (`verify.rs`).

use std::path::PathBuf;

use crate::durability::CommitError;
use crate::head;
use crate::refused::Refused;
use crate::state::ReplayError;

/// Why a store cannot be opened or read. Operator's faults first, then what somebody did to the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("cannot {what} `{}`", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("no store at `{}`", path.display())]
    Missing { path: PathBuf },
    #[error("store is held by {}", holder(*.pid))]
    Held { pid: Option<u32> },
    #[error(
        "`{found}` is not a run id: 1 to {} of `[A-Za-z0-9._-]`, not starting with a dot",
        head::RUN_ID_BYTES_MAX
    )]
    RunId { found: String },
    #[error("store has schema version {found}, this host supports up to {supported}")]
    NewerVersion { found: u32, supported: u32 },
    #[error("`{}` is not a regular file of its own", path.display())]
    OddFile { path: PathBuf },
    #[error("store has a schema that no host made: {found}")]
    ForeignSchema { found: String },
    #[error("run `{run}` was not begun by this host")]
    Foreign { run: String },
    #[error("the store in `{}` is that of `{}`: the workspace was moved or copied", here.display(), store.display())]
    Elsewhere { store: PathBuf, here: PathBuf },
    #[error("the store is still in `{}`, so that this one is a copy", store.display())]
    Copied { store: PathBuf },
    #[error("journal of run `{run}` is broken at event {seq}: {fault}")]
    Broken { run: String, seq: u64, fault: ChainFault },
    #[error("journal of run `{run}` does not add up: {source}")]
    Replay {
        run: String,
        #[source]
        source: ReplayError,
    },
    #[error("journal of run `{run}` has {found} events, its kept head names event {kept}")]
    Truncated { run: String, found: u64, kept: u64 },
    #[error("event {seq} of run `{run}` is not the one that its signed head names")]
    Rewritten { run: String, seq: u64 },
    #[error("head of run `{run}` at event {seq} is not signed by this host")]
    HeadForged { run: String, seq: u64 },
    #[error("rows cannot be derived from the events")]
    Derive {
        #[source]
        source: CommitError,
    },
    #[error("store cannot be read or written")]
    Sqlite(#[source] rusqlite::Error),
}

/// What is wrong with one event of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    #[error("its number is missing")]
    Gap,
    #[error("it does not follow the event before it")]
    Prev,
    #[error("its hash is not that of its bytes")]
    Hash,
    #[error("its position is not after the event before it")]
    Position,
    #[error("its bytes are no event")]
    Bytes,
    #[error("the run's first event is not its start")]
    Start,
}

impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => {
                Self::ForeignSchema { found: "it is no SQLite file".to_owned() }
            }
            _ => Self::Sqlite(source),
        }
    }
}

impl StoreError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "store-io",
            Self::Missing { .. } => "store-missing",
            Self::Held { .. } => "store-held",
            Self::RunId { .. } => "run-id-invalid",
            Self::NewerVersion { .. } => "store-newer-version",
            Self::OddFile { .. } => "store-odd-file",
            Self::ForeignSchema { .. } => "store-foreign-schema",
            Self::Foreign { .. } => "store-foreign",
            Self::Elsewhere { .. } => "store-elsewhere",
            Self::Copied { .. } => "store-copied",
            Self::Broken { .. } | Self::Replay { .. } => "journal-broken",
            Self::Truncated { .. } => "journal-truncated",
            Self::Rewritten { .. } => "journal-rewritten",
            Self::HeadForged { .. } => "head-forged",
            Self::Derive { .. } => "store-underivable",
            Self::Sqlite(_) => "store-sqlite",
        }
    }

    /// What the system refused, if that is it, and not what the file holds.
    pub fn refused(&self) -> Option<Refused> {
        match self {
            Self::Io { source, .. } => Refused::of_io(source),
            Self::Sqlite(error) => Refused::of_sqlite(error),
            _ => None,
        }
    }

    /// What the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Held { .. } => {
                "wait for that process or end it; `status`, `logs` and `report` work meanwhile"
            }
            Self::NewerVersion { .. } => "use the newer host, or another state folder",
            Self::Foreign { .. } | Self::ForeignSchema { .. } => {
                "a store from elsewhere is never continued; move it away, and `run` starts a new one"
            }
            Self::Broken { .. }
            | Self::Replay { .. }
            | Self::Truncated { .. }
            | Self::Rewritten { .. }
            | Self::HeadForged { .. } => {
                "somebody or something changed the store; `audit verify` shows all of it"
            }
            Self::Elsewhere { .. } => {
                "if it was moved: `orch-host db take-over` in the workspace takes its store over; if it is a copy: remove the \
                 state folder, and `run` begins anew"
            }
            Self::Copied { .. } => "remove the state folder of the copy, and `run` begins anew there",
            Self::Missing { .. } => "`run` makes the store",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
