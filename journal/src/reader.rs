//! Reading a store, also while a host writes to it.
//!
//! In -> out: state folder -> [`Reader`]; run ids, task places -> events and rows.
//! Invariant: only what is committed is seen, and nothing is changed.
//! Not here: whether the chain is whole and ours (`events.rs`, `verify.rs`), values of this moment's run that are
//! accepted and not committed (the loop keeps those), what plugins measured (`metrics.rs`).

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use crate::artifacts::{self, ArtifactRow};
use crate::chain::run_key;
use crate::connection;
use crate::error::StoreError;
use crate::event::{AskedAct, AskedTask, Event, Mark, TaskIndex, WORKSPACE_STREAM};
use crate::events::{self, Events};
use crate::metrics::{self, MetricPage, MetricQuery, MetricRow};
use crate::place;
use crate::projection::RunNames;
use crate::rows::{AttemptRow, FindingRow, InterventionRow, Known, RunRow, TaskRow, of_json, plain_name};
use crate::state::RunState;

/// As many keys as one answer of `orch:kv` has.
pub const KV_KEYS_MAX: u32 = 1000;

/// When a run of `runs` began, in the order of the store: clocks are set, and its name is by the clock.
const BEGUN: &str = "(SELECT position FROM events WHERE run = runs.id AND seq = 0)";

/// A view of what is committed. One thread at a time.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    folder: PathBuf,
}

/// One view for many, each for as long as its question takes: opening one reads the schema.
#[derive(Clone, Debug)]
pub struct SharedReader(Arc<Mutex<Reader>>);

impl From<Reader> for SharedReader {
    fn from(reader: Reader) -> Self {
        Self(Arc::new(Mutex::new(reader)))
    }
}

