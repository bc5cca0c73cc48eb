//! A run's tasks as a picture.
//!
//! In -> out: tasks with what they depend on -> SVG: a box each, in columns by how much must be done before; a line for each dependency.
//! Limits: [`DRAWN_MAX`] tasks; of more there is no picture that anybody could read.
//! Invariant: numbers and words of ours, and text by [`text`]; a task whose dependencies are in a circle stands in the first column.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::marked::{colour, text};
use crate::commands::report::TaskFacts;
use crate::cut::cut_to;

pub(super) const DRAWN_MAX: usize = 400;
const BOX: (usize, usize) = (200, 34);
const GAP: (usize, usize) = (60, 14);
const CHARACTERS_MAX: usize = 24;

/// The picture; none: there are none or too many tasks.
pub(super) fn of(tasks: &[TaskFacts]) -> Option<String> {
    if tasks.is_empty() || tasks.len() > DRAWN_MAX {
        return None;
    }
    let places: HashMap<&str, usize> =
        tasks.iter().enumerate().map(|(place, task)| (task.row.id.as_str(), place)).collect();
    let before: Vec<Vec<usize>> = tasks.iter().map(|task| needed(task, &places)).collect();
    let columns = columns(&before);
    let mut used: HashMap<usize, usize> = HashMap::new();
    let at: Vec<(usize, usize)> = columns
        .iter()
        .map(|column| {
            let row = used.entry(*column).or_default();
            *row += 1;
            (column * (BOX.0 + GAP.0) + 10, (*row - 1) * (BOX.1 + GAP.1) + 10)
        })
        .collect();
    let width = at.iter().map(|(x, _)| x + BOX.0 + 10).max().unwrap_or(0);
    let height = at.iter().map(|(_, y)| y + BOX.1 + 10).max().unwrap_or(0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"tasks and what they depend on\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n"
    );
    for (to, needs) in at.iter().zip(&before) {
        for from in needs.iter().filter_map(|place| at.get(*place)) {
            let (x1, y1) = (from.0 + BOX.0, from.1 + BOX.1 / 2);
            let (x2, y2) = (to.0, to.1 + BOX.1 / 2);
            let (a, b) = (x1 + GAP.0 / 2, x2.saturating_sub(GAP.0 / 2));
            let _ = writeln!(svg, "<path class=\"edge\" d=\"M{x1} {y1} C{a} {y1} {b} {y2} {x2} {y2}\"/>");
        }
    }
    for ((x, y), task) in at.iter().zip(tasks) {
        let row = &task.row;
        let (width, height) = BOX;
        let (left, middle) = (x + 10, y + 22);
        let shown = match cut_to(&row.id, CHARACTERS_MAX) {
            all if all.len() == row.id.len() => all.to_owned(),
            begins => format!("{begins}…"),
        };
        let _ = writeln!(
            svg,
            "<g><title>{}: {}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"5\" fill=\"{}\"/><text x=\"{left}\" y=\"{middle}\">{}</text></g>",
            text(&row.id),
            text(&row.status),
            colour(&row.status),
            text(&shown)
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// Places of what a task depends on.
fn needed(task: &TaskFacts, places: &HashMap<&str, usize>) -> Vec<usize> {
    task.row.dependencies.iter().filter_map(|id| places.get(id.as_str()).copied()).collect()
}

/// For each task how many others are before it on the longest way.
fn columns(before: &[Vec<usize>]) -> Vec<usize> {
    let mut columns = vec![0; before.len()];
    // No way has more steps than there are tasks; a circle would go on for ever.
    for _ in 0..before.len() {
        let next: Vec<usize> = before
            .iter()
            .map(|needs| needs.iter().filter_map(|place| columns.get(*place)).map(|column| column + 1).max())
            .map(|column| column.unwrap_or(0))
            .collect();
        if next == columns {
            return columns;
        }
        columns = next;
    }
    vec![0; before.len()]
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn a_task_stands_behind_all_that_it_needs_and_a_circle_ends() {
        assert_eq!(columns(&[vec![], vec![0], vec![0, 1], vec![]]), [0, 1, 2, 0]);
        assert_eq!(columns(&[vec![1], vec![0]]), [0, 0]);
        assert_eq!(columns(&[]), [0; 0]);
    }
}
