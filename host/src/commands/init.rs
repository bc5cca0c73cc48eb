//! `orch-host init DIR`: a folder becomes a workspace that this host knows.
//!
//! In -> out: folder -> `config.yaml` and `tasks.yml` if they are missing; the workspace is remembered.
//! Invariant: nothing that is there is changed, but for what `--starter` adds to the operator's folder.
//! Not here: what `--starter` shows and takes (`init/starter.rs`).

mod starter;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::operator::Operator;
use crate::config::workspace::{WorkspaceError, one_spelling};
use crate::config::workspaces;
use crate::console::{Console, escape};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place};
use crate::regular_file::{self, Links, ReadError};

const CONFIG: &str = "\
# Which plugin does what. What a plugin may do is said in `policy.toml` of the operator's folder, never here.
roles:
  # planner: NAMESPACE/NAME
  executors: {}     # kind: NAMESPACE/NAME
  reflectors: []
  auditors: []
  verifiers: []
  services: {}      # /path: NAMESPACE/NAME
settings: {}        # NAMESPACE/NAME: {key: value}
audit: {every: end} # completion, end, or a number of completions
budget: {limit: 0, warn_at: 0.8}
findings: {max_major: 0, max_medium: 10}
";

const TASKS: &str = "\
# What is to do. The host writes the statuses; everything else is yours.
tasks: []
";

const FIRST_TASKS: &str = "\
# What is to do. The host writes the statuses; everything else is yours.
- id: hello
  description: Something to begin with
  command: COMMAND
  priority: 5
- id: after
  description: Waits for the one above
  command: COMMAND
  dependencies: [hello]
";

#[derive(clap::Args)]
pub struct InitArgs {
    /// The folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    starter: starter::StarterArgs,
}

pub fn run(args: &InitArgs, home: Option<&Path>, console: Console) -> Outcome {
    if args.folder.exists() && !args.folder.is_dir() {
        let hint = "name a folder, or one that is not there yet".to_owned();
        let what = format!("`{}` is a file, expected a folder", escape(&args.folder.display().to_string()));
        return Err(place::input("workspace-missing", Some(hint), what));
    }
    fs::create_dir_all(&args.folder).map_err(|error| place::io(&args.folder, "make", error))?;
    let place = Place::of(&args.folder, Path::new(".orch"))?;
    place.check_state()?;
    workspaces::check_name(&place.workspace)?;
    let files = [file_of(&place, "config.yaml")?, file_of(&place, "tasks.yml")?];
    let operator = place::operator(home)?;
    let accepted =
        if args.starter.starter { Some(args.starter.ask(&operator, &place, console)?) } else { None };
    if let Some(accepted) = &accepted {
        accepted.take(&args.starter, &operator, &place, console)?;
    }
    let config = accepted.as_ref().map_or(CONFIG, |accepted| accepted.config());
    let tasks = accepted.as_ref().map_or_else(
        || TASKS.to_owned(),
        |accepted| FIRST_TASKS.replace("COMMAND", &accepted.first_command()),
    );
    for (path, text) in files.iter().zip([config, &*tasks]) {
        let name = path.file_name().unwrap_or_default().display();
        let did = if make(path, text)? { "made" } else { "kept" };
        console.line(&format!("{did} `{name}`"));
    }
    operator.trust_workspace(&place.workspace)?;
    let shown = escape(&place.workspace.display().to_string());
    console.line(&format!("this host knows `{shown}` now"));
    if accepted.is_some() {
        console.line(&format!("next: `orch-host run {shown}`"));
        return Ok(Exit::Done);
    }
    console.line("next");
    for (number, step) in (1..).zip(next_steps(&operator, &place.workspace)) {
        console.line(&format!("  {number}. {step}"));
    }
    Ok(Exit::Done)
}

/// The file of that name as runs would read it, in the spelling that is there.
///
/// # Errors
/// `two-files`, `workspace-config-not-a-file`, `workspace-io`: what stands there is none that a run could read.
fn file_of(place: &Place, name: &str) -> Result<PathBuf, WorkspaceError> {
    let path = one_spelling(place.workspace.join(name))?;
    match regular_file::open(&path, Links::Refused) {
        Ok(_) => Ok(path),
        Err(error) if error.is_missing() => Ok(path),
        Err(ReadError::Io(source)) => Err(WorkspaceError::Io { path, source }),
        Err(_) => Err(WorkspaceError::NotAFile { path }),
    }
}

/// Makes the file, whole or not at all; false if there is one.
fn make(path: &Path, text: &str) -> Result<bool, Fault> {
    let mut file = match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(place::io(path, "make", error)),
    };
    let written = file.write_all(text.as_bytes()).inspect_err(|_| drop(fs::remove_file(path)));
    written.map(|()| true).map_err(|error| place::io(path, "write", error))
}

/// What is left to do until a run in that workspace.
fn next_steps(operator: &Operator, workspace: &Path) -> Vec<String> {
    let shown = escape(&workspace.display().to_string());
    let mut steps = Vec::new();
    if operator.anchor.is_none() && (operator.publishers.is_empty() || operator.certifiers.is_empty()) {
        steps.push("`orch-host trust add FILE`, or `orch-host plugin trust ROOT` for a company's trust root: whose plugins and whose certificates are taken".to_owned());
    }
    let policy = operator.home.join("policy.toml");
    if !policy.exists() {
        steps.push(format!("write `{}`: what plugins may do at most", policy.display()));
    }
    steps.push(format!("`orch-host plugin add PACKAGE --workspace {shown}` for each plugin"));
    steps.push("bind plugins to roles in `config.yaml`, write tasks into `tasks.yml`".to_owned());
    steps.push(format!("`orch-host run {shown}`"));
    steps
}
