//! Tasks as a tree: those that nothing waits for, with what each needs below it.
//!
//! In -> out: tasks -> lines.
//! Limits: [`DEPTH_MAX`] levels, what is deeper is unfolded behind the others; [`AGAIN_MAX`] lines below one task for what is
//! shown elsewhere, the others are counted.
//! Invariant: every task is shown; what is needed several times is unfolded once, and marked where it is named again.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Listed, tone};
use crate::console::{Console, Tone, escape_cut};

const DEPTH_MAX: usize = 24;
const AGAIN_MAX: usize = 8;

/// A line that is still to be said.
struct Next {
    place: usize,
    /// Whose dependency it is.
    parent: Option<usize>,
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
    let (mut unfolded, mut shown, mut again_below) = (HashSet::new(), HashSet::new(), HashMap::new());
    let mut deeper = VecDeque::new();
    // A list of what is to be done, not calls: a chain may be as long as the file.
    let roots = listed.iter().enumerate().filter(|(_, one)| !needed.contains(one.task.id.as_str()));
    let root = |place| Next { place, parent: None, more: Vec::new() };
    let mut next: Vec<Next> = roots.map(|(place, _)| root(place)).collect();
    next.reverse();
    loop {
        let Some(Next { place, parent, more }) = next.pop() else {
            match deeper.pop_front() {
                Some(place) if unfolded.contains(&place) => continue,
                Some(place) => next.push(root(place)),
                None => return,
            }
            continue;
        };
        let Some(one) = listed.get(place) else { continue };
        let needs = &one.task.dependencies;
        let is_deep = more.len() >= DEPTH_MAX && !needs.is_empty() && !unfolded.contains(&place);
        let again = !needs.is_empty() && !is_deep && !unfolded.insert(place);
        let is_known = !shown.insert(place);
        let mark = match (again, is_deep) {
            (true, _) => " (*)",
            (_, true) => " (below)",
            _ => "",
        };
        // What everybody needs would be named as often as there are tasks.
        let hidden = match parent.filter(|_| is_known) {
            Some(parent) => {
                let count: &mut usize = again_below.entry(parent).or_default();
                *count += 1;
                count.saturating_sub(AGAIN_MAX)
            }
            None => 0,
        };
        if hidden == 0 {
            console.line(&line(one, &more, mark, console));
        }
        if more.last() == Some(&false) {
            let all = parent.and_then(|parent| again_below.get(&parent)).copied().unwrap_or(0);
            if let Some(hidden) = all.checked_sub(AGAIN_MAX).filter(|hidden| *hidden > 0) {
                console.line(&format!("{}and {hidden} more that stand elsewhere", branch(&more)));
            }
        }
        if is_deep {
            deeper.push_back(place);
        }
        if again || is_deep {
            continue;
        }
        for (nth, id) in needs.iter().enumerate().rev() {
            if let Some(below) = places.get(id.as_str()) {
                let more = more.iter().copied().chain([nth + 1 < needs.len()]).collect();
                next.push(Next { place: *below, parent: Some(place), more });
            }
        }
    }
}

/// What stands before a line; `more`: of each level, whether more of the same parent follow.
pub(in crate::commands) fn branch(more: &[bool]) -> String {
    let (last, above) = more.split_last().map_or((None, more), |(last, above)| (Some(last), above));
    let mut branch: String = above.iter().map(|more| if *more { "│   " } else { "    " }).collect();
    branch.push_str(match last {
        None => "",
        Some(true) => "├── ",
        Some(false) => "└── ",
    });
    branch
}

fn line(one: &Listed<'_>, more: &[bool], mark: &str, console: Console) -> String {
    let status = console.paint(tone(one.status), one.status.as_str());
    let about = console.paint(Tone::Faint, &escape_cut(&one.task.description, 80));
    format!("{}{}{mark}  {status}  {about}", branch(more), one.task.id).trim_end().to_owned()
}
