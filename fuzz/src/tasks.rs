//! `tasks.yml`: read, patched, merged with what people wrote.

use orch_task::{
    FileTask, Known, NewFileTask, Standing, Status, Task, TaskFile, TaskId, check_graph, merge, render,
};

/// What is read keeps its bytes; a changed status or a new task changes nothing else; tasks are rendered as themselves.
pub(crate) fn task_file(bytes: &[u8]) -> bool {
    let Ok(file) = TaskFile::parse(bytes) else { return false };
    assert_eq!(file.bytes(), bytes);
    assert_graph(file.tasks());
    assert_eq!(file.patched(&[], &[]).expect("nothing is always done"), bytes);
    // Behind an alias or a merge key a change may be refused.
    let is_plain = !bytes.iter().any(|byte| b"&*<!".contains(byte));
    if let Some(read) = file.tasks().get(bytes.len() % file.tasks().len().max(1)) {
        let status = Status::ALL[bytes.iter().fold(0usize, |sum, byte| sum + usize::from(*byte)) % 8];
        match file.patched_file(&[(read.task.id.clone(), status)], &[]) {
            Ok(patched) => assert_status(&file, &patched, &read.task.id, status),
            Err(error) => assert!(!is_plain, "{error}: {:?}", std::error::Error::source(&error)),
        }
    }
    let id = TaskId::parse("a-new-task-of-the-host").unwrap();
    if !file.tasks().iter().any(|read| read.task.id == id) {
        let task = Task::new(id, orch_task::Kind::shell());
        let entry = NewFileTask { task, status: Some(Status::Pending), added_by: Some("demo/x".to_owned()) };
        match file.patched_file(&[], std::slice::from_ref(&entry)) {
            Ok(patched) => assert_appended(&file, &patched, &entry),
            Err(error) => assert!(!is_plain, "{error}: {:?}", std::error::Error::source(&error)),
        }
    }
    // A plugin's task may have settings that a person's may not.
    if file.tasks().iter().all(|read| read.added_by.is_none()) {
        let tasks: Vec<Task> = file.tasks().iter().map(|read| read.task.clone()).collect();
        let text = render(&tasks).expect("tasks of a file are a file");
        let again = TaskFile::parse(text.as_bytes()).expect("our own text is read");
        assert!(again.tasks().iter().map(|read| &read.task).eq(&tasks));
    }
    true
}

fn assert_graph(tasks: &[FileTask]) {
    let tasks: Vec<Task> = tasks.iter().map(|read| read.task.clone()).collect();
    check_graph(&tasks).expect("a task file is a sound graph");
}

/// One status differs, and in the text one short place.
fn assert_status(before: &TaskFile, after: &TaskFile, id: &TaskId, status: Status) {
    assert_eq!(before.tasks().len(), after.tasks().len());
    for (old, new) in before.tasks().iter().zip(after.tasks()) {
        assert_eq!((&old.task, &old.added_by), (&new.task, &new.added_by));
        let expected = if old.task.id == *id { status } else { old.status_or_pending() };
        assert_eq!(new.status_or_pending(), expected);
    }
    let (old, new) = difference(before.bytes(), after.bytes());
    let written = |text: &[u8]| String::from_utf8_lossy(text).trim().len() <= 80;
    // Statuses that are an alias become words, wherever they stand.
    let has_alias = before.bytes().contains(&b'*');
    assert!(
        has_alias || (written(old) && written(new)),
        "{:?} became {:?}",
        String::from_utf8_lossy(old),
        String::from_utf8_lossy(new)
    );
}

/// The text is the old one with bytes put in; an empty list may have been replaced.
fn assert_appended(before: &TaskFile, after: &TaskFile, entry: &NewFileTask) {
    let [old @ .., new] = after.tasks() else { unreachable!("one was added") };
    assert!(
        old.iter()
            .map(|read| (&read.task, read.status))
            .eq(before.tasks().iter().map(|read| (&read.task, read.status)))
    );
    assert_eq!((&new.task, new.status, &new.added_by), (&entry.task, entry.status, &entry.added_by));
    if !before.tasks().is_empty() {
        let mut rest = after.bytes().iter();
        assert!(
            before.bytes().iter().all(|byte| rest.any(|found| found == byte)),
            "bytes of the file are gone"
        );
    }
}

