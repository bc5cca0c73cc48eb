//! `orch-host metrics [RUN]`: what plugins recorded, from the store alone; `metrics cost`: what models cost.
//!
//! In -> out: rows of a run -> a line for each name, every value as JSON, or what Prometheus reads.
//! Invariant: text of plugins is escaped for the format that it stands in.
//! Not here: sums (`metrics/summed.rs`), many runs (`metrics/trend.rs`), what models cost (`metrics/cost.rs`), what a serving host counts of itself (`serve/metrics.rs`), tasks and findings (`report.rs`).

mod cost;
pub(super) mod summed;
mod trend;

use clap::ValueEnum;

use super::counted;
use super::stored_run::find_run;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::place::{Place, WorkspaceArgs};
use crate::serve::recorded_text;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each name: how many values, the least, their mean, the most, the last
    Table,
    /// Every value with its attributes, in the order in which they were recorded
    Json,
    /// The last value of each name with its attributes, as text for Prometheus
    Prometheus,
}

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct MetricsArgs {
    #[command(subcommand)]
    of: Option<Of>,
    /// The run [default: the newest]
    run: Option<String>,
    /// Only names that begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    name: String,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    place: WorkspaceArgs,
}

#[derive(clap::Subcommand)]
enum Of {
    /// What questions to models cost: by run, task, plugin, provider, model, day
    Cost(cost::CostArgs),
    /// How values went over the runs of a workspace: bars in the terminal, or a picture
    Trend(trend::TrendArgs),
}

pub fn run(args: &MetricsArgs, console: Console) -> Outcome {
    match &args.of {
        Some(Of::Cost(args)) => return cost::run(args, console),
        Some(Of::Trend(args)) => return trend::run(args, console),
        None => {}
    }
    let reader = Place::from_args(&args.place)?.reader()?;
    let run = find_run(&reader, args.run.as_deref())?;
    let mut rows = reader.metrics(&run.id)?;
    rows.retain(|row| row.name.starts_with(&args.name));
    match args.format {
        Format::Table if rows.is_empty() => console.line("no plugin recorded such a value"),
        Format::Table => {
            console.lines(summed::table(&summed::of(&rows)));
            console.line(&counted(rows.len(), "value", "values"));
        }
        Format::Json => {
            let all = serde_json::json!({ "run": run.id, "metrics": rows });
            console.json(&serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?);
        }
        Format::Prometheus => {
            console.bytes(&recorded_text(&rows).map_err(anyhow::Error::from)?);
        }
    }
    Ok(Exit::Done)
}
