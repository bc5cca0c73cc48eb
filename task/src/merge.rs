//! What people changed in `tasks.yml` while a run was under way.
//!
//! In -> out: the file as the host last saw it, as it is now, and how far each task is -> [`MergeReport`].
//! Invariant: a task that is worked at, or that the host appended, stays as the run knows it; the host owns `status`.
//! Invariant: the tasks of the run and the report together form a sound graph.
//! Not here: reading the file (`exchange.rs`), writing events for what was taken over (the host).

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::file::{FileTask, Place, TaskFile};
use crate::graph::{GraphError, check_added};
use crate::model::{Status, Task, TaskId};

/// How far a task of the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing of it has begun.
    Pending,
    /// It is being worked at, or nobody knows how that ended.
    Started,
    /// It is over: what it says now counts once it is done again.
    Over,
}

/// A task as the run knows it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub task: &'a Task,
    pub added_by: Option<&'a str>,
    pub standing: Standing,
}

/// What becomes of the changes that people made.
#[derive(Debug, Default)]
pub struct MergeReport {
    /// New tasks, in file order. A status written beside one counts.
    pub added: Vec<FileTask>,
    /// Tasks that are not worked at, with their new fields, and those that are with new verifiers, in file order.
    pub edited: Vec<FileTask>,
    /// Tasks that have not started and are not in the file any more, in the order in which they were there.
    pub removed: Vec<TaskId>,
    /// What was not taken over.
    pub refused: Vec<RefusedEdit>,
}

/// A change that is not taken over.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedEdit {
    pub task: TaskId,
    /// Where the task is in the file, if it still is.
    pub place: Option<Place>,
    pub why: RefusedWhy,
}

/// Why a change is not taken over.
#[derive(Clone, Debug, PartialEq)]
pub enum RefusedWhy {
    /// It changes these keys of a task that has started.
    Started { keys: Vec<String> },
    /// It changes these keys of a task that the host appended for a plugin.
    Appended { keys: Vec<String> },
    /// It removes a task that has started.
    Removed,
    /// It changes a status, which is the host's to write.
    Status { written: Status, kept: Status },
    /// It says by which plugin a task was added, which is the host's to write.
    AddedBy,
    /// It removes a task that the host appended for a plugin.
    AppendedRemoved,
}

impl fmt::Display for RefusedEdit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.task;
        match &self.why {
            RefusedWhy::Started { keys } => {
                write!(out, "task `{task}` has started, so that `{}` stays as it was", keys.join("`, `"))?;
            }
            RefusedWhy::Appended { keys } => {
                write!(
                    out,
                    "task `{task}` was added by a plugin, so that `{}` stays as it was",
                    keys.join("`, `")
                )?;
            }
            RefusedWhy::Removed => write!(out, "task `{task}` has started and stays in the run")?,
            RefusedWhy::Status { written, kept } => {
                write!(
                    out,
                    "status of task `{task}` is the host's: `{written}` was written, `{kept}` stays"
                )?;
            }
            RefusedWhy::AddedBy => write!(out, "`added_by` of task `{task}` is the host's to write")?,
            RefusedWhy::AppendedRemoved => {
                write!(
                    out,
                    "task `{task}` was added by a plugin and stays; `orch-host task cancel {task}` takes it out"
                )?;
            }
        }
        match self.place {
            Some(place) => write!(out, ", at {place}"),
            None => Ok(()),
        }
    }
}

impl MergeReport {
    /// True when the file says what the run knows.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.edited.is_empty() && self.removed.is_empty() && self.refused.is_empty()
    }

    /// The file's last task, if the file looks as if it was cut off in the midst of it: the task is changed or new, and
    /// what came after it is gone. What it says then is nobody's word.
    pub fn cut_in<'a>(&self, last: &TaskFile, now: &'a TaskFile) -> Option<&'a TaskId> {
        let end = &now.tasks().last()?.task.id;
        if !self.added.iter().chain(&self.edited).any(|found| found.task.id == *end) {
            return None;
        }
        let old = last.tasks().iter().position(|old| old.task.id == *end);
        let mut gone = gone(last, now);
        let is_cut = last.bytes().starts_with(now.bytes())
            || match old {
                // All that followed, and nothing else.
                Some(place) => {
                    let after = last.tasks().get(place + 1..).unwrap_or_default();
                    !after.is_empty() && gone.map(|old| &old.task.id).eq(after.iter().map(|old| &old.task.id))
                }
                None => gone.any(|old| old.task.id.as_str().starts_with(end.as_str())),
            };
        is_cut.then_some(end)
    }

    fn refuse(&mut self, read: &FileTask, why: RefusedWhy) {
        self.refused.push(RefusedEdit { task: read.task.id.clone(), place: Some(read.place()), why });
    }
}

