//! Whether the task file says of a task what the store says.
//!
//! In -> out: a task as the store has it, the file -> nothing, or how they differ.
//! Invariant: whoever lets a task run, by a command or over the control API, is refused where they differ.
//! Not here: what is shown of it (`commands/approvals.rs`), whether it is what was seen (`drive/hear.rs`).

use std::path::Path;

use orch_journal::state::TaskState;
use orch_task::changed_keys;

use crate::drive::task_file::Sheet;
use crate::exit::Fault;
use crate::place;

/// Fails if the task file says something else than the store: one of them is not what a person has in mind.
/// `may_lack`: a host at work has not written it there yet.
pub fn refuse_difference(found: &TaskState, path: &Path, file: &Path, may_lack: bool) -> Result<(), Fault> {
    let id = &found.task.id;
    let differs = |what: String| {
        let hint = format!(
            "what runs is what the store has; put `{0}` right, or take the task out with `orch-host approvals deny {id}`",
            file.display()
        );
        Err(place::input("task-differs", Some(hint), what))
    };
    let sheet = Sheet::read(path)?;
    sheet.require()?;
    let Some(written) = sheet.tasks().iter().find(|written| written.task.id == *id) else {
        if may_lack {
            return Ok(());
        }
        return differs(format!("`{}` has no task `{id}`, the store has", file.display()));
    };
    let mut keys = changed_keys(&found.task, &written.task);
    if written.added_by != found.added_by {
        keys.push("added_by".to_owned());
    }
    match keys.is_empty() {
        true => Ok(()),
        false => differs(format!(
            "task `{id}` in `{}` differs from the store in `{}`",
            file.display(),
            keys.join("`, `")
        )),
    }
}
