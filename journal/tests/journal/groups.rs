//! When groups close, what waiting means, and the end of a store that cannot be written.

use std::time::{Duration, Instant};

use orch_journal::event::{Event, RunStatus};
use orch_journal::{JournalError, Level, Reader, Store, StoreOptions};

use crate::fixture::{RUN, attempt, done, finished, kv, metric, open, options, small_run, started, tasks};

fn warned(text: &str) -> Event {
    Event::Warned { code: "code".to_owned(), text: text.to_owned() }
}

fn waits_until(what: &str, mut seen: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !seen() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_micros(200));
    }
    begin.elapsed()
}

#[test]
fn an_event_is_committed_soon_though_nobody_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    let reader = Reader::open(&folder.path().join("state")).unwrap();
    journal.append(Event::RunStarted(started(RUN))).unwrap();
    waits_until("the group is 5 ms old", || reader.event_count(RUN).unwrap() == 1);
}

#[test]
fn an_acknowledged_event_is_seen_by_every_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    let reader = Reader::open(&folder.path().join("state")).unwrap();
    journal.append(Event::RunStarted(started(RUN))).unwrap();
    for nth in 1..200_u64 {
        let index = journal.append(warned("x")).unwrap();
        assert_eq!(index, nth);
        journal.wait_durable(index, Level::Process).unwrap();
        assert!(reader.event_count(RUN).unwrap() > index);
    }
}

#[test]
fn power_is_waited_for_also_after_a_lesser_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    let log = folder.path().join("state/state.db-wal");
    let length = || std::fs::metadata(&log).map_or(0, |found| found.len());
    let index = journal.append(Event::RunStarted(started(RUN))).unwrap();
    journal.wait_durable(index, Level::Process).unwrap();
    let before = length();
    journal.wait_durable(index, Level::Power).unwrap();
    // The commit that syncs the log leaves a page of its own.
    let synced = length();
    assert!(synced > before, "{synced} > {before}");
    // What is durable at power is so at both levels, and asks the disk no more.
    journal.wait_durable(index, Level::Power).unwrap();
    journal.wait_durable(index, Level::Process).unwrap();
    assert_eq!(length(), synced);
}

#[test]
fn many_threads_wait_and_each_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal) = open(folder.path());
    journal.append(Event::RunStarted(started(RUN))).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = journal.clone();
            scope.spawn(move || {
                for nth in 0..50 {
                    let index = journal.append(warned(&format!("{thread} {nth}"))).unwrap();
                    let level = if nth % 10 == thread { Level::Power } else { Level::Process };
                    journal.wait_durable(index, level).unwrap();
                }
            });
        }
    });
    let reader = store.reader().unwrap();
    assert_eq!(reader.events(RUN).map(Result::unwrap).count(), 401);
}

#[test]
fn a_burst_larger_than_the_queue_is_taken_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal) = open(folder.path());
    journal.append(Event::RunStarted(started(RUN))).unwrap();
    let mut last = 0;
    for nth in 0..30_000 {
        last = journal.append(warned(&format!("{nth}"))).unwrap();
    }
    store.close().unwrap();
    let reader = Reader::open(&folder.path().join("state")).unwrap();
    assert_eq!(reader.event_count(RUN).unwrap(), last + 1);
    assert_eq!(reader.events(RUN).map(Result::unwrap).count() as u64, last + 1);
}

#[test]
fn an_async_wait_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let index = journal.append(Event::RunStarted(started(RUN))).unwrap();
        journal.durable(index, Level::Process).await.unwrap();
        journal.checkpoint().await.unwrap();
    });
    assert!(folder.path().join("heads/run-1.json").exists());
}

#[test]
fn the_end_of_a_run_is_signed_without_being_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    for event in small_run() {
        journal.append(event).unwrap();
    }
    let index = journal.append(finished(RunStatus::Completed)).unwrap();
    journal.wait_durable(index, Level::Process).unwrap();
    let kept = std::fs::read_to_string(folder.path().join("heads/run-1.json")).unwrap();
    assert!(kept.contains("\"seq\":5"), "{kept}");
}

