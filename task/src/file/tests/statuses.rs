//! Changed statuses: which bytes change, and when none do.
//!
//! In -> out: text and statuses -> text.
//! Not here: appended tasks (`appended.rs`), random files (`any_file.rs`).

use crate::file::{PatchError, TaskFile};
use crate::model::{Status, TaskId};

fn patch(text: &str, statuses: &[(&str, Status)]) -> Result<String, PatchError> {
    let file = TaskFile::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let statuses: Vec<(TaskId, Status)> =
        statuses.iter().map(|(id, status)| (TaskId::parse(id).unwrap(), *status)).collect();
    file.patched(&statuses, &[]).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(patch(text, &[("a", Status::Done)]).unwrap(), expected);
}

#[track_caller]
fn check_refused(text: &str, code: &str, says: &str) {
    let error = patch(text, &[("a", Status::Done)]).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn only_the_word_changes() {
    check("- id: a\n  status: pending\n", "- id: a\n  status: done\n");
    check("- id: a\n  status:   pending   # why\n  x: 1\n", "- id: a\n  status:   done   # why\n  x: 1\n");
    check("- status: 'pending'\n  id: a", "- status: 'done'\n  id: a");
    check("- id: a\r\n  status: \"in_progress\"\r\n", "- id: a\r\n  status: \"done\"\r\n");
    check("- {id: a, status: failed} # x\n", "- {id: a, status: done} # x\n");
    check("[{\"id\":\"a\",\"status\":\"pending\"}]", "[{\"id\":\"a\",\"status\":\"done\"}]");
    check(
        "- id: a\n  description: \u{fc}\u{1f600}\n  status: pending",
        "- id: a\n  description: \u{fc}\u{1f600}\n  status: done",
    );
    check("\u{feff}- id: a\n  status: pending\n", "\u{feff}- id: a\n  status: done\n");
    check("- id: a\n  status:\n    pending\n  x: 1\n", "- id: a\n  status:\n    done\n  x: 1\n");
    check("- id: a\n  status: |-\n    pending\n  x: 1\n", "- id: a\n  status: |-\n    done\n  x: 1\n");
    check("- id: a\n  status: !!str pending\n", "- id: a\n  status: !!str done\n");
    check("- id: a\n  status: \"\\x70ending\"\n", "- id: a\n  status: \"done\"\n");
}

#[test]
fn a_status_without_value_gets_one() {
    check("- id: a\n  status:\n  x: 1\n", "- id: a\n  status: done\n  x: 1\n");
    check("- id: a\n  status: # none\n", "- id: a\n  status: done # none\n");
    check("- id: a\n  status: ~\n", "- id: a\n  status: done\n");
    check("- id: a\n  status:", "- id: a\n  status: done");
    check("- {id: a, status: , x: 1}", "- {id: a, status: done , x: 1}");
    check("- {id: a, status}", "- {id: a, status: done}");
    check("- {status, id: a}", "- {status: done, id: a}");
    check("[{\"id\": \"a\", \"status\"}]", "[{\"id\": \"a\", \"status\": done}]");
}

#[test]
fn a_missing_status_goes_after_the_id() {
    check("- id: a\n", "- id: a\n  status: done\n");
    check("- id: a", "- id: a\n  status: done");
    check("- id: a # first\n\n# next\n- id: b\n", "- id: a # first\n  status: done\n\n# next\n- id: b\n");
    check("- id: a\r\n  x: 1\r\n", "- id: a\r\n  status: done\r\n  x: 1\r\n");
    check("-   x: 1\n    id: 'a'\n    y: 2\n", "-   x: 1\n    id: 'a'\n    status: done\n    y: 2\n");
    check("tasks:\n  -\n    id: a\nz: 1\n", "tasks:\n  -\n    id: a\n    status: done\nz: 1\n");
    check("tasks:\n- id: a\nz: 1\n", "tasks:\n- id: a\n  status: done\nz: 1\n");
    check("- id:\n    a\n  x: 1\n", "- id:\n    a\n  status: done\n  x: 1\n");
    check("- id: |-\n    a\n  x: 1\n", "- id: |-\n    a\n  status: done\n  x: 1\n");
    check("\u{feff}- id: a\n  x: 1\n", "\u{feff}- id: a\n  status: done\n  x: 1\n");
    check("- &t id: a\n  x: 1\n", "- &t id: a\n  status: done\n  x: 1\n");
    check("- {id: a}\n", "- {id: a, status: done}\n");
    check("- {id: a,\n   x: 1, }\n", "- {id: a, status: done,\n   x: 1, }\n");
    check("[{\"x\": 1, \"id\": \"a\"}]", "[{\"x\": 1, \"id\": \"a\", \"status\": \"done\"}]");
}

#[test]
fn nothing_is_written_when_nothing_changes() {
    let text = "- {id: a,status: done}\n# end";
    check(text, text);
    assert_eq!(patch("- id: a\n", &[]).unwrap(), "- id: a\n");
}

#[test]
fn the_last_word_for_a_task_counts() {
    let text =
        patch("- id: a\n- id: b\n", &[("b", Status::Done), ("a", Status::Blocked), ("b", Status::Failed)]);
    assert_eq!(text.unwrap(), "- id: a\n  status: blocked\n- id: b\n  status: failed\n");
}

#[test]
fn what_cannot_be_changed_alone_is_refused_by_name() {
    check_refused("- id: b\n", "patch-unknown-task", "no task `a`");
    check_refused("x: &a a\ntasks:\n- id: *a\n", "patch-id-elsewhere", "task `a` has no place for a status");
    check_refused("x: &t {id: a}\ntasks: [*t]\n", "patch-id-elsewhere", "task `a`");
    check_refused("x: &l [{id: a}]\ntasks: *l\n", "patch-id-elsewhere", "task `a`");
    // Written here, and taken over by others.
    check_refused(
        "- {id: a, status: &s pending}\n- {id: b, description: *s}\n",
        "patch-would-change",
        "would also change task `b`, at line 2, column 3",
    );
}

#[test]
fn a_status_of_its_own_is_written_where_one_is_merged() {
    check(
        "d: &d {status: pending}\ntasks:\n- <<: *d\n  id: a\n",
        "d: &d {status: pending}\ntasks:\n- <<: *d\n  id: a\n  status: done\n",
    );
    check("- {<<: {status: pending}, id: a}\n", "- {<<: {status: pending}, id: a, status: done}\n");
    check(
        "- <<: &d {status: failed}\n  id: a\n- <<: *d\n  id: b\n",
        "- <<: &d {status: failed}\n  id: a\n  status: done\n- <<: *d\n  id: b\n",
    );
    check(
        "- <<: [&x {status: failed}, {status: blocked}]\n  id: a\n",
        "- <<: [&x {status: failed}, {status: blocked}]\n  id: a\n  status: done\n",
    );
    // A task that others merge has a status like any other, and they have none of it.
    check("- &t {id: a}\n- {<<: *t, id: b}\n", "- &t {id: a, status: done}\n- {<<: *t, id: b}\n");
    check(
        "- &t\n  id: a\n  status: failed\n- <<: *t\n  id: b\n",
        "- &t\n  id: a\n  status: done\n- <<: *t\n  id: b\n",
    );
}

#[test]
fn a_status_that_is_an_alias_becomes_a_word_of_its_own() {
    check(
        "- {id: b, status: &s pending}\n- {id: a, status: *s}\n",
        "- {id: b, status: &s pending}\n- {id: a, status: done}\n",
    );
    check(
        "- id: a\n  status: &s pending\n- id: b\n  status: *s # as a\n",
        "- id: a\n  status: &s done\n- id: b\n  status: pending # as a\n",
    );
}

#[test]
fn a_hundred_thousand_tasks_are_read_and_patched() {
    let mut text = String::new();
    for at in 0..100_000 {
        text.push_str(&format!("- id: task-{at}\n"));
        if at > 0 {
            text.push_str(&format!("  dependencies: [task-{}]\n", at - 1));
        }
        if at % 2 == 0 {
            text.push_str("  status: pending\n");
        }
    }
    let file = TaskFile::parse(text).unwrap();
    let statuses: Vec<_> = file.tasks().iter().map(|read| (read.task.id.clone(), Status::Done)).collect();
    let patched = file.patched_file(&statuses, &[]).unwrap();
    assert_eq!(patched.tasks().len(), 100_000);
    assert!(patched.tasks().iter().all(|read| read.status == Some(Status::Done)));
    let (inserted, shorter) = ("  status: done\n".len(), "pending".len() - "done".len());
    assert_eq!(patched.bytes().len(), file.bytes().len() + 50_000 * inserted - 50_000 * shorter);
    assert_eq!(patched.sha256(), crate::file::sha256(patched.bytes()));
}

#[test]
fn a_file_of_one_long_line_is_read_and_patched() {
    let tasks: Vec<String> = (0..20_000).map(|at| format!("{{\"id\":\"t{at}\"}}")).collect();
    let file = TaskFile::parse(format!("[{}]", tasks.join(","))).unwrap();
    let statuses: Vec<_> = file.tasks().iter().map(|read| (read.task.id.clone(), Status::Done)).collect();
    let patched = String::from_utf8(file.patched(&statuses, &[]).unwrap()).unwrap();
    let expected: Vec<String> =
        tasks.iter().map(|task| task.replace('}', ", \"status\": \"done\"}")).collect();
    assert_eq!(patched, format!("[{}]", expected.join(",")));
}
