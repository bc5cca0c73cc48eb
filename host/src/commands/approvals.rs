//! `orch-host approvals list|approve|deny`: tasks of plugins that would reach an executor's grant.
//!
//! Invariant: what is approved was shown whole, from the store that will run it, and the task file says the same; the
//! approval names the digest of that task and holds for nothing else (`drive/extend.rs`).

use std::path::{Path, PathBuf};

use orch_journal::event::task_digest;
use orch_journal::state::TaskState;
use orch_task::{Command, Status, Task, TaskId};
use orch_trust::manifest::Role;

use super::held_run::say_about;
use super::stored_run::find_run;
use crate::config::workspace::WorkspaceConfig;
use crate::console::{Console, escape, escape_cut};
use crate::control::written::refuse_difference;
use crate::drive::act::Act;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{Place, WorkspaceArgs};

/// Of a description, in the first line of a task.
const DESCRIPTION_SHOWN: usize = 100;

#[derive(clap::Subcommand)]
pub enum ApprovalsCommand {
    /// What waits: who asks, and what would be done by which plugin
    List {
        #[command(flatten)]
        place: WorkspaceArgs,
    },
    /// Let a task run
    Approve {
        /// The task
        task: String,
        /// Task file, relative to the workspace
        #[arg(long, value_name = "FILE", default_value = "tasks.yml")]
        tasks: PathBuf,
        #[command(flatten)]
        place: WorkspaceArgs,
    },
    /// Take a task out of the run
    Deny {
        /// The task
        task: String,
        #[command(flatten)]
        place: WorkspaceArgs,
    },
}

pub fn run(command: &ApprovalsCommand, home: Option<&Path>, console: Console) -> Outcome {
    match command {
        ApprovalsCommand::List { place } => list(&Place::from_args(place)?, console),
        ApprovalsCommand::Approve { task, tasks, place } => approve(place, home, task, tasks, console),
        ApprovalsCommand::Deny { task, place } => {
            say_about(place, home, None, &Act::Deny { task: task.clone() }, console)
        }
    }
}

fn list(place: &Place, console: Console) -> Outcome {
    let reader = place.reader()?;
    let config = place.config()?;
    let run = find_run(&reader, None)?.id;
    if !reader.waits_for_approval(&run)? {
        return Ok(Exit::Done);
    }
    let state = reader.state(&run)?;
    for found in state.tasks.iter().filter(|found| found.status == Status::WaitingApproval) {
        for line in lines(found, &config, &run) {
            console.line(&line);
        }
    }
    Ok(Exit::Done)
}

fn approve(args: &WorkspaceArgs, home: Option<&Path>, id: &str, file: &Path, console: Console) -> Outcome {
    let place = Place::from_args(args)?;
    let config = place.config()?;
    let reader = place.reader()?;
    let run = find_run(&reader, None)?.id;
    let state = reader.state(&run)?;
    let found = TaskId::parse(id).ok().and_then(|id| state.tasks.get(*state.by_id.get(&id)? as usize));
    let mut digest = String::new();
    // Whatever else is wrong with it, who takes the word says.
    if let Some(found) = found.filter(|found| found.status == Status::WaitingApproval) {
        for line in lines(found, &config, &run) {
            console.line(&line);
        }
        let file = place.task_file(file)?;
        refuse_difference(found, &place.workspace.join(&file), &file, false)?;
        let question = if found.held.is_some() { "keep its edits?" } else { "let it run?" };
        if console.ask(question) == Some(false) {
            let error = anyhow::anyhow!("task `{id}` was not approved");
            return Err(Fault::new(Exit::NeedsDecision, "task-not-approved", None, error));
        }
        digest = task_digest(&found.task, found.env.as_ref()).map_err(anyhow::Error::from)?;
    }
    let act = Act::Approve { task: id.to_owned(), digest };
    say_about(args, home, Some(&run), &act, console)
}

