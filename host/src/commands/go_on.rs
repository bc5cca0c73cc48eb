//! The command that goes on after a run, for each way in which one can end.
//!
//! In -> out: a run's [`Summary`], where it was run -> hints for people; none if nothing is left to do.
//! Invariant: every command line that is named is one of this program's own, and complete: pasted where the run was started, it
//! is about that run. What only a person can know (how a task ended, whether it may run) is asked, not answered.
//! Not here: what the run did (`run.rs`), hints of errors (beside each error).

use std::path::{Path, PathBuf};

use orch_journal::event::RunStatus;

use crate::drive::choice::Wanted;
use crate::drive::finish::Summary;
use crate::exit::Fault;

/// Where a run was started from, as it was said.
#[derive(Clone, Copy)]
pub struct Started<'a> {
    pub dir: &'a Path,
    pub memory: &'a Path,
    pub tasks: &'a Path,
    pub plugins: &'a [PathBuf],
    pub wanted: &'a Wanted,
    pub home: Option<&'a Path>,
}

impl Started<'_> {
    /// `orch-host run` of what is left of the same tasks: nothing that is done is done again.
    fn run(&self, more: &[&str]) -> String {
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
        let Wanted { tasks, tags, exclude, only, fail_fast, .. } = self.wanted;
        for (option, names) in [("--task", tasks), ("--tag", tags), ("--exclude", exclude)] {
            words.extend(names.iter().flat_map(|name| match name.starts_with('-') {
                true => vec![format!("{option}={}", word(Path::new(name)))],
                false => vec![option.to_owned(), word(Path::new(name))],
            }));
        }
        for (option, is_said) in [("--only", only), ("--fail-fast", fail_fast)] {
            words.extend(is_said.then(|| option.to_owned()));
        }
        words.extend(more.iter().map(|word| (*word).to_owned()));
        self.line(words)
    }

    /// A verb about this workspace, with what it is about, and options.
    fn verb(&self, verb: &[&str], about: &[&str], options: &[&str]) -> String {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        // An id may begin as an option does.
        let is_last = about.iter().any(|word| word.starts_with('-'));
        let mut words = owned(verb);
        if !is_last {
            words.extend(owned(about));
        }
        words.extend(owned(options));
        if self.dir != Path::new(".") {
            words.extend(["--workspace".to_owned(), word(self.dir)]);
        }
        let line = self.line(words);
        if is_last { format!("{line} -- {}", about.join(" ")) } else { line }
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

/// The same error, each of whose commands is one for the operator's folder that was named.
pub fn at_home(fault: Fault, home: Option<&Path>) -> Fault {
    let Some(home) = home else { return fault };
    let named = format!(" --config-home {}", word(home));
    Fault { hint: fault.hint.map(|hint| commands_with(&hint, &named)), ..fault }
}

/// Each command of the host that stands between backquotes gets these words, before those that are no options.
fn commands_with(hint: &str, words: &str) -> String {
    let with = |(place, text): (usize, &str)| match place % 2 == 1 && text.starts_with("orch-host ") {
        true if text.contains("--config-home") => text.to_owned(),
        true => match text.split_once(" -- ") {
            Some((options, rest)) => format!("{options}{words} -- {rest}"),
            None => format!("{text}{words}"),
        },
        false => text.to_owned(),
    };
    hint.split('`').enumerate().map(with).collect::<Vec<_>>().join("`")
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

/// Where all is that a task that failed printed.
pub fn logs(task: &str, started: Started<'_>) -> String {
    format!("`{}` shows all that its commands printed", started.verb(&["logs"], &[task], &[]))
}

/// How to go on, one hint for each thing that keeps the run from its goal.
pub fn hints(summary: &Summary, started: Started<'_>) -> Vec<String> {
    let run = started.run(&[]);
    if summary.interrupted {
        return vec![format!("`{run}` goes on where it stopped")];
    }
    if summary.status == RunStatus::Completed {
        return Vec::new();
    }
    let mut hints = Vec::new();
    if let Some(task) = summary.in_doubt.first() {
        let logs = started.verb(&["logs"], &[task], &[]);
        let resolve = started.verb(&["resolve"], &[&summary.run, task], &["--as", "done"]);
        hints.push(format!(
            "`{logs}` shows what it printed; `{resolve}` (or `--as failed`, `--as retry`) says how it ended, `{run}` goes on"
        ));
    }
    if let Some(task) = summary.waiting_approval.first() {
        let list = started.verb(&["approvals", "list"], &[], &[]);
        let approve = started.verb(&["approvals", "approve"], &[task], &[]);
        hints.push(format!("`{list}` shows what asks; `{approve}` (or `deny`) answers, `{run}` goes on"));
    }
    if let Some(task) = summary.removed.first() {
        let cancel = started.verb(&["task", "cancel"], &[task], &[]);
        hints.push(format!("put `{task}` back, or `{cancel}` takes it out; `{run}` goes on"));
    }
    if let Some(missing) = summary.unverified.first() {
        let reason = ["--reason", "TEXT"];
        let (waive, what) = match &missing.task {
            Some(task) => (started.verb(&["task", "waive"], &[task], &reason), "takes a task as it is"),
            None => (started.verb(&["runs", "waive"], &[], &reason), "takes the run as it is"),
        };
        hints.push(format!("`{waive}` {what}; `{run}` asks again, once it can look"));
    }
    let waits = match summary.tasks.contains_key(orch_task::Status::Blocked.as_str()) {
        true => ", and what waits for it",
        false => "",
    };
    if !summary.failed.is_empty() {
        let again = started.run(&["--retry-failed"]);
        hints.push(format!("once it is mended, `{again}` tries again what failed{waits}"));
    } else if let Some(task) = summary.cancelled.first().filter(|_| !waits.is_empty()) {
        let retry = started.verb(&["task", "retry"], &[task], &[]);
        hints.push(format!("`{retry} && {run}` takes `{task}` in again{waits}"));
    }
    if hints.is_empty() {
        let findings = summary.major + summary.medium + summary.minor > 0;
        let report = started.verb(&["report"], &[], &[]);
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
        let tasks = vec!["a".to_owned()];
        let wanted = Wanted { tasks, exclude: vec!["it's".to_owned()], force: true, ..Wanted::default() };
        let (plugins, home) = ([PathBuf::from("my plugins")], PathBuf::from("/it's/here"));
        let started = Started {
            dir: Path::new("project"),
            memory: Path::new("state"),
            tasks: Path::new("other.yml"),
            plugins: &plugins,
            wanted: &wanted,
            home: Some(&home),
        };
        let asked = r"--task a --exclude 'it'\''s' --retry-failed";
        let end = r"--memory state --config-home '/it'\''s/here'";
        let expected =
            format!("orch-host run project --tasks other.yml --plugins 'my plugins' {asked} {end}");
        assert_eq!(started.run(&["--retry-failed"]), expected);
        let expected = format!("orch-host task retry a --workspace project {end}");
        assert_eq!(started.verb(&["task", "retry"], &["a"], &[]), expected);
        let expected = format!("orch-host resolve --as done --workspace project {end} -- r -a");
        assert_eq!(started.verb(&["resolve"], &["r", "-a"], &["--as", "done"]), expected);
        let wanted =
            Wanted { tasks: vec!["-a".to_owned()], tags: vec!["--force".to_owned()], ..Wanted::default() };
        let started = Started { dir: Path::new("."), plugins: &[], wanted: &wanted, ..started };
        let expected = format!("orch-host run --tasks other.yml --task=-a --tag=--force {end}");
        assert_eq!(started.run(&[]), expected);
    }

    #[test]
    fn commands_of_a_hint_are_for_the_folder_that_was_named() {
        let hint = "`orch-host init /w` makes it known, `a.toml` has it, or `orch-host task retry -- -x`; `orch-host run --config-home o`";
        let wanted = "`orch-host init /w --config-home 'a b'` makes it known, `a.toml` has it, or \
                      `orch-host task retry --config-home 'a b' -- -x`; `orch-host run --config-home o`";
        assert_eq!(commands_with(hint, " --config-home 'a b'"), wanted);
    }
}
