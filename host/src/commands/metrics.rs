//! `orch-host metrics [RUN]`: what plugins recorded, from the store alone; `metrics cost`: what models cost.
//!
//! In -> out: rows of a run -> a line for each name, every value as JSON, or what Prometheus reads.
//! Invariant: text of plugins is escaped for the format that it stands in.
//! Not here: what models cost (`metrics/cost.rs`), what a serving host counts of itself (`serve/metrics.rs`), tasks and findings (`report.rs`).

mod cost;

use std::collections::BTreeMap;

use clap::ValueEnum;
use orch_journal::rows::MetricRow;

use super::counted;
use super::stored_run::find_run;
use crate::console::{Console, escape};
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
}

pub fn run(args: &MetricsArgs, console: Console) -> Outcome {
    if let Some(Of::Cost(args)) = &args.of {
        return cost::run(args, console);
    }
    let reader = Place::from_args(&args.place)?.reader()?;
    let run = find_run(&reader, args.run.as_deref())?;
    let mut rows = reader.metrics(&run.id)?;
    rows.retain(|row| row.name.starts_with(&args.name));
    match args.format {
        Format::Table if rows.is_empty() => console.line("no plugin recorded such a value"),
        Format::Table => console.lines(table(&rows)),
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

/// The values of one plugin under one name, whatever their attributes.
struct Values {
    count: usize,
    least: f64,
    most: f64,
    sum: f64,
    last: f64,
}

impl Values {
    fn take(&mut self, value: f64) {
        self.count += 1;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        self.sum += value;
        self.last = value;
    }
}

fn table(rows: &[MetricRow]) -> Vec<String> {
    let mut found: BTreeMap<(&str, &str, &str), Values> = BTreeMap::new();
    for MetricRow { plugin, name, value, unit, .. } in rows {
        let none = || Values { count: 0, least: *value, most: *value, sum: 0.0, last: *value };
        found.entry((name, unit, plugin)).or_insert_with(none).take(*value);
    }
    let wide = found.keys().map(|(name, ..)| escape(name).chars().count()).max().unwrap_or_default();
    let head = format!(
        "{:<wide$}  {:>7}  {:>12}  {:>12}  {:>12}  {:>12}",
        "name", "values", "least", "mean", "most", "last"
    );
    let line = |((name, unit, plugin), values): ((&str, &str, &str), Values)| {
        let Values { count, least, most, sum, last } = values;
        let [least, mean, most, last] = [least, sum / count as f64, most, last].map(number);
        let (name, unit, plugin) = (escape(name), escape(unit), escape(plugin));
        format!(
            "{name:<wide$}  {count:>7}  {least:>12}  {mean:>12}  {most:>12}  {last:>12}  {unit}  {plugin}"
        )
    };
    let about = counted(rows.len(), "value", "values");
    let lines: Vec<String> = found.into_iter().map(line).collect();
    [head].into_iter().chain(lines).chain([about]).collect()
}

/// At most three places behind the point, none that are nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, value: f64, unit: &str) -> MetricRow {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        MetricRow { plugin: "demo/x".to_owned(), name, value, unit, attributes: "[]".to_owned() }
    }

    #[test]
    fn each_name_is_a_line_of_all_its_values() {
        let rows = [
            row("b.long", 2.0, "ms"),
            row("a", -1.5, "1"),
            row("b.long", 4.0, "ms"),
            row("b.long", 0.0005, "ms"),
        ];
        let table = table(&rows);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&table[1]), ["a", "1", "-1.5", "-1.5", "-1.5", "-1.5", "1", "demo/x"]);
        assert_eq!(words(&table[2]), ["b.long", "3", "0.001", "2", "4", "0.001", "ms", "demo/x"]);
        assert_eq!((table.len(), table[3].as_str()), (4, "4 values"));
        assert_eq!([number(0.0), number(100.0), number(1e9)], ["0", "100", "1000000000"]);
    }

    #[test]
    fn a_name_of_a_plugin_makes_no_line_of_ours() {
        let found = table(&[row("a\nb\u{1b}[2J", 1.0, "1")]);
        assert!(found.iter().all(|line| !line.contains(['\n', '\u{1b}'])), "{found:?}");
    }
}
