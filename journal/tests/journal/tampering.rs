//! What somebody with a SQLite tool can do to a store, and what `audit verify` says to it.

use std::path::Path;

use orch_journal::event::{Event, RunStatus};
use orch_journal::{AuditReport, Reader, audit_verify, missing_runs};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use crate::fixture::{RUN, finished, keys, small_run, started, stored, tasks};

fn audit(folder: &Path) -> AuditReport {
    let reader = Reader::open(&folder.join("state")).unwrap();
    audit_verify(&reader, &keys(), Some(&folder.join("heads"))).unwrap()
}

fn codes(folder: &Path) -> Vec<&'static str> {
    audit(folder).faults().map(|fault| fault.code).collect()
}

fn change(folder: &Path, sql: &str) -> Connection {
    let connection = Connection::open(folder.join("state/state.db")).unwrap();
    connection.execute_batch(sql).unwrap();
    connection
}

#[test]
fn an_untouched_journal_passes_and_its_head_is_named() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let report = audit(folder.path());
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.runs[0].events, report.runs[0].kept_head, report.runs[0].heads), (5, Some(4), 1));
}

#[test]
fn every_changed_byte_of_every_event_is_found() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let path = folder.path().join("state/state.db");
    let connection = Connection::open(&path).unwrap();
    let mut tried = 0;
    for (column, kind) in [("run", "TEXT"), ("prev", "BLOB"), ("hash", "BLOB"), ("bytes", "BLOB")] {
        for seq in 0..5 {
            let read = format!("SELECT CAST({column} AS BLOB) FROM events WHERE run = ?1 AND seq = ?2");
            let bytes: Vec<u8> = connection.query_row(&read, params![RUN, seq], |row| row.get(0)).unwrap();
            for place in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[place] ^= 1;
                let write =
                    format!("UPDATE events SET {column} = CAST(?1 AS {kind}) WHERE run = ?2 AND seq = ?3");
                connection.execute(&write, params![changed, RUN, seq]).unwrap();
                assert!(!audit(folder.path()).is_intact(), "{column} of {seq}, byte {place}");
                let back = format!(
                    "UPDATE events SET {column} = CAST(?1 AS {kind}) WHERE CAST(run AS BLOB) IN (?2, ?4) AND seq = ?3"
                );
                let name = if column == "run" { changed.clone() } else { RUN.as_bytes().to_vec() };
                assert_eq!(connection.execute(&back, params![bytes, RUN.as_bytes(), seq, name]).unwrap(), 1);
                tried += 1;
            }
        }
    }
    for column in ["seq", "position"] {
        for seq in 0..5 {
            for bit in [0, 1, 2, 8, 40, 62] {
                let write = format!(
                    "UPDATE events SET {column} = (({column} | ?1) - ({column} & ?1)) WHERE seq = ?2"
                );
                if connection.execute(&write, params![1_i64 << bit, seq]).is_err() {
                    continue; // the number is another event's
                }
                assert!(!audit(folder.path()).is_intact(), "{column} of {seq}, bit {bit}");
                let now = if column == "seq" { seq ^ (1_i64 << bit) } else { seq };
                connection
                    .execute(
                        &write.replace("WHERE seq = ?2", &format!("WHERE seq = {now} AND ?2 = ?2")),
                        params![1_i64 << bit, seq],
                    )
                    .unwrap();
                tried += 1;
            }
        }
    }
    assert!(audit(folder.path()).is_intact());
    assert!(tried > 1000, "{tried}");
}

#[test]
fn a_missing_event_is_found_wherever_it_was() {
    for seq in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        stored(folder.path(), small_run());
        change(folder.path(), &format!("DELETE FROM events WHERE seq = {seq}"));
        let expected = if seq == 4 { "journal-truncated" } else { "journal-broken" };
        assert!(codes(folder.path()).contains(&expected), "{seq}: {:?}", codes(folder.path()));
    }
}

#[test]
fn a_journal_without_any_event_left_is_truncated() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    change(folder.path(), "DELETE FROM events");
    assert_eq!(codes(folder.path()), ["journal-truncated"]);
}

/// Chains a changed list of events anew, as somebody would who knows how.
fn rechain(folder: &Path, events: &[Event]) {
    let connection = change(folder, "DELETE FROM events");
    let mut prev: [u8; 32] = Sha256::digest(RUN.as_bytes()).into();
    for (seq, event) in events.iter().enumerate() {
        let bytes = serde_json::to_vec(event).unwrap();
        let hash: [u8; 32] = Sha256::new().chain_update(prev).chain_update(&bytes).finalize().into();
        let values = params![RUN, seq as i64, prev, hash, bytes];
        connection.execute("INSERT INTO events VALUES (?1, ?2, ?2, ?3, ?4, ?5)", values).unwrap();
        prev = hash;
    }
}

