//! Stores and events for the tests.

use std::path::Path;

use orch_journal::event::{
    AddedTask, AttemptFinished, Ending, Event, Finding, Metric, RunStarted, RunStatus, Writes,
};
use orch_journal::{Journal, JournalKeys, Store, StoreOptions};
use orch_task::{Kind, Status, Task, TaskId};

pub(crate) const RUN: &str = "run-1";

pub(crate) fn keys() -> JournalKeys {
    JournalKeys { run_start: [7; 32], heads: [9; 32] }
}

/// Options with a folder for heads beside the store.
pub(crate) fn options(folder: &Path) -> StoreOptions {
    StoreOptions { heads_dir: Some(folder.join("heads")), ..StoreOptions::new(keys()) }
}

pub(crate) fn open(folder: &Path) -> (Store, Journal) {
    let store = Store::open(&folder.join("state"), options(folder)).unwrap();
    let journal = store.journal(RUN).unwrap();
    (store, journal)
}

pub(crate) fn started(run: &str) -> RunStarted {
    RunStarted {
        run: run.to_owned(),
        goal: "goal".to_owned(),
        goal_said: false,
        plugins: Vec::new(),
        jobs: 2,
        durability: "mixed".to_owned(),
        budget: 0,
        unsigned: false,
        texts: false,
        store: None,
        tasks: None,
        at: 1_700_000_000_000,
        mac: String::new(),
    }
}

pub(crate) fn added(id: &str) -> AddedTask {
    let task = Task::new(TaskId::parse(id).unwrap(), Kind::shell());
    AddedTask { task, status: Status::Pending, added_by: None, added_for: None, env: None }
}

pub(crate) fn tasks(first: u32, ids: &[&str]) -> Event {
    Event::TasksAdded { first, tasks: ids.iter().map(|id| added(id)).collect(), at: 1_700_000_000_001 }
}

pub(crate) fn attempt(task: u32, attempt: u32) -> Event {
    Event::AttemptStarted { task, attempt, at: 1_700_000_000_100 }
}

pub(crate) fn ended(task: u32, attempt: u32, ending: Ending, status: Status) -> AttemptFinished {
    AttemptFinished {
        task,
        attempt,
        ending,
        status,
        not_before: None,
        writes: Writes::default(),
        log: Some(format!("logs/task-{task}-{attempt}.log")),
        looked: Vec::new(),
        unkept: None,
        held: None,
        at: 1_700_000_000_200,
    }
}

pub(crate) fn done(task: u32, number: u32) -> Event {
    let ending = Ending::Done { summary: "well".to_owned() };
    Event::AttemptFinished(Box::new(ended(task, number, ending, Status::Done)))
}

pub(crate) fn finished(status: RunStatus) -> Event {
    Event::RunFinished {
        status,
        why: "nothing is left".to_owned(),
        notices: Vec::new(),
        at: 1_700_000_000_900,
    }
}

pub(crate) fn kv(plugin: &str, key: &str, value: Option<&str>) -> Writes {
    let value = value.map(|text| text.as_bytes().into());
    Writes {
        kv: [("notes".to_owned(), [(key.to_owned(), value)].into())].into(),
        plugin: plugin.to_owned(),
        ..Writes::default()
    }
}

pub(crate) fn finding(message: &str) -> Finding {
    Finding {
        severity: orch_journal::event::Severity::Major,
        category: orch_journal::event::Category::Test,
        message: message.to_owned(),
        location: Some("a.py:3".to_owned()),
    }
}

pub(crate) fn metric(name: &str, value: f64) -> Metric {
    Metric {
        name: name.to_owned(),
        value,
        unit: "ms".to_owned(),
        attributes: vec![("a".to_owned(), "b".to_owned())],
    }
}

/// A run of two tasks, one of them done, not finished.
pub(crate) fn small_run() -> Vec<Event> {
    vec![
        Event::RunStarted(started(RUN)),
        tasks(0, &["first", "second"]),
        Event::SessionOpened { planner: "p".to_owned(), restarted: false, at: 1_700_000_000_050 },
        attempt(0, 1),
        done(0, 1),
    ]
}

/// A closed store that holds these events of the usual run.
pub(crate) fn stored(folder: &Path, events: Vec<Event>) {
    let (store, journal) = open(folder);
    for event in events {
        journal.append(event).unwrap();
    }
    journal.wait_checkpoint().unwrap();
    store.close().unwrap();
}

/// What makes a store's metrics those of a host that kept neither their task nor their time: versions 1 to 5 of the schema.
pub(crate) const METRICS_OF_5: &str = "\
DROP TABLE metrics;
CREATE TABLE metrics (
  id TEXT NOT NULL PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  plugin TEXT NOT NULL,
  name TEXT NOT NULL,
  value REAL NOT NULL,
  unit TEXT NOT NULL,
  attributes TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";
