//! Tasks as text of a `tasks.yml`.
//!
//! In -> out: tasks -> a new file in block style; one new entry -> lines or one flow mapping, for a file that is there.
//! Invariant: `TaskFile::parse` of the text gives the same tasks; fields at their default are left out.
//! Not here: where an entry goes in a file that is there (`file/patch.rs`).

use crate::file::{NewFileTask, TaskFile, TaskFileError};
use crate::keys::KEYS;
use crate::model::{Command, Kind, Look, OnDoubt, TIMEOUT_MS_DEFAULT, Task, Tree, When};

pub(crate) mod quote;

/// Why tasks cannot be written as a task file.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("task `{task}` has the setting `{key}`, which is a key of every task")]
    ReservedKey { task: String, key: String },
    #[error("task `{task}` would say something else when it is read back")]
    Changed { task: String },
    /// The tasks are no graph, or break a limit of the file.
    #[error("these tasks are no task file")]
    Invalid {
        #[source]
        source: TaskFileError,
    },
}

/// A new `tasks.yml` with these tasks, in block style; it was read back and gives these tasks.
///
/// # Errors
/// `ReservedKey` for a setting that is named like a field; `Invalid` for tasks that no file may have.
pub fn render(tasks: &[Task]) -> Result<String, RenderError> {
    let entry = |task: &Task| NewFileTask { task: task.clone(), status: None, added_by: None };
    render_entries(&tasks.iter().map(entry).collect::<Vec<_>>())
}

/// The same with what the file says beside each task.
///
/// # Errors
/// As above.
pub fn render_entries(entries: &[NewFileTask]) -> Result<String, RenderError> {
    let mut text = String::new();
    for entry in entries {
        check_settings(&entry.task)?;
        for line in block_lines(entry, 0, 2) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if entries.is_empty() {
        text.push_str("[]\n");
    }
    TaskFile::parse(text.as_str()).map_err(|source| RenderError::Invalid { source })?;
    Ok(text)
}

/// How many bytes the entry needs in a file, for one that any file can have; what it depends on is not asked.
///
/// It was read back in block and in flow style, where entries lie deepest.
///
/// # Errors
/// `ReservedKey` as above; `Invalid` for an entry that breaks a limit of the file when it is written; `Changed`.
pub fn check_entry(entry: &NewFileTask) -> Result<u64, RenderError> {
    check_settings(&entry.task)?;
    let task = Task { dependencies: Vec::new(), ..entry.task.clone() };
    let alone = NewFileTask { task, ..entry.clone() };
    let block = format!("tasks:\n{}\n", block_lines(&alone, 2, 4).join("\n"));
    let flow = format!("tasks: [\n{}\n]\n", flow_mapping(&alone, true));
    for text in [block, flow] {
        let file = TaskFile::parse(text).map_err(|source| RenderError::Invalid { source })?;
        let is_same = |read: &crate::file::FileTask| {
            read.task == alone.task && read.status == alone.status && read.added_by == alone.added_by
        };
        if !matches!(file.tasks(), [read] if is_same(read)) {
            return Err(RenderError::Changed { task: entry.task.id.to_string() });
        }
    }
    Ok(flow_mapping(entry, true).len() as u64)
}

/// Refuses settings that a file cannot tell from fields.
pub(crate) fn check_settings(task: &Task) -> Result<(), RenderError> {
    match task.settings.keys().find(|key| KEYS.contains(&key.as_str())) {
        Some(key) => Err(RenderError::ReservedKey { task: task.id.to_string(), key: key.clone() }),
        None => Ok(()),
    }
}

/// Lines of an entry in block style, without line ends: `dash` spaces before the dash, `body` before the keys.
pub(crate) fn block_lines(entry: &NewFileTask, dash: usize, body: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (nth, (key, value)) in fields(entry, false).into_iter().enumerate() {
        match nth {
            0 => lines.push(format!(
                "{:dash$}-{:gap$}{key}: {value}",
                "",
                "",
                gap = (body - dash).saturating_sub(1)
            )),
            _ => lines.push(format!("{:body$}{key}: {value}", "")),
        }
    }
    lines
}

/// An entry as one flow mapping; keys and texts in double quotes if `quoted`, as in JSON.
pub(crate) fn flow_mapping(entry: &NewFileTask, quoted: bool) -> String {
    let fields: Vec<String> =
        fields(entry, quoted).into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

/// Keys and values that are not at their default, in the order in which people read them.
fn fields(entry: &NewFileTask, quoted: bool) -> Vec<(String, String)> {
    let task = &entry.task;
    let mut fields = Vec::new();
    let mut add = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            fields.push((quote::text(key, quoted), value));
        }
    };
    let text = |value: &str| quote::text(value, quoted);
    add("id", Some(text(task.id.as_str())));
    add("status", entry.status.map(|status| text(status.as_str())));
    add("description", (!task.description.is_empty()).then(|| text(&task.description)));
    add("kind", (task.kind != Kind::shell()).then(|| text(task.kind.as_str())));
    add(
        "command",
        task.command.as_ref().map(|command| match command {
            Command::Argv(words) => quote::texts(words.iter().map(String::as_str), quoted),
            Command::Shell(line) => text(line),
        }),
    );
    add("priority", (task.priority != 0).then(|| task.priority.to_string()));
    add("cost", (task.cost != 1).then(|| task.cost.to_string()));
    let dependencies = || quote::texts(task.dependencies.iter().map(|id| id.as_str()), quoted);
    add("dependencies", (!task.dependencies.is_empty()).then(dependencies));
    add("timeout", (task.timeout_ms != TIMEOUT_MS_DEFAULT).then(|| seconds(task.timeout_ms)));
    add("retries", (task.retries != 0).then(|| task.retries.to_string()));
    let list = |values: &[String]| {
        (!values.is_empty()).then(|| quote::texts(values.iter().map(String::as_str), quoted))
    };
    let look = |look: &Look| match look.checks.is_empty() {
        true => text(&look.verifier),
        false => {
            let checks = quote::texts(look.checks.iter().map(String::as_str), quoted);
            format!("{{{}: {checks}}}", text(&look.verifier))
        }
    };
    let verify = || format!("[{}]", task.verify.iter().map(look).collect::<Vec<_>>().join(", "));
    add("verify", (!task.verify.is_empty()).then(verify));
    let on_doubt = match task.on_doubt {
        OnDoubt::Ask => None,
        OnDoubt::Retry => Some("retry"),
        OnDoubt::Fail => Some("fail"),
        OnDoubt::Done => Some("done"),
    };
    add("on_doubt", on_doubt.map(text));
    add("idempotent", task.idempotent.then(|| "true".to_owned()));
    add("tags", list(&task.tags));
    add("allow_failure", task.allow_failure.then(|| "true".to_owned()));
    add("always", task.always.then(|| "true".to_owned()));
    add("when", task.when.as_ref().map(|when| when_text(when, quoted)));
    add("inputs", list(&task.inputs));
    add("outputs", list(&task.outputs));
    add("tree", (task.tree == Tree::Mine).then(|| "mine".to_owned()));
    for (key, value) in &task.settings {
        add(key, Some(quote::json(value, quoted)));
    }
    add("added_by", entry.added_by.as_deref().map(text));
    fields
}

