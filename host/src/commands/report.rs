//! `orch-host report [RUN]`: what a run did, from the store alone.
//!
//! In -> out: rows and events of a run -> text, JSON or Markdown.
//! Invariant: text of plugins and tasks is escaped for the format that it stands in.
//! Not here: which task asked for which (`report/lineage.rs`), Markdown (`report/markdown.rs`), sums of what was asked (`report/asked.rs`).

pub(super) mod asked;
mod lineage;
pub(super) mod markdown;

use std::collections::BTreeMap;

use asked::{Asked, Denial};
use clap::ValueEnum;
use orch_journal::artifacts::ArtifactRow;
use orch_journal::rows::{AttemptRow, FindingRow, RunRow, TaskRow};
use orch_journal::{Event, Reader, RunState};
use orch_task::Status;

use super::costs::Row;
use super::metrics::summed::{self, Summed};
use super::stored_run::{BranchFacts, find_run, goal_of, is_open, result_of, took_ms};
use super::tasks::tree::branch;
use crate::console::{Console, escape, lines};
use crate::drive::error::DriveError;
use crate::drive::finish::{Spared, Unverified, WaivedLooks};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{Place, WorkspaceArgs};

/// Of what a plugin says about an attempt that failed: as much as it may say.
const OUTPUT_LINES: usize = 48;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
}

#[derive(clap::Args)]
pub struct ReportArgs {
    /// The run [default: the newest]
    run: Option<String>,
    #[command(flatten)]
    place: WorkspaceArgs,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A task and why it stands where it stands.
#[derive(serde::Serialize)]
pub(super) struct TaskFacts {
    #[serde(flatten)]
    pub(super) row: TaskRow,
    #[serde(rename = "lastAttempt")]
    last: Option<AttemptRow>,
    /// Of the last attempt, once it is over.
    #[serde(rename = "tookMs")]
    pub(super) took_ms: Option<u64>,
    /// Id of the task whose attempt asked for it.
    #[serde(rename = "addedFor")]
    pub(super) added_for: Option<String>,
    /// What put it there if no attempt did: a person's word, a dependency that failed.
    moved: Option<String>,
}

impl TaskFacts {
    /// Escaped lines, of output at most [`OUTPUT_LINES`]; none for a task that was simply done.
    pub(super) fn why(&self) -> Vec<String> {
        let moved = self.moved.as_deref().map(lines::line);
        let is_news =
            |last: &&AttemptRow| last.status != "running" && self.row.status != Status::Done.as_str();
        let last = self.last.as_ref().filter(is_news).map(|last| result_of(last, OUTPUT_LINES));
        moved.into_iter().chain(last.unwrap_or_default()).collect()
    }

    fn took(&self) -> String {
        self.took_ms.map(lines::span).unwrap_or_default()
    }

    /// ` by PLUGIN for TASK`, as far as somebody asked for it.
    fn asked_by(&self) -> String {
        let by = self.row.added_by.as_deref().map(|by| format!("  by {}", escape(by))).unwrap_or_default();
        let of = self.added_for.as_deref().map(|of| format!(" for {}", escape(of))).unwrap_or_default();
        by + &of
    }

