//! The store of one workspace: who may open it, and what refuses it.
//!
//! In -> out: state folder, [`StoreOptions`] -> [`Store`]; run id -> [`Journal`].
//! Limits: [`STORE_BYTES_MAX`] unless the options say less.
//! Invariant: one [`Store`] a folder, by an OS lock held as long as it lives; each run in it was begun by this host.
//! Not here: groups and waiting (`queue.rs`), the writer's thread (`writer.rs`), reading (`reader.rs`).

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::connection;
use crate::error::StoreError;
use crate::events;
use crate::head::{self, Head, JournalKeys};
use crate::journal::{Journal, JournalError, Level};
use crate::lock::Lock;
use crate::place;
use crate::queue::Queue;
use crate::reader::{Reader, SharedReader};
use crate::rebuild;
use crate::writer::Writer;

pub use crate::connection::STORE_BYTES_MAX;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    pub keys: JournalKeys,
    /// The operator's folder for kept heads, one `<run>.json` each; made if it is missing.
    pub heads_dir: Option<PathBuf>,
    /// What every event is committed at, also when nobody waits for it.
    pub level: Level,
    /// A store that reaches it is poisoned like one on a full disk.
    pub bytes_max: u64,
}

impl StoreOptions {
    pub fn new(keys: JournalKeys) -> Self {
        Self { keys, heads_dir: None, level: Level::Process, bytes_max: STORE_BYTES_MAX }
    }
}

/// A store that this process alone may change.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    keys: Arc<JournalKeys>,
    heads_dir: Option<PathBuf>,
    queue: Arc<Queue>,
    shared: SharedReader,
    writer: Option<JoinHandle<()>>,
    /// Dropped last: the writer is done by then.
    _lock: Lock,
}

impl Store {
    /// Opens the store in that folder, or makes one.
    ///
    /// # Errors
    /// `Held` if another process has it; `NewerVersion`, `ForeignSchema`, `OddFile`; `Foreign` if it has a run that
    /// this host did not begin; `Elsewhere` if one began in another folder; `Truncated`, `Rewritten` or `HeadForged` if an open run is not what its kept head says.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { what: "make", path, source }
        };
        // Whoever may write there could put another store in its place.
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(folder).map_err(io(folder))?;
        if let Some(heads) = &options.heads_dir {
            private.create(heads).map_err(io(heads))?;
        }
        let lock = Lock::take(folder)?;
        let (connection, before) = connection::open_writer(folder, options.bytes_max)?;
        rebuild::fill_since(&connection, before)?;
        refuse_foreign(&connection, folder, &options)?;
        let position = events::next_position(&connection)?;
        let keys = Arc::new(options.keys);
        let queue = Arc::new(Queue::new(options.level));
        let shared = Reader::checked(folder)?.into();
        let digest = head::place_digest(folder);
        let writer = Writer::new(
            connection,
            queue.clone(),
            keys.clone(),
            options.heads_dir.clone(),
            digest,
            position,
        )?;
        let thread = std::thread::Builder::new().name("orch-store".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|source| StoreError::Io {
            what: "start the writer of",
            path: folder.to_owned(),
            source,
        })?;
        let (folder, heads_dir) = (folder.to_owned(), options.heads_dir);
        Ok(Self { folder, keys, heads_dir, queue, shared, writer: Some(thread), _lock: lock })
    }

    /// The journal of one run, new or going on.
    ///
    /// # Errors
    /// `RunId`, `Broken` if the run's last event has no whole hash.
    pub fn journal(&self, run: &str) -> Result<Journal, StoreError> {
        if !head::is_run_id(run) {
            return Err(StoreError::RunId { found: run.escape_default().to_string() });
        }
        let slot = match self.queue.find(run) {
            Some(slot) => slot,
            None => {
                let (next, link) = events::end_of(self.shared.read().connection(), run)?;
                self.queue.add(run, next, link)
            }
        };
        Ok(Journal::new(self.queue.clone(), self.keys.clone(), slot))
    }

    /// The store's own reader of what is committed, for questions that are short.
    pub fn shared(&self) -> SharedReader {
        self.shared.clone()
    }

    /// A reader of what is committed, for whoever reads long.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.folder)
    }

    /// Commits what was appended, writes the log back and lets go of the store.
    ///
    /// # Errors
    /// `Poisoned` if something appended is not in the store.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.end_writer()
    }

    /// The same, still holding the store.
    pub(crate) fn end_writer(&mut self) -> Result<(), JournalError> {
        self.end();
        self.queue.verdict()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn keys(&self) -> &JournalKeys {
        &self.keys
    }

    pub(crate) fn heads_dir(&self) -> Option<&Path> {
        self.heads_dir.as_deref()
    }

    fn end(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has poisoned the queue on its way out.
            let _ = writer.join();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

/// Refuses runs of other hosts, and open runs that are not what their kept heads say.
fn refuse_foreign(
    connection: &rusqlite::Connection,
    folder: &Path,
    options: &StoreOptions,
) -> Result<(), StoreError> {
    let keys = &options.keys;
    let mut here = place::Here::new(folder, Some(keys));
    let mut elsewhere = None;
    events::each_first(connection, |run, first| match first {
        Some(first) if first.begins() == Some(run) && head::is_sealed(keys, &first) => {
            // A foreign run behind it is the graver fault.
            elsewhere = elsewhere.take().or_else(|| here.check(&first).err());
            Ok(())
        }
        _ => Err(StoreError::Foreign { run: run.escape_default().to_string() }),
    })?;
    check_open(connection, options)?;
    elsewhere.map_or(Ok(()), Err)
}

/// Compares what is kept of each open run.
fn check_open(connection: &rusqlite::Connection, options: &StoreOptions) -> Result<(), StoreError> {
    let Some(folder) = &options.heads_dir else { return Ok(()) };
    let open = "SELECT id FROM runs WHERE status IN ('planning', 'executing', 'waiting')";
    let open: Vec<String> =
        connection.prepare(open)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for run in open.iter().filter(|run| head::is_run_id(run)) {
        check_kept(connection, &options.keys, folder, run)?;
    }
    Ok(())
}

/// The head that was kept of that run, after it was compared with the journal; nothing if none was kept.
pub(crate) fn check_kept(
    connection: &rusqlite::Connection,
    keys: &JournalKeys,
    folder: &Path,
    run: &str,
) -> Result<Option<u64>, StoreError> {
    let kept = Head::read(folder, run).map_err(|source| StoreError::Io {
        what: "read",
        path: folder.join(format!("{run}.json")),
        source,
    })?;
    let Some(kept) = kept else { return Ok(None) };
    let forged = || StoreError::HeadForged { run: run.to_owned(), seq: kept.seq };
    if kept.run != run {
        return Err(forged());
    }
    let link = kept.link(keys).ok_or_else(forged)?;
    match events::link_at(connection, run, kept.seq)? {
        Some(found) if found == link => Ok(Some(kept.seq)),
        Some(_) => Err(StoreError::Rewritten { run: run.to_owned(), seq: kept.seq }),
        None => {
            let (found, _) = events::end_of(connection, run)?;
            Err(StoreError::Truncated { run: run.to_owned(), found, kept: kept.seq })
        }
    }
}
