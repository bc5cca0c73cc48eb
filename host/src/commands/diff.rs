//! `orch-host diff RUN [TASK]`: what a run, or one task of it, changed.
//!
//! In -> out: commits of the run's branch -> git's own patch, a count of each file, or JSON.
//! Invariant: programs get the bytes as they are; on a terminal nothing in them moves its cursor.
//! Not here: what was written in the workspace itself (`report.rs` has its files).

use clap::ValueEnum;
use orch_journal::event::Event;
use orch_task::TaskId;

use super::run_branch::RunBranch;
use crate::console::{Console, escape, patch};
use crate::drive::lodging::oid;
use crate::exit::{Exit, Fault, Outcome};
use crate::git::{Changed, Oid, Show};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What `git apply` takes
    Patch,
    Json,
}

#[derive(clap::Args)]
pub struct DiffArgs {
    /// The run [default: the newest]
    run: Option<String>,
    /// Only what this task changed
    task: Option<String>,
    /// How much of each file
    #[arg(long, conflicts_with = "format")]
    stat: bool,
    #[arg(long, value_enum, default_value_t = Format::Patch)]
    format: Format,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &DiffArgs, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let reader = place.reader()?;
    let of = RunBranch::of(&place, &reader, args.run.as_deref())?;
    let spans = match &args.task {
        None => vec![of.ends()?],
        Some(task) => {
            let index = TaskId::parse(task).ok().and_then(|id| of.state.by_id.get(&id).copied());
            let index = index.ok_or_else(|| unknown(&of.run, task))?;
            let mut spans = Vec::new();
            for event in reader.events(&of.run) {
                if let Event::EditsKept(kept) = event?.1
                    && kept.finished.task == index
                {
                    spans.push((oid(&kept.old)?, oid(&kept.new)?));
                }
            }
            // What a person is asked about is not on the branch yet.
            let held = of.state.tasks.get(index as usize).and_then(|found| found.held.as_ref());
            if let Some(held) = held {
                spans.push((oid(&held.edits.base)?, oid(&held.edits.commit)?));
            }
            spans
        }
    };
    if args.stat || args.format == Format::Patch {
        let how = if args.stat { Show::Stat } else { Show::Patch };
        for (from, to) in &spans {
            let bytes = of.repository.difference(from, to, how)?;
            let (for_people, colour) = (console.is_terminal || console.has_colour(), console.has_colour());
            match how {
                Show::Stat if for_people => console.bytes(patch::stat(&bytes, colour).as_bytes()),
                Show::Patch if for_people => console.bytes(patch::patch(&bytes, colour).as_bytes()),
                _ => console.bytes(&bytes),
            };
        }
        return Ok(Exit::Done);
    }
    let mut changes = Vec::new();
    for (from, to) in &spans {
        changes.extend(of.repository.changes(from, to)?.iter().map(|changed| described(changed, from, to)));
    }
    let all = serde_json::json!({
        "run": of.run, "branch": of.edits.based.branch, "base": of.edits.based.base, "tip": of.edits.tip, "changes": changes,
    });
    console.json(&serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?);
    Ok(Exit::Done)
}

fn described(changed: &Changed, from: &Oid, to: &Oid) -> serde_json::Value {
    let how = match (&changed.from, &changed.to) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    let object = |side: &Option<(crate::git::Mode, Oid)>| side.as_ref().map(|(_, oid)| oid.to_string());
    serde_json::json!({
        "path": changed.path.to_string_lossy(), "how": how, "from": from.as_str(), "to": to.as_str(),
        "before": object(&changed.from), "after": object(&changed.to),
    })
}

/// No task of that run has that name.
pub fn unknown(run: &str, task: &str) -> Fault {
    let hint = "`orch-host status` shows the tasks".to_owned();
    place::input("task-unknown", Some(hint), format!("run `{}` has no task `{}`", escape(run), escape(task)))
}