fn when_text(When { exists, missing, variable, is }: &When, quoted: bool) -> String {
    let parts = [("exists", exists), ("missing", missing), ("variable", variable), ("is", is)];
    let said = parts.into_iter().filter_map(|(key, value)| {
        let value = value.as_deref()?;
        Some(format!("{}: {}", quote::text(key, quoted), quote::text(value, quoted)))
    });
    format!("{{{}}}", said.collect::<Vec<_>>().join(", "))
}

/// Milliseconds as decimal seconds, exactly.
pub(crate) fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::TaskFile;
    use crate::model::TaskId;

    fn task(id: &str) -> Task {
        Task::new(TaskId::parse(id).unwrap(), Kind::shell())
    }

    #[test]
    fn a_file_is_written_as_people_write_it() {
        let mut all = task("7");
        all.description = "Build: all\nof it".to_owned();
        all.kind = Kind::parse("agent").unwrap();
        all.command = Some(Command::Argv(vec!["sleep".to_owned(), "0.5".to_owned()]));
        (all.priority, all.cost, all.timeout_ms, all.retries) = (-3, 0, 1_500, 2);
        all.dependencies = vec![TaskId::parse("b").unwrap()];
        let checks = vec!["unit".to_owned(), "no".to_owned()];
        all.verify = vec![Look::whole("demo/tests"), Look { verifier: "demo/more".to_owned(), checks }];
        (all.on_doubt, all.idempotent) = (OnDoubt::Fail, true);
        (all.tags, all.allow_failure, all.always) = (vec!["no".to_owned(), "slow".to_owned()], true, true);
        let text = |value: &str| Some(value.to_owned());
        all.when = Some(When { exists: text("a b"), missing: None, variable: text("CI"), is: text("true") });
        (all.inputs, all.outputs) = (vec!["src/**/*.c".to_owned()], vec!["out".to_owned()]);
        all.settings =
            serde_json::from_str(r#"{"model": {"name": "x", "t": 0.5, "no": null}, "<<": [true]}"#).unwrap();
        let mut line = task("b");
        line.command = Some(Command::Shell("make && true".to_owned()));
        let text = render(&[all.clone(), line.clone()]).unwrap();
        let expected = r#"- id: "7"
  description: "Build: all\nof it"
  kind: agent
  command: [sleep, "0.5"]
  priority: -3
  cost: 0
  dependencies: [b]
  timeout: 1.5
  retries: 2
  verify: [demo/tests, {demo/more: [unit, "no"]}]
  on_doubt: fail
  idempotent: true
  tags: ["no", slow]
  allow_failure: true
  always: true
  when: {exists: a b, variable: CI, is: "true"}
  inputs: ["src/**/*.c"]
  outputs: [out]
  "<<": [true]
  model: {name: x, "no": null, t: 0.5}
- id: b
  command: "make && true"
"#;
        assert_eq!(text, expected);
        let read = TaskFile::parse(text).unwrap();
        assert_eq!(read.tasks().iter().map(|read| &read.task).collect::<Vec<_>>(), [&all, &line]);
        assert_eq!(render(&[]).unwrap(), "[]\n");
    }

    #[test]
    fn tasks_that_no_file_may_have_are_refused() {
        let mut reserved = task("a");
        reserved.settings.insert("status".to_owned(), "done".into());
        assert!(matches!(render(&[reserved]), Err(RenderError::ReservedKey { key, .. }) if key == "status"));
        assert!(matches!(render(&[task("a"), task("a")]), Err(RenderError::Invalid { .. })));
    }

    #[track_caller]
    fn check(settings: serde_json::Value, fits: bool) {
        let mut asked = task("a");
        asked.dependencies = vec![TaskId::parse("elsewhere").unwrap()];
        asked.settings = serde_json::from_value(settings).unwrap();
        let entry = NewFileTask {
            task: asked,
            status: Some(crate::Status::Pending),
            added_by: Some("demo/x".into()),
        };
        let found = check_entry(&entry);
        assert_eq!(found.is_ok(), fits, "{found:?}");
    }

    #[test]
    fn an_entry_is_one_that_any_file_can_have() {
        use serde_json::json;
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        for key in KEYS {
            check(json!({ key: "done" }), false);
        }
        // Words of other tools are settings where a plugin says them.
        check(json!({ "run": 1, "needs": ["x"], "<<": {"a": 1}, "é\n\u{2028}\u{0}": "\u{202e}" }), true);
        check(json!({ "x": vec![1e9; 2_000] }), true);
        check(json!({ "x": vec![1e9; 16_000] }), false);
        check(json!({ "x": nested(50) }), true);
        check(json!({ "x": nested(120) }), false);
        check(json!({ "k".repeat(500): 1 }), true);
        check(json!({ "k".repeat(5_000): 1 }), false);
        check(json!({ "\u{7}".repeat(500): 1 }), false);
    }

    proptest::proptest! {
        #[test]
        fn what_is_one_lies_in_every_file(key in "\\PC{0,20}|[\\x00-\\x1f\u{2028}\u{feff}]{0,9}", text in "(?s).{0,60}", number in proptest::prelude::any::<f64>()) {
            let mut asked = task("new");
            asked.settings.insert(key, serde_json::json!({ text.as_str(): [number, text, null] }));
            let entry = NewFileTask { task: asked, status: None, added_by: Some("demo/x".into()) };
            let fits = check_entry(&entry).is_ok();
            for file in ["[]", "- id: a\n", "tasks:\n    - id: a\n      x: 1\nz: 1\n", "tasks: [{\"id\": \"a\"}]\n", "- {id: a}\n"] {
                let patched = TaskFile::parse(file).unwrap().patched(&[], std::slice::from_ref(&entry));
                proptest::prop_assert!(patched.is_ok() || !fits, "{file:?} {entry:?} {patched:?}");
            }
        }
    }

    #[test]
    fn seconds_are_exact() {
        for (ms, text) in [(1, "0.001"), (10, "0.01"), (1000, "1"), (60_000, "60"), (1_234_500, "1234.5")] {
            assert_eq!(seconds(ms), text);
        }
    }
}
