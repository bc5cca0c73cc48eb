//! What plugins measured: of one run, and of one name over all runs.

use std::path::Path;

use orch_journal::event::{AttemptFinished, Called, Ending, Event, Metric, StreamStarted, Writes};
use orch_journal::metrics::{LOOKED_AT_MAX, MetricPage, MetricQuery, PAGE_BYTES_MAX, PAGE_VALUES_MAX};
use orch_journal::{Reader, StoreError, db_check};
use orch_task::Status;

use crate::fixture::{METRICS_OF_5, RUN, attempt, ended, metric, open, small_run, started, stored, tasks};

const AT: &str = "2023-11-14T22:13:20.200Z";

fn recorded(task: u32, number: u32, plugin: &str, metrics: Vec<Metric>) -> Event {
    let ending = Ending::Done { summary: String::new() };
    let writes = Writes { metrics, plugin: plugin.to_owned(), ..Writes::default() };
    Event::AttemptFinished(Box::new(AttemptFinished { writes, ..ended(task, number, ending, Status::Done) }))
}

fn of(name: &str, value: f64, path: &str) -> Metric {
    let attributes = vec![("path".to_owned(), path.to_owned()), ("by".to_owned(), "hand".to_owned())];
    Metric { attributes, ..metric(name, value) }
}

fn reader(folder: &Path) -> Reader {
    Reader::open(&folder.join("state")).unwrap()
}

fn query(name: &str) -> MetricQuery {
    MetricQuery { name: name.to_owned(), limit: PAGE_VALUES_MAX, ..MetricQuery::default() }
}

fn values(page: &MetricPage) -> Vec<f64> {
    page.values.iter().map(|found| found.metric.value).collect()
}

/// Every page of it, and how many there are.
fn all(reader: &Reader, mut query: MetricQuery) -> (Vec<f64>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = reader.recorded(&query).unwrap();
        found.extend(values(&page));
        pages += 1;
        match page.next {
            Some(next) => query.before = Some(next),
            None => return (found, pages),
        }
    }
}

/// Two runs of which the second began before the first one's last value, and a service beside them.
fn two_runs(folder: &Path) {
    let (store, first) = open(folder);
    for event in small_run() {
        first.append(event).unwrap();
    }
    first.append(attempt(1, 1)).unwrap();
    let second = store.journal("run-2").unwrap();
    second.append(Event::RunStarted(started("run-2"))).unwrap();
    second.append(tasks(0, &["other"])).unwrap();
    second.append(attempt(0, 1)).unwrap();
    second.append(recorded(0, 1, "demo/b", vec![of("size", 1.0, "x"), of("size", 2.0, "y")])).unwrap();
    second.wait_checkpoint().unwrap();
    first.append(recorded(1, 1, "demo/a", vec![of("size", 3.0, "x"), of("sizes", 4.0, "x")])).unwrap();
    first.wait_checkpoint().unwrap();
    let stream = store.journal("workspace-1").unwrap();
    stream
        .append(Event::StreamStarted(StreamStarted {
            stream: "workspace-1".to_owned(),
            store: None,
            at: 1,
            mac: String::new(),
        }))
        .unwrap();
    stream
        .append(Event::Called(Box::new(Called {
            call: "handle".to_owned(),
            plugin: "demo/s".to_owned(),
            task: None,
            rerun: false,
            fault: None,
            writes: Writes { metrics: vec![of("size", 5.0, "x")], ..Writes::default() },
            asked: Vec::new(),
            token: None,
            at: 1_700_000_000_200,
        })))
        .unwrap();
    stream.wait_checkpoint().unwrap();
    store.close().unwrap();
}

#[test]
fn values_of_a_name_come_from_all_runs_the_newest_first_with_where_they_are_from() {
    let folder = tempfile::tempdir().unwrap();
    two_runs(folder.path());
    let reader = reader(folder.path());
    let page = reader.recorded(&query("size")).unwrap();
    assert_eq!((values(&page), page.next), (vec![5.0, 3.0, 2.0, 1.0], None));
    let from: Vec<_> = page
        .values
        .iter()
        .map(|found| (found.plugin.as_str(), found.run.as_deref(), found.task.as_deref()))
        .collect();
    let other = ("demo/b", Some("run-2"), Some("other"));
    assert_eq!(from, [("demo/s", None, None), ("demo/a", Some(RUN), Some("second")), other, other]);
    assert!(page.values.iter().all(|found| found.recorded_at == AT), "{page:?}");
    assert_eq!(values(&reader.recorded(&query("siz")).unwrap()), [0.0; 0]);
    // Those of a run are as they were made, and say the same.
    let of_run = reader.metrics(RUN).unwrap();
    let said: Vec<_> =
        of_run.iter().map(|row| (row.value, row.task.as_deref(), row.recorded_at.as_deref())).collect();
    assert_eq!(said, [(3.0, Some("second"), Some(AT)), (4.0, Some("second"), Some(AT))]);
}

