//! The prepared statements of the writer.
//!
//! In -> out: connection -> statements; those of derived tables for `main` or `temp`.
//! Invariant: every statement runs on one primary key.
//! Not here: when each runs (`writer.rs`, `projection.rs`).

use rusqlite::{Connection, Statement};

use crate::{artifacts, metrics};

/// Transactions, events and heads.
pub(crate) struct EventSql<'c> {
    pub(crate) begin: Statement<'c>,
    pub(crate) commit: Statement<'c>,
    pub(crate) event: Statement<'c>,
    pub(crate) head: Statement<'c>,
    pub(crate) events_gone: Statement<'c>,
    pub(crate) heads_gone: Statement<'c>,
}

impl<'c> EventSql<'c> {
    pub(crate) fn prepare(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            event: connection.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?,
            head: connection.prepare("INSERT OR REPLACE INTO heads VALUES (?1, ?2, ?3, ?4)")?,
            events_gone: connection.prepare("DELETE FROM events WHERE run = ?1")?,
            heads_gone: connection.prepare("DELETE FROM heads WHERE run = ?1")?,
        })
    }
}

/// Derived rows.
pub(crate) struct ProjectionSql<'c> {
    connection: &'c Connection,
    schema: String,
    pub(crate) run_started: Statement<'c>,
    pub(crate) run_session: Statement<'c>,
    pub(crate) run_reopened: Statement<'c>,
    pub(crate) run_finished: Statement<'c>,
    pub(crate) phase_added: Statement<'c>,
    pub(crate) phase_edited: Statement<'c>,
    pub(crate) phase_changed: Statement<'c>,
    pub(crate) execution: Statement<'c>,
    pub(crate) finding: Statement<'c>,
    /// A verifier looked again: what it saw before on the same subject.
    pub(crate) resolve_findings: Statement<'c>,
    pub(crate) artifact: Statement<'c>,
    pub(crate) asked: Statement<'c>,
    pub(crate) answered: Statement<'c>,
    pub(crate) metric: Statement<'c>,
    pub(crate) kv_set: Statement<'c>,
    pub(crate) kv_removed: Statement<'c>,
    pub(crate) task_asked: Statement<'c>,
    pub(crate) tasks_taken: Statement<'c>,
    pub(crate) act_asked: Statement<'c>,
    pub(crate) acts_taken: Statement<'c>,
    pub(crate) task_file: Statement<'c>,
    /// What is known of a task: an attempt began, or failed.
    pub(crate) begun: Statement<'c>,
    pub(crate) failed: Statement<'c>,
    pub(crate) done: Statement<'c>,
    pub(crate) taken_for_done: Statement<'c>,
    pub(crate) put_back: Statement<'c>,
    pub(crate) fresh: Statement<'c>,
    pub(crate) forgotten: Statement<'c>,
    pub(crate) marked: Statement<'c>,
}

