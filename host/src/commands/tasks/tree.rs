//! Tasks as a tree: those that nothing waits for, with what each needs below it.
//!
//! In -> out: tasks -> lines.
//! Invariant: every task and every dependency is shown; what is needed several times is unfolded once, and marked where it
//! is named again.

use std::collections::{HashMap, HashSet};

use super::{Listed, tone};
use crate::console::{Console, Tone, escape_cut};

/// A line that is still to be said.
struct Next {
    place: usize,
    /// Of the lines above it: whether more of the same parent follow.
    more: Vec<bool>,
}

pub(super) fn show(listed: &[Listed<'_>], console: Console) {
    if listed.is_empty() {
        console.line("there is no task");
    }
    let places: HashMap<&str, usize> =
        listed.iter().enumerate().map(|(place, one)| (one.task.id.as_str(), place)).collect();
    let needed: HashSet<&str> =
        listed.iter().flat_map(|one| one.task.dependencies.iter().map(|id| id.as_str())).collect();
    let mut unfolded = HashSet::new();
    // A list of what is to be done, not calls: a chain may be as long as the file.
    let roots = listed.iter().enumerate().filter(|(_, one)| !needed.contains(one.task.id.as_str()));
    let mut next: Vec<Next> = roots.map(|(place, _)| Next { place, more: Vec::new() }).collect();
    next.reverse();
    while let Some(Next { place, more }) = next.pop() {
        let Some(one) = listed.get(place) else { continue };
        let needs = &one.task.dependencies;
        let again = !needs.is_empty() && !unfolded.insert(place);
        console.line(&line(one, &more, again, console));
        if again {
            continue;
        }
        for (nth, id) in needs.iter().enumerate().rev() {
            if let Some(place) = places.get(id.as_str()) {
                let more = more.iter().copied().chain([nth + 1 < needs.len()]).collect();
                next.push(Next { place: *place, more });
            }
        }
    }
}

fn line(one: &Listed<'_>, more: &[bool], again: bool, console: Console) -> String {
    let (last, above) = more.split_last().map_or((None, more), |(last, above)| (Some(last), above));
    let mut branch: String = above.iter().map(|more| if *more { "│   " } else { "    " }).collect();
    branch.push_str(match last {
        None => "",
        Some(true) => "├── ",
        Some(false) => "└── ",
    });
    let status = console.paint(tone(one.status), one.status.as_str());
    let mark = if again { " (*)" } else { "" };
    let about = console.paint(Tone::Faint, &escape_cut(&one.task.description, 80));
    format!("{branch}{}{mark}  {status}  {about}", one.task.id).trim_end().to_owned()
}
