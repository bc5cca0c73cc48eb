//! Who may open a store, and which stores are refused.

use orch_journal::event::{Event, RunStatus};
use orch_journal::{Reader, Store, StoreError, StoreOptions};
use rusqlite::Connection;

use crate::fixture::{RUN, finished, keys, open, options, small_run, started, stored};

#[test]
fn what_was_appended_is_read_back_by_the_next_host() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let reader = Reader::open(&folder.path().join("state")).unwrap();
    let events: Vec<_> = reader.events(RUN).collect::<Result<_, _>>().unwrap();
    let (store, journal) = open(folder.path());
    let mut expected = small_run();
    expected[0] = journal.seal(Event::RunStarted(started(RUN))).unwrap();
    assert_eq!(events, (0..).zip(expected).collect::<Vec<_>>());
    assert_eq!(journal.events(), 5);
    assert_eq!(journal.append(finished(RunStatus::Completed)).unwrap(), 5);
    store.close().unwrap();
    assert_eq!(reader.event_count(RUN).unwrap(), 6);
    assert_eq!(reader.open_run().unwrap(), None);
}

#[test]
fn a_held_store_is_refused_with_the_pid_and_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    for event in small_run() {
        journal.append(event).unwrap();
    }
    journal.wait_durable(4, orch_journal::Level::Process).unwrap();
    let refusal = Store::open(&folder.path().join("state"), options(folder.path())).unwrap_err();
    assert_eq!(refusal.to_string(), format!("store is held by process {}", std::process::id()));
    assert!(matches!(refusal, StoreError::Held { pid: Some(_) }));
    let reader = Reader::open(&folder.path().join("state")).unwrap();
    assert_eq!(reader.open_run().unwrap().as_deref(), Some(RUN));
    assert_eq!(reader.tasks(RUN).unwrap().len(), 2);
}

#[test]
fn a_store_of_another_host_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let mut other = StoreOptions::new(keys());
    other.keys.run_start = [8; 32];
    let refusal = Store::open(&folder.path().join("state"), other).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.to_string().as_str()),
        ("store-foreign", "run `run-1` was not begun by this host")
    );
    open(folder.path()).0.close().unwrap();
}

#[test]
fn a_store_of_a_newer_host_is_refused_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let path = folder.path().join("state/state.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let before = std::fs::read(&path).unwrap();
    for refusal in [
        Store::open(&folder.path().join("state"), options(folder.path())).unwrap_err(),
        Reader::open(&folder.path().join("state")).unwrap_err(),
    ] {
        assert_eq!(refusal.to_string(), "store has schema version 9, this host supports up to 6");
        assert_eq!(refusal.code(), "store-newer-version");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_store_with_a_trigger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let sql = "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM events; END";
    Connection::open(folder.path().join("state/state.db")).unwrap().execute_batch(sql).unwrap();
    let refusal = Store::open(&folder.path().join("state"), options(folder.path())).unwrap_err();
    assert_eq!(refusal.code(), "store-foreign-schema");
}

#[test]
fn a_link_in_the_place_of_the_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let path = folder.path().join("state/state.db");
    std::fs::rename(&path, folder.path().join("elsewhere.db")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere.db"), &path).unwrap();
    let refusal = Store::open(&folder.path().join("state"), options(folder.path())).unwrap_err();
    assert_eq!(refusal.code(), "store-odd-file");
}

#[test]
fn bytes_that_are_no_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    std::fs::write(folder.path().join("state/state.db"), vec![b'x'; 5000]).unwrap();
    let refusal = Store::open(&folder.path().join("state"), options(folder.path())).unwrap_err();
    assert_eq!(refusal.code(), "store-foreign-schema");
}

#[test]
fn reading_needs_a_store() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Reader::open(folder.path()).unwrap_err().code(), "store-missing");
    assert!(!folder.path().join("state.db").exists());
}

#[test]
fn a_run_that_was_cut_behind_its_head_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let path = folder.path().join("state/state.db");
    Connection::open(path).unwrap().execute("DELETE FROM events WHERE seq = 4", []).unwrap();
    let refusal = Store::open(&folder.path().join("state"), options(folder.path())).unwrap_err();
    assert_eq!(refusal.code(), "journal-truncated");
    assert_eq!(refusal.to_string(), "journal of run `run-1` has 4 events, its kept head names event 4");
}

#[test]
fn run_ids_stay_inside_the_folder_of_heads() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _journal) = open(folder.path());
    for id in ["", "..", ".hidden", "a/b", "a b", "ü", &"x".repeat(65)] {
        assert_eq!(store.journal(id).unwrap_err().code(), "run-id-invalid", "{id}");
    }
    store.journal(&"x".repeat(64)).unwrap();
}

#[test]
fn a_store_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    for name in ["state/state.db", "state/lock", "heads/run-1.json"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