/// What people changed between `last`, which the host read or wrote, and `now`. `known` is the run's view. What the run
/// knows and `last` lacks was removed before: if it is back as it was, nothing is changed.
///
/// # Errors
/// A [`GraphError`] if what may be taken over does not fit to what stays.
pub fn merge<'a>(
    last: &'a TaskFile,
    now: &'a TaskFile,
    known: impl Fn(&TaskId) -> Option<Known<'a>>,
) -> Result<MergeReport, GraphError> {
    let mut report = MergeReport::default();
    if last.sha256() == now.sha256() {
        return Ok(report);
    }
    let before: HashMap<&TaskId, &FileTask> = last.tasks().iter().map(|old| (&old.task.id, old)).collect();
    // The graph as it will be: what stays, what is edited, what is new.
    let mut graph: Vec<&Task> = Vec::new();
    for read in now.tasks() {
        let known = known(&read.task.id);
        match (before.get(&read.task.id), known) {
            (Some(old), _) => {
                let taken = merge_there(old, read, known, &mut report);
                graph.push(if taken { &read.task } else { &old.task });
            }
            (None, Some(known)) => {
                let taken = take_fields(known, known.task, read, &mut report);
                graph.push(if taken { &read.task } else { known.task });
            }
            (None, None) if read.added_by.is_some() => report.refuse(read, RefusedWhy::AddedBy),
            (None, None) => {
                report.added.push(read.clone());
                graph.push(&read.task);
            }
        }
    }
    for old in gone(last, now) {
        graph.push(&old.task);
        let task = old.task.id.clone();
        let why = match known(&task) {
            None => continue,
            Some(Known { standing: Standing::Started | Standing::Over, .. }) => RefusedWhy::Removed,
            Some(Known { added_by: Some(_), .. }) => RefusedWhy::AppendedRemoved,
            Some(_) => {
                report.removed.push(task);
                continue;
            }
        };
        report.refused.push(RefusedEdit { task, place: None, why });
    }
    let ids: HashSet<&TaskId> = graph.iter().map(|task| &task.id).collect();
    check_added(|id| !ids.contains(id) && known(id).is_some(), graph.iter().copied())?;
    Ok(report)
}

/// Tasks that were in `last` and are not in `now`.
fn gone<'a>(last: &'a TaskFile, now: &TaskFile) -> impl Iterator<Item = &'a FileTask> {
    let there: HashSet<TaskId> = now.tasks().iter().map(|read| read.task.id.clone()).collect();
    last.tasks().iter().filter(move |old| !there.contains(&old.task.id))
}

/// A task that was in the file before; true if its fields now count.
fn merge_there(old: &FileTask, read: &FileTask, known: Option<Known<'_>>, report: &mut MergeReport) -> bool {
    let (written, kept) = (read.status_or_pending(), old.status_or_pending());
    if written != kept {
        report.refuse(read, RefusedWhy::Status { written, kept });
    }
    let standing = known.map_or(Standing::Pending, |known| known.standing);
    let of_run = known.map_or(&old.task, |known| known.task);
    let before = Known { task: &old.task, added_by: old.added_by.as_deref(), standing };
    take_fields(before, of_run, read, report)
}

