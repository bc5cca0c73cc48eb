//! `orch-host export RUN`: a run in one file, for people or programs elsewhere.
//!
//! In -> out: rows and events of a run, its branch -> Markdown, JSON or one page of HTML.
//! Invariant: the page needs nothing but itself: no script, no style, picture or font of anybody else's; text from outside is
//! escaped by the one function [`marked::text`].
//! Not here: what a run did (`report.rs`), the page (`export/page.rs`), its picture (`export/graph.rs`).

mod graph;
pub(super) mod marked;
mod page;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use orch_journal::Event;
use orch_journal::Reader;
use orch_journal::event::EditsKept;

use super::report::{Facts, json, markdown};
use super::run_branch::folder;
use crate::config::workspace::layers;
use crate::console::{Console, escape};
use crate::drive::branch;
use crate::exit::{Exit, Fault, Outcome};
use crate::git::{Oid, Repository};
use crate::place::{self, Place, WorkspaceArgs};
use crate::whole_file;
use page::Diff;

/// Of one attempt's edits.
const DIFF_BYTES_MAX: usize = 256 << 10;
/// What a workspace has beside `config.yaml` and what lies over it.
const OF_WORKSPACE: [&str; 4] = ["tasks.yml", "tasks.yaml", "models.yaml", "orch.lock"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As `report --format markdown`
    Markdown,
    /// As `report --format json`
    Json,
    /// One page: the graph, how long each task took, attempts, diffs, cost
    Html,
}

#[derive(clap::Args)]
pub struct ExportArgs {
    /// The run
    run: String,
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// Into that file; only HTML [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &ExportArgs, console: Console) -> Outcome {
    if args.out.is_some() && args.format != Format::Html {
        let hint = "what is printed can be put into a file by the shell".to_owned();
        return Err(place::input("export-out", Some(hint), "`--out` is for `--format html`".to_owned()));
    }
    let place = Place::from_args(&args.place)?;
    args.out.iter().try_for_each(|out| check_out(&place, out))?;
    let reader = place.reader()?;
    let facts = Facts::read(&place, &reader, Some(&args.run))?;
    match args.format {
        Format::Markdown => markdown::show(&facts, console),
        Format::Json => console.json(&json(&facts)?),
        Format::Html => {
            let page = page::of(&facts, &reader, &diffs(&place, &reader, &facts)?)?;
            match &args.out {
                None => drop(console.bytes(page.as_bytes())),
                Some(path) => whole_file::write_out(path, page.as_bytes(), 0o644)
                    .map_err(|error| place::io(path, "write", error))?,
            }
        }
    }
    Ok(Exit::Done)
}

/// Refuses what the host reads or keeps itself in the place of a page.
fn check_out(place: &Place, out: &Path) -> Result<(), Fault> {
    let out_path = out.canonicalize().or_else(|_| std::path::absolute(out));
    let Ok(path) = out_path else { return Ok(()) };
    let of_host = [&*place.state, &place.workspace.join(".git"), &place.workspace.join("logs")];
    let is_of_workspace = path.parent() == Some(&*place.workspace)
        && path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| OF_WORKSPACE.contains(&name) || layers::FILES.contains(&name));
    match is_of_workspace || of_host.iter().any(|folder| path.starts_with(folder)) {
        false => Ok(()),
        true => {
            let hint = "name a file of its own: `--out run.html`".to_owned();
            let what = format!(
                "`{}` is what runs are made of, no place for a page",
                escape(&out.display().to_string())
            );
            Err(place::input("export-out", Some(hint), what))
        }
    }
}

/// What each attempt changed whose edits were kept, as far as the repository still has it.
fn diffs(place: &Place, reader: &Reader, facts: &Facts) -> Result<Vec<Diff>, Fault> {
    if facts.branch.is_none() {
        return Ok(Vec::new());
    }
    let repository = branch::open(&place.workspace, &folder(place)?)?;
    let mut diffs = Vec::new();
    for event in reader.events(&facts.run.id) {
        let Event::EditsKept(kept) = event?.1 else { continue };
        diffs.push(diff(&repository, facts, &kept));
    }
    Ok(diffs)
}

fn diff(repository: &Repository, facts: &Facts, kept: &EditsKept) -> Diff {
    let (task, attempt) = (kept.finished.task, kept.finished.attempt);
    let task = facts.tasks.iter().find(|found| found.row.place == task).map(|found| found.row.id.clone());
    let patch = Oid::parse(&kept.old)
        .zip(Oid::parse(&kept.new))
        .map(|(old, new)| repository.patch(&old, &new, DIFF_BYTES_MAX));
    let text = match patch {
        None => "the journal names no commits of it".to_owned(),
        Some(Err(error)) => format!("the repository does not give it any more: {error}"),
        Some(Ok((patch, is_whole))) => {
            let more = if is_whole { "" } else { "\n(there is more; `orch-host diff` shows all)" };
            format!("{}{more}", String::from_utf8_lossy(&patch))
        }
    };
    Diff { task: task.unwrap_or_default(), attempt, text }
}
