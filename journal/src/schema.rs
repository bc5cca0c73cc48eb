//! The tables of the store, as SQL.
//!
//! In -> out: one batch of SQL for each version of the schema; [`text`] of what a file has.
//! Units: times as ISO 8601 text in UTC with milliseconds, as the seeds have them; digests as 32 raw bytes.
//! Invariant: `events`, `heads` and nothing else is the truth; every other table is derived (`projection.rs`).
//! Not here: in which order versions follow (`migration.rs`), the values (`projection.rs`, `writer.rs`).

use rusqlite::Connection;

/// Marks a SQLite file as ours: `Orch`.
pub(crate) const APPLICATION_ID: i32 = 0x4f72_6368;

/// Of each version, its new derived tables and their SQL, in the order in which they are compared and replaced.
pub(crate) const PROJECTIONS: &[(&[&str], &str)] = &[
    (&["runs", "phases", "executions", "findings", "artifacts", "manual_interventions", "kv"], PROJECTIONS_1),
    (&["asked"], PROJECTIONS_2),
    (&[], PROJECTIONS_3),
    (&["acts"], PROJECTIONS_4),
    (&["task_files", "known"], PROJECTIONS_5),
    (&["metrics"], PROJECTIONS_6),
];

/// `position` counts the events of all runs in the order of their commits: what two runs wrote to the same key
/// is settled by it.
pub(crate) const EVENTS_1: &str = "\
CREATE TABLE events (
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  prev BLOB NOT NULL,
  hash BLOB NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE heads (
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  mac BLOB NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
";

/// A phase is a task, an execution an attempt. `metrics` is replaced by version 6. Ids start with the run's key, so the rows of a run lie together.
pub(crate) const PROJECTIONS_1: &str = "\
CREATE TABLE runs (
  id TEXT NOT NULL PRIMARY KEY,
  task TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at TEXT NOT NULL,
  started_at TEXT,
  completed_at TEXT,
  metadata TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE phases (
  id TEXT NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  status TEXT NOT NULL,
  dependencies TEXT NOT NULL,
  retries INTEGER NOT NULL,
  max_retries INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  place INTEGER NOT NULL,
  kind TEXT NOT NULL,
  added_by TEXT,
  created_at TEXT NOT NULL,
  started_at TEXT,
  completed_at TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE executions (
  id TEXT NOT NULL PRIMARY KEY,
  phase_id TEXT NOT NULL REFERENCES phases(id),
  run_id TEXT NOT NULL REFERENCES runs(id),
  attempt_number INTEGER NOT NULL,
  status TEXT NOT NULL,
  output TEXT,
  error TEXT,
  log TEXT,
  started_at TEXT NOT NULL,
  completed_at TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE findings (
  id TEXT NOT NULL PRIMARY KEY,
  execution_id TEXT REFERENCES executions(id),
  run_id TEXT NOT NULL REFERENCES runs(id),
  severity TEXT NOT NULL,
  category TEXT NOT NULL,
  message TEXT NOT NULL,
  location TEXT,
  resolved INTEGER NOT NULL,
  resolved_at TEXT,
  plugin TEXT,
  phase_id TEXT REFERENCES phases(id)
) STRICT, WITHOUT ROWID;
CREATE TABLE artifacts (
  id TEXT NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  phase_id TEXT REFERENCES phases(id),
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER,
  hash TEXT NOT NULL,
  created_at TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE manual_interventions (
  id TEXT NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  phase_id TEXT NOT NULL REFERENCES phases(id),
  reason TEXT NOT NULL,
  action_required TEXT NOT NULL,
  status TEXT NOT NULL,
  resolved_at TEXT,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE metrics (
  id TEXT NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  plugin TEXT NOT NULL,
  name TEXT NOT NULL,
  value REAL NOT NULL,
  unit TEXT NOT NULL,
  attributes TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE kv (
  plugin TEXT NOT NULL,
  label TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (plugin, label, key)
) STRICT, WITHOUT ROWID;
";

/// Tasks that services asked for and no run took in yet; `task` is JSON.
pub(crate) const PROJECTIONS_2: &str = "\
CREATE TABLE asked (
  stream TEXT NOT NULL,
  seq INTEGER NOT NULL,
  nth INTEGER NOT NULL,
  plugin TEXT NOT NULL,
  task TEXT NOT NULL,
  PRIMARY KEY (stream, seq, nth)
) STRICT, WITHOUT ROWID;
";

/// Replaced by version 5.
pub(crate) const PROJECTIONS_3: &str = "\
CREATE TABLE marks (
  task TEXT NOT NULL PRIMARY KEY,
  mark TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What services asked of the host and it did not do yet; `act` is JSON. `turns` is replaced by version 5.
pub(crate) const PROJECTIONS_4: &str = "\
CREATE TABLE turns (
  task TEXT NOT NULL PRIMARY KEY,
  done INTEGER NOT NULL,
  said_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE acts (
  stream TEXT NOT NULL,
  seq INTEGER NOT NULL,
  plugin TEXT NOT NULL,
  token TEXT,
  act TEXT NOT NULL,
  PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;
";

/// The task file of each run, and what is known of each of its tasks, whatever run that is of. `done` is the position of the
/// event that says that it is (0: by its condition alone), `said_at` in milliseconds if that was somebody's word, not an
/// attempt's answer; `begun` the position of its last attempt's start or failure, if it was not done since; `put_back` says
/// that it waits only because what it depends on does; `mark` is what it read and made, as JSON.
pub(crate) const PROJECTIONS_5: &str = "\
DROP TABLE marks;
DROP TABLE turns;
CREATE TABLE task_files (
  run TEXT NOT NULL PRIMARY KEY,
  file TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE known (
  file TEXT NOT NULL,
  task TEXT NOT NULL,
  done INTEGER,
  said_at INTEGER,
  begun INTEGER,
  put_back INTEGER NOT NULL,
  mark TEXT,
  PRIMARY KEY (file, task)
) STRICT, WITHOUT ROWID;
";

/// Values that plugins measured: of whose attempt (or of which task that was looked at), when that was accepted, and in which
/// place of all events. Whoever asks for a name goes through its values from the newest on.
pub(crate) const PROJECTIONS_6: &str = "\
DROP TABLE metrics;
CREATE TABLE metrics (
  id TEXT NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  phase_id TEXT REFERENCES phases(id),
  plugin TEXT NOT NULL,
  name TEXT NOT NULL,
  value REAL NOT NULL,
  unit TEXT NOT NULL,
  attributes TEXT NOT NULL,
  recorded_at TEXT NOT NULL,
  position INTEGER NOT NULL,
  nth INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX metrics_by_name ON metrics (name, position, nth);
";

/// Everything that the file says about its own structure, in one order.
pub(crate) fn text(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let sql =
        "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || ifnull(sql, '') FROM main.sqlite_schema";
    let mut lines: Vec<String> =
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    lines.sort();
    Ok(lines)
}
