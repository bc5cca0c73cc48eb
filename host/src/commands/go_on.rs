//! The command that goes on after a run, for each way in which one can end.
//!
//! In -> out: a run's [`Summary`], where it was run -> hints for people; none if nothing is left to do.
//! Invariant: every command line that is named is one of this program's own, and complete: pasted where the run was started, it
//! is about that run. What only a person can know (how a task ended, whether it may run) is asked, not answered.
//! Not here: what the run did (`run.rs`), hints of errors (beside each error).

use std::path::{Path, PathBuf};

use orch_journal::event::RunStatus;

use crate::drive::finish::Summary;

/// Of tasks to be tried again in one line.
const RETRIED_MAX: usize = 3;

/// Where a run was started from, as it was said.
#[derive(Clone, Copy)]
pub struct Started<'a> {
    pub dir: &'a Path,
    pub memory: &'a Path,
    pub tasks: &'a Path,
    pub plugins: &'a [PathBuf],
    pub home: Option<&'a Path>,
}

impl Started<'_> {
    /// `orch-host run` of the same run.
    fn run(&self) -> String {
        let mut words = vec!["run".to_owned()];
        if self.dir != Path::new(".") {
            words.push(word(self.dir));
        }
        if self.tasks != Path::new("tasks.yml") {
            words.extend(["--tasks".to_owned(), word(self.tasks)]);
        }
        for folder in self.plugins {
            words.extend(["--plugins".to_owned(), word(folder)]);
        }
        self.line(words)
    }

    /// A verb about this workspace.
    fn verb(&self, words: &[&str]) -> String {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        if self.dir != Path::new(".") {
            words.extend(["--workspace".to_owned(), word(self.dir)]);
        }
        self.line(words)
    }

    fn line(&self, mut words: Vec<String>) -> String {
        if self.memory != Path::new(".orch") {
            words.extend(["--memory".to_owned(), word(self.memory)]);
        }
        if let Some(home) = self.home {
            words.extend(["--config-home".to_owned(), word(home)]);
        }
        format!("orch-host {}", words.join(" "))
    }
}

/// A word as a shell reads it.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./=:,@%+".contains(char);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// How to go on, one hint for each thing that keeps the run from its goal.
pub fn hints(summary: &Summary, started: Started<'_>) -> Vec<String> {
    let run = started.run();
    if summary.interrupted {
        return vec![format!("`{run}` goes on where it stopped")];
    }
    if summary.status == RunStatus::Completed {
        return Vec::new();
    }
    let mut hints = Vec::new();
    if let Some(task) = summary.in_doubt.first() {
        let logs = started.verb(&["logs", task]);
        let resolve = started.verb(&["resolve", &summary.run, task, "--as", "done"]);
        hints.push(format!(
            "`{logs}` shows what it printed; `{resolve}` (or `--as failed`, `--as retry`) says how it ended, `{run}` goes on"
        ));
    }
    if let Some(task) = summary.waiting_approval.first() {
        let (list, approve) =
            (started.verb(&["approvals", "list"]), started.verb(&["approvals", "approve", task]));
        hints.push(format!("`{list}` shows what asks; `{approve}` (or `deny`) answers, `{run}` goes on"));
    }
    if let Some(task) = summary.removed.first() {
        let cancel = started.verb(&["task", "cancel", task]);
        hints.push(format!("put `{task}` back, or `{cancel}` takes it out; `{run}` goes on"));
    }
    if let Some(missing) = summary.unverified.first() {
        hints.push(match &missing.task {
            Some(task) => {
                let waive = started.verb(&["task", "waive", task, "--reason", "TEXT"]);
                format!("`{waive}` takes a task as it is; `{run}` asks again, once it can look")
            }
            None => {
                let waive = started.verb(&["runs", "waive", "--reason", "TEXT"]);
                format!("`{waive}` takes the run as it is; `{run}` asks again, once it can look")
            }
        });
    }
    // Those that failed; else those that somebody took out, where others wait for them.
    let is_blocked = summary.tasks.contains_key(orch_task::Status::Blocked.as_str());
    let again = match summary.failed.is_empty() && is_blocked {
        true => &summary.cancelled,
        false => &summary.failed,
    };
    if let [first, ..] = again.as_slice() {
        let listed = match again.len() > RETRIED_MAX {
            true => std::slice::from_ref(first),
            false => again.as_slice(),
        };
        let retries = listed.iter().map(|task| started.verb(&["task", "retry", task]) + " && ");
        let retries: String = retries.collect();
        let rest = match (again.len(), is_blocked) {
            (many, _) if many > RETRIED_MAX => ", each of the others is named so, too",
            (_, true) => ", and what waits for it",
            _ => "",
        };
        hints.push(format!("once it is mended, `{retries}{run}` tries it again{rest}"));
    }
    if hints.is_empty() {
        let findings = summary.major + summary.medium + summary.minor > 0;
        let report = started.verb(&["report"]);
        hints.push(match findings {
            true => format!("`{report}` says what was found; once it is mended, `{run}` goes on"),
            false => format!("`{run}` goes on with what is left"),
        });
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_about_the_run_that_was_started() {
        let (plugins, home) = ([PathBuf::from("my plugins")], PathBuf::from("/it's/here"));
        let started = Started {
            dir: Path::new("project"),
            memory: Path::new("state"),
            tasks: Path::new("other.yml"),
            plugins: &plugins,
            home: Some(&home),
        };
        let end = r"--memory state --config-home '/it'\''s/here'";
        let expected = format!("orch-host run project --tasks other.yml --plugins 'my plugins' {end}");
        assert_eq!(started.run(), expected);
        let expected = format!("orch-host task retry a --workspace project {end}");
        assert_eq!(started.verb(&["task", "retry", "a"]), expected);
    }
}
