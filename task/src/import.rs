//! Workflow graphs recorded elsewhere, as tasks.
//!
//! In -> out: a WfCommons instance (WfFormat 1.5, JSON) -> tasks that do nothing, or sleep as long as was measured.
//! Limits: those of a task file (`file.rs`).
//! Invariant: the tasks form a sound graph with the instance's edges; ids are unique.
//! Not here: where the tasks go (the host's `import`), their text (`render.rs`).

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::file::{FILE_BYTES_MAX, TASKS_MAX};
use crate::graph::{GraphError, check_graph};
use crate::model::{
    Command, DESCRIPTION_BYTES_MAX, Kind, NameError, TASK_ID_BYTES_MAX, TIMEOUT_MS_DEFAULT, Task, TaskId,
};
use crate::render::seconds;

const VERSION: &str = "1.5";

/// What the tasks shall do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ImportCommand {
    /// Nothing: kind `note`.
    NoOp,
    /// `sleep` for the measured run time, times `scale`.
    Sleep { scale: f64 },
}

/// How an instance is imported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImportOptions {
    pub command: ImportCommand,
}

/// Why an instance was not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    #[error("instance is {found_bytes} bytes, limit is {FILE_BYTES_MAX}")]
    TooLarge { found_bytes: u64 },
    #[error("instance is not WfFormat")]
    Json {
        #[source]
        source: serde_json::Error,
    },
    #[error("instance is of WfFormat `{found}`, expected `{VERSION}`")]
    Version { found: String },
    #[error("instance has {found} tasks, limit is {TASKS_MAX}")]
    TooMany { found: u64 },
    #[error("task id `{id}` is used twice")]
    DuplicateId { id: String },
    #[error("task `{task}` has the parent `{parent}`, which does not exist")]
    UnknownParent { task: String, parent: String },
    #[error("task `{task}` has no run time")]
    NoRuntime { task: String },
    #[error("task `{task}` ran for {found} seconds, expected 0 to 31536000 after scaling")]
    Runtime { task: String, found: f64 },
    #[error("scale is {found}, expected a positive number")]
    Scale { found: f64 },
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl ImportError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "import-too-large",
            Self::Json { .. } => "import-not-wfformat",
            Self::Version { .. } => "import-version",
            Self::TooMany { .. } => "import-too-many",
            Self::DuplicateId { .. } => "import-duplicate-id",
            Self::UnknownParent { .. } => "import-unknown-parent",
            Self::NoRuntime { .. } | Self::Runtime { .. } => "import-runtime",
            Self::Scale { .. } => "import-scale",
            Self::Name(_) => "import-name",
            Self::Graph(_) => "import-graph",
        }
    }
}

#[derive(Deserialize)]
struct Instance {
    workflow: Workflow,
}

#[derive(Deserialize)]
struct Workflow {
    specification: Specification,
    #[serde(default)]
    execution: Execution,
}

#[derive(Deserialize)]
struct Specification {
    tasks: Vec<Specified>,
}

#[derive(Deserialize)]
struct Specified {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    parents: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Execution {
    #[serde(default)]
    tasks: Vec<Executed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executed {
    id: String,
    runtime_in_seconds: f64,
}

/// The tasks of an instance, in its order. Characters that an id may not have become `-`; the name is the description.
///
/// # Errors
/// See [`ImportError`].
pub fn import_wfformat(bytes: &[u8], options: ImportOptions) -> Result<Vec<Task>, ImportError> {
    let found_bytes = bytes.len() as u64;
    if found_bytes > FILE_BYTES_MAX {
        return Err(ImportError::TooLarge { found_bytes });
    }
    // Looked at first: other versions have other fields, and nobody understands what is missing there.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        schema_version: String,
    }
    let Version { schema_version: found } =
        serde_json::from_slice(bytes).map_err(|source| ImportError::Json { source })?;
    if found != VERSION {
        return Err(ImportError::Version {
            found: found.chars().take(64).flat_map(char::escape_debug).collect(),
        });
    }
    let instance: Instance = serde_json::from_slice(bytes).map_err(|source| ImportError::Json { source })?;
    let specified = instance.workflow.specification.tasks;
    if specified.len() > TASKS_MAX {
        return Err(ImportError::TooMany { found: specified.len() as u64 });
    }
    let runtimes: HashMap<&str, f64> = instance
        .workflow
        .execution
        .tasks
        .iter()
        .map(|task| (task.id.as_str(), task.runtime_in_seconds))
        .collect();
    let ids = map_ids(&specified)?;

