//! Derived rows: what they say, that they equal the fold of the events, and that they can be computed again.

use std::path::Path;

use orch_journal::artifacts::ArtifactRow;
use orch_journal::event::{
    Actor, AddedTask, AttemptFinished, Called, Ending, Event, FileChange, RunStatus, Writes,
};
use orch_journal::{Reader, RunState, db_check};
use orch_task::{Kind, Status, Task, TaskId};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::fixture::{
    RUN, attempt, done, ended, finding, finished, kv, metric, open, small_run, started, stored, tasks,
};

fn reader(folder: &Path) -> Reader {
    Reader::open(&folder.join("state")).unwrap()
}

fn failed(task: u32, number: u32, writes: Writes) -> Event {
    let ending = Ending::Failed { message: "no".to_owned(), retriable: true };
    Event::AttemptFinished(Box::new(AttemptFinished {
        writes,
        ..ended(task, number, ending, Status::Pending)
    }))
}

#[test]
fn a_run_and_its_tasks_and_attempts_are_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    events.extend([attempt(1, 1), failed(1, 1, Writes::default()), attempt(1, 2)]);
    stored(folder.path(), events);
    let reader = reader(folder.path());
    let run = reader.run(RUN).unwrap().unwrap();
    assert_eq!((run.task.as_str(), run.status.as_str()), ("goal", "executing"));
    assert_eq!(run.created_at, "2023-11-14T22:13:20.000Z");
    assert_eq!(run.started_at.as_deref(), Some("2023-11-14T22:13:20.050Z"));
    let tasks = reader.tasks(RUN).unwrap();
    assert_eq!((tasks[0].id.as_str(), tasks[0].status.as_str(), tasks[0].attempts), ("first", "done", 1));
    assert_eq!(tasks[0].completed_at.as_deref(), Some("2023-11-14T22:13:20.200Z"));
    assert_eq!((tasks[1].status.as_str(), tasks[1].attempts, tasks[1].retries), ("in_progress", 2, 1));
    let attempts = reader.attempts(RUN, 1).unwrap();
    assert_eq!(attempts.iter().map(|row| row.status.as_str()).collect::<Vec<_>>(), ["failed", "running"]);
    assert_eq!(attempts[0].error.as_deref(), Some("no"));
    assert_eq!(reader.latest_attempt_log(RUN, "second").unwrap().as_deref(), Some("logs/task-1-1.log"));
    assert_eq!(reader.latest_attempt_log(RUN, "none").unwrap(), None);
    let last = reader.last_attempts(RUN).unwrap();
    assert_eq!(last.keys().copied().collect::<Vec<_>>(), [0, 1]);
    assert_eq!((last[&0].status.as_str(), &last[&1]), ("done", &attempts[1]));
    // What is JSON in a column is JSON in a row, not a text that has it.
    let json = serde_json::to_value(&run).unwrap();
    assert_eq!(json["metadata"]["jobs"], 2, "{json}");
    assert_eq!(serde_json::to_value(&tasks[1]).unwrap()["dependencies"], serde_json::json!([]));
    assert_eq!(reader.task_counts(RUN).unwrap(), [("done".to_owned(), 1), ("in_progress".to_owned(), 1)]);
    assert!(!reader.waits_for_approval(RUN).unwrap());
}

#[test]
fn the_slowest_tasks_are_those_of_the_most_time_over_all_attempts() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    events.extend([attempt(1, 1), failed(1, 1, Writes::default()), attempt(1, 2)]);
    let slowest = |events: Vec<Event>, limit| {
        let folder = folder.path().join(events.len().to_string());
        stored(&folder, events);
        reader(&folder).slowest_tasks(RUN, limit).unwrap()
    };
    let (first, second) = ("first".to_owned(), "second".to_owned());
    // One that still runs counts when it is over.
    assert_eq!(slowest(events.clone(), 9), [(first.clone(), 100), (second.clone(), 100)]);
    events.push(failed(1, 2, Writes::default()));
    assert_eq!(slowest(events.clone(), 9), [(second.clone(), 200), (first, 100)]);
    events.push(attempt(1, 3));
    assert_eq!(slowest(events, 1), [(second, 200)]);
}

