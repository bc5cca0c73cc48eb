//! Stored events of a run, checked link by link while they are read.
//!
//! In -> out: connection, run id -> (seq, [`Event`]) in order.
//! Limits: [`PAGE`] rows in memory at a time.
//! Invariant: an event that comes out follows its predecessor by hash; the first is the run's start.
//! Not here: whether this host began the run and vouched for its end (`verify.rs`).

use rusqlite::{Connection, OptionalExtension, params};

use crate::chain::{Link, first_link, next_link};
use crate::error::{ChainFault, StoreError};
use crate::event::Event;

const PAGE: u32 = 512;

/// Events of one run from its first on. After the last one it can be asked again for what was committed since; it ends after
/// the first error.
pub struct Events<'a> {
    connection: &'a Connection,
    run: String,
    page: std::vec::IntoIter<Row>,
    next: u64,
    link: Link,
    position: Option<i64>,
    broken: bool,
}

/// A row as it is stored, nothing believed.
struct Row {
    seq: i64,
    position: i64,
    prev: Vec<u8>,
    hash: Vec<u8>,
    bytes: Vec<u8>,
}

impl<'a> Events<'a> {
    pub(crate) fn new(connection: &'a Connection, run: &str) -> Self {
        Self {
            connection,
            run: run.to_owned(),
            page: Vec::new().into_iter(),
            next: 0,
            link: first_link(run),
            position: None,
            broken: false,
        }
    }

    /// Position of the event that came out last, among those of all runs.
    pub(crate) fn last_position(&self) -> Option<i64> {
        self.position
    }

    fn read_page(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT seq, position, prev, hash, bytes FROM events WHERE run = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
        let mut statement = self.connection.prepare(sql)?;
        // The first page also shows rows before 0, which no host writes.
        let from = if self.next == 0 { i64::MIN } else { self.next as i64 };
        let rows = statement.query_map(params![self.run, from, PAGE], |row| {
            Ok(Row {
                seq: row.get(0)?,
                position: row.get(1)?,
                prev: row.get(2)?,
                hash: row.get(3)?,
                bytes: row.get(4)?,
            })
        })?;
        self.page = rows.collect::<Result<Vec<_>, _>>()?.into_iter();
        Ok(())
    }

    fn take(&mut self) -> Result<Option<(u64, Event)>, StoreError> {
        if self.page.len() == 0 {
            self.read_page()?;
        }
        let Some(row) = self.page.next() else { return Ok(None) };
        let event = self.check(&row).map_err(|fault| StoreError::Broken {
            run: self.run.clone(),
            seq: self.next,
            fault,
        })?;
        let seq = self.next;
        self.next += 1;
        self.position = Some(row.position);
        Ok(Some((seq, event)))
    }

    fn check(&mut self, row: &Row) -> Result<Event, ChainFault> {
        if u64::try_from(row.seq) != Ok(self.next) {
            return Err(ChainFault::Gap);
        }
        if row.prev != self.link {
            return Err(ChainFault::Prev);
        }
        let link = next_link(&self.link, &row.bytes);
        if row.hash != link {
            return Err(ChainFault::Hash);
        }
        if row.position < 0 || self.position.is_some_and(|before| row.position <= before) {
            return Err(ChainFault::Position);
        }
        let event: Event = serde_json::from_slice(&row.bytes).map_err(|_| ChainFault::Bytes)?;
        match (event.begins(), self.next) {
            (Some(run), 0) if run == self.run => {}
            (Some(_), _) | (_, 0) => return Err(ChainFault::Start),
            _ => {}
        }
        self.link = link;
        Ok(event)
    }
}

impl Iterator for Events<'_> {
    type Item = Result<(u64, Event), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let taken = self.take();
        self.broken = taken.is_err();
        taken.transpose()
    }
}

/// Ids of all runs that have events, in the order of their names.
pub(crate) fn runs(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut after = connection.prepare("SELECT min(run) FROM events WHERE run > ?1")?;
    let mut least =
        connection.query_row("SELECT min(run) FROM events", [], |row| row.get::<_, Option<String>>(0))?;
    let mut found = Vec::new();
    while let Some(run) = least {
        least = after.query_row([&run], |row| row.get(0))?;
        found.push(run);
    }
    Ok(found)
}

/// Shows the first stored event of each run, in the order of their names; none for one that cannot be read. Whoever opens a store
/// sees all of them, so this is one statement and one look a run.
pub(crate) fn each_first(
    connection: &Connection,
    mut show: impl FnMut(&str, Option<Event>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut next =
        connection.prepare("SELECT run, bytes FROM events WHERE run >= ?1 ORDER BY run, seq LIMIT 1")?;
    let read = |row: &rusqlite::Row<'_>| {
        let bytes = row.get_ref(1)?;
        let first = bytes.as_blob().ok().and_then(|bytes| serde_json::from_slice(bytes).ok());
        Ok((row.get::<_, String>(0)?, first))
    };
    let mut from = String::new();
    while let Some((run, first)) = next.query_row([&from], read).optional()? {
        show(&run, first)?;
        // The least name behind this one.
        from = run + "\0";
    }
    Ok(())
}

/// How many events a run has, and the link of the last.
pub(crate) fn end_of(connection: &Connection, run: &str) -> Result<(u64, Link), StoreError> {
    let sql = "SELECT seq, hash FROM events WHERE run = ?1 ORDER BY seq DESC LIMIT 1";
    let last = connection.query_row(sql, [run], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let Some((seq, hash)) = last.optional()? else { return Ok((0, first_link(run))) };
    let seq = u64::try_from(seq).unwrap_or(0);
    let link = Link::try_from(hash).map_err(|_| StoreError::Broken {
        run: run.to_owned(),
        seq,
        fault: ChainFault::Hash,
    })?;
    Ok((seq + 1, link))
}

/// The link of one event, if it is there and whole.
pub(crate) fn link_at(connection: &Connection, run: &str, seq: u64) -> Result<Option<Link>, StoreError> {
    let sql = "SELECT hash FROM events WHERE run = ?1 AND seq = ?2";
    let hash: Option<Vec<u8>> =
        connection.query_row(sql, params![run, seq as i64], |row| row.get(0)).optional()?;
    Ok(hash.map(|hash| Link::try_from(hash).unwrap_or([0; 32])))
}

/// The position that the next event of any run gets.
pub(crate) fn next_position(connection: &Connection) -> Result<i64, StoreError> {
    let mut last =
        connection.prepare("SELECT position FROM events WHERE run = ?1 ORDER BY seq DESC LIMIT 1")?;
    let mut next = 0;
    for run in runs(connection)? {
        let position: i64 = last.query_row([run], |row| row.get(0))?;
        next = next.max(position.saturating_add(1));
    }
    Ok(next)
}