    let mut tasks = Vec::with_capacity(specified.len());
    for wanted in &specified {
        let Some(id) = ids.get(wanted.id.as_str()) else { unreachable!("every id was mapped") };
        let mut task = Task::new(id.clone(), Kind::shell());
        task.description = description(&wanted.name);
        task.dependencies = dependencies(wanted, &ids)?;
        match options.command {
            ImportCommand::NoOp => task.kind = Kind::parse("note")?,
            ImportCommand::Sleep { scale } => {
                let ms = sleep_ms(&wanted.id, runtimes.get(wanted.id.as_str()).copied(), scale)?;
                task.command = Some(Command::Argv(vec!["sleep".to_owned(), seconds(ms)]));
                task.timeout_ms = TIMEOUT_MS_DEFAULT.max(2 * ms);
                task.idempotent = true;
            }
        }
        tasks.push(task);
    }
    check_graph(&tasks)?;
    Ok(tasks)
}

/// Each id of the instance with one of ours, unique, and equal to it where that is possible.
fn map_ids(specified: &[Specified]) -> Result<HashMap<&str, TaskId>, ImportError> {
    let mut ids = HashMap::with_capacity(specified.len());
    // Those that can stay as they are come first, so that no other takes their name.
    let mut used: HashSet<TaskId> =
        specified.iter().filter_map(|task| TaskId::parse(&task.id).ok()).collect();
    let mut numbers = HashMap::new();
    for task in specified {
        let id = match TaskId::parse(&task.id) {
            Ok(id) => id,
            Err(_) => free_id(&task.id, &used, &mut numbers)?,
        };
        used.insert(id.clone());
        if ids.insert(task.id.as_str(), id).is_some() {
            return Err(ImportError::DuplicateId { id: shown(&task.id) });
        }
    }
    Ok(ids)
}

/// The id nearest to a text that is none. `numbers`: the next one to try after each stem, so that many texts with one
/// stem do not look for theirs from the beginning.
fn free_id(
    text: &str,
    used: &HashSet<TaskId>,
    numbers: &mut HashMap<String, u32>,
) -> Result<TaskId, NameError> {
    const NUMBER_BYTES: usize = 8;
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let mut stem: String = text.chars().map(|letter| if is_fine(letter) { letter } else { '-' }).collect();
    stem.truncate(TASK_ID_BYTES_MAX - NUMBER_BYTES);
    if stem.is_empty() {
        stem.push_str("task");
    }
    let mut id = TaskId::parse(&stem)?;
    let number = numbers.entry(stem.clone()).or_insert(2);
    while used.contains(&id) {
        id = TaskId::parse(&format!("{stem}-{number}"))?;
        *number += 1;
    }
    Ok(id)
}

fn dependencies(task: &Specified, ids: &HashMap<&str, TaskId>) -> Result<Vec<TaskId>, ImportError> {
    let mut seen = HashSet::new();
    let mut dependencies = Vec::with_capacity(task.parents.len());
    for parent in &task.parents {
        let Some(id) = ids.get(parent.as_str()) else {
            return Err(ImportError::UnknownParent { task: shown(&task.id), parent: shown(parent) });
        };
        if seen.insert(id) {
            dependencies.push(id.clone());
        }
    }
    Ok(dependencies)
}

fn sleep_ms(task: &str, runtime: Option<f64>, scale: f64) -> Result<u64, ImportError> {
    const SECONDS_MAX: f64 = 365.0 * 86_400.0;
    if !(scale.is_finite() && scale > 0.0) {
        return Err(ImportError::Scale { found: scale });
    }
    let runtime = runtime.ok_or_else(|| ImportError::NoRuntime { task: shown(task) })?;
    match (0.0..=SECONDS_MAX).contains(&(runtime * scale)) {
        true => Ok((runtime * scale * 1000.0).round() as u64),
        false => Err(ImportError::Runtime { task: shown(task), found: runtime }),
    }
}

fn description(name: &str) -> String {
    let mut name = name.to_owned();
    while name.len() > DESCRIPTION_BYTES_MAX {
        name.pop();
    }
    name
}

fn shown(text: &str) -> String {
    text.chars().take(TASK_ID_BYTES_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests;