#[test]
fn an_ended_run_says_why_and_goes_on_when_a_host_attaches() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    events.push(finished(RunStatus::Failed));
    stored(folder.path(), events);
    let run = reader(folder.path()).run(RUN).unwrap().unwrap();
    assert_eq!((run.status.as_str(), run.completed_at.is_some()), ("failed", true));
    assert_eq!(run.metadata["why"], "nothing is left");
    let (store, journal) = open(folder.path());
    journal
        .append(Event::HostAttached {
            plugins: Vec::new(),
            pid: 1,
            start_ticks: 1,
            boot_id: String::new(),
            at: 5,
        })
        .unwrap();
    store.close().unwrap();
    let run = reader(folder.path()).run(RUN).unwrap().unwrap();
    assert_eq!(
        (run.status.as_str(), run.completed_at, run.metadata.get("why").is_some()),
        ("executing", None, false)
    );
}

#[test]
fn what_calls_left_is_kept_with_their_results() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    let writes =
        Writes { findings: vec![finding("f")], metrics: vec![metric("m", 0.1)], ..kv("p", "k", Some("hi")) };
    events.extend([attempt(1, 1), failed(1, 1, writes)]);
    events.push(Event::Called(Box::new(Called {
        call: "verify".to_owned(),
        plugin: "v".to_owned(),
        task: None,
        rerun: false,
        fault: None,
        writes: Writes { findings: vec![finding("g")], ..Writes::default() },
        asked: Vec::new(),
        token: None,
        at: 1,
    })));
    for (path, change, after, in_tree) in [
        ("src/a.py", FileChange::Written, Some("ab"), false),
        ("src/gone.py", FileChange::Removed, None, false),
        ("src/tree.py", FileChange::Written, Some("cd"), true),
    ] {
        let (by, path) = (Actor::Attempt { task: 1, attempt: 1 }, path.to_owned());
        let (after, size, at) = (after.map(str::to_owned), Some(3), Some(5));
        events.push(Event::FileWritten { by, path, change, before: None, after, size, in_tree, at });
    }
    stored(folder.path(), events);
    let reader = reader(folder.path());
    let findings = reader.findings(RUN).unwrap();
    let told: Vec<_> = findings
        .iter()
        .map(|row| (row.message.as_str(), row.task.as_deref(), row.plugin.as_deref()))
        .collect();
    assert_eq!(told, [("f", Some("second"), Some("p")), ("g", None, Some("v"))]);
    let metrics = reader.metrics(RUN).unwrap();
    assert_eq!((metrics[0].name.as_str(), metrics[0].value), ("m", 0.1));
    let artifacts = reader.artifacts(RUN).unwrap();
    assert_eq!((artifacts[0].name.as_str(), artifacts[0].task.as_deref()), ("a.py", Some("second")));
    let ArtifactRow { kind, size, created_at, .. } = &artifacts[0];
    assert_eq!((kind.as_str(), *size), ("file", Some(3)));
    assert_eq!(created_at.as_deref(), Some("1970-01-01T00:00:00.005Z"));
    assert_eq!(reader.kv_read("p", "notes", "k").unwrap(), Some(b"hi".to_vec()));
    assert_eq!(reader.kv_read("q", "notes", "k").unwrap(), None);
    assert_eq!(reader.kv_bytes("p").unwrap(), 3);
}

#[test]
fn keys_are_given_by_prefix_and_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    for (nth, (key, value)) in
        [("a", Some("")), ("ab", Some("")), ("b%", Some("")), ("ac", Some("")), ("ab", None)]
            .iter()
            .enumerate()
    {
        events.extend([attempt(1, nth as u32 + 1), failed(1, nth as u32 + 1, kv("p", key, *value))]);
    }
    stored(folder.path(), events);
    let reader = reader(folder.path());
    let keys = |prefix, after| reader.kv_keys("p", "notes", prefix, after).unwrap();
    assert_eq!(keys("", None), ["a", "ac", "b%"]);
    assert_eq!(keys("a", None), ["a", "ac"]);
    assert_eq!(keys("a", Some("a")), ["ac"]);
    assert_eq!(keys("%", None), Vec::<String>::new());
}

#[test]
fn what_waits_for_a_person_is_a_row_until_it_is_decided() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    let ending = Ending::InDoubt { code: "host-gone".to_owned(), message: "m".to_owned() };
    let doubt = Event::AttemptFinished(Box::new(ended(1, 1, ending, Status::InDoubt)));
    events.extend([attempt(1, 1), doubt]);
    stored(folder.path(), events);
    let open_one = &reader(folder.path()).interventions(RUN).unwrap()[0];
    assert_eq!((open_one.task.as_str(), open_one.reason.as_str()), ("second", "host-gone: m"));
    assert_eq!((open_one.action_required.as_str(), open_one.status.as_str()), ("resolve", "open"));
    let (store, journal) = open(folder.path());
    journal
        .append(Event::TaskMoved { task: 1, to: Status::Done, why: "seen".to_owned(), who: None, at: 9 })
        .unwrap();
    store.close().unwrap();
    assert_eq!(reader(folder.path()).interventions(RUN).unwrap()[0].status, "resolved");
}

