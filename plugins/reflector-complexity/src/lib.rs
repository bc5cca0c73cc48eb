//! Asks for a note on every function that is more complex than a threshold.
//!
//! In -> out: the workspace's Python and Rust files -> one task for each function, method or class above it.
//! Units: files of at most 512 KiB; at most 100 tasks in one cycle.
//! Invariant: a file that cannot be read or measured is logged and passed over; a task that exists is not asked for.
//! Not here: how complexity is counted and which files are the workspace's own (`code-metrics`), what is said (`suggestion.rs`).

pub mod settings;
pub mod suggestion;

use code_metrics::block::Block;
use code_metrics::{Language, source, sources};
use orch_sdk::{Cycle, Error, Failure, NewTask, Reflector, files, log, tasks};

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
fn paths(settings: &Settings) -> Result<Vec<String>, Failure> {
    let sources = sources::find(&settings.paths, |path| settings.skips(path))
        .map_err(|(what, error)| in_words(&what, &error))?;
    let is_measured = |(path, size): &(String, u64)| {
        let is_small = *size <= FILE_BYTES_MAX;
        if !is_small {
            log::warn(format_args!("{path} is {size} bytes, limit is {FILE_BYTES_MAX}"));
        }
        is_small
    };
    Ok(sources.into_iter().filter(is_measured).map(|(path, _)| path).collect())
}

/// The file's blocks; none if it cannot be read or measured, which is logged.
fn measure_file(path: &str) -> Option<Vec<Block>> {
    let language = Language::of(path)?;
    let measured = files::read_all(path, FILE_BYTES_MAX)
        .map_err(|error| error.to_string())
        .and_then(|bytes| source::text_of(bytes, language))
        .and_then(|source| code_metrics::blocks(language, &source).map_err(|error| error.to_string()));
    measured.map_err(|why| log::warn(format_args!("{path} is passed over: {why}"))).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

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
