//! The one thread that changes the store.
//!
//! In -> out: [`Group`]s of events -> one transaction each: events, their derived rows, signed heads.
//! Limits: the write-ahead log is written back from [`LOG_PAGES_MAX`] pages on, never by SQLite on its own, which
//! would keep quiet about a failed sync.
//! Invariant: a waiter hears `Ok` only after the commit; after the first error nothing is tried again.
//! Not here: which events make a group (`queue.rs`), what the rows are (`projection.rs`).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::{Connection, params};

use crate::chain::{Link, next_link, run_key};
use crate::error::StoreError;
use crate::event::Event;
use crate::failpoint;
use crate::head::{Head, JournalKeys};
use crate::journal::{CommitError, Level};
use crate::projection::{Projector, RunNames};
use crate::queue::{Group, Queue};
use crate::schema::APPLICATION_ID;
use crate::statements::{EventSql, ProjectionSql};

/// 16 MiB: some ten full groups of a busy loop. Memory for the log's index is 8 bytes a page.
const LOG_PAGES_MAX: i32 = 4096;

/// What the writer needs; the thread's whole life is [`run`](Writer::run).
pub(crate) struct Writer {
    connection: Connection,
    queue: Arc<Queue>,
    keys: Arc<JournalKeys>,
    heads_dir: Option<PathBuf>,
    /// Where the store is, for heads that are kept elsewhere.
    place: String,
    position: i64,
    log_pages: Arc<AtomicI32>,
}

/// Where a run's chain stands.
struct Cursor {
    names: RunNames,
    link: Link,
    next: u64,
}

/// Poisons the queue if the thread ends in any other way than by being asked.
struct Alive(Arc<Queue>);

impl Drop for Alive {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison(CommitError::WriterGone);
        }
    }
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        queue: Arc<Queue>,
        keys: Arc<JournalKeys>,
        heads_dir: Option<PathBuf>,
        place: String,
        position: i64,
    ) -> Result<Self, StoreError> {
        let mut connection = connection;
        let log_pages = Arc::new(AtomicI32::new(0));
        let seen = log_pages.clone();
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { connection, queue, keys, heads_dir, place, position, log_pages })
    }

    /// Writes groups until the queue is closed, or until the first error.
    pub(crate) fn run(self) {
        let _alive = Alive(self.queue.clone());
        if let Err(error) = self.write_all() {
            self.queue.poison(error);
        }
    }

    fn write_all(&self) -> Result<(), CommitError> {
        let mut events = EventSql::prepare(&self.connection)?;
        let mut rows = ProjectionSql::prepare(&self.connection, "main")?;
        let mut projector = Projector::default();
        let mut cursors: Vec<Cursor> = Vec::new();
        let mut position = self.position;
        let mut level = Level::Power;
        while let Some(mut group) = self.queue.next_group() {
            for (run, link, next) in group.fresh.drain(..) {
                cursors.push(Cursor { names: RunNames { key: run_key(&run), id: run }, link, next });
            }
            if level != group.level {
                level = group.level;
                self.connection.execute_batch(match level {
                    Level::Process => "PRAGMA synchronous = NORMAL",
                    Level::Power => "PRAGMA synchronous = FULL",
                })?;
            }
            events.begin.execute([])?;
            for pending in &group.events {
                let Some(cursor) = cursors.get_mut(pending.slot) else {
                    unreachable!("a group names each run before its first event");
                };
                let link = next_link(&cursor.link, &pending.bytes);
                let (run, seq) = (&cursor.names.id, pending.seq);
                events.event.execute(params![run, seq as i64, position, cursor.link, link, pending.bytes])?;
                projector.apply(&mut rows, &cursor.names, (seq, position), &pending.event)?;
                if let Event::RunsPruned(pruned) = &pending.event {
                    for head in &pruned.runs {
                        events.events_gone.execute([&head.run])?;
                        events.heads_gone.execute([&head.run])?;
                    }
                }
                position += 1;
                cursor.link = link;
                cursor.next = seq + 1;
            }
            projector.flush(&mut rows)?;
            let heads = self.sign_heads(&group, &cursors, &mut events)?;
            if group.events.is_empty() {
                // Only an older commit has to reach the disk; without a change there would be nothing to sync.
                self.connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            }
            failpoint::hit("before-commit");
            events.commit.execute([])?;
            failpoint::hit("after-commit");
            if let Some(folder) = &self.heads_dir {
                for head in &heads {
                    failpoint::hit("before-head");
                    head.keep(folder).map_err(CommitError::Head)?;
                    failpoint::hit("after-head");
                }
            }
            self.queue.settle(&group);
            if self.log_pages.load(Ordering::Relaxed) >= LOG_PAGES_MAX {
                self.write_back("PASSIVE")?;
            }
        }
        drop((events, rows));
        self.write_back("TRUNCATE")
    }

    fn sign_heads(
        &self,
        group: &Group,
        cursors: &[Cursor],
        events: &mut EventSql<'_>,
    ) -> Result<Vec<Head>, CommitError> {
        let mut heads = Vec::new();
        for cursor in group.heads.iter().filter_map(|slot| cursors.get(*slot)) {
            let Some(seq) = cursor.next.checked_sub(1) else { continue };
            let sign = |place| Head::sign(&self.keys, &cursor.names.id, seq, &cursor.link, place);
            let stored = sign(None);
            let mac = hex::decode(&stored.mac).unwrap_or_default();
            events.head.execute(params![stored.run, seq as i64, cursor.link, mac])?;
            heads.push(sign(Some(self.place.as_str())));
        }
        Ok(heads)
    }

    /// Moves the log into the database. A reader in the way is no error: the rest follows next time.
    fn write_back(&self, mode: &str) -> Result<(), CommitError> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        self.connection.query_row(&sql, [], |_| Ok(())).map_err(CommitError::WriteBack)?;
        // Also without a full write-back the next try waits for as many pages again.
        self.log_pages.store(0, Ordering::Relaxed);
        Ok(())
    }
}