fn stored_events(folder: &Path) -> Vec<Event> {
    let reader = Reader::open(&folder.join("state")).unwrap();
    reader.events(RUN).map(|found| found.unwrap().1).collect()
}

#[test]
fn a_history_that_was_rewritten_with_right_hashes_is_found_by_its_heads() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let mut events = stored_events(folder.path());
    events[1] = tasks(0, &["other", "second"]);
    rechain(folder.path(), &events);
    // Once by the head in the store, once by the one that the operator keeps.
    assert_eq!(codes(folder.path()), ["journal-rewritten", "journal-rewritten"]);
    change(folder.path(), "DELETE FROM heads");
    assert_eq!(codes(folder.path()), ["journal-rewritten"]);
}

#[test]
fn a_shorter_history_with_right_hashes_is_found_by_the_kept_head() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    events.push(finished(RunStatus::Completed));
    stored(folder.path(), events);
    change(folder.path(), "DELETE FROM events WHERE seq = 5; DELETE FROM heads");
    assert_eq!(codes(folder.path()), ["journal-truncated"]);
}

#[test]
fn a_run_of_another_host_is_named() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let reader = Reader::open(&folder.path().join("state")).unwrap();
    let mut other = keys();
    other.run_start = [1; 32];
    let report = audit_verify(&reader, &other, None).unwrap();
    assert_eq!(report.faults().map(|fault| fault.code).collect::<Vec<_>>(), ["run-foreign"]);
    other = keys();
    other.heads = [1; 32];
    let report = audit_verify(&reader, &other, Some(&folder.path().join("heads"))).unwrap();
    assert_eq!(report.faults().map(|fault| fault.code).collect::<Vec<_>>(), ["head-forged", "head-forged"]);
}

#[test]
fn a_made_up_start_has_no_mac() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let mut events = stored_events(folder.path());
    events[0] = Event::RunStarted(orch_journal::event::RunStarted { budget: 5, ..started(RUN) });
    rechain(folder.path(), &events);
    change(folder.path(), "DELETE FROM heads");
    assert_eq!(codes(folder.path()), ["run-foreign", "journal-rewritten"]);
}

#[test]
fn a_head_of_another_run_or_of_nobody_is_no_head() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let kept = folder.path().join("heads/run-1.json");
    let text = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(&kept, text.replace("run-1", "run-2")).unwrap();
    assert_eq!(codes(folder.path()), ["head-forged"]);
    std::fs::write(&kept, text.replace("\"seq\":4", "\"seq\":3")).unwrap();
    assert_eq!(codes(folder.path()), ["head-forged"]);
    std::fs::write(&kept, "{}").unwrap();
    assert_eq!(codes(folder.path()), ["head-forged"]);
}

#[test]
fn a_run_that_was_taken_out_whole_and_a_store_that_is_gone_are_missed() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path(), small_run());
    let (state, heads) = (folder.path().join("state"), folder.path().join("heads"));
    let missing = |known: &[&str], place: &Path| -> Vec<&'static str> {
        missing_runs(place, &keys(), &heads, known).unwrap().iter().map(|fault| fault.code).collect()
    };
    assert!(missing(&[RUN], &state).is_empty());
    assert_eq!(missing(&[], &state), ["journal-missing"]);
    assert_eq!(missing(&[], &folder.path().join("./state/")), ["journal-missing"]);
    assert!(missing(&[], &folder.path().join("other")).is_empty(), "it is another store's");

    // The run is taken out of the store, and nothing there speaks of it.
    change(folder.path(), "DELETE FROM events; DELETE FROM heads;");
    assert!(codes(folder.path()).contains(&"journal-missing"), "{:?}", codes(folder.path()));

    // A head that names another store, or this one without this host's key, is no proof.
    let path = heads.join(format!("{RUN}.json"));
    let head: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let mut forged = head.clone();
    forged["seq"] = 9.into();
    std::fs::write(&path, forged.to_string()).unwrap();
    assert_eq!(missing(&[], &state), ["head-forged"]);
    std::fs::write(&path, "not a head").unwrap();
    assert!(missing(&[], &state).is_empty());
    std::fs::remove_dir_all(&heads).unwrap();
    assert!(missing(&[], &state).is_empty());
}