/// The fields of a task that the run knows, as `of_run`; true if those that are written now count.
fn take_fields(known: Known<'_>, of_run: &Task, read: &FileTask, report: &mut MergeReport) -> bool {
    if known.added_by != read.added_by.as_deref() {
        report.refuse(read, RefusedWhy::AddedBy);
    }
    if *known.task == read.task {
        return true;
    }
    let mut keys = changed_keys(known.task, &read.task);
    match known {
        Known { standing: Standing::Started, added_by: None, .. } => {
            // Who is to look at it once it is over may still be said: whatever waits for it waits for them, too.
            let verify = &read.task.verify;
            if keys.iter().any(|key| key == "verify")
                && of_run.verify.iter().all(|look| verify.contains(look))
            {
                keys.retain(|key| key != "verify");
                let mut edited = read.clone();
                edited.task = Task { verify: verify.clone(), ..of_run.clone() };
                report.edited.push(edited);
            }
            if keys.is_empty() {
                return true;
            }
            report.refuse(read, RefusedWhy::Started { keys });
        }
        Known { standing: Standing::Started, .. } => report.refuse(read, RefusedWhy::Started { keys }),
        Known { added_by: Some(_), .. } => report.refuse(read, RefusedWhy::Appended { keys }),
        _ => {
            report.edited.push(read.clone());
            return true;
        }
    }
    false
}

/// Keys of the file whose values differ.
pub fn changed_keys(old: &Task, new: &Task) -> Vec<String> {
    let fields = [
        ("description", old.description != new.description),
        ("kind", old.kind != new.kind),
        ("command", old.command != new.command),
        ("priority", old.priority != new.priority),
        ("cost", old.cost != new.cost),
        ("dependencies", old.dependencies != new.dependencies),
        ("timeout", old.timeout_ms != new.timeout_ms),
        ("retries", old.retries != new.retries),
        ("verify", old.verify != new.verify),
        ("on_doubt", old.on_doubt != new.on_doubt),
        ("idempotent", old.idempotent != new.idempotent),
        ("tags", old.tags != new.tags),
        ("allow_failure", old.allow_failure != new.allow_failure),
        ("always", old.always != new.always),
        ("when", old.when != new.when),
        ("inputs", old.inputs != new.inputs),
        ("outputs", old.outputs != new.outputs),
        ("tree", old.tree != new.tree),
    ];
    let mut keys: Vec<String> =
        fields.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect();
    let settings =
        old.settings.keys().chain(new.settings.keys().filter(|key| !old.settings.contains_key(*key)));
    keys.extend(settings.filter(|key| old.settings.get(*key) != new.settings.get(*key)).map(|key| {
        // Keys are people's text and end up on terminals.
        key.escape_debug().to_string()
    }));
    keys
}