    /// Relative to the workspace; empty if no command ran.
    fn log(&self) -> &str {
        self.last.as_ref().and_then(|last| last.log.as_deref()).unwrap_or_default()
    }
}

/// All that a report is made of.
pub(super) struct Facts {
    pub(super) run: RunRow,
    /// A process holds the store while the run is open.
    pub(super) at_work: bool,
    /// What a person said that it is for.
    pub(super) goal: Option<String>,
    pub(super) plugins: Vec<serde_json::Value>,
    pub(super) tasks: Vec<TaskFacts>,
    pub(super) spared: Spared,
    pub(super) findings: Vec<FindingRow>,
    pub(super) unverified: Vec<Unverified>,
    pub(super) waived: Vec<WaivedLooks>,
    /// Where its edits lie, if that is a branch.
    pub(super) branch: Option<BranchFacts>,
    pub(super) artifacts: Vec<ArtifactRow>,
    /// What plugins measured, by name.
    pub(super) metrics: Vec<Summed>,
    pub(super) models: Vec<Row>,
    pub(super) denied: Vec<Denial>,
    /// Code and text of each warning, from the journal itself.
    pub(super) warnings: Vec<(String, String)>,
}

impl Facts {
    pub(super) fn read(place: &Place, reader: &Reader, run: Option<&str>) -> Result<Self, Fault> {
        let run = find_run(reader, run)?;
        let plugins =
            run.metadata.get("plugins").and_then(|plugins| plugins.as_array()).cloned().unwrap_or_default();
        let mut warnings = Vec::new();
        let mut moved = BTreeMap::new();
        let (mut state, mut asked) = (RunState::default(), Asked::of(&run.id));
        for event in reader.events(&run.id) {
            let (_, event) = event?;
            state.apply(&event).map_err(DriveError::from)?;
            asked.take(&event);
            match event {
                Event::Warned { code, text } => warnings.push((code, text)),
                Event::TaskMoved { task, why, .. } => drop(moved.insert(task, why)),
                Event::AttemptStarted { task, .. } => drop(moved.remove(&task)),
                _ => {}
            }
        }
        let (models, denied) = asked.into_parts();
        let mut attempts = reader.last_attempts(&run.id)?;
        let facts = |row: TaskRow| {
            let last = attempts.remove(&row.place);
            let took_ms =
                last.as_ref().and_then(|last| took_ms(Some(&last.started_at), last.completed_at.as_deref()));
            let added_for = lineage::of(&state, row.place);
            TaskFacts { moved: moved.remove(&row.place), last, took_ms, added_for, row }
        };
        let tasks = reader.tasks(&run.id)?.into_iter().map(facts).collect();
        Ok(Self {
            at_work: is_open(&run) && place.is_held(),
            plugins,
            tasks,
            spared: Spared::of(&state),
            findings: reader.findings(&run.id)?,
            unverified: Unverified::all(&state).collect(),
            waived: WaivedLooks::all(&state).collect(),
            goal: goal_of(&state),
            branch: BranchFacts::of(&state),
            artifacts: reader.artifacts(&run.id)?,
            metrics: summed::of(&reader.metrics(&run.id)?),
            models,
            denied,
            warnings,
            run,
        })
    }

    fn count(&self, status: &str) -> usize {
        self.tasks.iter().filter(|task| task.row.status == status).count()
    }

    pub(super) fn done(&self) -> String {
        let (done, failed) = (self.count("done"), self.count("failed"));
        let idle = match self.run.status.as_str() {
            "planning" | "executing" if !self.at_work => "; no host is at work",
            _ => "",
        };
        let (spared, all) = (self.spared.of_done(), self.tasks.len());
        let left_out = match self.spared.left_out {
            0 => String::new(),
            count => format!(", {count} left out as was asked"),
        };
        format!("{done} of {all} tasks done{spared}, {failed} failed{left_out}{idle}")
    }

    /// When it began, and how long it took if it is over.
    pub(super) fn time(&self) -> String {
        let run = &self.run;
        let began = run.started_at.as_deref().unwrap_or(&run.created_at);
        match took_ms(Some(began), run.completed_at.as_deref()) {
            Some(ms) => format!("began {}, took {}", escape(began), lines::span(ms)),
            None => format!("began {}", escape(began)),
        }
    }
}

pub fn run(args: &ReportArgs, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let reader = place.reader()?;
    let facts = Facts::read(&place, &reader, args.run.as_deref())?;
    match args.format {
        Format::Text => text(&facts, console),
        Format::Markdown => markdown::show(&facts, console),
        Format::Json => console.json(&json(&facts)?),
    }
    Ok(Exit::Done)
}

/// Everything as JSON.
pub(super) fn json(facts: &Facts) -> Result<String, Fault> {
    let all = serde_json::json!({
        "run": facts.run, "goal": facts.goal, "hostAtWork": facts.at_work, "plugins": facts.plugins, "tasks": facts.tasks, "spared": facts.spared, "findings": facts.findings,
        "unverified": facts.unverified, "waived": facts.waived, "branch": facts.branch, "artifacts": facts.artifacts,
        "metrics": facts.metrics, "models": facts.models, "denied": facts.denied, "warnings": facts.warnings,
    });
    Ok(serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?)
}

pub(super) fn plugin_line(plugin: &serde_json::Value) -> String {
    let field = |name: &str| escape(plugin.get(name).and_then(|value| value.as_str()).unwrap_or("?"));
    format!(
        "{} {}  {}  {}",
        field("id"),
        field("version"),
        field("trust"),
        field("component").chars().take(12).collect::<String>()
    )
}

/// Name and place of an artifact, its size, the beginning of its digest.
pub(super) fn described(artifact: &ArtifactRow) -> (String, String, String) {
    let ArtifactRow { name, path, size, hash, .. } = artifact;
    let what = match path.is_empty() || path == name {
        true => name.clone(),
        false => format!("{name} ({path})"),
    };
    let size = size.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string());
    (what, size, escape(hash).chars().take(12).collect())
}

