//! Auditor: counts lines, and asks for a note on every task that failed.

use orch_sdk::{Auditor, Failure, FinishedTask, Metric, NewTask, Outcome, files};

/// As many as `tasks.add` in `plugin.json` allows.
const TASKS_MAX: usize = 20;
const FILE_BYTES_MAX: u64 = 1024 * 1024;

struct Plugin;

impl Auditor for Plugin {
    fn analyze(paths: Vec<String>) -> Result<Vec<Metric>, Failure> {
        let mut lines = 0;
        for path in asked_for(paths)? {
            // Files that are too large or not text have no lines to count.
            if let Ok(text) = files::read_text(&path, FILE_BYTES_MAX) {
                lines += text.lines().count();
            }
        }
        Ok(vec![Metric::new("workspace.lines", lines as f64, "1")])
    }

    fn audit(finished: Vec<FinishedTask>) -> Result<Vec<NewTask>, Failure> {
        Ok(finished.iter().filter_map(note).take(TASKS_MAX).collect())
    }
}

orch_sdk::export!(auditor: Plugin);

/// These paths, or all that may be read.
fn asked_for(paths: Vec<String>) -> Result<Vec<String>, Failure> {
    if !paths.is_empty() {
        return Ok(paths);
    }
    let mut found = Vec::new();
    for entry in files::find("**") {
        found.push(entry?.path);
    }
    Ok(found)
}

/// A task for one that failed. Its id comes from the other's: asking twice adds it once.
fn note(finished: &FinishedTask) -> Option<NewTask> {
    let id: String = finished.id.chars().take(100).collect();
    let asks = finished.outcome == Outcome::Failed && !id.starts_with("look-at-");
    asks.then(|| NewTask::new("note", format!("look at {id}: it failed")).with_id(format!("look-at-{id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(id: &str, outcome: Outcome) -> FinishedTask {
        FinishedTask { index: 0, id: id.to_owned(), outcome }
    }

    #[test]
    fn only_failures_get_a_note() {
        assert_eq!(note(&finished("build", Outcome::Failed)).unwrap().id.as_deref(), Some("look-at-build"));
        assert_eq!(note(&finished("build", Outcome::Done)), None);
        assert_eq!(note(&finished("look-at-build", Outcome::Failed)), None);
    }
}
