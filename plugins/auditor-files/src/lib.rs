//! Measures the size of files and asks for a note on those that are too long.
//!
//! In -> out: files of the workspace -> their lines, bytes and longest line; long ones -> tasks of kind `note`.
//! Units: at most 1000 files in one call.
//! Invariant: sources are only read; a file that cannot be read is logged and passed over.
//! Not here: counting (`size.rs`), what is said (`suggestion.rs`).

pub mod settings;
pub mod size;
pub mod suggestion;

use std::collections::BTreeSet;

use orch_sdk::{Auditor, Error, Failure, FinishedTask, Metric, NewTask, files, log, tasks};

use crate::settings::Settings;
use crate::size::{Measure, Size};
use crate::suggestion::{Suggestion, suggest};

const FILES_MAX: usize = 1000;
/// Of one attribute of a metric, its key and its value together.
const ATTRIBUTE_BYTES_MAX: usize = 256;
const PATH: &str = "path";
const KIND: &str = "note";

pub struct FilesAuditor;

impl Auditor for FilesAuditor {
    fn analyze(paths: Vec<String>) -> Result<Vec<Metric>, Failure> {
        let paths = if paths.is_empty() { matching(&read_settings()?)? } else { paths.into_iter().collect() };
        Ok(measure_all(paths).iter().flat_map(|(path, size)| metrics(path, *size)).collect())
    }

    fn audit(_finished: Vec<FinishedTask>) -> Result<Vec<NewTask>, Failure> {
        let settings = read_settings()?;
        let limit = usize::try_from(settings.limit).unwrap_or(usize::MAX);
        let mut asked = Vec::new();
        for suggestion in suggest(measure_all(matching(&settings)?), settings.lines_max) {
            if asked.len() == limit {
                break;
            }
            if is_new(&suggestion)? {
                asked.push(NewTask::new(KIND, suggestion.description).with_id(suggestion.id));
            }
        }
        Ok(asked)
    }
}

orch_sdk::export!(auditor: FilesAuditor);

fn read_settings() -> Result<Settings, Failure> {
    Settings::parse(&orch_sdk::settings::read()).map_err(Failure::new)
}

/// Every file that a glob of the settings matches, once, in order.
fn matching(settings: &Settings) -> Result<BTreeSet<String>, Failure> {
    let mut paths = BTreeSet::new();
    for glob in &settings.paths {
        for entry in files::find(glob) {
            paths.insert(entry.map_err(|error| in_words(&format!("cannot look for `{glob}`"), &error))?.path);
        }
    }
    Ok(paths)
}

fn measure_all(paths: BTreeSet<String>) -> Vec<(String, Size)> {
    if paths.len() > FILES_MAX {
        log::warn(format_args!("{} files, limit is {FILES_MAX}; the rest is passed over", paths.len()));
    }
    let mut measured = Vec::new();
    for path in paths.into_iter().take(FILES_MAX) {
        match measure(&path) {
            Ok(size) => measured.push((path, size)),
            Err(error) => log::warn(format_args!("{path} is passed over: {error}")),
        }
    }
    measured
}

fn measure(path: &str) -> Result<Size, Error> {
    let mut measure = Measure::default();
    let mut offset = 0;
    loop {
        let part = files::read(path, offset)?;
        if part.is_empty() {
            return Ok(measure.finish());
        }
        measure.take(&part);
        offset += part.len() as u64;
    }
}

/// A path that is too long for an attribute is given by its end.
fn metrics(path: &str, size: Size) -> [Metric; 3] {
    let from = path.len().saturating_sub(ATTRIBUTE_BYTES_MAX - PATH.len());
    let shown = (from..=path.len()).find_map(|from| path.get(from..)).unwrap_or("");
    // Sizes of files stay far below 2^53, where a float stops being exact.
    [
        ("file.lines", size.lines, "{line}"),
        ("file.bytes", size.bytes, "By"),
        ("file.longest_line", size.longest_line_bytes, "By"),
    ]
    .map(|(name, value, unit)| Metric::new(name, value as f64, unit).with(PATH, shown))
}

/// True unless a task of that id exists: from an earlier audit, or written by a person.
fn is_new(suggestion: &Suggestion) -> Result<bool, Failure> {
    match tasks::find(&suggestion.id) {
        Ok(_) => Ok(false),
        Err(Error::NotFound) => Ok(true),
        Err(error) => Err(in_words("cannot look for tasks", &error)),
    }
}

fn in_words(what: &str, error: &Error) -> Failure {
    Failure { message: format!("{what}: {error}"), retriable: *error == Error::Unavailable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_three_metrics_that_name_it() {
        let size = Size { bytes: 90, lines: 3, longest_line_bytes: 40 };
        let seen: Vec<_> = metrics("src/a.py", size)
            .into_iter()
            .map(|metric| (metric.name, metric.value, metric.unit, metric.attributes))
            .collect();
        let path = vec![("path".to_owned(), "src/a.py".to_owned())];
        let row = |name: &str, value, unit: &str| (name.to_owned(), value, unit.to_owned(), path.clone());
        assert_eq!(
            seen,
            [
                row("file.lines", 3.0, "{line}"),
                row("file.bytes", 90.0, "By"),
                row("file.longest_line", 40.0, "By")
            ]
        );
    }

    #[test]
    fn a_path_too_long_for_an_attribute_is_given_by_its_end() {
        let path = format!("{}/end.py", "ü".repeat(200));
        let [metric, ..] = metrics(&path, Size::default());
        let shown = &metric.attributes[0].1;
        let bytes = PATH.len() + shown.len();
        assert!(bytes <= ATTRIBUTE_BYTES_MAX && bytes > ATTRIBUTE_BYTES_MAX - 4);
        assert!(shown.ends_with("ü/end.py"));
    }
}