/// Everything of a task that a person should know who lets it run. Nothing of it is cut.
fn lines(found: &TaskState, config: &WorkspaceConfig, run: &str) -> Vec<String> {
    let task = &found.task;
    let by = found.added_by.as_deref().map_or_else(|| "a person".to_owned(), escape);
    let shown = escape_cut(&task.description, DESCRIPTION_SHOWN);
    let mut lines = vec![format!("{}  {}  by {by}: {shown}", task.id, task.kind)];
    let mut say = |name: &str, value: String| lines.push(format!("  {name:<12} {}", escape(&value)));
    if let Some(held) = &found.held {
        say("edits", held.edits.why.clone());
        say("shown by", format!("`orch-host diff {run} {}`", task.id));
    }
    if shown != task.description {
        say("description", quoted(&task.description));
    }
    match &task.command {
        None => say("command", "none".to_owned()),
        Some(Command::Argv(argv)) => {
            say("command", argv.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(" "));
        }
        Some(Command::Shell(line)) => say("shell line", quoted(line)),
    }
    let executor = config.roles.by_key(Role::Executor, task.kind.as_str());
    say("executor", executor.unwrap_or("none is bound to this kind").to_owned());
    if let Some(settings) = executor.and_then(|id| config.settings.get(id)) {
        say("bound with", serde_json::Value::Object(settings.clone()).to_string());
    }
    say("timeout", format!("{} ms", task.timeout_ms));
    for (name, value) in rest(task) {
        say(&name, value);
    }
    lines
}

/// What a task says besides: each key that is not at its default, whatever keys there will be.
fn rest(task: &Task) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(task) else { return Vec::new() };
    let said = ["id", "kind", "description", "command", "timeout_ms"];
    fields
        .into_iter()
        .filter(|(name, _)| !said.contains(&name.as_str()))
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

/// The text in quotes, so that an argument ends where it is seen to end.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use orch_journal::RunState;
    use orch_journal::event::Event;
    use orch_task::Kind;

    use super::*;

    fn shown(change: impl FnOnce(&mut Task)) -> String {
        let mut task = Task::new(TaskId::parse("wanted").unwrap(), Kind::shell());
        change(&mut task);
        let added_by = Some("demo/x".to_owned());
        let mut state = RunState::default();
        let added = orch_journal::event::AddedTask {
            task,
            status: Status::WaitingApproval,
            added_by,
            added_for: None,
            env: None,
        };
        let started = orch_journal::event::RunStarted {
            run: "r".to_owned(),
            goal: String::new(),
            goal_said: false,
            plugins: Vec::new(),
            jobs: 1,
            durability: "process".to_owned(),
            budget: 0,
            unsigned: false,
            texts: false,
            store: None,
            tasks: None,
            at: 0,
            mac: String::new(),
        };
        state.apply(&Event::RunStarted(started)).unwrap();
        state.apply(&Event::TasksAdded { first: 0, tasks: vec![added], at: 0 }).unwrap();
        let roles = serde_json::json!({"executors": {"shell": "demo/executor-shell"}});
        let roles = serde_json::from_value(roles).unwrap();
        let config = WorkspaceConfig { roles, ..WorkspaceConfig::default() };
        lines(&state.tasks[0], &config, "run").join("\n")
    }

    #[test]
    fn a_task_that_asks_is_shown_whole_and_cannot_fake_a_line() {
        let text = shown(|task| {
            task.description = format!("harmless\n{}", "x".repeat(200));
            task.command = Some(Command::Argv(vec![
                "sh".to_owned(),
                "-c".to_owned(),
                "a \"b\"\r\x1b[2K\u{202e}\u{9b}".to_owned(),
            ]));
            task.dependencies = vec![TaskId::parse("first").unwrap()];
            task.idempotent = true;
            task.settings.insert("env".to_owned(), serde_json::json!({ "A": 1 }));
        });
        assert!(text.starts_with("wanted  shell  by demo/x: harmless\\n"), "{text}");
        assert!(text.contains(&"x".repeat(200)), "{text}");
        let command = r#"  command      "sh" "-c" "a \"b\"\r\u001b[2K\u{202e}\x9b""#;
        assert!(text.lines().any(|line| line == command), "{text}");
        for line in [
            "  executor     demo/executor-shell",
            "  timeout      3600000 ms",
            r#"  dependencies ["first"]"#,
            "  idempotent   true",
            r#"  settings     {"env":{"A":1}}"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let line = shown(|task| task.command = Some(Command::Shell("a; b".to_owned())));
        assert!(line.contains(r#"  shell line   "a; b""#), "{line}");
    }
}
