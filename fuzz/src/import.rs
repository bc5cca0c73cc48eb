//! Workflow graphs of WfCommons.

use orch_task::{ImportCommand, ImportOptions, TaskFile, check_graph, import_wfformat, render};

/// What is imported is a sound graph, and a task file.
pub(crate) fn wfformat(bytes: &[u8]) -> bool {
    let asleep = ImportOptions { command: ImportCommand::Sleep { scale: 0.5 } };
    let idle = ImportOptions { command: ImportCommand::NoOp };
    let (asleep, idle) = (import_wfformat(bytes, asleep), import_wfformat(bytes, idle));
    if let Ok(tasks) = &asleep {
        let ids = |tasks: &[orch_task::Task]| tasks.iter().map(|task| task.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(tasks), ids(idle.as_ref().expect("who sleeps can do nothing")));
    }
    for tasks in asleep.iter().chain(&idle) {
        check_graph(tasks).expect("an import is a sound graph");
        let text = render(tasks).expect("an import is a task file");
        let read = TaskFile::parse(text.as_bytes()).unwrap();
        assert!(read.tasks().iter().map(|read| &read.task).eq(tasks));
    }
    idle.is_ok()
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let text = r#"{"schemaVersion":"1.5","workflow":{"specification":{"tasks":[
        {"id":"a b","name":"first","parents":[]},{"id":"a-b","parents":["a b"]},{"id":"","parents":["a b","a-b"]}]},
        "execution":{"tasks":[{"id":"a b","runtimeInSeconds":1.5},{"id":"a-b","runtimeInSeconds":0},
        {"id":"","runtimeInSeconds":2e3}]}}}"#;
    vec![("valid", text.as_bytes().to_vec())]
}
