//! Tasks as a graph for Graphviz or Mermaid.
//!
//! In -> out: tasks -> text in that language, an arrow from what is needed to what needs it.
//! Invariant: text of tasks is text in it: ids are of letters that both languages know, nothing else of a task stands in it.

use std::collections::HashMap;

use orch_task::Status;

use super::Listed;
use crate::console::Console;

/// The language of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Graph {
    /// Graphviz: `| dot -Tsvg`
    Dot,
    /// For Markdown on many sites
    Mermaid,
}

/// The colours of both, for those that are not simply pending.
const FILLS: [(Status, &str); 7] = [
    (Status::Done, "#c8e6c9"),
    (Status::Failed, "#ffcdd2"),
    (Status::InProgress, "#bbdefb"),
    (Status::Blocked, "#e0e0e0"),
    (Status::Cancelled, "#e0e0e0"),
    (Status::InDoubt, "#fff9c4"),
    (Status::WaitingApproval, "#fff9c4"),
];

pub(super) fn show(listed: &[Listed<'_>], graph: Graph, console: Console) {
    let places: HashMap<&str, usize> =
        listed.iter().enumerate().map(|(place, one)| (one.task.id.as_str(), place)).collect();
    let needs = |(to, one): (usize, &Listed<'_>)| {
        let from = one.task.dependencies.iter().filter_map(|id| places.get(id.as_str()));
        from.map(|from| (*from, to)).collect::<Vec<_>>()
    };
    let arrows = listed.iter().enumerate().flat_map(needs);
    match graph {
        Graph::Dot => {
            console.lines([
                "digraph tasks {",
                "  rankdir=LR;",
                "  node [shape=box, style=filled, fillcolor=white];",
            ]);
            for (place, one) in listed.iter().enumerate() {
                let fill = fill(one.status).map(|fill| format!(", fillcolor=\"{fill}\"")).unwrap_or_default();
                let (id, status) = (&one.task.id, one.status.as_str());
                console.line(&format!("  n{place} [label=\"{id}\", tooltip=\"{status}\"{fill}];"));
            }
            arrows.for_each(|(from, to)| console.line(&format!("  n{from} -> n{to};")));
            console.line("}");
        }
        Graph::Mermaid => {
            console.line("flowchart LR");
            for (place, one) in listed.iter().enumerate() {
                let class = fill(one.status).map(|_| format!(":::{}", one.status)).unwrap_or_default();
                console.line(&format!("  n{place}[\"{}\"]{class}", one.task.id));
            }
            arrows.for_each(|(from, to)| console.line(&format!("  n{from} --> n{to}")));
            let used = FILLS.iter().filter(|(status, _)| listed.iter().any(|one| one.status == *status));
            used.for_each(|(status, fill)| console.line(&format!("  classDef {status} fill:{fill}")));
        }
    }
}

fn fill(status: Status) -> Option<&'static str> {
    FILLS.iter().find(|(of, _)| *of == status).map(|(_, fill)| *fill)
}
