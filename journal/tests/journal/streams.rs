//! What happens in a workspace beside its runs.

use orch_journal::event::{AskedAct, AskedTask, Called, Event, ServiceAct, StreamStarted, WORKSPACE_STREAM};
use orch_journal::{JournalKeys, Store, StoreOptions, audit_verify, db_check};
use orch_task::{Kind, TaskId};

use crate::fixture::{METRICS_OF_5, keys, kv, open, options, small_run, started};

fn begins(stream: &str) -> Event {
    Event::StreamStarted(StreamStarted { stream: stream.to_owned(), store: None, at: 1, mac: String::new() })
}

fn answered(key: &str, ids: &[&str]) -> Event {
    let asked = |id: &&str| AskedTask {
        id: Some(TaskId::parse(id).unwrap()),
        description: String::new(),
        kind: Kind::shell(),
        command: None,
        priority: 1,
        cost: 2,
        dependencies: Vec::new(),
        settings: serde_json::Map::new(),
    };
    Event::Called(Box::new(Called {
        call: "handle".to_owned(),
        plugin: "demo/x".to_owned(),
        task: None,
        rerun: false,
        fault: None,
        writes: kv("demo/x", key, Some("1")),
        asked: ids.iter().map(asked).collect(),
        token: Some("mine".to_owned()),
        at: 2,
    }))
}

#[test]
fn what_services_ask_of_the_host_waits_until_it_is_done_and_is_derived_from_events() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let stream = store.journal(WORKSPACE_STREAM).unwrap();
    let says = |act: ServiceAct| match answered("a", &[]) {
        Event::Called(mut called) => {
            called.writes.act = Some(act);
            Event::Called(called)
        }
        other => other,
    };
    let start = ServiceAct::Start {
        tasks: vec!["one".to_owned()],
        tags: Vec::new(),
        exclude: Vec::new(),
        fail_fast: true,
    };
    for event in [begins(WORKSPACE_STREAM), says(start.clone()), says(ServiceAct::Stop)] {
        stream.append(event).unwrap();
    }
    stream.wait_checkpoint().unwrap();
    let waiting = || store.reader().unwrap().acts(WORKSPACE_STREAM).unwrap();
    let asked =
        |call, act| AskedAct { call, plugin: "demo/x".to_owned(), token: Some("mine".to_owned()), act };
    assert_eq!(waiting(), [asked(1, start), asked(2, ServiceAct::Stop)]);
    stream.append(Event::ActsTaken { run: Some("run-1".to_owned()), until: 1, fault: None, at: 3 }).unwrap();
    stream.wait_checkpoint().unwrap();
    assert_eq!(waiting(), [asked(2, ServiceAct::Stop)]);
    store.close().unwrap();
    let check = db_check(&folder.path().join("state"), false).unwrap();
    assert!(check.is_sound() && check.events == 4, "{check:?}");
}

#[test]
fn what_services_ask_for_waits_until_a_run_takes_it_and_is_derived_from_events() {
    let folder = tempfile::tempdir().unwrap();
    let (store, run) = open(folder.path());
    let stream = store.journal(WORKSPACE_STREAM).unwrap();
    for event in [begins(WORKSPACE_STREAM), answered("a", &["one", "two"]), answered("b", &["three"])] {
        stream.append(event).unwrap();
    }
    run.append(Event::RunStarted(started("run-1"))).unwrap();
    stream.wait_checkpoint().unwrap();
    let waiting = || {
        let asked = store.reader().unwrap().asked(WORKSPACE_STREAM).unwrap();
        asked.into_iter().map(|(event, _, task)| (event, task.id.unwrap().to_string())).collect::<Vec<_>>()
    };
    assert_eq!(waiting(), [(1, "one".to_owned()), (1, "two".to_owned()), (2, "three".to_owned())]);
    stream.append(Event::TasksTaken { run: "run-1".to_owned(), until: 1, at: 3 }).unwrap();
    stream.wait_checkpoint().unwrap();
    assert_eq!(waiting(), [(2, "three".to_owned())]);
    let reader = store.reader().unwrap();
    let runs: Vec<String> = reader.runs().unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(runs, ["run-1"], "the stream is no run");
    assert_eq!(reader.kv_read("demo/x", "notes", "b").unwrap(), Some(b"1".to_vec()));
    run.wait_checkpoint().unwrap();
    store.close().unwrap();

    let state = folder.path().join("state");
    let check = db_check(&state, false).unwrap();
    assert!(check.is_sound() && check.events == 5, "{check:?}");
    let reader = orch_journal::Reader::open(&state).unwrap();
    let report = audit_verify(&reader, &keys(), options(folder.path()).heads_dir.as_deref()).unwrap();
    assert!(report.is_intact() && report.runs.len() == 2, "{report:?}");
}

#[test]
fn a_stream_begins_as_itself_and_is_this_hosts() {
    let folder = tempfile::tempdir().unwrap();
    let (store, run) = open(folder.path());
    let stream = store.journal(WORKSPACE_STREAM).unwrap();
    let code = |refused: Result<u64, orch_journal::JournalError>| refused.unwrap_err().to_string();
    assert!(code(stream.append(answered("a", &[]))).contains("called"));
    assert!(code(stream.append(begins("another"))).contains("stream_started"));
    assert!(code(run.append(begins(WORKSPACE_STREAM))).contains("stream_started"));
    stream.append(begins(WORKSPACE_STREAM)).unwrap();
    assert!(code(stream.append(begins(WORKSPACE_STREAM))).contains("stream_started"));
    stream.wait_checkpoint().unwrap();
    store.close().unwrap();
    let other = JournalKeys { run_start: [1; 32], heads: [1; 32] };
    let refused = Store::open(&folder.path().join("state"), StoreOptions::new(other)).unwrap_err();
    assert_eq!(refused.code(), "store-foreign", "{refused}");
}

#[test]
fn a_store_of_before_is_checked_as_it_is_and_brought_to_the_newest_version() {
    let folder = tempfile::tempdir().unwrap();
    let (store, run) = open(folder.path());
    for event in small_run() {
        run.append(event).unwrap();
    }
    run.wait_checkpoint().unwrap();
    store.close().unwrap();
    let state = folder.path().join("state");
    let older = rusqlite::Connection::open(state.join("state.db")).unwrap();
    older
        .execute_batch(&format!(
            "{METRICS_OF_5} DROP TABLE asked; DROP TABLE known; DROP TABLE task_files; DROP TABLE acts; \
             PRAGMA user_version = 1"
        ))
        .unwrap();
    drop(older);
    let check = db_check(&state, false).unwrap();
    assert!(check.is_sound() && check.events == 5, "{check:?}");
    let (store, _) = open(folder.path());
    assert_eq!(store.reader().unwrap().asked(WORKSPACE_STREAM).unwrap(), []);
    let done = store.reader().unwrap().known("tasks.yaml").unwrap().remove("first");
    assert!(done.is_some_and(|known| known.done > Some(0) && known.said_at.is_none()), "{done:?}");
    assert!(store.reader().unwrap().known("other.yml").unwrap().is_empty());
    store.close().unwrap();
    let check = db_check(&state, false).unwrap();
    assert!(check.is_sound() && check.differences.is_empty(), "{check:?}");
}
