//! Measures Python and Rust sources and asks for a note on files that are hard to maintain or got worse.
//!
//! In -> out: the workspace's own sources -> their metrics; files beyond a threshold -> tasks of kind `note`.
//! Limits: files of at most 512 KiB, 5000 of them in one call.
//! Invariant: sources are only read; a file that cannot be read or measured is logged and passed over; what has the bytes that
//! it had is not measured again.
//! Not here: numbers (`code-metrics`), what is kept of them (`history.rs`), what is said (`judgement.rs`).

pub mod history;
pub mod judgement;
pub mod revisions;
pub mod settings;

use std::collections::{BTreeMap, BTreeSet};

use code_metrics::maintainability::rank_of_index;
use code_metrics::{Language, sources};
use orch_sdk::kv::Bucket;
use orch_sdk::tasks::Status;
use orch_sdk::{Auditor, Error, Failure, FinishedTask, Metric, NewTask, files, log, tasks};

use crate::history::{Measurement, Record};
use crate::judgement::{Judgement, judge};
use crate::revisions::{Found, Revision};
use crate::settings::Settings;

/// Larger files are data or generated; their tree would not fit the plugin's memory.
const FILE_BYTES_MAX: u64 = 512 * 1024;
const FILES_MAX: usize = 5000;
/// Of one attribute of a metric, its key and its value together.
const ATTRIBUTE_BYTES_MAX: usize = 256;
const PATH: &str = "path";
const LABEL: &str = "history";
const REVISIONS: &str = "revisions";
const KIND: &str = "note";

pub struct CodeMetricsAuditor;

impl Auditor for CodeMetricsAuditor {
    fn analyze(paths: Vec<String>) -> Result<Vec<Metric>, Failure> {
        let settings = read_settings()?;
        if !paths.is_empty() {
            let measured =
                measure_all(paths.into_iter().collect(), &open_history()?, &settings, Keep::History)?;
            let past = of_revisions(&look_back(&measured, &settings, Keep::History)?);
            let of_files = measured.files.iter().flat_map(|(path, record)| metrics(path, record));
            return Ok(past.into_iter().chain(of_files).collect());
        }
        let measured = measure_workspace(&settings, Keep::History)?;
        let past = of_revisions(&look_back(&measured, &settings, Keep::History)?);
        let changed = measured.files.iter().filter(|(path, _)| measured.changed.contains(*path));
        let of_files = changed.flat_map(|(path, record)| metrics(path, record));
        Ok(past.into_iter().chain(of_files).chain(totals(&measured.files, &settings)).collect())
    }

    fn audit(_finished: Vec<FinishedTask>) -> Result<Vec<NewTask>, Failure> {
        let settings = read_settings()?;
        let mut measured = measure_workspace(&settings, Keep::Nothing)?;
        let past = look_back(&measured, &settings, Keep::Nothing)?;
        for (path, record) in &mut measured.files {
            let past = past.pasts.get(path);
            record.revision = past.and_then(|past| past.before(&record.now.digest)).cloned();
        }
        let judged = measured.files.iter().filter_map(|(path, record)| judge(path, record, &settings));
        let mut wanted = without_known(judged.collect())?;
        wanted.sort_by(|one, other| {
            other.priority.cmp(&one.priority).then_with(|| one.id.as_deref().cmp(&other.id.as_deref()))
        });
        wanted.truncate(usize::try_from(settings.limit).unwrap_or(usize::MAX));
        Ok(wanted)
    }
}

orch_sdk::export!(auditor: CodeMetricsAuditor);

/// The files of one call, and which of them had other bytes when they were measured last.
#[derive(Default)]
struct Measured {
    files: BTreeMap<String, Record>,
    changed: BTreeSet<String>,
    /// They are all that the workspace has.
    is_whole: bool,
}

/// What becomes of what was measured. Only a call that gives metrics keeps them: a file that changes between two calls would
/// be known to the next one, and its metrics given by none.
#[derive(Clone, Copy)]
enum Keep {
    History,
    Nothing,
}

fn read_settings() -> Result<Settings, Failure> {
    Settings::parse(&orch_sdk::settings::read()).map_err(Failure::new)
}

fn open_history() -> Result<Bucket, Failure> {
    Bucket::open(LABEL).map_err(|error| in_words("cannot open the history", &error))
}

/// Measures all of the workspace's own sources and forgets those that are gone.
fn measure_workspace(settings: &Settings, keep: Keep) -> Result<Measured, Failure> {
    let found = sources::find(&settings.paths, |path| settings.skips(path))
        .map_err(|(what, error)| in_words(&what, &error))?;
    let history = open_history()?;
    let keys: BTreeSet<String> = found.keys().map(|path| history::key(path)).collect();
    let kept = history.keys("").map_err(|error| in_words("cannot read the history", &error))?;
    for gone in kept.iter().filter(|key| !keys.contains(*key)) {
        history.delete(gone).map_err(|error| in_words("cannot write the history", &error))?;
    }
    let small = found.into_iter().filter(|(path, bytes)| {
        let is_small = *bytes <= FILE_BYTES_MAX;
        if !is_small {
            log::warn(format_args!("{path} is {bytes} bytes, limit is {FILE_BYTES_MAX}"));
        }
        is_small
    });
    let measured = measure_all(small.map(|(path, _)| path).collect(), &history, settings, keep)?;
    Ok(Measured { is_whole: true, ..measured })
}

