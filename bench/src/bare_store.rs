//! The limit of the store: a bare SQLite program that writes the rows of a finished run once more.
//!
//! In -> out: a run's store -> seconds for the same rows in the same number of groups, with the same tables, pragmas
//! and prepared statements; and the time of single commits.
//! The rows are made ready before the clock starts: no JSON, no hash, no other thread, no plugin. What the run wrote
//! before its clock started is written before this one's.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::figures::{nanoseconds, percentile};
use crate::run::LevelArg;

/// Run, seq, position, prev, hash, bytes.
type EventRow = (String, i64, i64, Vec<u8>, Vec<u8>, Vec<u8>);

/// Id, run, name, description, dependencies, place, kind, created, started, completed.
type PhaseRow = (String, String, String, String, String, i64, String, String, Option<String>, Option<String>);

/// Id, phase, run, output, started, completed.
type ExecutionRow = (String, String, String, Option<String>, String, Option<String>);

/// The rows of one run, ready to be written again.
pub(crate) struct BareRows {
    schema: Vec<String>,
    before: Vec<EventRow>,
    phases: Vec<PhaseRow>,
    /// Each event, with the attempt that it ended.
    events: Vec<(EventRow, Option<(usize, ExecutionRow)>)>,
    /// Rows that the run wrote in all.
    rows: u64,
}

impl BareRows {
    /// Reads a closed store; the first `before` events are not timed.
    pub(crate) fn of(store: &Path, before: u64) -> anyhow::Result<Self> {
        let connection = Connection::open(store)?;
        let mut schema = connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
        let schema = schema.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut phases = connection.prepare(
            "SELECT id, run_id, name, description, dependencies, place, kind, created_at, started_at, completed_at \
             FROM phases ORDER BY place",
        )?;
        let phases: Vec<PhaseRow> = phases
            .query_map([], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                    row.get(8)?,
                    row.get(9)?,
                ))
            })?
            .collect::<Result<_, _>>()?;
        let mut executions = connection
            .prepare("SELECT id, phase_id, run_id, output, started_at, completed_at FROM executions")?;
        let executions: Vec<ExecutionRow> = executions
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })?
            .collect::<Result<_, _>>()?;
        let attempts = executions.len();
        let mut of_phase: HashMap<String, ExecutionRow> =
            executions.into_iter().map(|execution| (execution.1.clone(), execution)).collect();
        let mut all = connection
            .prepare("SELECT run, seq, position, prev, hash, bytes FROM events ORDER BY position")?;
        let all: Vec<EventRow> = all
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })?
            .collect::<Result<_, _>>()?;
        let rows = (all.len() + phases.len() + attempts) as u64;
        let (mut early, mut events) = (Vec::new(), Vec::new());
        for row in all {
            if (row.1 as u64) < before {
                early.push(row);
                continue;
            }
            let ended = ended_task(&row.5)?.and_then(|task| {
                let phase = phases.get(task)?;
                Some((task, of_phase.remove(&phase.0)?))
            });
            events.push((row, ended));
        }
        anyhow::ensure!(of_phase.is_empty(), "attempts without an event: {}", of_phase.len());
        Ok(Self { schema, before: early, phases, events, rows })
    }

    /// Rows of events, tasks and attempts together.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Seconds for the timed rows, in so many groups.
    pub(crate) fn write(&self, path: &Path, level: LevelArg, groups: u64) -> anyhow::Result<f64> {
        let connection = open(path, level, &self.schema)?;
        let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
        let mut commit = connection.prepare("COMMIT")?;
        let mut event = connection.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let mut phase = connection.prepare(
            "INSERT INTO phases VALUES (?1, ?2, ?3, ?4, 'pending', ?5, 0, 0, 0, ?6, ?7, NULL, ?8, NULL, NULL)",
        )?;
        let mut done = connection.prepare(
            "UPDATE phases SET status = 'done', attempts = 1, started_at = ?2, completed_at = ?3 WHERE id = ?1",
        )?;
        let mut execution = connection
            .prepare("INSERT INTO executions VALUES (?1, ?2, ?3, 1, 'done', ?4, NULL, NULL, ?5, ?6)")?;
        begin.execute([])?;
        for (run, seq, position, prev, hash, bytes) in &self.before {
            event.execute(params![run, seq, position, prev, hash, bytes])?;
        }
        for (id, run, name, description, dependencies, place, kind, created, _, _) in &self.phases {
            phase.execute(params![id, run, name, description, dependencies, place, kind, created])?;
        }
        commit.execute([])?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;

        let size = self.events.len().div_ceil(usize::try_from(groups.max(1))?);
        let clock = Instant::now();
        for group in self.events.chunks(size.max(1)) {
            begin.execute([])?;
            for ((run, seq, position, prev, hash, bytes), ended) in group {
                event.execute(params![run, seq, position, prev, hash, bytes])?;
                if let Some((task, (id, phase_id, run, output, started, completed))) = ended {
                    let of = self.phases.get(*task).context("no such task")?;
                    done.execute(params![of.0, of.8, of.9])?;
                    execution.execute(params![id, phase_id, run, output, started, completed])?;
                }
            }
            commit.execute([])?;
        }
        Ok(clock.elapsed().as_secs_f64())
    }

    /// Median nanoseconds of a commit of one event.
    pub(crate) fn single_commits(&self, path: &Path, level: LevelArg) -> anyhow::Result<u64> {
        let connection = open(path, level, &self.schema)?;
        let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
        let mut commit = connection.prepare("COMMIT")?;
        let mut event = connection.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let mut times = Vec::new();
        for ((run, seq, position, prev, hash, bytes), _) in self.events.iter().take(2000) {
            let clock = Instant::now();
            begin.execute([])?;
            event.execute(params![run, seq, position, prev, hash, bytes])?;
            commit.execute([])?;
            times.push(nanoseconds(clock.elapsed()));
        }
        times.sort_unstable();
        Ok(percentile(&times, 0.5))
    }
}

/// The store's pragmas.
fn open(path: &Path, level: LevelArg, schema: &[String]) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "cache_size", -8192)?;
    let synchronous = if level == LevelArg::Power { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    for sql in schema {
        connection.execute_batch(sql)?;
    }
    Ok(connection)
}

/// The task whose attempt an event ended.
fn ended_task(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let event: Value = serde_json::from_slice(bytes)?;
    let is_end = event.get("type").and_then(Value::as_str) == Some("attempt_finished");
    let task = event.get("task").and_then(Value::as_u64).filter(|_| is_end);
    Ok(task.map(usize::try_from).transpose()?)
}
