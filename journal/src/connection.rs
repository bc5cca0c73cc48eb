//! SQLite connections to a store that nobody vouches for.
//!
//! In -> out: state folder -> connection for the writer or for a reader.
//! Units: memory for pages in KiB.
//! Invariant: no trigger, view or function of the file runs; nothing but a regular file is opened.
//! Not here: whether the schema is ours (`migration.rs`), levels of durability (`writer.rs`).

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::migration::{self, MIGRATIONS};

/// The store's file in its folder.
pub const STORE_FILE: &str = "state.db";
/// A store larger than this takes no more events.
pub const STORE_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// A group of 1,000 events touches some 200 pages; the rest keeps the upper levels of the trees.
const WRITER_CACHE_KIB: i64 = 8 * 1024;
const READER_CACHE_KIB: i64 = 2 * 1024;
/// Somebody with a SQLite tool may hold the file for a moment.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// The one connection that changes the store, at the newest schema version and in WAL mode; and the version that it had.
pub(crate) fn open_writer(folder: &Path, bytes_max: u64) -> Result<(Connection, usize), StoreError> {
    let path = folder.join(STORE_FILE);
    refuse_odd_files(folder)?;
    let io = |source| StoreError::Io { what: "make", path: path.clone(), source };
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        // The names of a new file are durable before anything in it is promised.
        Ok(file) => file.sync_all().and_then(|()| File::open(folder)?.sync_all()).map_err(io)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(error)),
    }
    let connection = Connection::open_with_flags(&path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    harden(&connection, WRITER_CACHE_KIB)?;
    let found = migration::check(&connection, MIGRATIONS)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    if found < MIGRATIONS.len() {
        migration::migrate(&connection, MIGRATIONS)?;
    }
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages_max = i64::try_from(bytes_max).unwrap_or(i64::MAX) / page_bytes.max(1);
    connection.pragma_update(None, "max_page_count", pages_max.max(1))?;
    Ok((connection, found))
}

/// Gives room that nothing takes any more back to the disk. For whoever holds the store, while nothing else writes.
pub(crate) fn shrink(folder: &Path) -> Result<(), StoreError> {
    let (connection, _) = open_writer(folder, STORE_BYTES_MAX)?;
    connection.execute_batch("VACUUM")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// A connection that sees what is committed and changes nothing.
pub(crate) fn open_reader(folder: &Path) -> Result<Connection, StoreError> {
    let path = folder.join(STORE_FILE);
    refuse_odd_files(folder)?;
    if !path.exists() {
        return Err(StoreError::Missing { path });
    }
    let connection = Connection::open_with_flags(&path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    harden(&connection, READER_CACHE_KIB)?;
    if migration::check(&connection, MIGRATIONS)? == 0 {
        return Err(StoreError::Missing { path });
    }
    Ok(connection)
}

fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn harden(connection: &Connection, cache_kib: i64) -> Result<(), StoreError> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        // Derived rows are checked as a whole (`rebuild.rs`), not one by one while they are written.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
    ] {
        connection.set_db_config(setting, on)?;
    }
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    Ok(())
}

/// A link or a device in the place of one of SQLite's three files would lead writes elsewhere.
fn refuse_odd_files(folder: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path: PathBuf = folder.join(format!("{STORE_FILE}{suffix}"));
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_file() => {}
            Ok(_) => return Err(StoreError::OddFile { path }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::Io { what: "look at", path, source }),
        }
    }
    Ok(())
}