#[test]
fn a_changed_derived_row_is_found_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    let writes = Writes { metrics: vec![metric("m", 1.0 / 3.0)], ..kv("p", "k", Some("hi")) };
    events.extend([attempt(1, 1), failed(1, 1, writes)]);
    stored(folder.path(), events);
    let state = folder.path().join("state");
    assert_eq!(db_check(&state, false).unwrap().differences, []);
    let sql =
        "UPDATE phases SET status = 'done'; DELETE FROM kv; INSERT INTO kv VALUES ('p', 'x', 'y', x'00')";
    Connection::open(state.join("state.db")).unwrap().execute_batch(sql).unwrap();
    let check = db_check(&state, false).unwrap();
    let told: Vec<_> = check.differences.iter().map(|one| (one.table, one.missing, one.extra)).collect();
    assert_eq!(told, [("phases", 1, 1), ("kv", 1, 1)]);
    assert!(!check.is_sound());
    assert!(db_check(&state, true).unwrap().rebuilt);
    assert_eq!(db_check(&state, false).unwrap().differences, []);
    assert_eq!(reader(folder.path()).kv_read("p", "notes", "k").unwrap(), Some(b"hi".to_vec()));
}

#[test]
fn a_broken_journal_is_never_rebuilt_from() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let state = folder.path().join("state");
    let sql =
        "PRAGMA foreign_keys = OFF; UPDATE events SET bytes = x'7b7d' WHERE seq = 2; DELETE FROM phases";
    Connection::open(state.join("state.db")).unwrap().execute_batch(sql).unwrap();
    assert_eq!(db_check(&state, true).unwrap_err().code(), "journal-broken");
    assert_eq!(reader(folder.path()).tasks(RUN).unwrap(), []);
}

#[test]
fn a_key_that_two_runs_wrote_is_rebuilt_as_the_later_commit_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let (old, new) = (store.journal("b-old").unwrap(), store.journal("a-new").unwrap());
    for (journal, run) in [(&old, "b-old"), (&new, "a-new")] {
        journal.append(Event::RunStarted(started(run))).unwrap();
        journal.append(tasks(0, &["t"])).unwrap();
    }
    for (journal, number, value) in [(&old, 1, "one"), (&new, 1, "two"), (&old, 2, "three")] {
        journal.append(attempt(0, number)).unwrap();
        let last = journal.append(failed(0, number, kv("p", "k", Some(value)))).unwrap();
        journal.wait_durable(last, orch_journal::Level::Process).unwrap();
    }
    store.close().unwrap();
    assert_eq!(reader(folder.path()).kv_read("p", "notes", "k").unwrap(), Some(b"three".to_vec()));
    let check = db_check(&folder.path().join("state"), false).unwrap();
    assert_eq!((check.differences.len(), check.events), (0, 10));
}

/// One thing that may happen next, in numbers that any state gives a meaning to.
type Step = (u8, u32, u8);

