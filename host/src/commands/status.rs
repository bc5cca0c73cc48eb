//! `orch-host status`: how the newest run stands.

use clap::ValueEnum;
use orch_journal::Reader;
use orch_journal::rows::{AttemptRow, RunRow, TaskRow};

use crate::console::{Console, escape, escape_cut};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

/// So many tasks that are neither done nor pending are shown.
const SHOWN_MAX: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    place: WorkspaceArgs,
    /// Another run than the newest
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(args: &StatusArgs, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let reader = place.reader()?;
    let run = find_run(&reader, args.run.as_deref())?;
    let counts = reader.task_counts(&run.id)?;
    let at_work = is_open(&run) && place.is_held();
    let mut attention = Vec::new();
    let needs = |task: &TaskRow| !matches!(task.status.as_str(), "done" | "pending");
    for task in reader.tasks(&run.id)?.into_iter().filter(needs).take(SHOWN_MAX) {
        let last = reader.attempts(&run.id, task.place)?.pop();
        attention.push((task, last));
    }
    if args.format == Format::Json {
        let counts: serde_json::Map<String, serde_json::Value> =
            counts.into_iter().map(|(status, count)| (status, count.into())).collect();
        let attention: Vec<serde_json::Value> = attention
            .iter()
            .map(|(task, last)| serde_json::json!({ "task": task.id, "status": task.status, "lastAttempt": last }))
            .collect();
        let all = serde_json::json!({
            "run": run, "tasks": counts, "hostAtWork": at_work, "attention": attention,
        });
        console.line(&all.to_string());
        return Ok(Exit::Done);
    }
    console.line(&format!("run {}  {}  {}", escape(&run.id), escape(&run.status), escape(&run.task)));
    if matches!(run.status.as_str(), "planning" | "executing") && !at_work {
        console.line("no host is at work; `orch-host run` goes on with it");
    }
    for (status, count) in counts {
        console.line(&format!("{count:>8}  {}", escape(&status)));
    }
    for (task, last) in &attention {
        let about = escape_cut(&task.description, 80);
        let line = format!("{:>16}  {}  {about}", escape(&task.status), escape(&task.id));
        console.line(line.trim_end());
        if let Some(last) = last.as_ref().filter(|last| last.status != "running") {
            console.line(&format!("{:>16}  {}", "", escape_cut(&result_of(last), 240)));
        }
    }
    Ok(Exit::Done)
}

/// True for a run that goes on with the next `run`, if none is at work at it.
pub fn is_open(run: &RunRow) -> bool {
    matches!(run.status.as_str(), "planning" | "executing" | "waiting")
}

/// How an attempt ended, in one escaped line: `attempt 2 failed: no such program`.
pub fn result_of(attempt: &AttemptRow) -> String {
    let word = match attempt.status.as_str() {
        "done" | "failed" => attempt.status.clone(),
        "broken" => "broke off".to_owned(),
        "in_doubt" => "is in doubt".to_owned(),
        "rerun" => "runs again".to_owned(),
        "cancelled" => "was cancelled".to_owned(),
        other => format!("is {}", escape(other)),
    };
    let told = attempt.error.as_deref().or(attempt.output.as_deref());
    let told = told.map(|told| format!(": {}", escape(told))).unwrap_or_default();
    format!("attempt {} {word}{told}", attempt.attempt)
}

/// That run, or the newest.
pub fn find_run(reader: &Reader, id: Option<&str>) -> Result<RunRow, Fault> {
    let found = match id {
        Some(id) => reader.run(id)?,
        None => reader.runs()?.into_iter().next(),
    };
    found.ok_or_else(|| {
        let what = id.map_or_else(
            || "no run is in the store".to_owned(),
            |id| format!("no run `{}` is in the store", escape(id)),
        );
        place::input("run-unknown", Some("`orch-host runs list` shows what there is".to_owned()), what)
    })
}
