//! `orch-host import FILE`: a workflow in WfFormat becomes `tasks.yml`.
//!
//! Invariant: an existing task file is never overwritten.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use orch_task::import::{ImportCommand, ImportOptions, import_wfformat};
use orch_task::render::render;

use super::counted;
use crate::console::Console;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum As {
    /// Tasks of kind `note`: nothing runs
    Note,
    /// Commands that sleep as long as the task once ran
    Sleep,
}

#[derive(clap::Args)]
pub struct ImportArgs {
    /// A WfFormat 1.5 file
    file: PathBuf,
    /// The workspace
    #[arg(long, value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
    /// What the tasks do
    #[arg(long = "as", value_enum, default_value_t = As::Note)]
    how: As,
    /// With `--as sleep`: times the recorded run time
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Task file to make, relative to the workspace
    #[arg(long, value_name = "FILE", default_value = "tasks.yml")]
    tasks: PathBuf,
}

pub fn run(args: &ImportArgs, _home: Option<&Path>, console: Console) -> Outcome {
    let place = Place::of(&args.workspace, Path::new(".orch"))?;
    let bytes = place::named_file(&args.file)?;
    let command = match args.how {
        As::Note => ImportCommand::NoOp,
        As::Sleep => ImportCommand::Sleep { scale: args.scale },
    };
    let fault = |error: &dyn std::error::Error, code| {
        Fault::new(
            Exit::Usage,
            code,
            None,
            anyhow::anyhow!("cannot import `{}`: {error}", args.file.display()),
        )
    };
    let tasks =
        import_wfformat(&bytes, ImportOptions { command }).map_err(|error| fault(&error, error.code()))?;
    let text = render(&tasks).map_err(|error| fault(&error, "import-tasks"))?;
    let path = place.workspace.join(place.task_file(&args.tasks)?);
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = made.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let hint = "move it away, or name another with `--tasks`".to_owned();
            place::input("task-file-exists", Some(hint), format!("`{}` is there already", path.display()))
        }
        _ => place::io(&path, "make", error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| place::io(&path, "write", error))?;
    console.line(&format!("{} in `{}`", counted(tasks.len(), "task", "tasks"), args.tasks.display()));
    Ok(Exit::Done)
}
