//! `orch-host status`: how the newest run stands.
//!
//! In -> out: rows of the store -> [`Standing`] -> text or JSON.

use std::path::Path;

use clap::ValueEnum;
use orch_journal::RunState;
use orch_journal::event::RunStatus;
use orch_journal::rows::{AttemptRow, RunRow, TaskRow};
use orch_trust::evidence::Trust;

use super::followed;
use super::stored_run::{BranchFacts, find_run, is_open, result_of};
use crate::config::operator;
use crate::console::{Console, escape, escape_cut};
use crate::control::SocketPlace;
use crate::drive::finish::{Unverified, WaivedLooks};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{Place, WorkspaceArgs};
use crate::watch::{self, How, Output};

/// So many tasks that are neither done nor pending are shown.
const SHOWN_MAX: usize = 50;

/// Of what a plugin says about an attempt that failed, from the end.
const OUTPUT_LINES: usize = 5;

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
    /// Then what happens, until no host works at it any more
    #[arg(short, long)]
    follow: bool,
    /// With `--follow --format json`: between events also what models write, as it comes
    #[arg(long, requires = "follow")]
    deltas: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(args: &StatusArgs, home: Option<&Path>, console: Console) -> Outcome {
    let format = match args.format {
        Format::Text => watch::Format::Text,
        Format::Json => watch::Format::Json,
    };
    followed::check_deltas(args.deltas, format)?;
    let place = Place::from_args(&args.place)?;
    let standing = Standing::read(&place, args.run.as_deref())?;
    match args.format {
        Format::Text => standing.show(console),
        Format::Json => console.json(&standing.json()),
    }
    match args.follow {
        true => follow(&place, home, &standing.run.id, how(&place, format, args.deltas, console)),
        false => Ok(Exit::Done),
    }
}

/// Shows what is committed from now on, until nobody holds the store.
fn follow(place: &Place, home: Option<&Path>, run: &str, how: How) -> Outcome {
    let socket = SocketPlace::of(&place.workspace, &operator::home(home)?)?;
    let (format, console) = (how.format, how.console);
    let state = followed::follow(place, &socket, run, 0, how, || Ok(place.is_held()))?;
    if format == watch::Format::Text {
        console.line(&format!("run {} {}; no host is at work", escape(run), state.status().as_str()));
    }
    Ok(Exit::Done)
}

fn how(place: &Place, format: watch::Format, deltas: bool, console: Console) -> How {
    let (logs, gap_at) = followed::logs_of(place);
    How { format, output: Output::None, deltas, quiet: false, console, logs, gap_at }
}

/// What a run waits for.
fn why_waiting(run: &RunRow) -> Option<String> {
    let why = run.metadata.get("why")?.as_str()?;
    (run.status == RunStatus::Waiting.as_str()).then(|| format!("it waits: {why}"))
}

/// Those of its plugins that are being written, which nobody certified.
fn in_development(run: &RunRow) -> Vec<&str> {
    let plugins = run.metadata.get("plugins").and_then(serde_json::Value::as_array);
    let written = |plugin: &&serde_json::Value| {
        plugin.get("trust").is_some_and(|trust| trust == Trust::Development.as_str())
    };
    let plugins = plugins.into_iter().flatten().filter(written);
    plugins.filter_map(|plugin| plugin.get("id")?.as_str()).collect()
}

/// How a run stands.
struct Standing {
    run: RunRow,
    /// A process holds the store while the run is open.
    at_work: bool,
    /// How many tasks have each status.
    counts: Vec<(String, u64)>,
    /// Tasks that are neither done nor pending, each with its last attempt.
    attention: Vec<(TaskRow, Option<AttemptRow>)>,
    /// What a verifier has not looked at, and what a person took without.
    unverified: Vec<Unverified>,
    waived: Vec<WaivedLooks>,
    /// Where its edits lie, if that is a branch.
    branch: Option<BranchFacts>,
}

impl Standing {
    fn read(place: &Place, run: Option<&str>) -> Result<Self, Fault> {
        let reader = place.reader()?;
        let run = find_run(&reader, run)?;
        let counts = reader.task_counts(&run.id)?;
        let at_work = is_open(&run) && place.is_held();
        let mut attention = Vec::new();
        for task in reader.tasks_amiss(&run.id, SHOWN_MAX as u32)? {
            let last = reader.attempts(&run.id, task.place)?.pop();
            attention.push((task, last));
        }
        // As it is in the journal: no table has it. Most runs have nothing of it, and some have very many events.
        let state = match reader.speaks_of_verifying(&run.id)? {
            true => reader.state(&run.id)?,
            false => RunState::default(),
        };
        let (unverified, waived) = (Unverified::all(&state).collect(), WaivedLooks::all(&state).collect());
        let branch = BranchFacts::of(&state);
        Ok(Self { run, at_work, counts, attention, unverified, waived, branch })
    }

    fn json(&self) -> String {
        let counts: serde_json::Map<String, serde_json::Value> =
            self.counts.iter().map(|(status, count)| (status.clone(), (*count).into())).collect();
        let attention = self.attention.iter().map(
            |(task, last)| serde_json::json!({ "task": task.id, "status": task.status, "lastAttempt": last }),
        );
        serde_json::json!({
            "run": self.run, "tasks": counts, "hostAtWork": self.at_work,
            "attention": attention.collect::<Vec<_>>(), "unverified": self.unverified, "waived": self.waived, "branch": self.branch,
        })
        .to_string()
    }

    fn show(&self, console: Console) {
        let run = &self.run;
        console.line(&format!("run {}  {}  {}", escape(&run.id), escape(&run.status), escape(&run.task)));
        if matches!(run.status.as_str(), "planning" | "executing") && !self.at_work {
            console.line("no host is at work; `orch-host run` goes on with it");
        }
        if let Some(why) = why_waiting(run) {
            console.line(&escape_cut(&why, 240));
        }
        for id in in_development(run) {
            console
                .line(&format!("development: nobody certified `{}`, whose author runs it here", escape(id)));
        }
        if let Some(branch) = &self.branch {
            console.line(&escape(&branch.to_string()));
        }
        for (status, count) in &self.counts {
            console.line(&format!("{count:>8}  {}", escape(status)));
        }
        for (task, last) in &self.attention {
            let about = escape_cut(&task.description, 80);
            let line = format!("{:>16}  {}  {about}", escape(&task.status), escape(&task.id));
            console.line(line.trim_end());
            if let Some(last) = last.as_ref().filter(|last| last.status != "running") {
                console.lines(result_of(last, OUTPUT_LINES).iter().map(|line| format!("{:>16}  {line}", "")));
                if let Some(log) = &last.log {
                    console.line(&format!("{:>16}  log: {}", "", escape(log)));
                }
            }
        }
        for missing in self.unverified.iter().take(SHOWN_MAX) {
            console.line(&format!("{:>16}  {}", "not verified", escape_cut(&missing.to_string(), 240)));
        }
        for waived in self.waived.iter().take(SHOWN_MAX) {
            console.line(&format!("{:>16}  {}", "waived", escape_cut(&waived.to_string(), 240)));
        }
    }
}
