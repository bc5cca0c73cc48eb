//! `orch-host metrics cost [RUN]`: what questions to models cost.
//!
//! In -> out: events of one run, or of everything that a store has -> a table, or JSON.
//! Invariant: words of plugins and models are escaped.
//! Not here: the sums (`commands/costs.rs`), what may be spent (`capability/purse.rs`).

use std::collections::BTreeMap;

use clap::ValueEnum;
use orch_journal::Reader;

use crate::capability::purse::Money;
use crate::commands::costs::{By, Costs, Row, Sum};
use crate::commands::stored_run::find_run;
use crate::console::{Console, escape};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{Place, WorkspaceArgs};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each group, and one for all
    Table,
    /// The same as JSON; money in millionths of the currency
    Json,
}

#[derive(clap::Args)]
pub(super) struct CostArgs {
    /// The run [default: the newest]
    #[arg(conflicts_with = "all")]
    run: Option<String>,
    /// All runs of the workspace, and what services asked
    #[arg(long)]
    all: bool,
    /// What questions are grouped by
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [By::Plugin, By::Model])]
    by: Vec<By>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub(super) fn run(args: &CostArgs, console: Console) -> Outcome {
    let reader = Place::from_args(&args.place)?.reader()?;
    let mut by = args.by.clone();
    by.sort_unstable();
    by.dedup();
    let mut costs = Costs::new(&by);
    let runs = match args.all {
        true => reader.runs()?.into_iter().map(|run| run.id).chain(reader.stream()?).collect(),
        false => vec![find_run(&reader, args.run.as_deref())?.id],
    };
    runs.iter().try_for_each(|run| take(&mut costs, &reader, run))?;
    let rows = costs.rows();
    let totals = totals(&rows);
    match args.format {
        Format::Table if rows.is_empty() => console.line("no model was asked"),
        Format::Table => console.lines(table(&by, &rows, &totals)),
        Format::Json => {
            let totals: Vec<_> = totals.iter().map(|(currency, sum)| total(currency, sum)).collect();
            let all = serde_json::json!({ "runs": runs, "costs": rows, "totals": totals });
            console.json(&serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?);
        }
    }
    Ok(Exit::Done)
}

fn take(costs: &mut Costs, reader: &Reader, run: &str) -> Result<(), Fault> {
    costs.begin(run);
    for event in reader.events(run) {
        costs.take(&event?.1);
    }
    Ok(())
}

/// By currency.
fn totals(rows: &[Row]) -> BTreeMap<String, Sum> {
    let mut totals = BTreeMap::new();
    for row in rows {
        let none = || Sum { cost: Some(0), ..Sum::default() };
        totals.entry(row.currency.clone()).or_insert_with(none).join(&row.sum);
    }
    totals
}

fn total(currency: &str, sum: &Sum) -> Row {
    Row { group: BTreeMap::new(), currency: currency.to_owned(), sum: sum.clone() }
}

fn table(by: &[By], rows: &[Row], totals: &BTreeMap<String, Sum>) -> Vec<String> {
    let heads = ["asked", "unanswered", "estimated", "read", "cached", "written", "cost", "and perhaps"];
    let mut cells: Vec<Vec<String>> =
        vec![by.iter().map(|by| by.as_str()).chain(heads).map(str::to_owned).collect()];
    for row in rows {
        let group = by.iter().map(|by| row.group.get(by).map(|value| escape(value)).unwrap_or_default());
        cells.push(group.chain(amounts(&row.currency, &row.sum)).collect());
    }
    for (currency, sum) in totals {
        let group = by.iter().enumerate().map(|(nth, _)| if nth == 0 { "all" } else { "" }.to_owned());
        cells.push(group.chain(amounts(currency, sum)).collect());
    }
    let columns = by.len() + heads.len();
    let wide: Vec<usize> = (0..columns)
        .map(|nth| cells.iter().filter_map(|line| line.get(nth)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let line = |line: &Vec<String>| {
        let shown = line.iter().zip(&wide).enumerate().map(|(nth, (cell, &wide))| match nth < by.len() {
            true => format!("{cell:<wide$}"),
            false => format!("{cell:>wide$}"),
        });
        shown.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

fn amounts(currency: &str, sum: &Sum) -> [String; 8] {
    let Sum { questions, unanswered, unseen: _, estimated, input, cached, output, cost, uncertain } = sum;
    let money = |amount: u64| match currency {
        "" => "?".to_owned(),
        currency => Money { amount, currency: &escape(currency) }.to_string(),
    };
    let counts = [questions, unanswered, estimated, input, cached, output].map(u64::to_string);
    let [questions, unanswered, estimated, input, cached, output] = counts;
    let cost = cost.map_or_else(|| "?".to_owned(), money);
    let uncertain = if *uncertain == 0 { "-".to_owned() } else { money(*uncertain) };
    [questions, unanswered, estimated, input, cached, output, cost, uncertain]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: &str, currency: &str, cost: Option<u64>, uncertain: u64) -> Row {
        let sum =
            Sum { questions: 2, estimated: 1, input: 1000, output: 10, cost, uncertain, ..Sum::default() };
        Row { group: BTreeMap::from([(By::Model, model.to_owned())]), currency: currency.to_owned(), sum }
    }

    #[test]
    fn each_group_is_a_line_and_each_currency_has_its_sum() {
        let rows = [
            row("large", "EUR", Some(1_500_000), 9),
            row("small", "EUR", Some(500_000), 0),
            row("\u{1b}[2J", "", None, 0),
        ];
        let words: Vec<String> = table(&[By::Model], &rows, &totals(&rows))
            .iter()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            words,
            [
                "model asked unanswered estimated read cached written cost and perhaps",
                "large 2 0 1 1000 0 10 1.500000 EUR 0.000009 EUR",
                "small 2 0 1 1000 0 10 0.500000 EUR -",
                "\\x1b[2J 2 0 1 1000 0 10 ? -",
                "all 2 0 1 1000 0 10 ? -",
                "all 4 0 2 2000 0 20 2.000000 EUR 0.000009 EUR",
            ]
        );
    }
}