#[test]
fn waiting_for_an_event_that_nobody_appended_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    let error = journal.wait_durable(0, Level::Process).unwrap_err();
    assert_eq!(error.to_string(), "run `run-1` has 0 events, there is no event 0 to wait for");
    journal.wait_checkpoint().unwrap();
}

#[test]
fn a_run_begins_with_its_own_start_and_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    for event in [warned("x"), Event::RunStarted(started("other"))] {
        assert_eq!(journal.append(event).unwrap_err().code(), "journal-out-of-place");
    }
    journal.append(Event::RunStarted(started(RUN))).unwrap();
    assert_eq!(journal.append(Event::RunStarted(started(RUN))).unwrap_err().code(), "journal-out-of-place");
    assert_eq!(journal.append(warned("x")).unwrap(), 1);
}

#[test]
fn what_could_not_be_read_back_is_refused_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal) = open(folder.path());
    for event in small_run() {
        journal.append(event).unwrap();
    }
    let with = |writes| {
        let mut event = done(1, 1);
        if let Event::AttemptFinished(finished) = &mut event {
            finished.writes = writes;
        }
        event
    };
    let infinite =
        orch_journal::event::Writes { metrics: vec![metric("m", f64::INFINITY)], ..Default::default() };
    // Also of what a provider wrote that it asked.
    let provided =
        orch_journal::event::Writes { provided: vec![infinite.clone()], ..kv("p", "k", Some("1")) };
    for writes in [infinite, provided] {
        assert_eq!(journal.append(with(writes)).unwrap_err().code(), "metric-not-finite");
    }
    journal.append(attempt(1, 1)).unwrap();
    store.close().unwrap();
}

#[track_caller]
fn poisoned(error: JournalError) {
    assert_eq!(error.code(), "journal-poisoned");
    assert_eq!(error.to_string(), "store stopped after a failed commit");
}

#[test]
fn a_full_store_is_poisoned_and_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let store = Store::open(&state, StoreOptions { bytes_max: 400_000, ..options(folder.path()) }).unwrap();
    let journal = store.journal(RUN).unwrap();
    journal.append(Event::RunStarted(started(RUN))).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        let index = match journal.append(warned(&"x".repeat(5000))) {
            Ok(index) => index,
            Err(error) => break error,
        };
        match journal.wait_durable(index, Level::Process) {
            Ok(()) => acknowledged = index,
            Err(error) => break error,
        }
    };
    poisoned(error);
    poisoned(journal.append(warned("small")).unwrap_err());
    poisoned(journal.wait_durable(0, Level::Process).unwrap_err());
    poisoned(journal.wait_checkpoint().unwrap_err());
    poisoned(store.close().unwrap_err());
    let reader = Reader::open(&state).unwrap();
    assert_eq!(reader.events(RUN).map(Result::unwrap).count() as u64, acknowledged + 1);
}

#[test]
fn an_event_about_a_task_that_is_not_there_poisons_and_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal) = open(folder.path());
    for event in small_run() {
        journal.append(event).unwrap();
    }
    journal.wait_durable(4, Level::Process).unwrap();
    let index = journal.append(attempt(7, 1)).unwrap();
    poisoned(journal.wait_durable(index, Level::Process).unwrap_err());
    assert_eq!(store.reader().unwrap().event_count(RUN).unwrap(), 5);
}

#[test]
fn a_head_that_cannot_be_kept_poisons() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = open(folder.path());
    journal.append(Event::RunStarted(started(RUN))).unwrap();
    std::fs::remove_dir(folder.path().join("heads")).unwrap();
    poisoned(journal.wait_checkpoint().unwrap_err());
}

#[test]
fn a_closed_store_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, journal) = open(folder.path());
    journal.append(Event::RunStarted(started(RUN))).unwrap();
    journal.append(tasks(0, &["a"])).unwrap();
    store.close().unwrap();
    assert_eq!(journal.append(warned("x")).unwrap_err().code(), "journal-closed");
    // What was taken before is there.
    journal.wait_durable(1, Level::Process).unwrap();
}