fn measure_all(
    paths: BTreeSet<String>,
    history: &Bucket,
    settings: &Settings,
    keep: Keep,
) -> Result<Measured, Failure> {
    if paths.len() > FILES_MAX {
        log::warn(format_args!("{} files, limit is {FILES_MAX}; the rest is passed over", paths.len()));
    }
    let mut measured = Measured::default();
    let mut is_full = false;
    for path in paths.into_iter().take(FILES_MAX) {
        let key = history::key(&path);
        let kept = history.value(&key).map_err(|error| in_words("cannot read the history", &error))?;
        let kept = kept.and_then(|bytes| Record::from_bytes(&bytes));
        let before = kept.clone();
        let record = match measure_file(&path, kept, settings.complexity_threshold) {
            Ok(record) => record,
            Err(why) => {
                log::warn(format_args!("{path} is passed over: {why}"));
                continue;
            }
        };
        if before.as_ref() != Some(&record) {
            match keep {
                Keep::Nothing => {}
                Keep::History => match history.set(&key, &record.to_bytes()) {
                    Ok(()) => {}
                    Err(Error::Limit(_)) => is_full = true,
                    Err(error) => return Err(in_words("cannot write the history", &error)),
                },
            }
            measured.changed.insert(path.clone());
        }
        measured.files.insert(path, record);
    }
    if is_full {
        log::warn("the history is full: some files are measured anew each time; allow more `kv.bytes`");
    }
    Ok(measured)
}

/// What the files were in earlier revisions, if that is asked for.
fn look_back(measured: &Measured, settings: &Settings, keep: Keep) -> Result<Found, Failure> {
    if !settings.use_wily || settings.revisions == 0 {
        return Ok(Found::default());
    }
    let kept = Bucket::open(REVISIONS).map_err(|error| in_words("cannot open the revisions", &error))?;
    let paths: BTreeSet<String> = measured.files.keys().cloned().collect();
    let (count, threshold) = (settings.revisions, settings.complexity_threshold);
    forget_gone(&kept, &paths, measured.is_whole, keep)?;
    revisions::look(&paths, count, threshold, &kept, matches!(keep, Keep::History))
        .map_err(|error| in_words("cannot look at revisions", &error))
}

/// Of what is in the workspace no more nothing stays.
fn forget_gone(kept: &Bucket, paths: &BTreeSet<String>, is_whole: bool, keep: Keep) -> Result<(), Failure> {
    if !is_whole || matches!(keep, Keep::Nothing) {
        return Ok(());
    }
    let keys: BTreeSet<String> = paths.iter().map(|path| history::key(path)).collect();
    let known = kept.keys("").map_err(|error| in_words("cannot read the revisions", &error))?;
    for gone in known.iter().filter(|key| !keys.contains(*key) && *key != revisions::MARK) {
        kept.delete(gone).map_err(|error| in_words("cannot write the revisions", &error))?;
    }
    Ok(())
}

/// The file's record with what its bytes measure now.
fn measure_file(path: &str, kept: Option<Record>, threshold: u32) -> Result<Record, String> {
    let Some(language) = Language::of(path) else { return Err("it is neither Python nor Rust".to_owned()) };
    let bytes = files::read_all(path, FILE_BYTES_MAX).map_err(|error| error.to_string())?;
    let digest = history::digest(&bytes);
    match kept {
        Some(record) if record.knows(&digest, threshold) => Ok(record),
        Some(record) => Ok(record.followed_by(Measurement::of(bytes, digest, language, threshold)?)),
        None => Ok(Record::first(Measurement::of(bytes, digest, language, threshold)?)),
    }
}

/// Tasks for what has none yet, and for functions that got worse after the tasks about their file had ended.
fn without_known(judged: Vec<Judgement>) -> Result<Vec<NewTask>, Failure> {
    let mut about: BTreeMap<String, Status> = BTreeMap::new();
    for task in tasks::all() {
        let task = task.map_err(|error| in_words("cannot look for tasks", &error))?;
        about.insert(task.id, task.status);
    }
    Ok(judged.into_iter().filter_map(|judgement| wanted(judgement, &about)).collect())
}

fn wanted(judgement: Judgement, tasks: &BTreeMap<String, Status>) -> Option<NewTask> {
    let Judgement { id, again, priority, description } = judgement;
    let known: Vec<_> = tasks
        .range(id.clone()..)
        .take_while(|(task, _)| task.starts_with(&id))
        .filter(|(task, _)| judgement::is_about(task, &id))
        .collect();
    let id = match known.is_empty() {
        true => id,
        false => {
            let is_over =
                |status: &Status| matches!(status, Status::Done | Status::Failed | Status::Cancelled);
            again.filter(|again| {
                !tasks.contains_key(again) && known.iter().all(|(_, status)| is_over(status))
            })?
        }
    };
    Some(NewTask::new(KIND, description).with_id(id).with_priority(priority))
}