impl SharedReader {
    /// Waits for whoever reads.
    pub fn read(&self) -> MutexGuard<'_, Reader> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Opens the store in that folder; needs no lock.
    ///
    /// # Errors
    /// `Missing`, `NewerVersion`, `ForeignSchema`, `OddFile`, `Elsewhere`, `Sqlite`.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let reader = Self::checked(folder)?;
        let mut here = place::Here::new(folder, None);
        events::each_first(&reader.connection, |_, first| first.map_or(Ok(()), |first| here.check(&first)))?;
        Ok(reader)
    }

    /// The same of a store that this process has open: its runs were looked at.
    pub(crate) fn checked(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: connection::open_reader(folder)?, folder: folder.to_owned() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Events of a run from its first on, each checked against the one before; none for an unknown run.
    pub fn events(&self, run: &str) -> Events<'_> {
        Events::new(&self.connection, run)
    }

    /// How many events a run has.
    ///
    /// # Errors
    /// `Broken`, `Sqlite`.
    pub fn event_count(&self, run: &str) -> Result<u64, StoreError> {
        events::end_of(&self.connection, run).map(|(count, _)| count)
    }

    /// All runs, the newest first.
    pub fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.newest_runs(None, u32::MAX)
    }

    /// Runs of the store, the newest first, at most so many; from that one on, if it is there.
    pub fn newest_runs(&self, from: Option<&str>, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        let sql = format!(
            "SELECT * FROM runs WHERE ?1 IS NULL \
             OR {BEGUN} <= (SELECT position FROM events WHERE run = ?1 AND seq = 0) ORDER BY {BEGUN} DESC LIMIT ?2"
        );
        self.rows(&sql, params![from, limit], run_row)
    }

    /// One run.
    pub fn run(&self, id: &str) -> Result<Option<RunRow>, StoreError> {
        Ok(self.connection.query_row("SELECT * FROM runs WHERE id = ?1", [id], run_row).optional()?)
    }

    /// The newest run that goes on with the next `run`.
    pub fn open_run(&self) -> Result<Option<String>, StoreError> {
        let sql = format!(
            "SELECT id FROM runs WHERE status IN ('planning', 'executing', 'waiting') ORDER BY {BEGUN} DESC LIMIT 1"
        );
        Ok(self.connection.query_row(&sql, [], |row| row.get(0)).optional()?)
    }

    /// The newest run, if it is closed and people were to hear of its end, of whom not all are known to have.
    ///
    /// # Errors
    /// `Sqlite`.
    pub fn owing_run(&self) -> Result<Option<String>, StoreError> {
        let sql = format!(
            "SELECT id FROM runs WHERE status NOT IN ('planning', 'executing', 'waiting') \
             AND id = (SELECT id FROM runs ORDER BY {BEGUN} DESC LIMIT 1)"
        );
        let newest: Option<String> = self.connection.query_row(&sql, [], |row| row.get(0)).optional()?;
        let Some(run) = newest else { return Ok(None) };
        // From the back: behind its end there is little.
        let mut last =
            self.connection.prepare("SELECT bytes FROM events WHERE run = ?1 ORDER BY seq DESC")?;
        let mut rows = last.query([&run])?;
        let mut sent = Vec::new();
        while let Some(row) = rows.next()? {
            match serde_json::from_slice(&row.get::<_, Vec<u8>>(0)?) {
                Ok(Event::NoticeSent(one)) => sent.push(one.key),
                Ok(Event::RunFinished { notices, .. }) => {
                    let is_owing = notices.iter().any(|notice| !sent.contains(&notice.key));
                    return Ok(is_owing.then_some(run));
                }
                Ok(_) => {}
                // Whoever reads the run from its beginning says what is wrong with it.
                Err(_) => return Ok(Some(run)),
            }
        }
        Ok(None)
    }

    /// Tasks of a run, in the order of their places.
    pub fn tasks(&self, run: &str) -> Result<Vec<TaskRow>, StoreError> {
        let sql = "SELECT * FROM phases WHERE id >= ?1 AND id < ?2 ORDER BY place";
        let (from, to) = of_run(run);
        self.rows(sql, [from, to], task_row)
    }

    /// A page of the tasks of a run in the order of their places: those of that status and kind, from that place on.
    pub fn tasks_page(
        &self,
        run: &str,
        (status, kind): (Option<&str>, Option<&str>),
        from: TaskIndex,
        limit: u32,
    ) -> Result<Vec<TaskRow>, StoreError> {
        let sql = "SELECT * FROM phases WHERE id >= ?1 AND id < ?2 AND (?3 IS NULL OR status = ?3) \
                   AND (?4 IS NULL OR kind = ?4) ORDER BY id LIMIT ?5";
        let RunNames { key, .. } = names(run);
        let first = names(run).phase(from);
        self.rows(sql, params![first, format!("{key}."), status, kind, limit], task_row)
    }

    /// The first tasks of a run, by their places, that are neither done nor simply pending.
    pub fn tasks_amiss(&self, run: &str, limit: u32) -> Result<Vec<TaskRow>, StoreError> {
        let sql = "SELECT * FROM phases WHERE id >= ?1 AND id < ?2 AND status NOT IN ('done', 'pending') \
                   ORDER BY id LIMIT ?3";
        let (from, to) = of_run(run);
        self.rows(sql, params![from, to, limit], task_row)
    }

    /// True if a task of a run asks a person whether it may run.
    pub fn waits_for_approval(&self, run: &str) -> Result<bool, StoreError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM phases WHERE id >= ?1 AND id < ?2 AND status = 'waiting_approval')";
        let (from, to) = of_run(run);
        Ok(self.connection.query_row(sql, [from, to], |row| row.get(0))?)
    }

    /// False if no event of a run speaks of verifying or of a branch: then its state has nothing of either, and need not be
    /// computed.
    pub fn speaks_of_verifying(&self, run: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE run = ?1 AND (instr(bytes, CAST('\"verify\"' AS BLOB)) > 0 \
                   OR instr(bytes, CAST('\"looks_waived\"' AS BLOB)) > 0 \
                   OR instr(bytes, CAST('\"run_based\"' AS BLOB)) > 0))";
        Ok(self.connection.query_row(sql, [run], |row| row.get(0))?)
    }

    /// One task of a run by its id.
    pub fn task(&self, run: &str, id: &str) -> Result<Option<TaskRow>, StoreError> {
        let sql = "SELECT * FROM phases WHERE id >= ?1 AND id < ?2 AND name = ?3";
        let (from, to) = of_run(run);
        Ok(self.connection.query_row(sql, [&from, &to, id], task_row).optional()?)
    }

    /// How many tasks of a run have each status.
    pub fn task_counts(&self, run: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let sql =
            "SELECT status, count(*) FROM phases WHERE id >= ?1 AND id < ?2 GROUP BY status ORDER BY status";
        let (from, to) = of_run(run);
        self.rows(sql, [from, to], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))
    }

    /// The id of the task at that place.
    pub fn task_id(&self, run: &str, task: TaskIndex) -> Result<Option<String>, StoreError> {
        let sql = "SELECT name FROM phases WHERE id = ?1";
        Ok(self.connection.query_row(sql, [names(run).phase(task)], |row| row.get(0)).optional()?)
    }

    /// Attempts of one task, the first one first.
    pub fn attempts(&self, run: &str, task: TaskIndex) -> Result<Vec<AttemptRow>, StoreError> {
        let sql = "SELECT * FROM executions WHERE id >= ?1 AND id < ?2 ORDER BY attempt_number";
        let phase = names(run).phase(task);
        self.rows(sql, [format!("{phase}-"), format!("{phase}.")], attempt_row)
    }

    /// Log files of all attempts of a run that have one, relative to the workspace.
    pub fn attempt_logs(&self, run: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT log FROM executions WHERE id >= ?1 AND id < ?2 AND log IS NOT NULL";
        let (from, to) = of_run(run);
        self.rows(sql, [from, to], |row| row.get(0))
    }

    /// The last attempt of each task of a run that was tried, by the task's place.
    pub fn last_attempts(&self, run: &str) -> Result<BTreeMap<TaskIndex, AttemptRow>, StoreError> {
        let sql = "SELECT p.place AS place, e.* FROM executions e JOIN phases p ON p.id = e.phase_id \
                   WHERE e.id >= ?1 AND e.id < ?2 AND e.attempt_number = p.attempts";
        let (from, to) = of_run(run);
        let rows = self.rows(sql, [from, to], |row| Ok((row.get("place")?, attempt_row(row)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// The tasks of a run on which the most time was spent, over all attempts: id and milliseconds, the slowest first.
    pub fn slowest_tasks(&self, run: &str, limit: u32) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT p.name, CAST(round(sum(julianday(e.completed_at) - julianday(e.started_at)) * 86400000) AS INTEGER) \
                   AS spent FROM executions e JOIN phases p ON p.id = e.phase_id \
                   WHERE e.id >= ?1 AND e.id < ?2 AND e.completed_at IS NOT NULL \
                   GROUP BY p.id ORDER BY spent DESC, p.place LIMIT ?3";
        let (from, to) = of_run(run);
        self.rows(sql, params![from, to, limit], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.try_into().unwrap_or(0)))
        })
    }

    /// Log file of a task's newest attempt that has one, relative to the workspace.
    pub fn latest_attempt_log(&self, run: &str, task_id: &str) -> Result<Option<String>, StoreError> {
        let Some(task) = self.task(run, task_id)? else { return Ok(None) };
        let attempts = self.attempts(run, task.place)?;
        Ok(attempts.into_iter().rev().find_map(|attempt| attempt.log))
    }

    /// Findings of a run, in the order in which they were made.
    pub fn findings(&self, run: &str) -> Result<Vec<FindingRow>, StoreError> {
        let sql = "SELECT f.*, p.name AS task FROM findings f LEFT JOIN phases p ON p.id = f.phase_id \
                   WHERE f.id >= ?1 AND f.id < ?2 ORDER BY length(f.id), f.id";
        let (from, to) = of_run(run);
        self.rows(sql, [from, to], finding_row)
    }

    /// Metrics of a run, in the order in which they were made.
    pub fn metrics(&self, run: &str) -> Result<Vec<MetricRow>, StoreError> {
        let (from, to) = of_run(run);
        Ok(metrics::of_run(&self.connection, &from, &to)?)
    }

    /// A page of the values that are wanted, of all runs and services.
    ///
    /// # Errors
    /// `Sqlite`.
    pub fn recorded(&self, query: &MetricQuery) -> Result<MetricPage, StoreError> {
        Ok(metrics::page(&self.connection, query)?)
    }

    /// What attempts of a run made, in order.
    pub fn artifacts(&self, run: &str) -> Result<Vec<ArtifactRow>, StoreError> {
        let (from, to) = of_run(run);
        self.rows(artifacts::SELECT, [from, to], artifacts::read)
    }

    /// What people had or have to decide in a run.
    pub fn interventions(&self, run: &str) -> Result<Vec<InterventionRow>, StoreError> {
        let sql = "SELECT m.*, p.name AS task FROM manual_interventions m JOIN phases p ON p.id = m.phase_id \
                   WHERE m.id >= ?1 AND m.id < ?2 ORDER BY m.created_at, length(m.id), m.id";
        let (from, to) = of_run(run);
        self.rows(sql, [from, to], intervention_row)
    }

    /// A value of `orch:kv`.
    pub fn kv_read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM kv WHERE plugin = ?1 AND label = ?2 AND key = ?3";
        Ok(self.connection.query_row(sql, [plugin, label, key], |row| row.get(0)).optional()?)
    }

    /// Keys with that prefix after `after`, in the order of their bytes, at most [`KV_KEYS_MAX`].
    pub fn kv_keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT key FROM kv WHERE plugin = ?1 AND label = ?2 AND key >= ?3 \
                   AND substr(key, 1, length(?3)) = ?3 AND (?4 IS NULL OR key > ?4) ORDER BY key LIMIT ?5";
        self.rows(sql, params![plugin, label, prefix, after, KV_KEYS_MAX], |row| row.get(0))
    }

    /// Bytes of all keys and values of a plugin.
    pub fn kv_bytes(&self, plugin: &str) -> Result<u64, StoreError> {
        let sql = "SELECT ifnull(sum(octet_length(key) + octet_length(value)), 0) FROM kv WHERE plugin = ?1";
        let bytes: i64 = self.connection.query_row(sql, [plugin], |row| row.get(0))?;
        Ok(bytes.unsigned_abs())
    }

    /// A run as of its last event; of an unknown one nothing.
    pub fn state(&self, run: &str) -> Result<RunState, StoreError> {
        let mut state = RunState::default();
        for event in self.events(run) {
            let wrong = |source| StoreError::Replay { run: run.to_owned(), source };
            state.apply(&event?.1).map_err(wrong)?;
        }
        Ok(state)
    }

    /// Name of the workspace's stream, if something was written into it.
    pub fn stream(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT run FROM events WHERE run > ?1 AND run < ?2 LIMIT 1";
        let (from, to) = (format!("{WORKSPACE_STREAM}-"), format!("{WORKSPACE_STREAM}."));
        Ok(self.connection.query_row(sql, [from, to], |row| row.get(0)).optional()?)
    }

    /// Events of a run as they are stored, from that one on; not checked against the chain.
    pub fn raw_events(&self, run: &str, from: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let sql = "SELECT seq, bytes FROM events WHERE run = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        self.rows(sql, params![run, from, limit], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
        })
    }

    /// What the calls of a stream asked for and no run took in yet, oldest first: event, plugin, task.
    pub fn asked(&self, stream: &str) -> Result<Vec<(u64, String, AskedTask)>, StoreError> {
        let sql = "SELECT seq, plugin, task FROM asked WHERE stream = ?1 ORDER BY seq, nth";
        self.rows(sql, [stream], |row| {
            let task: String = row.get(2)?;
            let task = serde_json::from_str(&task).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error))
            })?;
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?, task))
        })
    }

    /// What this store knows of the tasks of that task file, whatever run that is of.
    pub fn known(&self, file: &str) -> Result<HashMap<String, Known>, StoreError> {
        let sql = "SELECT task, done, said_at, begun, put_back FROM known WHERE file = ?1";
        let known = self.rows(sql, [plain_name(file)], |row| {
            let number = |column| row.get(column).map(|number: Option<i64>| number.map(i64::unsigned_abs));
            let (done, said_at, begun) = (number(1)?, number(2)?, number(3)?);
            Ok((row.get(0)?, Known { done, said_at, begun, put_back: row.get(4)? }))
        })?;
        Ok(known.into_iter().collect())
    }

    /// What services asked of the host and it did not do yet, oldest first.
    pub fn acts(&self, stream: &str) -> Result<Vec<AskedAct>, StoreError> {
        let sql = "SELECT seq, plugin, token, act FROM acts WHERE stream = ?1 ORDER BY seq";
        self.rows(sql, [stream], |row| {
            let act: String = row.get(3)?;
            let act = serde_json::from_str(&act).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error))
            })?;
            let call = row.get::<_, i64>(0)?.unsigned_abs();
            Ok(AskedAct { call, plugin: row.get(1)?, token: row.get(2)?, act })
        })
    }

    /// What a task of that task file read and made when it was done last.
    pub fn mark(&self, file: &str, task: &str) -> Result<Option<Mark>, StoreError> {
        let sql = "SELECT mark FROM known WHERE file = ?1 AND task = ?2";
        let mark: Option<Option<String>> =
            self.connection.prepare(sql)?.query_row([plain_name(file), task], |row| row.get(0)).optional()?;
        // One that this host does not read is as good as none.
        Ok(mark.flatten().and_then(|mark| serde_json::from_str(&mark).ok()))
    }

    fn rows<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, StoreError> {
        Ok(self.connection.prepare(sql)?.query_map(values, read)?.collect::<Result<_, _>>()?)
    }
}

