//! How many events a second the store takes, beside a bare SQLite program that writes the same rows.
//!
//! In -> out: number of tasks, rounds -> events a second and their ratio, for groups of 1,000 and each level.
//! Both run in one process, in turns, on the same disk. The bare program gets its rows ready before its clock starts:
//! no JSON, no hash, no thread, the same tables, groups, pragmas and prepared statements.
//! Run it with `cargo run --release -p orch-journal --example rate -- 20000 3`.

use std::path::Path;
use std::time::{Duration, Instant};

use orch_journal::event::{AddedTask, AttemptFinished, Decision, Ending, Event, RunStarted, Writes};
use orch_journal::{JournalKeys, Level, Store, StoreOptions};
use orch_task::{Kind, Status, Task, TaskId};
use rusqlite::{Connection, params};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const RUN: &str = "run-1";
const GROUP: usize = 1000;
const AT: u64 = 1_700_000_000_000;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u32>().ok());
    let tasks = arguments.next().unwrap_or(20_000);
    let rounds = arguments.next().unwrap_or(3);
    let events = events(tasks)?;
    println!("{tasks} tasks, {} events, groups of {GROUP}, best of {rounds} rounds in turns", events.len());
    for level in [Level::Process, Level::Power] {
        let (mut ours, mut bare) = (Duration::MAX, Duration::MAX);
        for _ in 0..rounds {
            let folder = tempfile::tempdir()?;
            ours = ours.min(write_ours(folder.path(), events.clone(), level)?);
            let rows = BareRows::of(&folder.path().join("state.db"))?;
            bare = bare.min(rows.write(&folder.path().join("bare.db"), level)?);
        }
        let rate = |time: Duration| events.len() as f64 / time.as_secs_f64();
        println!(
            "{level:?}: store {:.0} events/s, bare SQLite {:.0} events/s, ratio {:.2}",
            rate(ours),
            rate(bare),
            rate(ours) / rate(bare)
        );
    }
    Ok(())
}

/// What a loop over no-op tasks appends: a decision, a start and an end for each.
fn events(tasks: u32) -> Outcome<Vec<Event>> {
    let (run, goal, durability, mac) = (RUN.to_owned(), "rate".to_owned(), "mixed".to_owned(), String::new());
    let started = RunStarted {
        run,
        goal,
        plugins: vec![],
        jobs: 1,
        durability,
        budget: 0,
        unsigned: false,
        at: AT,
        mac,
    };
    let added = (0..tasks).map(|nth| {
        let id = TaskId::parse(&format!("task-{nth}"))?;
        Ok(AddedTask { task: Task::new(id, Kind::shell()), status: Status::Pending, added_by: None })
    });
    let added = added.collect::<Outcome<_>>()?;
    let mut events = vec![
        Event::RunStarted(started),
        Event::TasksAdded { first: 0, tasks: added, at: AT },
        Event::SessionOpened { planner: "demo/planner-priority".to_owned(), restarted: false, at: AT },
    ];
    for task in 0..tasks {
        events.push(Event::Decided { slots: 1, decision: Decision::Start(vec![task]) });
        events.push(Event::AttemptStarted { task, attempt: 1, at: AT });
        events.push(Event::AttemptFinished(Box::new(AttemptFinished {
            task,
            attempt: 1,
            ending: Ending::Done { summary: "nothing to do".to_owned() },
            status: Status::Done,
            not_before: None,
            writes: Writes::default(),
            log: Some(format!("logs/task-{task}-20260101-000000-1.log")),
            at: AT,
        })));
    }
    Ok(events)
}

fn write_ours(folder: &Path, events: Vec<Event>, level: Level) -> Outcome<Duration> {
    let options = StoreOptions::new(JournalKeys { run_start: [1; 32], heads: [2; 32] });
    let store = Store::open(folder, options)?;
    let journal = store.journal(RUN)?;
    let begin = Instant::now();
    let mut wait = None;
    for (nth, event) in events.into_iter().enumerate() {
        let index = journal.append(event)?;
        if level == Level::Power && nth % GROUP == GROUP - 1 {
            // Each group is synced, as somebody asks for it; the next one fills meanwhile.
            wait = Some(journal.durable(index, level));
        }
    }
    drop(wait);
    journal.wait_durable(journal.events() - 1, level)?;
    let time = begin.elapsed();
    store.close()?;
    Ok(time)
}

/// Run, seq, position, prev, hash, bytes.
type EventRow = (String, i64, i64, Vec<u8>, Vec<u8>, Vec<u8>);

/// The rows that a store holds, ready to be written again.
struct BareRows {
    schema: Vec<String>,
    events: Vec<EventRow>,
    phases: Vec<(String, String, String)>,
}

impl BareRows {
    fn of(path: &Path) -> Outcome<Self> {
        let connection = Connection::open(path)?;
        let all = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL";
        let mut schema = connection.prepare(all)?;
        let schema = schema.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut events = connection.prepare("SELECT * FROM events ORDER BY seq")?;
        let events = events
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut phases = connection.prepare(
            "SELECT p.id, p.name, e.id FROM phases p JOIN executions e ON e.phase_id = p.id ORDER BY p.id",
        )?;
        let phases = phases
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        Ok(Self { schema, events, phases })
    }

    fn write(&self, path: &Path, level: Level) -> Outcome<Duration> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
        connection.pragma_update(None, "cache_size", -8192)?;
        let synchronous = if level == Level::Power { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        for sql in &self.schema {
            connection.execute_batch(sql)?;
        }
        let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
        let mut commit = connection.prepare("COMMIT")?;
        let mut event = connection.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let mut phase = connection
            .prepare(
                "INSERT INTO phases VALUES (?1, ?2, ?3, '', 'pending', '[]', 0, 0, 0, ?4, 'shell', NULL, ?5, NULL, NULL)",
            )
            ?;
        let mut done = connection
            .prepare("UPDATE phases SET status = 'done', attempts = 1, started_at = ?2, completed_at = ?2 WHERE id = ?1")
            ?;
        let mut execution = connection.prepare(
            "INSERT INTO executions VALUES (?1, ?2, ?3, 1, 'done', 'nothing to do', NULL, ?4, ?5, ?5)",
        )?;
        let at = "2023-11-14T22:13:20.000Z";
        let clock = Instant::now();
        for (nth, group) in self.events.chunks(GROUP).enumerate() {
            begin.execute([])?;
            if nth == 0 {
                for (place, (id, name, _)) in self.phases.iter().enumerate() {
                    phase.execute(params![id, RUN, name, place as i64, at])?;
                }
            }
            for (run, seq, position, prev, hash, bytes) in group {
                event.execute(params![run, seq, position, prev, hash, bytes])?;
            }
            // Three events end a task; the first three belong to the run.
            let from = (nth * GROUP).saturating_sub(3) / 3;
            let to = ((nth * GROUP + group.len()).saturating_sub(3) / 3).min(self.phases.len());
            for (task, (id, _, attempt)) in self.phases.iter().enumerate().take(to).skip(from) {
                let log = format!("logs/task-{task}-20260101-000000-1.log");
                done.execute(params![id, at])?;
                execution.execute(params![attempt, id, RUN, log, at])?;
            }
            commit.execute([])?;
        }
        Ok(clock.elapsed())
    }
}
