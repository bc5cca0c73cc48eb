index metrics_by_name metrics CREATE INDEX metrics_by_name ON metrics (name, position, nth)

table acts acts CREATE TABLE acts (
  stream TEXT NOT NULL,
  seq INTEGER NOT NULL,
  plugin TEXT NOT NULL,
  token TEXT,
  act TEXT NOT NULL,
  PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID

table artifacts artifacts CREATE TABLE artifacts (
  id TEXT NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  phase_id TEXT REFERENCES phases(id),
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER,
  hash TEXT NOT NULL,
  created_at TEXT
) STRICT, WITHOUT ROWID

table asked asked CREATE TABLE asked (
  stream TEXT NOT NULL,
  seq INTEGER NOT NULL,
  nth INTEGER NOT NULL,
  plugin TEXT NOT NULL,
  task TEXT NOT NULL,
  PRIMARY KEY (stream, seq, nth)
) STRICT, WITHOUT ROWID

table events events CREATE TABLE events (
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  prev BLOB NOT NULL,
  hash BLOB NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID

table executions executions CREATE TABLE executions (
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
) STRICT, WITHOUT ROWID

table findings findings CREATE TABLE findings (
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
) STRICT, WITHOUT ROWID

table heads heads CREATE TABLE heads (
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  mac BLOB NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID

table known known CREATE TABLE known (
  file TEXT NOT NULL,
  task TEXT NOT NULL,
  done INTEGER,
  said_at INTEGER,
  begun INTEGER,
  put_back INTEGER NOT NULL,
  mark TEXT,
  PRIMARY KEY (file, task)
) STRICT, WITHOUT ROWID

table kv kv CREATE TABLE kv (
  plugin TEXT NOT NULL,
  label TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (plugin, label, key)
) STRICT, WITHOUT ROWID

table manual_interventions manual_interventions CREATE TABLE manual_interventions (
  id TEXT NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  phase_id TEXT NOT NULL REFERENCES phases(id),
  reason TEXT NOT NULL,
  action_required TEXT NOT NULL,
  status TEXT NOT NULL,
  resolved_at TEXT,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID

table metrics metrics CREATE TABLE metrics (
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
) STRICT, WITHOUT ROWID

table phases phases CREATE TABLE phases (
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
) STRICT, WITHOUT ROWID

table runs runs CREATE TABLE runs (
  id TEXT NOT NULL PRIMARY KEY,
  task TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at TEXT NOT NULL,
  started_at TEXT,
  completed_at TEXT,
  metadata TEXT NOT NULL
) STRICT, WITHOUT ROWID

table task_files task_files CREATE TABLE task_files (
  run TEXT NOT NULL PRIMARY KEY,
  file TEXT NOT NULL
) STRICT, WITHOUT ROWID
