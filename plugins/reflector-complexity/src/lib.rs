//! Asks for a note on every function that is more complex than a threshold.
//!
//! In -> out: the workspace's Python and Rust files -> one task for each function, method or class above it.
//! Units: files of at most 512 KiB; at most 100 tasks in one cycle.
//! Invariant: a file that cannot be read or measured is logged and passed over; a task that exists is not asked for; what
//! was installed into a virtual environment is nobody's here.
//! Not here: how complexity is counted (`python.rs`, `rust.rs`), what is said (`suggestion.rs`), encodings (`source.rs`).

pub mod block;
mod nesting;
pub mod python;
mod python_nesting;
pub mod rust;
mod rust_nesting;
pub mod settings;
pub mod source;
pub mod suggestion;

use std::collections::BTreeSet;

use orch_sdk::{Cycle, Error, Failure, NewTask, Reflector, files, log, tasks};

use crate::block::{Block, MeasureError};
use crate::settings::Settings;
use crate::suggestion::{Suggestion, most_complex, suggest};

/// Larger files are data or generated; their tree would not fit the plugin's memory.
const FILE_BYTES_MAX: u64 = 512 * 1024;

pub struct ComplexityReflector;

impl Reflector for ComplexityReflector {
    fn reflect(_cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
        let settings = Settings::parse(&orch_sdk::settings::read()).map_err(Failure::new)?;
        let mut found = Vec::new();
        let mut measured = 0_u32;
        for path in paths(&settings)? {
            if let Some(blocks) = measure_file(&path) {
                measured += 1;
                found.extend(suggest(&path, &blocks, settings.threshold));
            }
        }
        let above = found.len();
        let asked = most_complex(without_known(found)?, settings.limit);
        log::info(format_args!(
            "{measured} files measured, {above} blocks above {}, {} asked for",
            settings.threshold,
            asked.len()
        ));
        Ok(asked.into_iter().map(|suggestion| new_task(suggestion, &settings.kind)).collect())
    }
}

orch_sdk::export!(reflector: ComplexityReflector);

/// Every file to measure once, in order.
fn paths(settings: &Settings) -> Result<BTreeSet<String>, Failure> {
    let environments = environments()?;
    let (mut paths, mut left_out) = (BTreeSet::new(), 0_u32);
    for glob in &settings.paths {
        for entry in files::find(glob) {
            let entry = entry.map_err(|error| in_words(&format!("cannot look for `{glob}`"), &error))?;
            if Language::of(&entry.path).is_none() {
                continue;
            }
            if settings.skips(&entry.path) || is_below_any(&entry.path, &environments) {
                left_out = left_out.saturating_add(1);
                continue;
            }
            if entry.size > FILE_BYTES_MAX {
                log::warn(format_args!("{} is {} bytes, limit is {FILE_BYTES_MAX}", entry.path, entry.size));
            } else {
                paths.insert(entry.path);
            }
        }
    }
    if left_out > 0 {
        log::info(format_args!(
            "{left_out} files are left out: they lie in virtual environments or in `skip_folders`"
        ));
    }
    Ok(paths)
}

/// Folders of virtual environments, whatever they are called, each with its final `/`.
fn environments() -> Result<Vec<String>, Failure> {
    let mut folders = Vec::new();
    for entry in files::find("**/pyvenv.cfg") {
        let entry = entry.map_err(|error| in_words("cannot look for virtual environments", &error))?;
        // One in the workspace itself would leave out everything.
        folders.extend(entry.path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")));
    }
    Ok(folders)
}

fn is_below_any(path: &str, folders: &[String]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder.as_str()))
}

/// The file's blocks; none if it cannot be read or measured, which is logged.
fn measure_file(path: &str) -> Option<Vec<Block>> {
    let language = Language::of(path)?;
    let measured = files::read_all(path, FILE_BYTES_MAX)
        .map_err(|error| error.to_string())
        .and_then(|bytes| source::text_of(bytes, language))
        .and_then(|source| measure(language, &source).map_err(|error| error.to_string()));
    measured.map_err(|why| log::warn(format_args!("{path} is passed over: {why}"))).ok()
}

fn measure(language: Language, source: &str) -> Result<Vec<Block>, MeasureError> {
    match language {
        Language::Python => python::measure_python(source),
        Language::Rust => rust::measure_rust(source),
    }
}

/// Leaves out what was asked for in an earlier cycle, or what a person wrote under the same id.
fn without_known(found: Vec<Suggestion>) -> Result<Vec<Suggestion>, Failure> {
    let mut unknown = Vec::new();
    for suggestion in found {
        match tasks::find(&suggestion.id) {
            Ok(_) => {}
            Err(Error::NotFound) => unknown.push(suggestion),
            Err(error) => return Err(in_words("cannot look for tasks", &error)),
        }
    }
    Ok(unknown)
}

fn new_task(suggestion: Suggestion, kind: &str) -> NewTask {
    NewTask::new(kind, suggestion.description).with_id(suggestion.id)
}

fn in_words(what: &str, error: &Error) -> Failure {
    Failure { message: format!("{what}: {error}"), retriable: *error == Error::Unavailable }
}

/// What a file is written in, by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Python,
    Rust,
}

impl Language {
    fn of(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1 {
            "py" => Some(Self::Python),
            "rs" => Some(Self::Rust),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_language() {
        assert_eq!(Language::of("a/b.py"), Some(Language::Python));
        assert_eq!(Language::of("a.py/b.rs"), Some(Language::Rust));
        for path in ["a.pyc", "rs", "a", "a.py/b"] {
            assert_eq!(Language::of(path), None, "{path}");
        }
        assert_eq!(measure(Language::Python, "def f(): pass\n").unwrap().len(), 1);
        assert_eq!(measure(Language::Rust, "fn f() {}\n").unwrap().len(), 1);
        assert!(measure(Language::Rust, "def f(): pass\n").is_err());
    }

    #[test]
    fn a_suggestion_becomes_a_task_of_the_settings_kind() {
        let suggestion = Suggestion {
            id: "refactor-a.py-f".to_owned(),
            description: "Refactor".to_owned(),
            complexity: 11,
        };
        let task = new_task(suggestion, "review");
        assert_eq!((task.id.as_deref(), task.kind.as_str()), (Some("refactor-a.py-f"), "review"));
        assert_eq!((task.description.as_str(), &task.command), ("Refactor", &None));
    }
}
