//! What people changed in `tasks.yml` while a run was under way.
//!
//! In -> out: the file as the host last saw it, as it is now, and how far each task is -> [`MergeReport`].
//! Invariant: a task that has started, or that the host appended, stays as the run knows it; the host owns `status`.
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
    /// The run has no task of that id.
    Unknown,
    /// Nothing of it has begun.
    Pending,
    /// An attempt was made, or it has ended.
    Started,
}

/// A task as the host last knew the file to have it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub task: &'a Task,
    /// None if the host cannot say what the file said, as after a crash: then the file's word is not compared.
    pub status: Option<Status>,
    pub added_by: Option<&'a str>,
}

impl<'a> From<&'a FileTask> for Known<'a> {
    fn from(read: &'a FileTask) -> Self {
        Self { task: &read.task, status: Some(read.status_or_pending()), added_by: read.added_by.as_deref() }
    }
}

/// What becomes of the changes that people made.
#[derive(Debug, Default)]
pub struct MergeReport {
    /// New tasks, in file order. A status written beside one counts.
    pub added: Vec<FileTask>,
    /// Tasks that have not started, with their new fields, in file order.
    pub edited: Vec<FileTask>,
    /// Tasks that have not started and are not in the file any more.
    pub cancelled: Vec<TaskId>,
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
    /// The id belonged to a task of this run that is not in the file any more.
    IdUsed,
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
            RefusedWhy::IdUsed => {
                write!(out, "task `{task}` was part of this run before; a new task needs a new id")?
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
        self.added.is_empty()
            && self.edited.is_empty()
            && self.cancelled.is_empty()
            && self.refused.is_empty()
    }
}

/// What people changed between `last`, which the host read or wrote, and `now`. `standing` is the run's view.
///
/// # Errors
/// A [`GraphError`] if what may be taken over does not fit to what stays.
pub fn merge(
    last: &TaskFile,
    now: &TaskFile,
    standing: impl Fn(&TaskId) -> Standing,
) -> Result<MergeReport, GraphError> {
    match last.sha256() == now.sha256() {
        true => Ok(MergeReport::default()),
        false => merge_from(last.tasks().iter().map(Known::from), now, standing),
    }
}

/// As [`merge`], for a host that was started again and has tasks from its store instead of a file. Only tasks that the
/// file had before the host ended belong into `known`: one that is not in `now` counts as removed.
///
/// # Errors
/// As [`merge`].
pub fn merge_from<'a>(
    known: impl IntoIterator<Item = Known<'a>>,
    now: &'a TaskFile,
    standing: impl Fn(&TaskId) -> Standing,
) -> Result<MergeReport, GraphError> {
    let mut report = MergeReport::default();
    let known: Vec<Known<'a>> = known.into_iter().collect();
    let before: HashMap<&TaskId, &Known<'a>> = known.iter().map(|known| (&known.task.id, known)).collect();
    // The graph as it will be: what stays, what is edited, what is new.
    let mut graph: Vec<&Task> = Vec::new();
    for read in now.tasks() {
        let Some(old) = before.get(&read.task.id) else {
            if merge_new(read, &standing, &mut report) {
                graph.push(&read.task);
            }
            continue;
        };
        let taken = merge_there(old, read, standing(&read.task.id), &mut report);
        graph.push(if taken { &read.task } else { old.task });
    }
    let there: HashSet<&TaskId> = now.tasks().iter().map(|read| &read.task.id).collect();
    for old in known.iter().filter(|old| !there.contains(&old.task.id)) {
        graph.push(old.task);
        let id = old.task.id.clone();
        match standing(&old.task.id) {
            Standing::Pending => report.cancelled.push(id),
            Standing::Started => {
                report.refused.push(RefusedEdit { task: id, place: None, why: RefusedWhy::Removed });
            }
            Standing::Unknown => {}
        }
    }
    let ids: HashSet<&TaskId> = graph.iter().map(|task| &task.id).collect();
    check_added(|id| !ids.contains(id) && standing(id) != Standing::Unknown, graph.iter().copied())?;
    Ok(report)
}

