//! Runs that are taken out: what is left is sound, says what is gone, and nobody else's word can say so.

use std::collections::BTreeSet;
use std::path::Path;

use orch_journal::event::{Event, RunStatus, Who};
use orch_journal::prune::Prune;
use orch_journal::{AuditReport, Reader, Store, StoreError, audit_verify, db_check};
use rusqlite::Connection;

use crate::fixture::{attempt, ended, finished, keys, kv, metric, options, started, tasks};

const STREAM: &str = "workspace-1";

fn who() -> Who {
    Who { uid: 1000, pid: 1, program: "/bin/orch-host".to_owned(), token: None, plugin: None }
}

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("state"), options(folder)).unwrap()
}

fn audit(folder: &Path) -> AuditReport {
    let reader = Reader::open(&folder.join("state")).unwrap();
    audit_verify(&reader, &keys(), Some(&folder.join("heads"))).unwrap()
}

fn prune(folder: &Path, runs: &[String]) -> Result<(), orch_journal::prune::PruneError> {
    open(folder).prune(Prune { stream: STREAM, place: None, runs, who: who(), at: 1_700_000_001_000 })
}

fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |bound| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    }
}

/// A run that is over: two tasks, values under keys that other runs have too, one of them removed at times.
fn run(store: &Store, id: &str, file: &str, below: &mut impl FnMut(u64) -> u64) {
    use orch_journal::event::Ending;
    use orch_task::Status;
    let journal = store.journal(id).unwrap();
    let begun = orch_journal::event::RunStarted { tasks: Some(file.to_owned()), ..started(id) };
    let ids = ["first", "second"];
    journal.append(Event::RunStarted(begun)).unwrap();
    journal.append(tasks(0, &ids)).unwrap();
    for task in 0..2 {
        journal.append(attempt(task, 1)).unwrap();
        let (ending, status) = match below(4) {
            0 => (Ending::Failed { message: "no".to_owned(), retriable: false }, Status::Failed),
            _ => (Ending::Done { summary: "well".to_owned() }, Status::Done),
        };
        let mut over = ended(task, 1, ending, status);
        let value = (below(3) > 0).then_some("1");
        over.writes = kv("demo/x", &format!("k{}", below(5)), value);
        over.writes.metrics = vec![metric("a", 1.0)];
        journal.append(Event::AttemptFinished(Box::new(over))).unwrap();
    }
    journal.append(finished(RunStatus::Completed)).unwrap();
    journal.wait_checkpoint().unwrap();
}

/// All that later runs find of earlier ones.
fn shared(folder: &Path) -> String {
    let connection = Connection::open(folder.join("state/state.db")).unwrap();
    let mut text = String::new();
    for table in ["kv", "known"] {
        let mut rows = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|nth| format!("{:?}", row.get_ref(nth).unwrap()));
            text += &(values.collect::<Vec<_>>().join(" ") + "\n");
        }
    }
    text
}

#[test]
fn whatever_is_taken_out_the_rest_is_sound_and_knows_what_it_knew() {
    for seed in 1..=12u64 {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut below = numbers(seed * 0x9e37_79b9);
        let (mut left, mut gone): (BTreeSet<String>, BTreeSet<String>) = Default::default();
        for round in 0..3 {
            let store = open(folder);
            for nth in 0..below(4) {
                let (id, file) = (format!("run-{round}-{nth}"), format!("tasks{}.yml", below(2)));
                run(&store, &id, &file, &mut below);
                left.insert(id);
            }
            store.close().unwrap();
            let before = shared(folder);
            let (go, stay): (BTreeSet<String>, BTreeSet<String>) =
                left.iter().cloned().partition(|_| below(2) == 0);
            prune(folder, &go.iter().cloned().collect::<Vec<_>>()).unwrap();
            left = stay;
            gone.extend(go);

            assert_eq!(shared(folder), before, "seed {seed}, round {round}");
            let check = db_check(&folder.join("state"), false).unwrap();
            assert!(check.is_sound(), "seed {seed}, round {round}: {check:?}");
            let report = audit(folder);
            assert!(report.is_intact(), "seed {seed}, round {round}: {report:?}");
            assert_eq!(report.pruned.iter().cloned().collect::<BTreeSet<_>>(), gone);
            let reader = Reader::open(&folder.join("state")).unwrap();
            let runs: BTreeSet<String> = reader.runs().unwrap().into_iter().map(|run| run.id).collect();
            assert_eq!(runs, left);
            for run in &gone {
                assert!(reader.metrics(run).unwrap().is_empty() && reader.tasks(run).unwrap().is_empty());
                assert!(!folder.join(format!("heads/{run}.json")).exists());
            }
        }
    }
}

