//! The file's schema, and a connection to it.
//!
//! In -> out: a path -> a connection to a file of ours.
//! Invariant: nothing in the file runs: no trigger, no view, no function that is not SQLite's own.

use std::fs;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::CacheError;

const APPLICATION_ID: i32 = 0x6f72_6376;
const VERSION: i32 = 1;

/// `batch`: that it is put with, until that is applied. `removed`: it stands for a document that is to go.
const SCHEMA: &str = "
CREATE TABLE documents (
  id INTEGER PRIMARY KEY,
  collection TEXT NOT NULL,
  path TEXT NOT NULL,
  digest TEXT NOT NULL,
  language TEXT NOT NULL,
  model TEXT NOT NULL,
  dimension INTEGER NOT NULL,
  removed INTEGER NOT NULL,
  batch INTEGER
) STRICT;
CREATE UNIQUE INDEX documents_applied ON documents (collection, path) WHERE batch IS NULL;
CREATE INDEX documents_staged ON documents (batch) WHERE batch IS NOT NULL;
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,
  document INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  text TEXT NOT NULL,
  scale REAL NOT NULL,
  coarse BLOB NOT NULL,
  exact BLOB NOT NULL
) STRICT;
CREATE INDEX chunks_document ON chunks (document);
CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE known USING fts5vocab(words, row);
";

/// Opens the file, or makes it; one that is not ours or of another version is made anew.
pub(crate) fn open(path: &Path) -> Result<Connection, CacheError> {
    match connect(path) {
        Ok(Some(connection)) => Ok(connection),
        Ok(None) | Err(CacheError::Sqlite(_)) => {
            for beside in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(beside);
                match fs::remove_file(&name) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
            connect(path)?.ok_or_else(|| CacheError::Sqlite(rusqlite::Error::InvalidQuery))
        }
        Err(error) => Err(error),
    }
}

/// The file if it is ours, or was empty.
fn connect(path: &Path) -> Result<Option<Connection>, CacheError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    match marks(&connection)? {
        (APPLICATION_ID, VERSION) => {}
        (0, 0) => make(&connection)?,
        _ => return Ok(None),
    }
    // What another process left half is nobody's.
    let check: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    Ok((check == "ok").then_some(connection))
}

/// The file to be read only, if it is there and ours; nothing of it is changed.
pub(crate) fn beside(path: &Path) -> Result<Option<Connection>, CacheError> {
    if !path.is_file() {
        return Ok(None);
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    Ok(is_ours(&connection)?.then_some(connection))
}

fn is_ours(connection: &Connection) -> Result<bool, CacheError> {
    Ok(marks(connection)? == (APPLICATION_ID, VERSION))
}

fn marks(connection: &Connection) -> Result<(i32, i32), CacheError> {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((connection.pragma_query_value(None, "application_id", |row| row.get(0))?, version))
}

/// An empty one that nobody else sees.
pub(crate) fn in_memory() -> Result<Connection, CacheError> {
    let connection = Connection::open_in_memory()?;
    prepare(&connection)?;
    make(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), CacheError> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    // Consistent after a loss of power, and what was last is lost at worst.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    for (config, value) in [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    ] {
        connection.set_db_config(config, value)?;
    }
    Ok(())
}

fn make(connection: &Connection) -> Result<(), CacheError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(SCHEMA)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}