/// A task that was not in the file before; true if it is taken over.
fn merge_new(read: &FileTask, standing: &impl Fn(&TaskId) -> Standing, report: &mut MergeReport) -> bool {
    let mut refuse = |why| {
        report.refused.push(RefusedEdit { task: read.task.id.clone(), place: Some(read.place()), why });
        false
    };
    if standing(&read.task.id) != Standing::Unknown {
        return refuse(RefusedWhy::IdUsed);
    }
    if read.added_by.is_some() {
        return refuse(RefusedWhy::AddedBy);
    }
    report.added.push(read.clone());
    true
}

/// A task that was in the file before; true if its fields now count.
fn merge_there(old: &Known<'_>, read: &FileTask, standing: Standing, report: &mut MergeReport) -> bool {
    let mut refuse = |why| {
        report.refused.push(RefusedEdit { task: read.task.id.clone(), place: Some(read.place()), why });
    };
    let written = read.status_or_pending();
    if let Some(kept) = old.status.filter(|kept| *kept != written) {
        refuse(RefusedWhy::Status { written, kept });
    }
    if old.added_by != read.added_by.as_deref() {
        refuse(RefusedWhy::AddedBy);
    }
    if *old.task == read.task {
        return true;
    }
    let keys = changed_keys(old.task, &read.task);
    match (standing, old.added_by) {
        (Standing::Started, _) => refuse(RefusedWhy::Started { keys }),
        (_, Some(_)) => refuse(RefusedWhy::Appended { keys }),
        (_, None) => {
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

    fn standing(id: &TaskId) -> Standing {
        match id.as_str() {
            "done" | "busy" => Standing::Started,
            "next" | "later" | "idea" | "gone" => Standing::Pending,
            _ => Standing::Unknown,
        }
    }

    /// What changes when `from` in the file becomes `to`: added, edited, cancelled, refused.
    #[track_caller]
    fn check(from: &str, to: &str, expected: [&[&str]; 4]) {
        assert!(LAST.contains(from));
        let report = merge(&file(LAST), &file(&LAST.replacen(from, to, 1)), standing).unwrap();
        let ids = |tasks: &[FileTask]| tasks.iter().map(|read| read.task.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&report.added), expected[0]);
        assert_eq!(ids(&report.edited), expected[1]);
        assert_eq!(report.cancelled.iter().map(|id| id.as_str()).collect::<Vec<_>>(), expected[2]);
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
    fn new_tasks_are_added() {
        check(
            "- {id: next",
            "- {id: new, dependencies: [done], status: done}\n- {id: next",
            [&["new"], &[], &[], &[]],
        );
        let said = "`added_by` of task `new` is the host's to write, at line 3, column 3";
        check("- {id: next", "- {id: new, added_by: demo/x}\n- {id: next", [&[], &[], &[], &[said]]);
        let said = "task `gone` was part of this run before; a new task needs a new id, at line 3, column 3";
        check("- {id: next", "- {id: gone}\n- {id: next", [&[], &[], &[], &[said]]);
    }

    #[test]
    fn fields_of_pending_tasks_are_taken() {
        check("priority: 1", "priority: 2, note: x", [&[], &["next"], &[], &[]]);
        check("[next], status: pending", "[done], status: pending", [&[], &["later"], &[], &[]]);
    }

    #[test]
    fn a_pending_task_that_is_removed_is_cancelled() {
        check("- {id: later, dependencies: [next], status: pending}\n", "", [&[], &[], &["later"], &[]]);
        let idea = "- {id: idea, kind: note, added_by: demo/x, dependencies: [next]}\n";
        check(idea, "", [&[], &[], &["idea"], &[]]);
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
    fn a_host_that_was_started_again_compares_with_its_store() {
        let (last, now) =
            (file(LAST), file(&LAST.replace("status: in_progress, ", "").replace("priority: 1", "cost: 2")));
        let known = last.tasks().iter().map(|read| Known { status: None, ..Known::from(read) });
        let report = merge_from(known, &now, standing).unwrap();
        assert_eq!(report.edited.iter().map(|read| read.task.id.as_str()).collect::<Vec<_>>(), ["next"]);
        assert_eq!(report.refused, []);
    }

    #[test]
    fn what_may_be_taken_over_must_fit_to_what_stays() {
        // The note waits for `next`, whatever the file says now; so `next` cannot wait for the note.
        let now = LAST.replace(", dependencies: [next]}", "}").replace("priority: 1", "dependencies: [idea]");
        let error = merge(&file(LAST), &file(&now), standing).unwrap_err();
        assert_eq!(error.to_string(), "tasks depend on each other: `next` -> `idea` -> `next`");
    }
}