/// A valid list of events from any steps.
fn events_of(steps: &[Step]) -> Vec<Event> {
    let mut events = vec![Event::RunStarted(started(RUN))];
    let mut state = RunState::replay(&events).unwrap();
    for (at, (what, which, how)) in (1_u64..).zip(steps) {
        let count = state.tasks.len() as u32;
        let task = which % count.max(1);
        let status = Status::ALL[*how as usize % Status::ALL.len()];
        let found = state.tasks.get(task as usize);
        let event = match (what % 9, found) {
            (0, _) | (_, None) => {
                let added = (count..count + 1 + u32::from(how % 3)).map(|place| {
                    let mut task = Task::new(TaskId::parse(&format!("t{place}")).unwrap(), Kind::shell());
                    task.retries = u32::from(how % 4);
                    task.dependencies =
                        (0..place.min(2)).map(|on| TaskId::parse(&format!("t{on}")).unwrap()).collect();
                    AddedTask {
                        task,
                        status,
                        added_by: (how % 2 == 1).then(|| "p".to_owned()),
                        added_for: None,
                        env: None,
                    }
                });
                Event::TasksAdded { first: count, tasks: added.collect(), at }
            }
            (1, Some(found)) => Event::AttemptStarted { task, attempt: found.attempts + 1, at },
            (2, Some(found)) if found.attempts > 0 => {
                let message = "m".to_owned();
                let ending = match how % 5 {
                    0 => Ending::Done { summary: String::new() },
                    1 => Ending::Failed { message, retriable: true },
                    2 => Ending::InDoubt { code: "host-gone".to_owned(), message },
                    3 => Ending::InDoubt { code: "trap".to_owned(), message },
                    _ => Ending::Rerun { code: "host-gone".to_owned() },
                };
                let mut finished = ended(task, found.attempts, ending, status);
                if how % 7 == 0 {
                    finished.writes = Writes {
                        findings: vec![finding("f")],
                        ..kv("p", &format!("k{}", how % 3), Some("hi"))
                    };
                }
                Event::AttemptFinished(Box::new(finished))
            }
            (2 | 3, Some(_)) => Event::TaskMoved { task, to: status, why: "w".to_owned(), who: None, at },
            (4, Some(found)) => {
                let mut to = found.task.clone();
                to.description = format!("edited {at}");
                Event::TaskEdited { task, to: Box::new(to), env: None, at }
            }
            (5, Some(_)) => Event::SessionOpened { planner: "p".to_owned(), restarted: false, at },
            (6, Some(_)) => Event::HostAttached {
                plugins: Vec::new(),
                pid: 1,
                start_ticks: 1,
                boot_id: String::new(),
                at,
            },
            (7, Some(_)) => {
                finished([RunStatus::Completed, RunStatus::Failed, RunStatus::Waiting][*how as usize % 3])
            }
            _ => Event::IntentRecorded {
                by: Actor::Attempt { task, attempt: 1 },
                effect: "http".to_owned(),
                provided: None,
                spends: false,
                at,
            },
        };
        state.apply(&event).unwrap();
        events.push(event);
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stored_events_and_derived_rows_equal_the_live_state(
        steps in prop::collection::vec(any::<Step>(), 0..120),
        pauses in prop::collection::vec(0..120_usize, 0..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (store, journal) = open(folder.path());
        let mut live = RunState::default();
        for (nth, event) in events_of(&steps).into_iter().enumerate() {
            let event = match event {
                first @ Event::RunStarted(_) => journal.seal(first).unwrap(),
                event => event,
            };
            live.apply(&event).unwrap();
            let index = journal.append(event).unwrap();
            // Groups end at other places each time; the rows must not show it.
            if pauses.contains(&nth) {
                journal.wait_durable(index, orch_journal::Level::Process).unwrap();
            }
        }
        store.close().unwrap();
        let reader = reader(folder.path());
        let events: Vec<Event> = reader.events(RUN).map(|found| found.unwrap().1).collect();
        prop_assert_eq!(&RunState::replay(&events).unwrap(), &live);
        let run = reader.run(RUN).unwrap().unwrap();
        prop_assert_eq!(run.status.as_str(), live.status().as_str());
        let rows = reader.tasks(RUN).unwrap();
        prop_assert_eq!(rows.len(), live.tasks.len());
        for (row, task) in rows.iter().zip(&live.tasks) {
            prop_assert_eq!(row.id.as_str(), task.task.id.as_str());
            prop_assert_eq!(row.status.as_str(), task.status.as_str());
            prop_assert_eq!((row.attempts, row.retries), (task.attempts, task.failures));
            prop_assert_eq!((&row.description, &row.added_by), (&task.task.description, &task.added_by));
            prop_assert_eq!(row.max_retries, task.task.retries);
            prop_assert_eq!(row.completed_at.is_some(), task.status.is_final());
        }
        let majors = reader.findings(RUN).unwrap().len() as u32;
        prop_assert_eq!(majors, live.major);
        let check = db_check(&folder.path().join("state"), false).unwrap();
        prop_assert!(check.is_sound(), "{:?}", check);
    }
}

#[test]
fn a_task_that_was_done_is_done_again_only_with_a_new_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    events.push(Event::TaskMoved { task: 0, to: Status::Pending, why: "again".to_owned(), who: None, at: 5 });
    events.extend([attempt(0, 2), done(0, 2)]);
    stored(folder.path(), events);
    let reader = reader(folder.path());
    assert_eq!(reader.attempts(RUN, 0).unwrap().len(), 2);
    assert_eq!(reader.tasks(RUN).unwrap()[0].status, "done");
}
