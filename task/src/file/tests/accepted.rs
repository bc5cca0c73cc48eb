//! What files may look like, and what is read out of them.
//!
//! In -> out: text -> tasks.
//! Not here: files that are refused (`refused.rs`).

use proptest::prelude::*;
use serde_json::json;

use crate::file::TaskFile;
use crate::model::{Command, Look, OnDoubt, Status, Task, When};

fn read(text: &str) -> TaskFile {
    TaskFile::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn one(text: &str) -> Task {
    let file = read(text);
    assert_eq!(file.tasks().len(), 1);
    file.tasks()[0].task.clone()
}

fn ids(text: &str) -> Vec<String> {
    read(text).tasks().iter().map(|read| read.task.id.to_string()).collect()
}

#[test]
fn what_is_a_comment_to_a_shell_is_a_text_to_others() {
    let heading = |command: &str| Some(Command::Shell(command.to_owned()));
    assert_eq!(one("- {id: a, kind: phase, command: '# Goal'}").command, heading("# Goal"));
    assert_eq!(one("- {id: a, command: \"# why\\ntrue\"}").command, heading("# why\ntrue"));
}

#[test]
fn a_list_may_be_empty() {
    for text in ["[]", "[]\n", "tasks: []\n", "---\n[]\n", "# nothing yet\n[]", "x: 1\ntasks: []\ny: 2\n"] {
        assert_eq!(read(text).tasks().len(), 0, "{text:?}");
        assert_eq!(read(text).bytes(), text.as_bytes());
    }
}

#[test]
fn defaults_are_filled_in() {
    let task = one("- id: a\n");
    assert_eq!(task, Task::new(task.id.clone(), crate::model::Kind::shell()));
    // A key without value says nothing, but for the one without which nothing is done.
    let keys = "description kind priority cost dependencies timeout retries verify on_doubt idempotent tags \
                allow_failure always when inputs outputs tree status";
    let empty: String = keys.split(' ').map(|key| format!("  {key}:\n")).collect();
    assert_eq!(one(&format!("- id: a\n{empty}")), task);
}

#[test]
fn every_key_is_read() {
    let text = "\
name: demo
tasks:
  - id: 07            # kept as written
    description: \"two\\nlines \u{e9}\"
    kind: agent
    command: [sleep, 5, 0x1F, true, \"a b\"]
    priority: -2
    cost: 0
    timeout: 1.25
    retries: 3
    verify: [demo/tests]
    on_doubt: fail
    idempotent: true
    tags: [slow, no]
    allow_failure: true
    always: true
    when: {exists: a/b, missing: 1.0, variable: CI, is: true}
    inputs: [src/**/*.c, ./Makefile]
    outputs: [build]
    status: waiting_approval
    added_by: demo/reflector
    model: {name: x, temperature: 0.5, tags: [a, ~, 1]}
  - {id: b, command: make all, dependencies: [07, \"07\"]}
after: true
";
    let file = read(text);
    let [first, second] = file.tasks() else { panic!("not two") };
    let task = &first.task;
    assert_eq!((first.line, first.column), (3, 5));
    assert_eq!(task.id.as_str(), "07");
    assert_eq!(task.description, "two\nlines é");
    assert_eq!(task.kind.as_str(), "agent");
    let words = ["sleep", "5", "0x1F", "true", "a b"].map(str::to_owned).to_vec();
    assert_eq!(task.command, Some(Command::Argv(words)));
    assert_eq!((task.priority, task.cost, task.timeout_ms, task.retries), (-2, 0, 1250, 3));
    assert_eq!(task.verify, [Look::whole("demo/tests")]);
    assert_eq!((task.on_doubt, task.idempotent), (OnDoubt::Fail, true));
    assert_eq!(
        (task.tags.as_slice(), task.allow_failure, task.always),
        (["slow", "no"].map(str::to_owned).as_slice(), true, true)
    );
    let text = |value: &str| Some(value.to_owned());
    let when = When { exists: text("a/b"), missing: text("1.0"), variable: text("CI"), is: text("true") };
    assert_eq!(task.when, Some(when));
    assert_eq!(
        (task.inputs.join(" "), task.outputs.join(" ")),
        ("src/**/*.c ./Makefile".to_owned(), "build".to_owned())
    );
    assert_eq!(first.status, Some(Status::WaitingApproval));
    assert_eq!(first.added_by.as_deref(), Some("demo/reflector"));
    let model = json!({"name": "x", "temperature": 0.5, "tags": ["a", null, 1]});
    assert_eq!(serde_json::Value::Object(task.settings.clone()), json!({ "model": model }));

    assert_eq!((second.line, second.column), (23, 5));
    assert_eq!(second.task.command, Some(Command::Shell("make all".to_owned())));
    assert_eq!(second.task.dependencies, std::slice::from_ref(&task.id));
    assert_eq!((second.status, second.status_or_pending()), (None, Status::Pending));
}

/// The words of a list, read as the arguments of a command.
fn words(list: &str) -> Vec<String> {
    match one(&format!("- id: a\n  command: [p, {list}]\n")).command {
        Some(Command::Argv(words)) => words[1..].to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn words_are_the_text_as_written() {
    let plain = "1.10, 0x10, 0o17, 010, 1_000, +5, -0, 1., .5, 1e3, 1e400, .inf, -.INF, .NaN, yes, no, on, True, \
                 FALSE, true, ~, null, NULL, 2001-01-01, 2001-01-01T00:00:00Z, 12:30:45, 1.2.3, \
                 123456789012345678901234567890";
    assert_eq!(words(plain), plain.split(", ").map(str::to_owned).collect::<Vec<_>>());
    // Quotes and tags are no part of a word.
    assert_eq!(
        words("'1.10', \"null\", !!int \"5\", !!int 0x1F, !!bool 'true', !!str 1.0"),
        ["1.10", "null", "5", "0x1F", "true", "1.0"]
    );
    assert_eq!(words("&a 1.10, *a , &b null, *b"), ["1.10", "1.10", "null", "null"]);
    let text = "- id: 1.10x\n- id: '1.10'\n- id: a\n  dependencies: [1.10, 1.10x]\n  verify: [1.10, no, ~]\n";
    let file = read(text);
    let task = &file.tasks()[2].task;
    assert_eq!(task.dependencies.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["1.10", "1.10x"]);
    assert_eq!(task.verify, ["1.10", "no", "~"].map(Look::whole));
    // Where one word is one value, nothing is still nothing.
    let task = one("- id: a\n  description: 1.10\n  kind: null\n");
    assert_eq!((task.description.as_str(), task.kind), ("1.10", crate::model::Kind::shell()));
}

#[test]
fn ids_are_text_and_never_rounded() {
    assert_eq!(
        ids("- id: 1\n- id: 01\n- id: 0x1\n- id: 1_0\n- id: true\n- id: no\n"),
        ["1", "01", "0x1", "1_0", "true", "no"]
    );
    assert_eq!(ids("- id: 123456789012345678901234567890\n").concat(), "123456789012345678901234567890");
    assert_eq!(
        ids("- id: 1.2.3\n- id: -\n- id: ...a\n".replace("id: -\n", "id: '-'\n").as_str()),
        ["1.2.3", "-", "...a"]
    );
}

#[test]
fn timeouts_are_exact_to_the_millisecond() {
    for (text, ms) in [
        ("0.001", 1),
        ("0.123", 123),
        ("1.001", 1001),
        ("3600", 3_600_000),
        ("1e1", 10_000),
        ("31536000", 31_536_000_000),
    ] {
        assert_eq!(one(&format!("- id: a\n  timeout: {text}\n")).timeout_ms, ms);
    }
}

#[test]
fn other_styles_of_yaml() {
    assert_eq!(ids("[{\"id\": \"a\"}, {\"id\": 2}]"), ["a", "2"]);
    assert_eq!(ids("{\"tasks\": [{\"id\": \"a\"}], \"x\": null}"), ["a"]);
    assert_eq!(ids("\u{feff}- id: a\r\n  description: \u{fc}\r\n- id: b"), ["a", "b"]);
    assert_eq!(ids("---\n# one\n- id: a\n\n# two\n-   id: b\n...\n# end\n"), ["a", "b"]);
    assert_eq!(ids("%YAML 1.2\n---\n-\n  id: a\n"), ["a"]);
    assert_eq!(
        one("- id: a\n  command: |\n    make\n    make test\n").command,
        Some(Command::Shell("make\nmake test\n".to_owned()))
    );
    assert_eq!(one("- id: a\n  description:\tb\n").description, "b");
}

#[test]
fn aliases_and_merge_keys_are_followed() {
    let text = "\
defaults: &defaults {kind: agent, retries: 2, dependencies: [&one first]}
tasks:
- id: *one
- <<: *defaults
  id: b
  retries: 1
";
    let file = read(text);
    let task = &file.tasks()[1].task;
    assert_eq!((task.kind.as_str(), task.retries, task.dependencies[0].as_str()), ("agent", 1, "first"));
    // What the host writes is never inherited.
    let text = "d: &d {status: done, added_by: demo/x, cost: 2}\ntasks:\n- {<<: *d, id: a}\n- &b {<<: {status: done}, id: b}\n\
                - {<<: *b, id: c}\n- &e {id: e, status: failed}\n- {<<: [*e, *d], id: f}\n- {<<: *e, id: g, status: blocked}\n";
    let file = read(text);
    let statuses: Vec<Option<Status>> = file.tasks().iter().map(|read| read.status).collect();
    assert_eq!(statuses, [None, None, None, Some(Status::Failed), None, Some(Status::Blocked)]);
    assert!(file.tasks().iter().all(|read| read.added_by.is_none()));
    assert_eq!(file.tasks()[0].task.cost, 2);
    // Many tasks that share a default are no bomb.
    let many: String = (0..20_000).map(|at| format!("- {{<<: *d, id: t{at}}}\n")).collect();
    let text = format!("d: &d {{kind: agent, retries: 2, cost: 3, priority: 4}}\ntasks:\n{many}");
    assert_eq!(read(&text).tasks().iter().filter(|read| read.task.cost == 3).count(), 20_000);
}

#[test]
fn a_task_of_a_plugin_keeps_the_settings_that_it_was_asked_for_with() {
    let task = one("- {id: a, kind: note, added_by: demo/x, run: 1, comand: 2}\n");
    assert_eq!(serde_json::Value::Object(task.settings), json!({"run": 1, "comand": 2}));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever YAML would take it for: numbers, dates, words.
    #[test]
    fn a_scalar_in_a_list_is_the_word_as_written(
        list in proptest::collection::vec("[-+]?(0[xob])?[0-9_]{1,30}([.-][0-9]{0,3}|:[0-9]{1,3}){0,3}([eE][-+]?[0-9]{1,4})?|[a-zA-Z]{1,6}|[.][a-zA-Z]{3}|~", 1..6),
    ) {
        prop_assert_eq!(words(&list.join(", ")), list);
    }
}

#[test]
fn a_task_may_name_checks_of_its_verifiers_and_each_verifier_looks_once() {
    let looks = |verify: &str| {
        let file = TaskFile::parse(format!("- {{id: a, verify: {verify}}}\n")).unwrap();
        let looks = file.tasks()[0].task.verify.clone();
        looks
            .into_iter()
            .map(|look| format!("{}:{}", look.verifier, look.checks.join(",")))
            .collect::<Vec<_>>()
    };
    assert_eq!(looks("[demo/v, {demo/w: [unit, 1.10, no]}]"), ["demo/v:", "demo/w:unit,1.10,no"]);
    assert_eq!(looks("[{demo/v: [a], demo/w: [b]}]"), ["demo/v:a", "demo/w:b"]);
    assert_eq!(looks("[{demo/v: [a, b, a]}, {demo/v: [b, c]}]"), ["demo/v:a,b,c"]);
    for whole in ["[{demo/v: [a]}, demo/v]", "[demo/v, {demo/v: [a]}]", "[demo/v, demo/v]"] {
        assert_eq!(looks(whole), ["demo/v:"], "{whole}");
    }
    // Without flow style, as it is mostly written.
    let text = "- id: a\n  verify:\n    - demo/v: [unit]\n    - demo/w\n";
    let file = TaskFile::parse(text).unwrap();
    assert_eq!(file.tasks()[0].task.verify.len(), 2);
}

#[test]
fn a_task_may_work_in_the_persons_own_tree() {
    let task = one("- {id: a, tree: mine, when: {variable: CI}}\n");
    assert_eq!(task.tree, crate::Tree::Mine);
    assert_eq!(one("- {id: a, tree: }\n").tree, crate::Tree::Own);
    let text = crate::render::render(std::slice::from_ref(&task)).unwrap();
    assert!(text.contains("tree: mine"), "{text}");
    assert_eq!(read(&text).tasks()[0].task, task);
}
