//! Appended tasks: where they go and in which style.
//!
//! In -> out: text and new entries -> text.
//! Not here: how fields are written (`render.rs`).

use crate::file::{NewFileTask, PatchError, TaskFile};
use crate::model::{Kind, Status, Task, TaskId};

fn entry(id: &str) -> NewFileTask {
    let mut task = Task::new(TaskId::parse(id).unwrap(), Kind::parse("note").unwrap());
    task.description = "Look: here".to_owned();
    NewFileTask { task, status: Some(Status::Pending), added_by: Some("demo/reflector".to_owned()) }
}

fn append(text: &str, entries: &[NewFileTask]) -> Result<String, PatchError> {
    let file = TaskFile::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    file.patched(&[], entries).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(append(text, &[entry("new")]).unwrap(), expected);
}

const FLOW: &str =
    "{id: new, status: pending, description: \"Look: here\", kind: note, added_by: demo/reflector}";
const JSON: &str = "{\"id\": \"new\", \"status\": \"pending\", \"description\": \"Look: here\", \"kind\": \"note\", \"added_by\": \"demo/reflector\"}";

fn block(dash: &str, body: &str, nl: &str) -> String {
    let fields = ["status: pending", "description: \"Look: here\"", "kind: note", "added_by: demo/reflector"];
    let rest: Vec<String> = fields.iter().map(|field| format!("{body}{field}")).collect();
    format!("{dash}id: new{nl}{}", rest.join(nl))
}

#[test]
fn block_lists() {
    let plain = block("- ", "  ", "\n");
    check("- id: a\n", &format!("- id: a\n{plain}\n"));
    check("- id: a", &format!("- id: a\n{plain}"));
    check("- id: a # c\n\n# end\n", &format!("- id: a # c\n{plain}\n\n# end\n"));
    check("- id: a\n  x:\n", &format!("- id: a\n  x:\n{plain}\n"));
    check("- id: a\n  x: |\n    b\n\n# end\n", &format!("- id: a\n  x: |\n    b\n\n{plain}\n# end\n"));
    check("- id: a\n  x: |+\n    b\n\n", &format!("- id: a\n  x: |+\n    b\n\n{plain}\n"));
    check("- id: a\n  x: [1,\n    2]\n", &format!("- id: a\n  x: [1,\n    2]\n{plain}\n"));
    check("- id: a\r\n  x: 1\r\n", &format!("- id: a\r\n  x: 1\r\n{}\r\n", block("- ", "  ", "\r\n")));
    check("-   id: a\n    x: 1\n", &format!("-   id: a\n    x: 1\n{}\n", block("-   ", "    ", "\n")));
    check("---\n- id: a\n...\n", &format!("---\n- id: a\n{plain}\n...\n"));
    check("\u{feff}- id: a\n", &format!("\u{feff}- id: a\n{plain}\n"));
    check("- &t id: a\n", &format!("- &t id: a\n{plain}\n"));
    check("-\n  id: a\n", &format!("-\n  id: a\n{plain}\n"));
}

#[test]
fn lists_under_a_key() {
    check("tasks:\n- id: a\nz: 1\n", &format!("tasks:\n- id: a\n{}\nz: 1\n", block("- ", "  ", "\n")));
    let deep = block("    - ", "      ", "\n");
    check(
        "# x\ntasks:\n    - id: a\n\n# z\nz: {y: 1}\n",
        &format!("# x\ntasks:\n    - id: a\n{deep}\n\n# z\nz: {{y: 1}}\n"),
    );
    check("a: [tasks]\ntasks:\n    - id: a", &format!("a: [tasks]\ntasks:\n    - id: a\n{deep}"));
    check("tasks: [{id: a}]\nz: 1\n", &format!("tasks: [{{id: a}}, {FLOW}]\nz: 1\n"));
    check("{tasks: [], z: 1}", &format!("{{tasks: [{FLOW}], z: 1}}"));
}

#[test]
fn empty_lists() {
    check("[]", &format!("[{FLOW}]"));
    check("[ ] # x\n", &format!("[{FLOW} ] # x\n"));
    check("# none\n---\n[]\n", &format!("# none\n---\n[{FLOW}]\n"));
    check("tasks: []\nz: 1\n", &format!("tasks: [{FLOW}]\nz: 1\n"));
    check("{tasks: [] , z: 1}", &format!("{{tasks: [{FLOW}] , z: 1}}"));
}

#[test]
fn flow_lists() {
    check("[{id: a}]\n", &format!("[{{id: a}}, {FLOW}]\n"));
    check("[{id: a},]", &format!("[{{id: a}}, {FLOW}]"));
    check("[{\"id\": \"a\"}]", &format!("[{{\"id\": \"a\"}}, {JSON}]"));
    check("[\n  {id: a} # x, y\n]\n", &format!("[\n  {{id: a}}, # x, y\n  {FLOW}\n]\n"));
    check("[\n    {id: a}, # x\n]\n", &format!("[\n    {{id: a}}, # x\n    {FLOW},\n]\n"));
    check("- {id: a}\n- {id: b} # c\n", &format!("- {{id: a}}\n- {{id: b}} # c\n- {FLOW}\n"));
    check("  - { \"id\": \"a\" }\n", &format!("  - {{ \"id\": \"a\" }}\n  - {JSON}\n"));
    assert_eq!(
        append("[\n  {id: a}\n]", &[entry("new"), entry("m")]).unwrap(),
        format!("[\n  {{id: a}},\n  {FLOW},\n  {}\n]", FLOW.replace("id: new", "id: m"))
    );
}

#[test]
fn a_status_and_a_new_task_at_the_same_place() {
    let file = TaskFile::parse("- id: a").unwrap();
    let text = file.patched(&[(TaskId::parse("a").unwrap(), Status::Done)], &[entry("new")]).unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap(),
        format!("- id: a\n  status: done\n{}", block("- ", "  ", "\n"))
    );
}

#[test]
fn tasks_that_do_not_fit_are_refused_and_nothing_is_written() {
    let code = |text: &str, entry: NewFileTask| append(text, &[entry]).unwrap_err().code();
    assert_eq!(code("- id: new\n", entry("new")), "patch-would-break");
    let mut leans = entry("new");
    leans.task.dependencies.push(TaskId::parse("ghost").unwrap());
    assert_eq!(code("- id: a\n", leans), "patch-would-break");
    let mut reserved = entry("new");
    reserved.task.settings.insert("status".to_owned(), "done".into());
    assert_eq!(code("- id: a\n", reserved), "patch-not-renderable");
    assert_eq!(code("x: &l [{id: a}]\ntasks: *l\n", entry("new")), "patch-list-elsewhere");
}
