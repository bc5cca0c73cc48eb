//! Versions of the schema and the way from one to the next.
//!
//! In -> out: a connection at any known version -> the same at the newest, or why it is refused.
//! Invariant: nothing is changed before the whole schema of the file equals, word for word, what its version has.
//! Not here: the SQL itself (`schema.rs`).

use rusqlite::Connection;

use crate::error::StoreError;
use crate::schema::{self, APPLICATION_ID};

/// The SQL that leads from the version before to this one. Version 1 comes from an empty file.
pub(crate) const MIGRATIONS: &[&[&str]] = &[
    &[schema::EVENTS_1, schema::PROJECTIONS_1],
    &[schema::PROJECTIONS_2],
    &[schema::PROJECTIONS_3],
    &[schema::PROJECTIONS_4],
    &[schema::PROJECTIONS_5],
    &[schema::PROJECTIONS_6],
];

/// What the newest version has, as [`expected`] makes it: nearly every store is compared with it, at each start of a program.
const NEWEST: &str = include_str!("newest_schema.sql");

/// Compares the file with its version's schema and brings it to the newest; gives the version that it had.
///
/// # Errors
/// `ForeignSchema` if the file is not ours or was changed, `NewerVersion` if a newer host made it.
pub(crate) fn migrate(connection: &Connection, migrations: &[&[&str]]) -> Result<usize, StoreError> {
    let found = check(connection, migrations)?;
    if found == migrations.len() {
        return Ok(found);
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for batch in migrations.iter().skip(found).flat_map(|version| version.iter()) {
        connection.execute_batch(batch)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", migrations.len() as u32)?;
    connection.execute_batch("COMMIT")?;
    Ok(found)
}

/// The version of the file; its schema is what that version has.
pub(crate) fn check(connection: &Connection, migrations: &[&[&str]]) -> Result<usize, StoreError> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || found != 0) {
        return Err(StoreError::ForeignSchema { found: format!("application id {application}") });
    }
    if found as usize > migrations.len() {
        return Err(StoreError::NewerVersion { found, supported: migrations.len() as u32 });
    }
    let has = schema::text(connection)?;
    if found as usize == MIGRATIONS.len() && std::ptr::eq(migrations, MIGRATIONS) && listing(&has) == NEWEST {
        return Ok(found as usize);
    }
    let expected = expected(migrations, found as usize)?;
    if let Some(odd) = has.iter().find(|line| !expected.contains(line)) {
        return Err(StoreError::ForeignSchema { found: one_line(odd) });
    }
    if let Some(missing) = expected.iter().find(|line| !has.contains(line)) {
        return Err(StoreError::ForeignSchema {
            found: format!("nothing in the place of {}", one_line(missing)),
        });
    }
    Ok(found as usize)
}

/// What SQLite itself makes of the migrations up to that version.
fn expected(migrations: &[&[&str]], version: usize) -> Result<Vec<String>, StoreError> {
    let empty = Connection::open_in_memory()?;
    for batch in migrations.iter().take(version).flat_map(|version| version.iter()) {
        empty.execute_batch(batch)?;
    }
    Ok(schema::text(&empty)?)
}

/// A blank line between two: none of them has one.
fn listing(lines: &[String]) -> String {
    lines.join("\n\n") + "\n"
}

/// The first words of a schema's line, without control characters.
fn one_line(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    short.split_whitespace().collect::<Vec<_>>().join(" ").escape_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[&[&str]] = &[MIGRATIONS[0]];
    const TWO: &[&[&str]] =
        &[MIGRATIONS[0], &["ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT 'nobody';"]];

    fn at_version_1() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, ONE).unwrap();
        connection
    }

    /// `BLESS=1` writes it.
    #[test]
    fn the_newest_schema_is_kept_as_sqlite_makes_it() {
        let made = listing(&expected(MIGRATIONS, MIGRATIONS.len()).unwrap());
        if std::env::var_os("BLESS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/newest_schema.sql");
            std::fs::write(path, &made).unwrap();
        }
        assert_eq!(made, NEWEST);
    }

    #[test]
    fn an_older_store_is_brought_to_the_newest_version_and_keeps_its_rows() {
        let connection = at_version_1();
        let insert = "INSERT INTO runs VALUES ('r', 'goal', 'planning', 'now', NULL, NULL, '{}')";
        connection.execute_batch(insert).unwrap();
        migrate(&connection, TWO).unwrap();
        let row: (String, String) = connection
            .query_row("SELECT id, owner FROM runs", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, ("r".to_owned(), "nobody".to_owned()));
        assert_eq!(check(&connection, TWO).unwrap(), 2);
        migrate(&connection, TWO).unwrap();
    }

    #[test]
    fn a_migration_that_fails_leaves_the_older_version() {
        let connection = at_version_1();
        let broken: &[&[&str]] =
            &[MIGRATIONS[0], &["ALTER TABLE runs ADD COLUMN owner TEXT; SELECT nonsense;"]];
        migrate(&connection, broken).unwrap_err();
        connection.execute_batch("ROLLBACK").unwrap();
        assert_eq!(check(&connection, ONE).unwrap(), 1);
    }

    #[test]
    fn a_newer_version_is_refused_with_both_numbers() {
        let connection = at_version_1();
        connection.pragma_update(None, "user_version", 7).unwrap();
        let refusal = migrate(&connection, MIGRATIONS).unwrap_err();
        assert_eq!(refusal.code(), "store-newer-version");
        let supported = MIGRATIONS.len();
        let expected = format!("store has schema version 7, this host supports up to {supported}");
        assert_eq!(refusal.to_string(), expected);
    }

    #[track_caller]
    fn foreign(change: &str) {
        let connection = at_version_1();
        connection.execute_batch(change).unwrap();
        assert_eq!(migrate(&connection, MIGRATIONS).unwrap_err().code(), "store-foreign-schema", "{change}");
    }

    #[test]
    fn any_other_schema_is_refused() {
        foreign("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM runs; END");
        foreign("CREATE VIEW v AS SELECT 1");
        foreign("CREATE TABLE more (x)");
        foreign("CREATE INDEX i ON runs (status)");
        foreign("DROP TABLE metrics");
        foreign("ALTER TABLE runs ADD COLUMN x TEXT");
        foreign("PRAGMA application_id = 5");
    }

    #[test]
    fn a_file_of_another_program_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert_eq!(migrate(&connection, MIGRATIONS).unwrap_err().code(), "store-foreign-schema");
    }
}