#[test]
fn only_values_of_that_plugin_and_with_those_attributes_are_given() {
    let folder = tempfile::tempdir().unwrap();
    two_runs(folder.path());
    let reader = reader(folder.path());
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    for (plugin, attributes, expected) in [
        (Some("demo/b"), vec![], vec![2.0, 1.0]),
        (Some("demo"), vec![], vec![]),
        (None, vec![pair("path", "x")], vec![5.0, 3.0, 1.0]),
        (Some("demo/b"), vec![pair("path", "x")], vec![1.0]),
        (None, vec![pair("path", "y"), pair("by", "hand")], vec![2.0]),
        (None, vec![pair("path", "y"), pair("by", "nobody")], vec![]),
        (None, vec![pair("by", "x")], vec![]),
    ] {
        let asked = MetricQuery { plugin: plugin.map(str::to_owned), attributes, ..query("size") };
        assert_eq!(values(&reader.recorded(&asked).unwrap()), expected, "{asked:?}");
    }
}

#[test]
fn pages_end_by_count_by_bytes_and_by_what_was_looked_at_and_go_on_where_they_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (mut events, fifth) = (small_run(), LOOKED_AT_MAX / 5);
    for number in 1..=6 {
        let metrics = (0..fifth).map(|nth| of("size", f64::from(number * fifth + nth), "x")).collect();
        events.extend([attempt(1, number), recorded(1, number, "demo/a", metrics)]);
    }
    let large = Metric { attributes: vec![("k".to_owned(), "v".repeat(255)); 16], ..metric("large", 1.0) };
    events.extend([attempt(1, 7), recorded(1, 7, "demo/a", vec![large; 600])]);
    stored(folder.path(), events);
    let reader = reader(folder.path());
    let expected: Vec<f64> = (fifth..7 * fifth).rev().map(f64::from).collect();
    let pages = 6 * fifth as usize;
    for (limit, count) in
        [(PAGE_VALUES_MAX, pages.div_ceil(1000)), (5000, pages.div_ceil(1000)), (7, pages.div_ceil(7))]
    {
        let (found, pages) = all(&reader, MetricQuery { limit, ..query("size") });
        assert!(found == expected, "{limit}: {} values", found.len());
        assert_eq!(pages, count, "{limit}");
    }
    // Of none that is wanted, every row is looked at, in two pages.
    let nobody = MetricQuery { plugin: Some("demo/b".to_owned()), ..query("size") };
    assert_eq!(all(&reader, nobody), (Vec::new(), 2));
    let page = reader.recorded(&query("large")).unwrap();
    assert!(
        page.values.len() >= PAGE_BYTES_MAX / 4500 && page.values.len() <= PAGE_BYTES_MAX / 4096,
        "{}",
        page.values.len()
    );
    assert_eq!(all(&reader, query("large")).0.len(), 600);
    assert_eq!(reader.recorded(&MetricQuery { limit: 0, ..query("size") }).unwrap().values, []);
}

#[test]
fn values_of_a_store_of_before_are_read_as_they_are_and_get_task_and_time_when_a_host_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = small_run();
    events
        .extend([attempt(1, 1), recorded(1, 1, "demo/a", vec![of("size", 3.0, "x"), of("size", 4.0, "y")])]);
    stored(folder.path(), events);
    let state = folder.path().join("state");
    let older = rusqlite::Connection::open(state.join("state.db")).unwrap();
    let rows =
        "CREATE TEMP TABLE rows AS SELECT id, run_id, plugin, name, value, unit, attributes FROM metrics;";
    older
        .execute_batch(&format!(
            "{rows} {METRICS_OF_5} INSERT INTO metrics SELECT * FROM rows; PRAGMA user_version = 5"
        ))
        .unwrap();
    drop(older);
    let said = |reader: &Reader| -> Vec<_> {
        let rows = reader.metrics(RUN).unwrap();
        rows.into_iter().map(|row| (row.value, row.task, row.recorded_at)).collect()
    };
    let of_before = Reader::open(&state).unwrap();
    assert_eq!(said(&of_before), [(3.0, None, None), (4.0, None, None)]);
    assert!(matches!(of_before.recorded(&query("size")), Err(StoreError::Sqlite(_))));
    let check = db_check(&state, false).unwrap();
    assert!(check.is_sound() && check.differences.is_empty(), "{check:?}");
    let (store, _) = open(folder.path());
    let of_now = |value| (value, Some("second".to_owned()), Some(AT.to_owned()));
    assert_eq!(said(&store.reader().unwrap()), [of_now(3.0), of_now(4.0)]);
    // Who looked at it before sees the same from now on.
    assert_eq!(said(&of_before), [of_now(3.0), of_now(4.0)]);
    assert_eq!(values(&of_before.recorded(&query("size")).unwrap()), [4.0, 3.0]);
    store.close().unwrap();
    let check = db_check(&state, true).unwrap();
    assert!(check.is_sound() && check.differences.is_empty(), "{check:?}");
}