fn names(run: &str) -> RunNames {
    RunNames { id: run.to_owned(), key: run_key(run) }
}

/// First id and end of the ids of a run's rows.
fn of_run(run: &str) -> (String, String) {
    let key = run_key(run);
    (format!("{key}-"), format!("{key}."))
}

fn run_row(row: &Row<'_>) -> Result<RunRow, rusqlite::Error> {
    Ok(RunRow {
        id: row.get("id")?,
        task: row.get("task")?,
        status: row.get("status")?,
        created_at: row.get("created_at")?,
        started_at: row.get("started_at")?,
        completed_at: row.get("completed_at")?,
        metadata: of_json(row, "metadata")?,
    })
}

fn task_row(row: &Row<'_>) -> Result<TaskRow, rusqlite::Error> {
    Ok(TaskRow {
        place: row.get("place")?,
        id: row.get("name")?,
        description: row.get("description")?,
        kind: row.get("kind")?,
        status: row.get("status")?,
        dependencies: of_json(row, "dependencies")?,
        retries: row.get("retries")?,
        max_retries: row.get("max_retries")?,
        attempts: row.get("attempts")?,
        added_by: row.get("added_by")?,
        created_at: row.get("created_at")?,
        started_at: row.get("started_at")?,
        completed_at: row.get("completed_at")?,
    })
}

fn attempt_row(row: &Row<'_>) -> Result<AttemptRow, rusqlite::Error> {
    Ok(AttemptRow {
        attempt: row.get("attempt_number")?,
        status: row.get("status")?,
        output: row.get("output")?,
        error: row.get("error")?,
        log: row.get("log")?,
        started_at: row.get("started_at")?,
        completed_at: row.get("completed_at")?,
    })
}

fn finding_row(row: &Row<'_>) -> Result<FindingRow, rusqlite::Error> {
    Ok(FindingRow {
        severity: row.get("severity")?,
        category: row.get("category")?,
        message: row.get("message")?,
        location: row.get("location")?,
        resolved: row.get("resolved")?,
        plugin: row.get("plugin")?,
        task: row.get("task")?,
    })
}

fn intervention_row(row: &Row<'_>) -> Result<InterventionRow, rusqlite::Error> {
    Ok(InterventionRow {
        task: row.get("task")?,
        reason: row.get("reason")?,
        action_required: row.get("action_required")?,
        status: row.get("status")?,
        created_at: row.get("created_at")?,
        resolved_at: row.get("resolved_at")?,
    })
}
