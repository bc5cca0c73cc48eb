//! What plugins recorded, a line for each name.
//!
//! In -> out: rows of a run -> [`Summed`], by name, unit and plugin -> a table.
//! Invariant: every value counts once, whatever its attributes; text of plugins is escaped.
//! Not here: every value by itself (`metrics.rs`).

use std::collections::BTreeMap;

use orch_journal::metrics::MetricRow;
use serde::Serialize;

use crate::console::escape;

/// The values of one plugin under one name, whatever their attributes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::commands) struct Summed {
    name: String,
    unit: String,
    plugin: String,
    values: usize,
    least: f64,
    mean: f64,
    most: f64,
    last: f64,
}

impl Summed {
    /// The mean is a sum until [`of`] divides it.
    fn take(&mut self, value: f64) {
        self.values += 1;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        self.mean += value;
        self.last = value;
    }
}

/// By name, then unit, then plugin.
pub(in crate::commands) fn of(rows: &[MetricRow]) -> Vec<Summed> {
    let mut found: BTreeMap<(&str, &str, &str), Summed> = BTreeMap::new();
    for MetricRow { plugin, name, value, unit, .. } in rows {
        let none = || Summed {
            name: name.clone(),
            unit: unit.clone(),
            plugin: plugin.clone(),
            values: 0,
            least: *value,
            mean: 0.0,
            most: *value,
            last: *value,
        };
        found.entry((name, unit, plugin)).or_insert_with(none).take(*value);
    }
    let divided = |one: Summed| Summed { mean: one.mean / one.values as f64, ..one };
    found.into_values().map(divided).collect()
}

/// A head, and a line for each.
pub(in crate::commands) fn table(all: &[Summed]) -> Vec<String> {
    let wide = all.iter().map(|one| escape(&one.name).chars().count()).max().unwrap_or_default();
    let head = format!(
        "{:<wide$}  {:>7}  {:>12}  {:>12}  {:>12}  {:>12}",
        "name", "values", "least", "mean", "most", "last"
    );
    let line = |one: &Summed| {
        let [least, mean, most, last] = [one.least, one.mean, one.most, one.last].map(number);
        let (name, unit, plugin) = (escape(&one.name), escape(&one.unit), escape(&one.plugin));
        let count = one.values;
        format!(
            "{name:<wide$}  {count:>7}  {least:>12}  {mean:>12}  {most:>12}  {last:>12}  {unit}  {plugin}"
        )
    };
    [head].into_iter().chain(all.iter().map(line)).collect()
}

/// At most three places behind the point, none that are nothing.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, value: f64, unit: &str) -> MetricRow {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        MetricRow {
            plugin: "demo/x".to_owned(),
            name,
            value,
            unit,
            attributes: Vec::new(),
            task: None,
            recorded_at: None,
        }
    }

    #[test]
    fn each_name_is_a_line_of_all_its_values() {
        let rows = [
            row("b.long", 2.0, "ms"),
            row("a", -1.5, "1"),
            row("b.long", 4.0, "ms"),
            row("b.long", 0.0005, "ms"),
        ];
        let summed = of(&rows);
        let table = table(&summed);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&table[1]), ["a", "1", "-1.5", "-1.5", "-1.5", "-1.5", "1", "demo/x"]);
        assert_eq!(words(&table[2]), ["b.long", "3", "0.001", "2", "4", "0.001", "ms", "demo/x"]);
        assert_eq!((table.len(), summed[1].values), (3, 3));
        assert_eq!([number(0.0), number(100.0), number(1e9)], ["0", "100", "1000000000"]);
    }

    #[test]
    fn a_name_of_a_plugin_makes_no_line_of_ours() {
        let found = table(&of(&[row("a\nb\u{1b}[2J", 1.0, "1")]));
        assert!(found.iter().all(|line| !line.contains(['\n', '\u{1b}'])), "{found:?}");
    }
}