fn text(facts: &Facts, console: Console) {
    console.line(&format!("run {}  {}  {}", escape(&facts.run.id), escape(&facts.run.status), facts.done()));
    facts.goal.iter().for_each(|goal| console.line(&format!("goal: {}", lines::line(goal))));
    console.line(&facts.time());
    facts.branch.iter().for_each(|branch| console.line(&escape(&branch.to_string())));
    console.lines(["", "plugins"]);
    facts.plugins.iter().for_each(|plugin| console.line(&format!("  {}", plugin_line(plugin))));
    console.lines(["", "tasks"]);
    for task in &facts.tasks {
        let row = &task.row;
        let line = format!(
            "  {:<16}  {:>8}  {}  {}{}",
            escape(&row.status),
            task.took(),
            escape(&row.id),
            lines::line(&row.description),
            task.asked_by()
        );
        console.line(line.trim_end());
        let mut why = task.why();
        if !task.log().is_empty() && row.status != Status::Done.as_str() {
            why.push(format!("log: {}", escape(task.log())));
        }
        console.lines(why.iter().map(|line| format!("  {:<16}  {:>8}  {line}", "", "")));
    }
    let trees = lineage::trees(&facts.tasks);
    if !trees.is_empty() {
        console.lines(["", "asked for"]);
    }
    for one in &trees {
        let row = &one.task.row;
        console.line(&format!("  {}{}  {}", branch(&one.more), escape(&row.id), escape(&row.status)));
    }
    if !facts.findings.is_empty() {
        console.lines(["", "findings"]);
    }
    for finding in &facts.findings {
        let at = finding.location.as_deref().map(escape).unwrap_or_default();
        let (severity, category) = (escape(&finding.severity), escape(&finding.category));
        for (nth, line) in lines::told(&finding.message, OUTPUT_LINES).iter().enumerate() {
            match nth {
                0 => console.line(&format!("  {severity:<6}  {category:<8}  {at}  {line}")),
                _ => console.line(format!("  {:<6}  {line}", "").trim_end()),
            }
        }
    }
    if !facts.unverified.is_empty() {
        console.lines(["", "not verified"]);
    }
    for missing in &facts.unverified {
        console.line(&format!("  {}", escape(&missing.to_string())));
    }
    if !facts.waived.is_empty() {
        console.lines(["", "waived"]);
    }
    for waived in &facts.waived {
        console.line(&format!("  {}", escape(&waived.to_string())));
    }
    if !facts.artifacts.is_empty() {
        console.lines(["", "artifacts"]);
    }
    for artifact in &facts.artifacts {
        let (what, size, digest) = described(artifact);
        console.line(&format!("  {digest}  {size:>10}  {}  {}", escape(&artifact.kind), escape(&what)));
    }
    if !facts.metrics.is_empty() {
        console.lines(["", "metrics"]);
        console.lines(summed::table(&facts.metrics).iter().map(|line| format!("  {line}")));
    }
    if !facts.models.is_empty() {
        console.lines(["", "models"]);
    }
    facts.models.iter().for_each(|used| console.line(&format!("  {}", escape(&asked::said(used)))));
    if !facts.denied.is_empty() {
        console.lines(["", "denied"]);
    }
    facts.denied.iter().for_each(|denial| console.line(&format!("  {}", escape(&denial.to_string()))));
    for (code, text) in &facts.warnings {
        console.line(&format!("  warning {}: {}", escape(code), escape(text)));
    }
}