impl<'c> ProjectionSql<'c> {
    /// Statements on the tables of that schema, `main` or `temp`.
    pub(crate) fn prepare(connection: &'c Connection, schema: &str) -> Result<Self, rusqlite::Error> {
        let prepare = |sql: &str| connection.prepare(&sql.replace('@', schema));
        let known = |new: &str, change: &str| {
            prepare(&format!(
                "INSERT INTO @.known SELECT file, name, {new} FROM @.phases JOIN @.task_files ON run = run_id WHERE id = ?1 \
                 ON CONFLICT (file, task) DO UPDATE SET {change}"
            ))
        };
        Ok(Self {
            connection,
            schema: schema.to_owned(),
            run_started: prepare("INSERT INTO @.runs VALUES (?1, ?2, 'planning', ?3, NULL, NULL, ?4)")?,
            run_session: prepare(
                "UPDATE @.runs SET status = CASE status WHEN 'planning' THEN 'executing' ELSE status END, \
                 started_at = ifnull(started_at, ?2) WHERE id = ?1",
            )?,
            run_reopened: prepare(
                "UPDATE @.runs SET status = CASE WHEN started_at IS NULL THEN 'planning' ELSE 'executing' END, \
                 completed_at = NULL, metadata = json_remove(metadata, '$.why') WHERE id = ?1",
            )?,
            run_finished: prepare(
                "UPDATE @.runs SET status = ?2, completed_at = ?3, \
                 metadata = json_set(metadata, '$.why', ?4) WHERE id = ?1",
            )?,
            phase_added: prepare(
                "INSERT INTO @.phases VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, 0, ?8, ?9, ?10, ?11, NULL, ?12)",
            )?,
            phase_edited: prepare(
                "UPDATE @.phases SET description = ?2, dependencies = ?3, max_retries = ?4, kind = ?5 WHERE id = ?1",
            )?,
            phase_changed: prepare(
                "UPDATE @.phases SET status = ?2, retries = CASE WHEN ?3 THEN ?4 ELSE retries + ?4 END, \
                 attempts = ifnull(?5, attempts), started_at = ifnull(?6, started_at), completed_at = ?7 WHERE id = ?1",
            )?,
            execution: prepare(
                "INSERT INTO @.executions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO UPDATE \
                 SET status = excluded.status, output = excluded.output, error = excluded.error, log = excluded.log, \
                 completed_at = excluded.completed_at",
            )?,
            resolve_findings: prepare(
                "UPDATE @.findings SET resolved = 1, resolved_at = ?4
                 WHERE run_id = ?1 AND plugin = ?2 AND phase_id IS ?3 AND resolved = 0 AND execution_id IS NULL",
            )?,
            finding: prepare("INSERT INTO @.findings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, NULL, ?8, ?9)")?,
            artifact: prepare(artifacts::INSERT)?,
            asked: prepare(
                "INSERT INTO @.manual_interventions VALUES (?1, ?2, ?3, ?4, ?5, 'open', NULL, ?6)",
            )?,
            answered: prepare(
                "UPDATE @.manual_interventions SET status = 'resolved', resolved_at = ?3 \
                 WHERE id >= ?1 AND id < ?2 AND status = 'open'",
            )?,
            metric: prepare(metrics::INSERT)?,
            kv_set: prepare(
                "INSERT INTO @.kv VALUES (?1, ?2, ?3, ?4) ON CONFLICT (plugin, label, key) \
                 DO UPDATE SET value = excluded.value",
            )?,
            kv_removed: prepare("DELETE FROM @.kv WHERE plugin = ?1 AND label = ?2 AND key = ?3")?,
            task_asked: prepare("INSERT INTO @.asked VALUES (?1, ?2, ?3, ?4, ?5)")?,
            tasks_taken: prepare("DELETE FROM @.asked WHERE stream = ?1 AND seq <= ?2")?,
            act_asked: prepare("INSERT INTO @.acts VALUES (?1, ?2, ?3, ?4, ?5)")?,
            acts_taken: prepare("DELETE FROM @.acts WHERE stream = ?1 AND seq <= ?2")?,
            task_file: prepare("INSERT INTO @.task_files VALUES (?1, ?2)")?,
            begun: known(
                "NULL, NULL, ?2, 0, NULL",
                "done = NULL, said_at = NULL, begun = excluded.begun, put_back = 0, mark = NULL",
            )?,
            failed: known("NULL, NULL, ?2, 0, NULL", "begun = excluded.begun")?,
            done: known(
                "?2, ?3, NULL, 0, NULL",
                "done = excluded.done, said_at = excluded.said_at, begun = NULL, put_back = 0",
            )?,
            taken_for_done: known(
                "?2, NULL, NULL, 0, NULL",
                "done = ifnull(done, excluded.done), begun = NULL, put_back = 0",
            )?,
            put_back: known("NULL, NULL, NULL, 0, NULL", "put_back = done IS NOT NULL")?,
            fresh: known("NULL, NULL, NULL, 0, NULL", "put_back = 0")?,
            forgotten: known(
                "NULL, NULL, NULL, 0, NULL",
                "done = NULL, said_at = NULL, put_back = 0, mark = NULL",
            )?,
            marked: known("NULL, NULL, NULL, 0, ?2", "mark = excluded.mark")?,
        })
    }

    /// A statement that is seldom needed; `@` is the schema.
    pub(crate) fn once(&self, sql: &str) -> Result<Statement<'c>, rusqlite::Error> {
        self.connection.prepare(&sql.replace('@', &self.schema))
    }
}