#[cfg(test)]
mod shortened;

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: &str = "\
- {id: done, status: done, command: make}
- {id: busy, status: in_progress, dependencies: [done]}
- {id: next, priority: 1}
- {id: later, dependencies: [next], status: pending}
- {id: idea, kind: note, added_by: demo/x, dependencies: [next]}
";

    fn file(text: &str) -> TaskFile {
        TaskFile::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The tasks of the run: those of `LAST`, and one that was removed before.
    fn known<'a>(run: &'a TaskFile) -> impl Fn(&TaskId) -> Option<Known<'a>> {
        |id| {
            let found = run.tasks().iter().find(|found| found.task.id == *id)?;
            let standing = match id.as_str() {
                "done" | "busy" => Standing::Started,
                _ => Standing::Pending,
            };
            Some(Known { task: &found.task, added_by: found.added_by.as_deref(), standing })
        }
    }

    /// What changes when `from` in the file becomes `to`: added, edited, removed, refused.
    #[track_caller]
    fn check(from: &str, to: &str, expected: [&[&str]; 4]) {
        assert!(LAST.contains(from));
        let run = file(&format!("{LAST}- {{id: gone, command: rm}}\n"));
        let report = merge(&file(LAST), &file(&LAST.replacen(from, to, 1)), known(&run)).unwrap();
        let ids = |tasks: &[FileTask]| tasks.iter().map(|read| read.task.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&report.added), expected[0]);
        assert_eq!(ids(&report.edited), expected[1]);
        assert_eq!(report.removed.iter().map(|id| id.as_str()).collect::<Vec<_>>(), expected[2]);
        assert_eq!(report.refused.iter().map(ToString::to_string).collect::<Vec<_>>(), expected[3]);
        assert_eq!(report.is_empty(), expected.concat().is_empty());
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        check("- {id: done", "- {id: done", [&[], &[], &[], &[]]);
        check("- {id: done", "# hello\n- {id: 'done'", [&[], &[], &[], &[]]);
        check(", status: pending}", "}", [&[], &[], &[], &[]]);
        check("priority: 1", "priority: 1, status: pending", [&[], &[], &[], &[]]);
    }

    #[test]
    fn who_looks_at_a_task_that_has_started_may_be_added_and_nobody_may_be_taken_out() {
        let with = |fields: &str| file(&format!("- {{id: busy, command: {fields}}}\n"));
        let run = with("sleep, verify: [demo/a]");
        // What the file says of its command was refused before.
        let last = with("rm, verify: [demo/a]");
        let merged = |fields: &str| {
            let report = merge(&last, &with(fields), known(&run)).unwrap();
            let edited = report.edited.into_iter().map(|read| (read.task.command, read.task.verify.len()));
            (edited.collect::<Vec<_>>(), report.refused.len())
        };
        let command = run.tasks()[0].task.command.clone();
        assert_eq!(merged("rm, verify: [demo/a, demo/b]"), (vec![(command.clone(), 2)], 0));
        assert_eq!(merged("other, verify: [demo/b, demo/a]"), (vec![(command, 2)], 1));
        for less in ["rm", "rm, verify: [demo/b]"] {
            assert_eq!(merged(less), (vec![], 1), "{less}");
        }
    }

    #[test]
    fn new_tasks_are_added() {
        check(
            "- {id: next",
            "- {id: new, dependencies: [done], status: done}\n- {id: next",
            [&["new"], &[], &[], &[]],
        );
        let said = "`added_by` of task `new` is the host's to write, at line 3, column 3";
        check("- {id: next", "- {id: new, added_by: demo/x}\n- {id: next", [&[], &[], &[], &[said]]);
    }

    #[test]
    fn fields_of_pending_tasks_are_taken() {
        check("priority: 1", "priority: 2, note: x", [&[], &["next"], &[], &[]]);
        check("[next], status: pending", "[done], status: pending", [&[], &["later"], &[], &[]]);
    }

    #[test]
    fn a_pending_task_that_is_removed_is_reported_and_what_a_plugin_added_stays() {
        check("- {id: later, dependencies: [next], status: pending}\n", "", [&[], &[], &["later"], &[]]);
        let idea = "- {id: idea, kind: note, added_by: demo/x, dependencies: [next]}\n";
        let said = "task `idea` was added by a plugin and stays; `orch-host task cancel idea` takes it out";
        check(idea, "", [&[], &[], &[], &[said]]);
    }

    #[test]
    fn a_task_that_is_back_is_no_change_and_may_be_edited_as_it_comes() {
        let gone = "- {id: gone, command: rm}\n- {id: next";
        check("- {id: next", gone, [&[], &[], &[], &[]]);
        check("- {id: next", &gone.replace("rm", "cp"), [&[], &["gone"], &[], &[]]);
        let run = file(LAST);
        let shorter = file("[]\n");
        let back = merge(&shorter, &file(LAST), known(&run)).unwrap();
        assert!(back.added.is_empty() && back.refused.is_empty(), "{back:?}");
    }

    /// What is looked for in a file that was cut off after `bytes` of `whole`; none if it cannot be read.
    fn cut(whole: &TaskFile, bytes: usize) -> Option<(TaskFile, MergeReport)> {
        let now = TaskFile::parse(&whole.bytes()[..bytes]).ok()?;
        let report = merge(whole, &now, known(whole)).ok()?;
        (report.cut_in(whole, &now).is_none()).then_some((now, report))
    }

    #[test]
    fn any_beginning_of_a_file_changes_nothing_once_the_rest_is_back() {
        let block = "\
tasks:
  - id: deploy-to-staging
    command: rm -rf /srv/staging/old
    priority: 12
  - id: deploy
    command: [sh, -c, 'echo deployed']
    dependencies: [deploy-to-staging]
    retries: 15
  # the last one
  - id: tell
    description: |
      says that it is over,
      in two lines
    dependencies:
      - deploy-to-staging
      - deploy
";
        let mut taken = 0;
        for whole in [file(LAST), file(block), file(&block.replace('\n', "\r\n"))] {
            for (now, report) in (0..whole.bytes().len()).filter_map(|bytes| cut(&whole, bytes)) {
                assert!(report.added.is_empty() && report.edited.is_empty(), "{report:?}\n{now:?}");
                let back = merge(&now, &whole, known(&whole)).unwrap();
                let statuses = |edit: &RefusedEdit| matches!(edit.why, RefusedWhy::Status { .. });
                assert!(
                    back.added.is_empty() && back.edited.is_empty() && back.removed.is_empty(),
                    "{back:?}"
                );
                assert!(back.refused.iter().all(statuses), "{back:?}");
                taken += usize::from(!report.removed.is_empty());
            }
        }
        assert!(taken > 10, "{taken} beginnings were taken in");
    }

    #[test]
    fn a_file_that_was_cut_off_is_known_also_with_other_statuses() {
        let now = |text: &str| {
            let (last, now) = (file(LAST), file(text));
            let report = merge(&last, &now, known(&last)).unwrap();
            report.cut_in(&last, &now).map(ToString::to_string)
        };
        let head = "- {id: done, command: make}\n- {id: busy, dependencies: [done]}\n";
        assert_eq!(now(&format!("{head}- {{id: next}}\n")).as_deref(), Some("next"));
        assert_eq!(now(&format!("{head}- {{id: ne}}\n")).as_deref(), Some("ne"));
        // What people do: remove some, or the last ones, or change one and remove another.
        assert_eq!(now(head), None);
        assert_eq!(now(&format!("{head}- {{id: next, priority: 1}}\n")), None);
        assert_eq!(now(&format!("{head}- {{id: other}}\n")), None);
        assert_eq!(now("- {id: done, command: make}\n- {id: later, dependencies: [done]}\n"), None);
    }

    #[test]
    fn what_has_started_stays() {
        let said = "task `done` has started, so that `command`, `x` stays as it was, at line 1, column 3";
        check("command: make", "command: make all, x: 1", [&[], &[], &[], &[said]]);
        let said = "task `busy` has started and stays in the run";
        check("- {id: busy, status: in_progress, dependencies: [done]}\n", "", [&[], &[], &[], &[said]]);
    }

    #[test]
    fn what_the_host_appended_stays() {
        let said = "task `idea` was added by a plugin, so that `kind` stays as it was, at line 5, column 3";
        check("kind: note", "kind: shell", [&[], &[], &[], &[said]]);
        let said = "`added_by` of task `idea` is the host's to write, at line 5, column 3";
        check("added_by: demo/x", "added_by: demo/y", [&[], &[], &[], &[said]]);
        let both = "task `idea` was added by a plugin, so that `kind` stays as it was, at line 5, column 3";
        check("kind: note, added_by: demo/x", "kind: shell", [&[], &[], &[], &[said, both]]);
    }

    #[test]
    fn statuses_are_the_hosts() {
        let said =
            "status of task `done` is the host's: `pending` was written, `done` stays, at line 1, column 3";
        check("status: done, ", "", [&[], &[], &[], &[said]]);
        let said =
            "status of task `next` is the host's: `done` was written, `pending` stays, at line 3, column 3";
        check("priority: 1", "priority: 2, status: done", [&[], &["next"], &[], &[said]]);
    }

    #[test]
    fn what_may_be_taken_over_must_fit_to_what_stays() {
        // The note waits for `next`, whatever the file says now; so `next` cannot wait for the note.
        let now = LAST.replace(", dependencies: [next]}", "}").replace("priority: 1", "dependencies: [idea]");
        let run = file(LAST);
        let error = merge(&run, &file(&now), known(&run)).unwrap_err();
        assert_eq!(error.to_string(), "tasks depend on each other: `next` -> `idea` -> `next`");
    }
}
