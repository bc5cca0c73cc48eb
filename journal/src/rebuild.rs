//! Derived tables, computed again from the events and compared with what is stored.
//!
//! In -> out: state folder -> [`StoreCheck`]; with `rebuild`, tables that equal the events.
//! Invariant: the same code derives rows while a run is written and here; a broken journal is never built from.
//! Not here: that code (`projection.rs`), whether the events are this host's (`verify.rs`).

use std::path::Path;

use rusqlite::Connection;
use serde::Serialize;

use crate::chain::run_key;
use crate::connection;
use crate::connection::STORE_BYTES_MAX;
use crate::error::StoreError;
use crate::event::Event;
use crate::events::{self, Events};
use crate::journal::CommitError;
use crate::lock::Lock;
use crate::migration::{self, MIGRATIONS};
use crate::projection::{Projector, RunNames};
use crate::schema::PROJECTIONS;
use crate::statements::ProjectionSql;

/// What `db check` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreCheck {
    /// SQLite's own words about the file; empty when it is sound.
    pub damage: Vec<String>,
    pub events: u64,
    /// Derived tables that are not what the events say.
    pub differences: Vec<TableDifference>,
    /// The tables were replaced, so the differences are gone.
    pub rebuilt: bool,
}

/// One derived table that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableDifference {
    pub table: &'static str,
    /// Rows that the events say and the table has not.
    pub missing: u64,
    /// Rows that the table has and no event says.
    pub extra: u64,
}

impl StoreCheck {
    /// True when nothing is wrong, or nothing is wrong any more.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && (self.differences.is_empty() || self.rebuilt)
    }
}

/// Checks the file and compares every derived table with the events; with `rebuild`, replaces those that differ.
///
/// A mere check works while a host holds the store.
///
/// # Errors
/// `Broken` if a journal is; with `rebuild` also `Held`; `Derive` never in a store that this host wrote.
pub fn db_check(folder: &Path, rebuild: bool) -> Result<StoreCheck, StoreError> {
    let _lock = if rebuild { Some(Lock::take(folder)?) } else { None };
    let connection = match rebuild {
        true => {
            // A check of nothing must not make a store.
            drop(connection::open_reader(folder)?);
            connection::open_writer(folder, STORE_BYTES_MAX)?.0
        }
        false => connection::open_reader(folder)?,
    };
    make_temporary(&connection)?;
    // An older store lacks the newer tables; whatever would be in them it has not either.
    let version = migration::check(&connection, MIGRATIONS)?;
    // One view of the store from the first event to the last row.
    connection.execute_batch(if rebuild { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
    let mut check =
        StoreCheck { damage: damage(&connection)?, events: 0, differences: Vec::new(), rebuilt: false };
    check.events = derive(&connection)?;
    for table in PROJECTIONS.iter().take(version).flat_map(|(tables, _)| *tables) {
        let missing = rows_only_in(&connection, "temp", "main", table)?;
        let extra = rows_only_in(&connection, "main", "temp", table)?;
        if missing + extra > 0 {
            check.differences.push(TableDifference { table, missing, extra });
        }
    }
    if rebuild && check.damage.is_empty() {
        for TableDifference { table, .. } in &check.differences {
            connection.execute_batch(&format!(
                "DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM temp.{table}"
            ))?;
        }
        check.rebuilt = !check.differences.is_empty();
    }
    connection.execute_batch("COMMIT")?;
    Ok(check)
}

/// Fills the tables that an older store had not, from its events.
pub(crate) fn fill_since(connection: &Connection, version: usize) -> Result<(), StoreError> {
    let newer = || PROJECTIONS.iter().skip(version).flat_map(|(tables, _)| *tables);
    if version == 0 || newer().next().is_none() {
        return Ok(());
    }
    make_temporary(connection)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    derive(connection)?;
    for table in newer() {
        connection.execute_batch(&format!("INSERT INTO main.{table} SELECT * FROM temp.{table}"))?;
    }
    connection.execute_batch("COMMIT")?;
    for table in PROJECTIONS.iter().flat_map(|(tables, _)| *tables) {
        connection.execute_batch(&format!("DROP TABLE temp.{table}"))?;
    }
    Ok(())
}

/// The derived tables once more, empty.
fn make_temporary(connection: &Connection) -> Result<(), StoreError> {
    for (_, sql) in PROJECTIONS {
        connection.execute_batch(&sql.replace("CREATE TABLE ", "CREATE TEMP TABLE "))?;
    }
    Ok(())
}

fn damage(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let found: Vec<String> = connection
        .prepare("PRAGMA main.integrity_check")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}

fn rows_only_in(connection: &Connection, here: &str, there: &str, table: &str) -> Result<u64, StoreError> {
    let sql =
        format!("SELECT count(*) FROM (SELECT * FROM {here}.{table} EXCEPT SELECT * FROM {there}.{table})");
    let count: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Fills the temporary tables; gives the number of events.
///
/// Runs are merged by the positions of their events, so that a key which two runs wrote ends as it did.
fn derive(connection: &Connection) -> Result<u64, StoreError> {
    let mut sql = ProjectionSql::prepare(connection, "temp")?;
    let mut projector = Projector::default();
    let mut runs = Vec::new();
    for id in events::runs(connection)? {
        let mut chain = Events::new(connection, &id);
        if let Some(first) = next_of(&mut chain)? {
            runs.push((RunNames { key: run_key(&id), id }, chain, first));
        }
    }
    let mut count = 0;
    while let Some(least) = (0..runs.len()).min_by_key(|nth| runs.get(*nth).map(|(_, _, next)| next.2)) {
        // Events of one run mostly lie together: go on with it until another one is earlier.
        let other =
            runs.iter().enumerate().filter(|(nth, _)| *nth != least).map(|(_, (_, _, next))| next.2).min();
        let Some((names, chain, next)) = runs.get_mut(least) else { break };
        let ended = loop {
            let (seq, event, position) = next;
            if other.is_some_and(|other| other < *position) {
                break false;
            }
            projector.apply(&mut sql, names, (*seq, *position), event).map_err(underivable)?;
            count += 1;
            match next_of(chain)? {
                Some(following) => *next = following,
                None => break true,
            }
        };
        if ended {
            runs.swap_remove(least);
        }
    }
    projector.flush(&mut sql).map_err(underivable)?;
    Ok(count)
}

fn underivable(error: CommitError) -> StoreError {
    match error {
        CommitError::Sqlite(source) => StoreError::Sqlite(source),
        source => StoreError::Derive { source },
    }
}

/// Number, event, position.
type Next = (u64, Event, i64);

fn next_of(chain: &mut Events<'_>) -> Result<Option<Next>, StoreError> {
    let Some(found) = chain.next() else { return Ok(None) };
    let (seq, event) = found?;
    Ok(Some((seq, event, chain.last_position().unwrap_or(0))))
}