#[test]
fn a_store_gives_its_room_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut below = numbers(7);
    let ids: Vec<String> = (0..60).map(|nth| format!("run-{nth}")).collect();
    ids.iter().for_each(|id| run(&store, id, "tasks.yml", &mut below));
    store.close().unwrap();
    let size = || folder.path().join("state/state.db").metadata().unwrap().len();
    let before = size();
    prune(folder.path(), &ids[..59]).unwrap();
    assert!(size() * 2 < before, "{before} bytes became {}", size());
    assert!(audit(folder.path()).is_intact());
}

#[test]
fn a_run_that_is_not_what_it_was_is_not_taken_out_and_nothing_else_is() {
    for (what, code) in [
        ("UPDATE events SET bytes = x'7b7d' WHERE run = 'run-2' AND seq = 1", "journal-broken"),
        ("DELETE FROM events WHERE run = 'run-2' AND seq = 6", "journal-truncated"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut below = numbers(3);
        ["run-1", "run-2"].iter().for_each(|id| run(&store, id, "tasks.yml", &mut below));
        store.close().unwrap();
        Connection::open(folder.path().join("state/state.db")).unwrap().execute_batch(what).unwrap();
        let refused = prune(folder.path(), &["run-1".to_owned(), "run-2".to_owned()]).unwrap_err();
        let orch_journal::prune::PruneError::Store(error) = refused else { panic!("{refused}") };
        assert_eq!(StoreError::code(&error), code, "{error}");
        let reader = Reader::open(&folder.path().join("state")).unwrap();
        assert_eq!((reader.runs().unwrap().len(), reader.stream().unwrap()), (2, None));
    }
}

#[test]
fn who_has_not_this_hosts_key_cannot_say_that_a_run_was_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = open(folder);
    let mut below = numbers(5);
    ["run-1", "run-2"].iter().for_each(|id| run(&store, id, "tasks.yml", &mut below));
    store.close().unwrap();
    // The head that lies in the store is of this host's key, and a good one.
    let connection = Connection::open(folder.join("state/state.db")).unwrap();
    let head = connection
        .query_row("SELECT seq, hash, mac FROM heads WHERE run = 'run-1' ORDER BY seq DESC", [], |row| {
            let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), hex(row.get(1)?), hex(row.get(2)?)))
        })
        .unwrap();
    let kept = std::fs::read(folder.join("heads/run-1.json")).unwrap();
    {
        let again = tempfile::tempdir().unwrap();
        let again = again.path();
        std::fs::create_dir_all(again.join("state")).unwrap();
        std::fs::create_dir_all(again.join("heads")).unwrap();
        std::fs::copy(folder.join("state/state.db"), again.join("state/state.db")).unwrap();
        let (seq, hash, mac) = head;
        let forged = orch_journal::event::PrunedRun { run: "run-1".to_owned(), seq, hash, mac };
        let store = open(again);
        let stream = store.journal(STREAM).unwrap();
        let begins = orch_journal::event::StreamStarted {
            stream: STREAM.to_owned(),
            store: None,
            at: 1,
            mac: String::new(),
        };
        stream.append(Event::StreamStarted(begins)).unwrap();
        let pruned = orch_journal::event::RunsPruned {
            runs: vec![forged],
            kv: Vec::new(),
            known: Vec::new(),
            who: who(),
            at: 2,
        };
        stream.append(Event::RunsPruned(Box::new(pruned))).unwrap();
        stream.wait_checkpoint().unwrap();
        store.close().unwrap();
        let codes: Vec<&str> = audit(again).faults().map(|fault| fault.code).collect();
        assert!(codes.contains(&"head-forged") && codes.contains(&"position-repeated"), "{codes:?}");
    }
    // And one that is gone without a word is missed.
    connection
        .execute_batch("DELETE FROM events WHERE run = 'run-1'; DELETE FROM heads WHERE run = 'run-1'")
        .unwrap();
    assert!(!kept.is_empty());
    assert!(audit(folder).faults().any(|fault| fault.code == "journal-missing"));
}
