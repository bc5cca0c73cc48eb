//! `orch-host logs TASK [-f]`: what a task's commands printed, byte for byte.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::status::find_run;
use crate::console::{Console, escape};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Args)]
pub struct LogsArgs {
    /// The task
    task: String,
    /// Go on until the task is over
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    place: WorkspaceArgs,
    /// Another run than the newest
    #[arg(long, value_name = "ID")]
    run: Option<String>,
}

pub fn run(args: &LogsArgs, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let reader = place.reader()?;
    let run = find_run(&reader, args.run.as_deref())?.id;
    let unknown = || {
        let what = format!("run `{run}` has no task `{}`", escape(&args.task));
        place::input("task-unknown", Some("`orch-host status` shows the tasks".to_owned()), what)
    };
    let task = reader.task(&run, &args.task)?.ok_or_else(unknown)?;
    let Some(log) = newest_log(&place, &task.id) else {
        console.note(&format!("task `{}` ran no command yet", escape(&task.id)));
        return Ok(Exit::Done);
    };
    let path = place.workspace.join("logs").join(log);
    let mut at = print_from(&path, 0, console)?;
    while args.follow && reader.task(&run, &args.task)?.is_some_and(|task| task.status == "in_progress") {
        std::thread::sleep(Duration::from_millis(100));
        at = print_from(&path, at, console)?;
    }
    print_from(&path, at, console)?;
    Ok(Exit::Done)
}

/// The newest log file of a task: names sort by time.
fn newest_log(place: &Place, task: &str) -> Option<String> {
    let prefix = format!("task-{task}-");
    let is_stamp = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit()) && rest.len() >= 19;
    let entries = std::fs::read_dir(place.workspace.join("logs")).ok()?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    names.filter(|name| name.strip_prefix(&prefix).is_some_and(is_stamp)).max()
}

fn print_from(path: &Path, at: u64, console: Console) -> Result<u64, Fault> {
    let io = |error| place::io(path, "read", error);
    let mut file = File::open(path).map_err(io)?;
    file.seek(SeekFrom::Start(at)).map_err(io)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io)?;
    console.bytes(&bytes).map_err(|error| place::io(path, "print", error))?;
    Ok(at + bytes.len() as u64)
}
