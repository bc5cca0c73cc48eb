//! `orch-host tasks list`: the tasks of the task file, and where each stands.
//!
//! In -> out: `tasks.yml`, and the open run's rows where there is one -> a list, a tree, a graph or JSON.
//! Invariant: changes nothing; needs neither plugins nor an operator nor a store, and nobody who holds one is disturbed.
//! Not here: a tree and a graph (`tasks/tree.rs`, `tasks/graph.rs`), one task that is changed (`task.rs`).

mod graph;
pub(super) mod tree;

use std::collections::HashMap;
use std::path::PathBuf;

use orch_task::{FileTask, Status, Task};

use self::graph::Graph;
use super::status::Format;
use crate::console::{Console, Tone, escape_cut, lines};
use crate::drive::task_file::Sheet;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{Place, WorkspaceArgs};

/// Ids are written below each other up to this width.
const WIDTH_MAX: usize = 32;
const COMMAND_CHARACTERS_MAX: usize = 200;

#[derive(clap::Subcommand)]
pub enum TasksCommand {
    /// The tasks of the task file, and where each stands
    List(ListArgs),
}

#[derive(clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    place: WorkspaceArgs,
    /// Task file, relative to the workspace
    #[arg(long, value_name = "FILE", default_value = "tasks.yml")]
    tasks: PathBuf,
    /// Only tasks with this tag; may be said again
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Each task with what it needs below it
    #[arg(long, conflicts_with_all = ["graph", "format"])]
    tree: bool,
    /// A picture of the graph, as text for another program
    #[arg(long, value_enum, conflicts_with = "format")]
    graph: Option<Graph>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A task and where it stands.
#[derive(Clone, Copy)]
struct Listed<'a> {
    task: &'a Task,
    status: Status,
    added_by: Option<&'a str>,
}

pub fn run(command: &TasksCommand, console: Console) -> Outcome {
    let TasksCommand::List(args) = command;
    let place = Place::from_args(&args.place)?;
    let sheet = Sheet::read(&place.workspace.join(place.task_file(&args.tasks)?))?;
    sheet.require()?;
    let open = statuses(&place)?;
    let is_meant =
        |task: &&FileTask| args.tags.is_empty() || task.task.tags.iter().any(|tag| args.tags.contains(tag));
    let listed: Vec<Listed<'_>> =
        sheet.tasks().iter().filter(is_meant).map(|task| listed(task, &open)).collect();
    match (args.tree, args.graph) {
        (true, _) => tree::show(&listed, console),
        (false, Some(graph)) => graph::show(&listed, graph, console),
        (false, None) => match args.format {
            Format::Text => list(&listed, console),
            Format::Json => console.json(&json(&listed)?),
        },
    }
    Ok(Exit::Done)
}

/// What the open run says of each task; the file follows it with a delay. A closed run is what the file says, or was.
fn statuses(place: &Place) -> Result<HashMap<String, Status>, Fault> {
    if !place.has_store() {
        return Ok(HashMap::new());
    }
    let reader = place.reader()?;
    let Some(run) = reader.open_run()? else { return Ok(HashMap::new()) };
    let known = |word: &str| Status::from_word(word);
    let tasks = reader.tasks(&run)?.into_iter();
    Ok(tasks.filter_map(|task| Some((task.id, known(&task.status)?))).collect())
}

fn listed<'a>(task: &'a FileTask, open: &HashMap<String, Status>) -> Listed<'a> {
    let status = open.get(task.task.id.as_str()).copied().or(task.status).unwrap_or(Status::Pending);
    Listed { task: &task.task, status, added_by: task.added_by.as_deref() }
}

fn tone(status: Status) -> Tone {
    match status {
        Status::Done => Tone::Good,
        Status::Failed => Tone::Bad,
        Status::Pending => Tone::Plain,
        Status::Cancelled => Tone::Faint,
        Status::InProgress | Status::WaitingApproval | Status::Blocked | Status::InDoubt => Tone::Careful,
    }
}

fn list(listed: &[Listed<'_>], console: Console) {
    if listed.is_empty() {
        console.line("there is no task");
    }
    let widths = listed.iter().map(|one| one.task.id.as_str().len());
    let width = widths.max().unwrap_or(0).min(WIDTH_MAX);
    for Listed { task, status, .. } in listed {
        let word = console.paint(tone(*status), &format!("{:>16}", status.as_str()));
        let about = match task.description.is_empty() {
            true => command_line(task).unwrap_or_default(),
            false => escape_cut(&task.description, 100),
        };
        console.line(format!("{word}  {:<width$}  {about}", task.id.as_str()).trim_end());
    }
}

fn json(listed: &[Listed<'_>]) -> Result<String, Fault> {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        task: &'a Task,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        added_by: Option<&'a str>,
    }
    let lines: Vec<Line<'_>> = listed
        .iter()
        .map(|one| Line { task: one.task, status: one.status, added_by: one.added_by })
        .collect();
    Ok(serde_json::to_string_pretty(&lines).map_err(anyhow::Error::from)?)
}

/// What it runs; none if it has no command.
pub(super) fn command_line(task: &Task) -> Option<String> {
    task.command.as_ref().map(|command| lines::command(command, COMMAND_CHARACTERS_MAX))
}
