//! `orch-host report [RUN]`: what a run did, from the store alone.

use clap::ValueEnum;
use orch_journal::rows::{FindingRow, RunRow, TaskRow};
use orch_journal::{Event, Reader};

use super::status::find_run;
use crate::console::{Console, escape};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{Place, WorkspaceArgs};

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

/// All that a report is made of.
struct Facts {
    run: RunRow,
    plugins: Vec<serde_json::Value>,
    tasks: Vec<TaskRow>,
    findings: Vec<FindingRow>,
    /// Code and text of each warning, from the journal itself.
    warnings: Vec<(String, String)>,
}

impl Facts {
    fn read(reader: &Reader, run: Option<&str>) -> Result<Self, Fault> {
        let run = find_run(reader, run)?;
        let metadata: serde_json::Value = serde_json::from_str(&run.metadata).unwrap_or_default();
        let plugins =
            metadata.get("plugins").and_then(|plugins| plugins.as_array()).cloned().unwrap_or_default();
        let mut warnings = Vec::new();
        for event in reader.events(&run.id) {
            if let Event::Warned { code, text } = event?.1 {
                warnings.push((code, text));
            }
        }
        Ok(Self {
            plugins,
            tasks: reader.tasks(&run.id)?,
            findings: reader.findings(&run.id)?,
            warnings,
            run,
        })
    }

    fn count(&self, status: &str) -> usize {
        self.tasks.iter().filter(|task| task.status == status).count()
    }

    fn done(&self) -> String {
        format!("{} of {} tasks done, {} failed", self.count("done"), self.tasks.len(), self.count("failed"))
    }
}

pub fn run(args: &ReportArgs, console: Console) -> Outcome {
    let reader = Place::from_args(&args.place)?.reader()?;
    let facts = Facts::read(&reader, args.run.as_deref())?;
    match args.format {
        Format::Text => text(&facts, console),
        Format::Markdown => markdown(&facts, console),
        Format::Json => {
            let all = serde_json::json!({
                "run": facts.run, "plugins": facts.plugins, "tasks": facts.tasks, "findings": facts.findings,
                "warnings": facts.warnings,
            });
            console.line(&serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?);
        }
    }
    Ok(Exit::Done)
}

fn plugin_line(plugin: &serde_json::Value) -> String {
    let field = |name: &str| escape(plugin.get(name).and_then(|value| value.as_str()).unwrap_or("?"));
    format!(
        "{} {}  {}  {}",
        field("id"),
        field("version"),
        field("trust"),
        field("component").chars().take(12).collect::<String>()
    )
}

fn text(facts: &Facts, console: Console) {
    console.line(&format!("run {}  {}  {}", escape(&facts.run.id), escape(&facts.run.status), facts.done()));
    console.line("\nplugins");
    facts.plugins.iter().for_each(|plugin| console.line(&format!("  {}", plugin_line(plugin))));
    console.line("\ntasks");
    for task in &facts.tasks {
        let by = task.added_by.as_deref().map(|by| format!("  by {}", escape(by))).unwrap_or_default();
        console.line(&format!(
            "  {:<16}  {}  {}{by}",
            escape(&task.status),
            escape(&task.id),
            escape(&task.description)
        ));
    }
    if !facts.findings.is_empty() {
        console.line("\nfindings");
    }
    for finding in &facts.findings {
        let at = finding.location.as_deref().map(escape).unwrap_or_default();
        console.line(&format!(
            "  {:<6}  {:<8}  {at}  {}",
            escape(&finding.severity),
            escape(&finding.category),
            escape(&finding.message)
        ));
    }
    for (code, text) in &facts.warnings {
        console.line(&format!("  warning {}: {}", escape(code), escape(text)));
    }
}

/// A cell of a table: what would end it is escaped.
fn cell(text: &str) -> String {
    escape(text).replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('`', "\\`")
}

fn markdown(facts: &Facts, console: Console) {
    console.line(&format!(
        "# Run {}\n\n**{}**: {}\n",
        cell(&facts.run.id),
        cell(&facts.run.status),
        facts.done()
    ));
    console.line("## Plugins\n");
    facts.plugins.iter().for_each(|plugin| console.line(&format!("- {}", cell(&plugin_line(plugin)))));
    console.line("\n## Tasks\n\n| task | status | kind | attempts | added by | description |\n|---|---|---|---|---|---|");
    for task in &facts.tasks {
        let by = task.added_by.as_deref().unwrap_or("");
        console.line(&format!(
            "| {} | {} | {} | {} | {} | {} |",
            cell(&task.id),
            cell(&task.status),
            cell(&task.kind),
            task.attempts,
            cell(by),
            cell(&task.description)
        ));
    }
    if !facts.warnings.is_empty() {
        console.line("\n## Warnings\n");
    }
    for (code, text) in &facts.warnings {
        console.line(&format!("- {}: {}", cell(code), cell(text)));
    }
    if facts.findings.is_empty() {
        return;
    }
    console.line("\n## Findings\n\n| severity | category | where | what |\n|---|---|---|---|");
    for finding in &facts.findings {
        let at = finding.location.as_deref().unwrap_or("");
        console.line(&format!(
            "| {} | {} | {} | {} |",
            cell(&finding.severity),
            cell(&finding.category),
            cell(at),
            cell(&finding.message)
        ));
    }
}
