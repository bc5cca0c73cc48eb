//! `orch-host status`: how the newest run stands.

use clap::ValueEnum;
use orch_journal::Reader;
use orch_journal::rows::RunRow;

use crate::console::{Console, escape, escape_cut};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

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
    let reader = Place::from_args(&args.place)?.reader()?;
    let run = find_run(&reader, args.run.as_deref())?;
    let counts = reader.task_counts(&run.id)?;
    if args.format == Format::Json {
        let counts: serde_json::Map<String, serde_json::Value> =
            counts.into_iter().map(|(status, count)| (status, count.into())).collect();
        console.line(&serde_json::json!({ "run": run, "tasks": counts }).to_string());
        return Ok(Exit::Done);
    }
    console.line(&format!("run {}  {}  {}", escape(&run.id), escape(&run.status), escape(&run.task)));
    for (status, count) in counts {
        console.line(&format!("{count:>8}  {}", escape(&status)));
    }
    for task in reader
        .tasks(&run.id)?
        .iter()
        .filter(|task| !matches!(task.status.as_str(), "done" | "pending"))
        .take(50)
    {
        console.line(&format!(
            "{:>16}  {}  {}",
            escape(&task.status),
            escape(&task.id),
            escape_cut(&task.description, 80)
        ));
    }
    Ok(Exit::Done)
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
