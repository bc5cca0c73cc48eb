//! `orch-host index`: has what changed indexed, by a run of one task.
//!
//! In -> out: the plugin that is bound for the kind `index` -> what it says that it did.
//! Invariant: it is a run as any other: admitted, recorded, reported; the workspace's own task file is not touched.
//! Not here: what is indexed and how (the plugin), searching (`search.rs`).

use std::path::{Path, PathBuf};

use orch_trust::manifest::Role;

use super::run::RunArgs;
use crate::console::Console;
use crate::exit::Outcome;
use crate::place::{self, Place, WorkspaceArgs};
use crate::watch::Format;
use crate::whole_file;

const KIND: &str = "index";
/// In the state folder.
const TASK_FILE: &str = "index.yml";
const TASKS: &str = "- {id: index, kind: index, description: index what changed}\n";

#[derive(clap::Args)]
pub struct IndexArgs {
    #[command(flatten)]
    place: WorkspaceArgs,
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(args: &IndexArgs, home: Option<&Path>, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    if place.config()?.roles.by_key(Role::Executor, KIND).is_none() {
        let hint = "`roles: {executors: {index: demo/executor-index}}` in `config.yaml` binds one; docs/retrieval.md";
        let what = "no plugin executes kind `index`".to_owned();
        return Err(place::input("index-unbound", Some(hint.to_owned()), what));
    }
    place.check_state()?;
    let path = place.state.join(TASK_FILE);
    let io = |error| place::io(&path, "write", error);
    whole_file::make_own_folder(&place.state).map_err(io)?;
    whole_file::write(&path, TASKS.as_bytes(), 0o600).map_err(io)?;
    let tasks = path.strip_prefix(&*place.workspace).unwrap_or(&path).to_owned();
    super::run::run(&RunArgs::going_on(&args.place, tasks, &args.plugins, false, args.format), home, console)
}