/// What is between the common beginning and the common end.
fn difference<'a>(one: &'a [u8], other: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let head = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[head..], &other[head..]);
    let tail = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    (&one[..one.len() - tail], &other[..other.len() - tail])
}

const SEPARATOR: &[u8] = b"\n%%%\n";

/// The file as the host last saw it and as it is now. What has started stays, and every task of the old file is where
/// it was, changed, removed or refused.
pub(crate) fn task_merge(bytes: &[u8]) -> bool {
    let Some(at) = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) else {
        return false;
    };
    let (last, now) = (&bytes[..at], &bytes[at + SEPARATOR.len()..]);
    let (Ok(last), Ok(now)) = (TaskFile::parse(last), TaskFile::parse(now)) else { return false };
    let has = |file: &TaskFile, id: &TaskId| file.tasks().iter().any(|read| read.task.id == *id);
    let standing = |id: &TaskId| match id.as_str().len() % 2 {
        0 => Standing::Pending,
        _ => Standing::Started,
    };
    let known = |id: &TaskId| {
        let read = last.tasks().iter().find(|read| read.task.id == *id)?;
        Some(Known { task: &read.task, added_by: read.added_by.as_deref(), standing: standing(id) })
    };
    let Ok(report) = merge(&last, &now, known) else { return false };
    for read in &report.added {
        assert!(!has(&last, &read.task.id) && has(&now, &read.task.id) && read.added_by.is_none());
    }
    for read in &report.edited {
        assert!(standing(&read.task.id) == Standing::Pending && has(&now, &read.task.id));
    }
    for id in &report.removed {
        assert!(standing(id) == Standing::Pending && !has(&now, id));
    }
    for read in last.tasks().iter().filter(|read| !has(&now, &read.task.id)) {
        let id = &read.task.id;
        assert!(report.removed.contains(id) || report.refused.iter().any(|refused| refused.task == *id));
    }
    assert!(last.sha256() != now.sha256() || report.is_empty());
    if let Some(end) = report.cut_in(&last, &now) {
        assert!(has(&now, end));
    }
    true
}

const TASKS: &str = "# Tasks\n- id: build\n  command: [make, all]   # argv\n  priority: 5\n  status: done\n- id: test\n  \
                     command: \"make check\"\n  dependencies: [build]\n  timeout: 1.5\n  retries: 2\n  idempotent: true\n  \
                     on_doubt: retry\n  verify: [demo/v]\n  more: {a: [1, ~], b: \"x\"}\n- {id: 7, kind: note, cost: 0}\n";

pub(crate) fn valid_file() -> Vec<(&'static str, Vec<u8>)> {
    let json = r#"{"tasks": [{"id": "a", "status": "pending"}, {"id": "b", "dependencies": ["a"]}]}"#;
    vec![
        ("valid-block", TASKS.as_bytes().to_vec()),
        ("valid-json", json.as_bytes().to_vec()),
        ("valid-crlf", TASKS.replace('\n', "\r\n").trim_end().as_bytes().to_vec()),
        ("valid-empty", b"tasks: []\n".to_vec()),
        (
            "valid-key-alone",
            br#"{"tasks": [{"id": "a", "status"}, {"id": "b", "status", "kind": "note"}]}"#.to_vec(),
        ),
        ("valid-alias", b"- &a\n  id: a\n  kind: note\n- <<: *a\n  id: b\n".to_vec()),
    ]
}

pub(crate) fn valid_merge() -> Vec<(&'static str, Vec<u8>)> {
    let now = TASKS.replace("priority: 5", "priority: 6").replace("retries: 2", "retries: 3");
    vec![("valid", [TASKS.as_bytes(), SEPARATOR, now.as_bytes(), b"- id: new\n"].concat())]
}
