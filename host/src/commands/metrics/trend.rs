//! `orch-host metrics trend`: how values went over the runs of a workspace, in the terminal and as a picture.
//!
//! In -> out: rows of runs, the oldest first -> [`Series`], by plugin, name and the value of one attribute -> a line each, or SVG.
//! Limits: [`SERIES_MAX`] series, of each the last [`POINTS_MAX`] values.
//! Invariant: numbers and words of ours, and text of plugins escaped for where it stands.
//! Not here: what is measured (plugins), one run's values (`metrics.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use clap::ValueEnum;
use orch_journal::metrics::MetricRow;

use super::summed::number;
use crate::commands::export::marked::text;
use crate::console::{Console, escape};
use crate::exit::{Exit, Outcome};
use crate::place::{Place, WorkspaceArgs};

const SERIES_MAX: usize = 200;
const POINTS_MAX: usize = 60;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Of a picture: all of it, what stands before the line, a series, the space around it.
const WIDTH: usize = 760;
const LABEL: usize = 360;
const ROW: usize = 36;
const EDGE: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line of bars for each series, its first and its last value
    Text,
    /// The same as a picture
    Svg,
}

#[derive(clap::Args)]
pub(super) struct TrendArgs {
    /// Only names that begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    name: String,
    /// The attribute whose values are series of their own
    #[arg(long, value_name = "ATTRIBUTE", default_value = "path")]
    by: String,
    /// Of so many of the newest runs
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    place: WorkspaceArgs,
}

/// Values in the order in which they were recorded, at least one.
struct Series {
    name: String,
    points: VecDeque<f64>,
    /// Of all, also of those before the points.
    count: usize,
}

impl Series {
    fn ends(&self) -> (f64, f64) {
        let first = self.points.front().copied().unwrap_or(0.0);
        (first, self.points.back().copied().unwrap_or(first))
    }

    /// Each point between 0 and 1; a half where all are equal.
    fn scaled(&self) -> impl Iterator<Item = f64> + '_ {
        let least = self.points.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.points.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let span = most - least;
        self.points.iter().map(move |point| if span > 0.0 { (point - least) / span } else { 0.5 })
    }

    fn bars(&self) -> String {
        let bar = |part: f64| BARS.get((part * 7.0).round() as usize).copied().unwrap_or('▄');
        self.scaled().map(bar).collect()
    }
}

pub(super) fn run(args: &TrendArgs, console: Console) -> Outcome {
    let reader = Place::from_args(&args.place)?.reader()?;
    let mut rows = Vec::new();
    for run in reader.newest_runs(None, args.runs)?.iter().rev() {
        let recorded = reader.metrics(&run.id)?;
        rows.extend(recorded.into_iter().filter(|row| row.name.starts_with(&args.name)));
    }
    let mut series = series(&rows, &args.by);
    let left_out = series.len().saturating_sub(SERIES_MAX);
    series.truncate(SERIES_MAX);
    match args.format {
        Format::Text if series.is_empty() => console.line("no plugin recorded such a value"),
        Format::Text => console.lines(lines(&series)),
        Format::Svg => {
            console.bytes(picture(&series).as_bytes());
        }
    }
    if left_out > 0 {
        console.warn(&format!("{left_out} more are not shown: `--name` says which"));
    }
    Ok(Exit::Done)
}

/// By name, then by that attribute, then by plugin.
fn series(rows: &[MetricRow], by: &str) -> Vec<Series> {
    let mut found: BTreeMap<(&str, &str, &str), Series> = BTreeMap::new();
    for row in rows {
        let of = row.attributes.iter().find(|(key, _)| key == by).map_or("", |(_, value)| value);
        let name = if of.is_empty() { row.name.clone() } else { format!("{} {of}", row.name) };
        let none = || Series { name, points: VecDeque::new(), count: 0 };
        let series = found.entry((&row.name, of, &row.plugin)).or_insert_with(none);
        series.count += 1;
        series.points.push_back(row.value);
        if series.points.len() > POINTS_MAX {
            series.points.pop_front();
        }
    }
    found.into_values().collect()
}

fn lines(series: &[Series]) -> Vec<String> {
    let wide = series.iter().map(|one| escape(&one.name).chars().count()).max().unwrap_or_default();
    let line = |one: &Series| {
        let ((first, last), count) = (one.ends(), one.count);
        let (first, last, name) = (number(first), number(last), escape(&one.name));
        format!("{name:<wide$}  {}  {first} -> {last}  ({count})", one.bars())
    };
    series.iter().map(line).collect()
}

fn picture(series: &[Series]) -> String {
    let height = series.len() * ROW + 2 * EDGE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"values over runs\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n"
    );
    for (nth, one) in series.iter().enumerate() {
        let top = nth * ROW + EDGE;
        let (first, last) = one.ends();
        let step = (WIDTH - LABEL - EDGE) as f64 / one.points.len().saturating_sub(1).max(1) as f64;
        let place = |(nth, part): (usize, f64)| {
            let x = LABEL as f64 + step * nth as f64;
            let y = top as f64 + (1.0 - part) * (ROW - EDGE) as f64;
            format!("{x:.1},{y:.1}")
        };
        let points: Vec<String> = one.scaled().enumerate().map(place).collect();
        let middle = top + ROW / 2;
        let _ = writeln!(
            svg,
            "<g><text x=\"{EDGE}\" y=\"{middle}\">{}: {} to {}</text><polyline fill=\"none\" stroke=\"#2b6cb0\" stroke-width=\"1.5\" points=\"{}\"/></g>",
            text(&one.name),
            number(first),
            number(last),
            points.join(" ")
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, path: &str, value: f64) -> MetricRow {
        let attributes = match path {
            "" => Vec::new(),
            path => vec![("rank".to_owned(), value.to_string()), ("path".to_owned(), path.to_owned())],
        };
        let (plugin, unit) = ("demo/x".to_owned(), "1".to_owned());
        MetricRow { plugin, name: name.to_owned(), value, unit, attributes, task: None, recorded_at: None }
    }

    #[test]
    fn each_file_is_a_line_from_its_first_value_to_its_last() {
        let rows = [
            row("code.complexity", "a.py", 16.0),
            row("code.complexity", "b.py", 3.0),
            row("code.complexity", "a.py", 20.5),
            row("code.complexity", "a.py", 25.0),
            row("code.files", "", 2.0),
        ];
        let found = lines(&series(&rows, "path"));
        assert_eq!(
            found,
            [
                "code.complexity a.py  ▁▅█  16 -> 25  (3)",
                "code.complexity b.py  ▅  3 -> 3  (1)",
                "code.files            ▅  2 -> 2  (1)",
            ]
        );
        assert_eq!(series(&rows, "other").len(), 2);
    }

    #[test]
    fn of_a_long_series_the_end_is_shown_and_all_are_counted() {
        let rows: Vec<MetricRow> = (0..100).map(|value| row("a", "", f64::from(value))).collect();
        let found = series(&rows, "path");
        assert_eq!((found[0].points.len(), found[0].count, found[0].ends()), (POINTS_MAX, 100, (40.0, 99.0)));
    }

    #[test]
    fn a_picture_has_a_line_for_each_and_no_element_of_anybody_else() {
        let rows = [row("a", "<script>\"&", 1.0), row("a", "<script>\"&", 3.0)];
        let svg = picture(&series(&rows, "path"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(svg.contains("points=\"360.0,36.0 752.0,8.0\""), "{svg}");
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;&quot;&amp;: 1 to 3"), "{svg}");
    }
}