/// A path that is too long for an attribute is given by its end.
fn shown(path: &str) -> &str {
    let from = path.len().saturating_sub(ATTRIBUTE_BYTES_MAX - PATH.len());
    (from..=path.len()).find_map(|from| path.get(from..)).unwrap_or("")
}

/// Of revisions that nobody measured before, of each file the oldest first.
fn of_revisions(found: &Found) -> Vec<Metric> {
    let of = |(path, Revision { commit, measured }): &(String, Revision)| {
        let metric =
            |name: &str, value| Metric::new(name, value, "1").with(PATH, shown(path)).with("commit", commit);
        [
            metric("code.revision.complexity", f64::from(measured.complexity)),
            metric("code.revision.maintainability", measured.maintainability),
        ]
    };
    found.new.iter().flat_map(of).collect()
}

fn metrics(path: &str, record: &Record) -> [Metric; 4] {
    let shown = shown(path);
    let now = &record.now;
    let rank = rank_of_index(now.maintainability).to_string();
    [
        Metric::new("code.complexity", f64::from(now.complexity), "1"),
        Metric::new("code.maintainability", now.maintainability, "1").with("rank", rank),
        Metric::new("code.sloc", f64::from(now.sloc), "{line}"),
        Metric::new("code.halstead.volume", now.volume, "bit"),
    ]
    .map(|metric| metric.with(PATH, shown))
}

fn totals(files: &BTreeMap<String, Record>, settings: &Settings) -> [Metric; 3] {
    let above = |record: &Record| {
        record.now.blocks.values().filter(|block| block.complexity > settings.complexity_threshold).count()
    };
    let lines: u64 = files.values().map(|record| u64::from(record.now.sloc)).sum();
    let blocks: usize = files.values().map(above).sum();
    // Counts of a workspace stay far below 2^53, where a float stops being exact.
    [
        Metric::new("code.files", files.len() as f64, "{file}"),
        Metric::new("code.lines", lines as f64, "{line}"),
        Metric::new("code.blocks_above", blocks as f64, "1"),
    ]
}

fn in_words(what: &str, error: &Error) -> Failure {
    Failure { message: format!("{what}: {error}"), retriable: *error == Error::Unavailable }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged() -> Judgement {
        Judgement {
            id: "metrics-a.py".to_owned(),
            again: Some("metrics-a.py-0123abcd".to_owned()),
            priority: 4,
            description: "Refactor a.py".to_owned(),
        }
    }

    #[track_caller]
    fn check(tasks: &[(&str, Status)], expected: Option<&str>) {
        let tasks = tasks.iter().map(|(id, status)| ((*id).to_owned(), *status)).collect();
        let found = wanted(judged(), &tasks).and_then(|task| task.id);
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn a_file_is_asked_for_once_and_again_when_a_function_got_worse_after_that() {
        let (first, again) = ("metrics-a.py", "metrics-a.py-0123abcd");
        check(&[], Some(first));
        check(&[("metrics-a.py-x.py", Status::Pending), ("refactor-a.py", Status::Pending)], Some(first));
        check(&[(first, Status::Pending)], None);
        check(&[(first, Status::Blocked)], None);
        check(&[(first, Status::Done)], Some(again));
        check(&[(first, Status::Done), ("metrics-a.py-89abcdef", Status::InProgress)], None);
        check(&[(first, Status::Failed), ("metrics-a.py-89abcdef", Status::Cancelled)], Some(again));
        check(&[(first, Status::Done), (again, Status::Done)], None);
        let steady = Judgement { again: None, ..judged() };
        assert!(wanted(steady, &BTreeMap::from([(first.to_owned(), Status::Done)])).is_none());
    }

    #[test]
    fn a_file_has_four_metrics_that_name_it_and_all_have_three() {
        let bytes = b"a = b + c\n".to_vec();
        let record = Record::first(Measurement::of(bytes, "d".to_owned(), Language::Python, 15).unwrap());
        let path = format!("{}/end.py", "ü".repeat(200));
        for metric in metrics(&path, &record) {
            let shown = &metric.attributes.iter().find(|(key, _)| key == "path").unwrap().1;
            assert!(PATH.len() + shown.len() <= ATTRIBUTE_BYTES_MAX && shown.ends_with("ü/end.py"));
        }
        let files = BTreeMap::from([(path, record)]);
        let totals = totals(&files, &Settings::default()).map(|metric| (metric.name, metric.value));
        let row = |name: &str, value| (name.to_owned(), value);
        assert_eq!(totals, [row("code.files", 1.0), row("code.lines", 1.0), row("code.blocks_above", 0.0)]);
    }
}
