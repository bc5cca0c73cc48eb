//! `orch:tasks`: the run's tasks, read and asked for.
//!
//! In -> out: WIT calls -> [`TaskReader`]; a WIT `new-task`, returned or added -> [`AskedTask`].
//! Limits: those of `orch:types/new-task`; `tasks.add` and `tasks.kinds` of the grant for each call.
//! Invariant: [`check_asked`] is the only way to an [`AskedTask`]; what no task file can have is refused here.
//! Not here: ids that exist already, dependencies that do not, how many a run keeps, approval (`drive/extend.rs`).

pub mod backend;
pub(crate) mod fake;

use std::error::Error as _;
use std::sync::Arc;

use orch_task::model::{DESCRIPTION_BYTES_MAX, SETTINGS_BYTES_MAX};
use orch_task::render::RenderError;
use orch_task::{Kind, Status, Task, TaskId};
use orch_trust::interfaces::Import;
use orch_trust::permission::{ANY, TasksPermission};
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::tasks::tasks::{Counts, Host, Status as WitStatus, Summary, add_to_linker};
use crate::bindings::types::types::{self as wit, Error};
pub use backend::{AskedTask, TaskCounts, TaskReader, TaskSummary};
use backend::{SCAN_MAX, bytes_in_file};

const DEPENDENCIES_MAX: usize = 1000;
const ARGUMENTS_MAX: usize = 1024;
const ARGUMENT_BYTES_MAX: usize = 128 * 1024;
const SHELL_BYTES_MAX: usize = 64 * 1024;

/// State of this capability in one store.
pub struct Tasks {
    granted: Arc<TasksPermission>,
    reader: Arc<dyn TaskReader>,
    asked: Vec<AskedTask>,
}

impl Tasks {
    pub fn new(granted: Arc<TasksPermission>, reader: Arc<dyn TaskReader>) -> Self {
        Self { granted, reader, asked: Vec::new() }
    }

    /// The tasks of an answer, after those that the same call asked for.
    pub(crate) fn check_answer(&self, tasks: Vec<wit::NewTask>) -> Result<Vec<AskedTask>, AskRefusal> {
        let already = self.asked.len();
        let check = |(place, task)| check_asked(task, &self.granted, already.saturating_add(place));
        tasks.into_iter().enumerate().map(check).collect()
    }
}

impl Capability for Tasks {
    type Permission = TasksPermission;
    type Granted = Arc<TasksPermission>;

    fn grant(permission: TasksPermission, _host: &HostEnvironment) -> Arc<TasksPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<TasksPermission>, opening: Opening<'_>) -> Self {
        Self::new(granted.clone(), opening.lent.tasks.clone())
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, kept: &mut Kept) {
        kept.asked = self.asked;
    }

    fn beyond(granted: Option<&TasksPermission>, watched: &Watched<'_>) -> Vec<String> {
        let mut found = Vec::new();
        if !granted.is_some_and(|granted| granted.read) && watched.fakes.tasks.were_read() {
            found.push("the run's tasks were read".to_owned());
        }
        if watched.asked.len() > granted.map_or(0, |granted| granted.add as usize) {
            found.push(format!("{} were asked for", watched.asked.len()));
        }
        let kinds = granted.map(|granted| granted.kinds.as_slice()).unwrap_or_default();
        for task in watched.asked.iter().filter(|task| !kinds.iter().any(|kind| kind == task.kind.as_str())) {
            found.push(format!("one of kind `{}` was asked for", task.kind));
        }
        found
    }
}

/// Why a task that a plugin asks for is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskRefusal {
    #[error("{0} is not granted")]
    Denied(String),
    #[error("{0}")]
    Invalid(String),
    #[error("more tasks than `tasks.add = {0}`")]
    TooMany(u32),
}

/// A task that a plugin asks for, after `already` others in the same call.
pub(crate) fn check_asked(
    task: wit::NewTask,
    granted: &TasksPermission,
    already: usize,
) -> Result<AskedTask, AskRefusal> {
    let invalid = |message: String| AskRefusal::Invalid(message);
    if granted.add == 0 {
        return Err(AskRefusal::Denied("`tasks.add`".to_owned()));
    }
    let kind = Kind::parse(&task.kind).map_err(|error| invalid(error.to_string()))?;
    if !granted.kinds.iter().any(|granted| granted == ANY || granted == kind.as_str()) {
        return Err(AskRefusal::Denied(format!("kind `{kind}`")));
    }
    if already >= granted.add as usize {
        return Err(AskRefusal::TooMany(granted.add));
    }
    let parse_id = |id: &str| TaskId::parse(id).map_err(|error| invalid(error.to_string()));
    let id = task.id.as_deref().map(parse_id).transpose()?;
    at_most("description", task.description.len(), DESCRIPTION_BYTES_MAX)?;
    at_most("dependencies", task.dependencies.len(), DEPENDENCIES_MAX)?;
    let dependencies = task.dependencies.iter().map(|id| parse_id(id)).collect::<Result<_, _>>()?;
    let command = task.command.map(check_command).transpose()?;
    at_most("settings", task.settings.len(), SETTINGS_BYTES_MAX)?;
    let settings = match task.settings.trim() {
        "" => serde_json::Map::new(),
        json => {
            serde_json::from_str(json).map_err(|_| invalid("settings are not a JSON object".to_owned()))?
        }
    };
    let wit::NewTask { description, priority, cost, .. } = task;
    let asked = AskedTask { id, description, kind, command, priority, cost, dependencies, settings };
    // By whatever id and plugin: what is asked here is whether a task file can have the rest.
    let id = asked.id.clone().map_or_else(|| parse_id("new"), Ok)?;
    bytes_in_file(asked.task(id), "by/plugin").map_err(|error| invalid(why_no_file_has_it(&error)))?;
    Ok(asked)
}

fn why_no_file_has_it(error: &RenderError) -> String {
    match error.source() {
        Some(why) => format!("no task file can have it: {why}"),
        None => error.to_string(),
    }
}

fn check_command(command: wit::Command) -> Result<orch_task::Command, AskRefusal> {
    let nul = || AskRefusal::Invalid("command has a NUL".to_owned());
    match command {
        wit::Command::Argv(argv) => {
            at_most("command", argv.len(), ARGUMENTS_MAX)?;
            at_most("command", argv.iter().map(String::len).sum(), ARGUMENT_BYTES_MAX)?;
            if argv.first().is_none_or(String::is_empty) {
                return Err(AskRefusal::Invalid("command names no program".to_owned()));
            }
            match argv.iter().any(|part| part.contains('\0')) {
                true => Err(nul()),
                false => Ok(orch_task::Command::Argv(argv)),
            }
        }
        wit::Command::Shell(line) => {
            at_most("command", line.len(), SHELL_BYTES_MAX)?;
            match line.contains('\0') {
                true => Err(nul()),
                false => Ok(orch_task::Command::Shell(line)),
            }
        }
    }
}

fn at_most(field: &str, found: usize, limit: usize) -> Result<(), AskRefusal> {
    match found <= limit {
        true => Ok(()),
        false => Err(AskRefusal::Invalid(format!("{field} of {found}, limit is {limit}"))),
    }
}

/// A task as plugins see it.
pub(crate) fn task_to_wit(task: &Task) -> wit::Task {
    wit::Task {
        id: task.id.to_string(),
        description: task.description.clone(),
        kind: task.kind.to_string(),
        command: task.command.clone().map(|command| match command {
            orch_task::Command::Argv(argv) => wit::Command::Argv(argv),
            orch_task::Command::Shell(line) => wit::Command::Shell(line),
        }),
        priority: task.priority,
        cost: task.cost,
        settings: serde_json::Value::Object(task.settings.clone()).to_string(),
        timeout_ms: task.timeout_ms,
    }
}

fn status_to_wit(status: Status) -> WitStatus {
    match status {
        Status::Pending => WitStatus::Pending,
        Status::InProgress => WitStatus::InProgress,
        Status::WaitingApproval => WitStatus::WaitingApproval,
        Status::Done => WitStatus::Done,
        Status::Failed => WitStatus::Failed,
        Status::Blocked => WitStatus::Blocked,
        Status::InDoubt => WitStatus::InDoubt,
        Status::Cancelled => WitStatus::Cancelled,
    }
}

impl View<'_, Tasks> {
    fn check_read(&mut self) -> Result<(), Error> {
        match self.state.granted.read {
            true => Ok(()),
            false => Err(self.ledger.deny("tasks", "`tasks.read`".to_owned())),
        }
    }
}

impl Host for View<'_, Tasks> {
    async fn describe(&mut self, index: u32) -> wasmtime::Result<Result<wit::Task, Error>> {
        let describe = |reader: &dyn TaskReader| reader.describe(index).as_ref().map(task_to_wit);
        Ok(self.check_read().and_then(|()| describe(&*self.state.reader).ok_or(Error::NotFound)))
    }

    async fn find(&mut self, id: String) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.check_read().and_then(|()| self.state.reader.find(&id).ok_or(Error::NotFound)))
    }

    async fn scan(&mut self, start: u32) -> wasmtime::Result<Result<Vec<Summary>, Error>> {
        if let Err(error) = self.check_read() {
            return Ok(Err(error));
        }
        let summaries = self.state.reader.scan(start).into_iter().take(SCAN_MAX).map(|task| Summary {
            index: task.index,
            id: task.id,
            kind: task.kind,
            status: status_to_wit(task.status),
            priority: task.priority,
            cost: task.cost,
        });
        Ok(Ok(summaries.collect()))
    }

    async fn count(&mut self) -> wasmtime::Result<Result<Counts, Error>> {
        if let Err(error) = self.check_read() {
            return Ok(Err(error));
        }
        let TaskCounts { pending, in_progress, waiting_approval, done, failed, blocked, in_doubt, cancelled } =
            self.state.reader.count();
        Ok(Ok(Counts { pending, in_progress, waiting_approval, done, failed, blocked, in_doubt, cancelled }))
    }

    async fn add(&mut self, task: wit::NewTask) -> wasmtime::Result<Result<(), Error>> {
        let Tasks { granted, asked, .. } = &mut *self.state;
        Ok(match check_asked(task, granted, asked.len()) {
            Ok(task) => {
                asked.push(task);
                Ok(())
            }
            Err(AskRefusal::Denied(what)) => Err(self.ledger.deny("tasks", what)),
            Err(AskRefusal::Invalid(message)) => Err(Error::Invalid(message)),
            Err(AskRefusal::TooMany(_)) => Err(Error::Limit("tasks.add".to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::bench::Bench;

    fn granted() -> TasksPermission {
        TasksPermission { read: true, add: 2, kinds: vec!["note".to_owned()] }
    }

    fn task() -> wit::NewTask {
        wit::NewTask {
            id: None,
            description: String::new(),
            kind: "note".to_owned(),
            command: None,
            priority: 0,
            cost: 1,
            dependencies: Vec::new(),
            settings: String::new(),
        }
    }

    #[track_caller]
    fn check(change: impl Fn(&mut wit::NewTask), fits: bool) {
        let mut asked = task();
        change(&mut asked);
        let found = check_asked(asked, &granted(), 0);
        assert_eq!(found.is_ok(), fits, "{found:?}");
    }

    #[test]
    fn each_field_has_its_limit() {
        check(|_| {}, true);
        check(|task| task.id = Some("a.b-c_1".to_owned()), true);
        check(|task| task.id = Some("a b".to_owned()), false);
        check(|task| task.id = Some(String::new()), false);
        check(|task| task.description = "x".repeat(4096), true);
        check(|task| task.description = "x".repeat(4097), false);
        check(|task| task.kind = "Note".to_owned(), false);
        check(|task| task.dependencies = vec!["a".to_owned(); 1000], true);
        check(|task| task.dependencies = vec!["a".to_owned(); 1001], false);
        check(|task| task.dependencies = vec!["a/b".to_owned()], false);
        check(|task| task.settings = "{\"a\":1}".to_owned(), true);
        check(|task| task.settings = "[]".to_owned(), false);
        check(|task| task.settings = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)), false);
        // What fits as it was said, and does not as it is written.
        check(|task| task.settings = r#"{"status":"done"}"#.to_owned(), false);
        check(|task| task.settings = format!(r#"{{"a":[{}1]}}"#, "1e9,".repeat(15_000)), false);
        check(|task| task.settings = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100), "]".repeat(100)), false);
        check(|task| task.settings = format!(r#"{{"{}":1}}"#, "k".repeat(5_000)), false);
        let argv = |argv: Vec<String>| Some(wit::Command::Argv(argv));
        check(|task| task.command = argv(vec!["ls".to_owned()]), true);
        check(|task| task.command = argv(Vec::new()), false);
        check(|task| task.command = argv(vec![String::new()]), false);
        check(|task| task.command = argv(vec!["a".to_owned(); 1025]), false);
        check(|task| task.command = argv(vec!["a\0".to_owned()]), false);
        check(|task| task.command = argv(vec!["a".repeat(131_073)]), false);
        check(|task| task.command = Some(wit::Command::Shell("x".repeat(65_536))), true);
        check(|task| task.command = Some(wit::Command::Shell("x".repeat(65_537))), false);
        check(|task| task.command = Some(wit::Command::Shell("a\0".to_owned())), false);
    }

    #[test]
    fn the_grant_bounds_kinds_and_number() {
        let asked = |kind: &str| wit::NewTask { kind: kind.to_owned(), ..task() };
        assert_eq!(
            check_asked(asked("shell"), &granted(), 0),
            Err(AskRefusal::Denied("kind `shell`".to_owned()))
        );
        assert_eq!(check_asked(task(), &granted(), 2), Err(AskRefusal::TooMany(2)));
        let none = TasksPermission { add: 0, ..granted() };
        assert!(matches!(check_asked(task(), &none, 0), Err(AskRefusal::Denied(_))));
        let every = TasksPermission { kinds: vec!["*".to_owned()], ..granted() };
        assert!(check_asked(asked("shell"), &every, 0).is_ok());
    }

    #[tokio::test]
    async fn reading_needs_its_own_grant_and_unknown_tasks_are_not_found() {
        let bench = Bench::new();
        let mut ledger = bench.ledger();
        let mut tasks =
            Tasks::new(Arc::new(TasksPermission { read: false, ..granted() }), bench.0.tasks.clone());
        let mut table = ResourceTable::new();
        let mut view = View::of(&mut tasks, &mut table, &mut ledger);
        assert!(matches!(view.describe(0).await.unwrap(), Err(Error::Denied(_))));
        assert!(matches!(view.find("first".to_owned()).await.unwrap(), Err(Error::Denied(_))));
        assert!(matches!(view.scan(0).await.unwrap(), Err(Error::Denied(_))));
        assert!(matches!(view.count().await.unwrap(), Err(Error::Denied(_))));
        assert_eq!(ledger.into_parts().0, ["tasks: `tasks.read`"]);

        let mut ledger = bench.ledger();
        let mut tasks = Tasks::new(Arc::new(granted()), bench.0.tasks.clone());
        let mut table = ResourceTable::new();
        let mut view = View::of(&mut tasks, &mut table, &mut ledger);
        assert_eq!(view.describe(0).await.unwrap().unwrap().id, "first");
        assert!(matches!(view.describe(9).await.unwrap(), Err(Error::NotFound)));
        assert_eq!(view.find("first".to_owned()).await.unwrap().unwrap(), 0);
        assert!(matches!(view.find("other".to_owned()).await.unwrap(), Err(Error::NotFound)));
        assert_eq!(view.scan(0).await.unwrap().unwrap().len(), 1);
        let counts = view.count().await.unwrap().unwrap();
        assert_eq!((counts.pending, counts.done), (1, 0));
    }

    #[tokio::test]
    async fn added_tasks_are_counted_and_denials_noted() {
        let bench = Bench::new();
        let mut ledger = bench.ledger();
        let mut tasks = Tasks::new(Arc::new(granted()), bench.0.tasks.clone());
        let mut table = ResourceTable::new();
        let mut view = View::of(&mut tasks, &mut table, &mut ledger);
        let shell = wit::NewTask { kind: "shell".to_owned(), ..task() };
        assert!(matches!(view.add(shell).await.unwrap(), Err(Error::Denied(_))));
        let long = wit::NewTask { description: "x".repeat(5000), ..task() };
        assert!(matches!(view.add(long).await.unwrap(), Err(Error::Invalid(_))));
        assert!(view.add(task()).await.unwrap().is_ok());
        assert!(view.add(task()).await.unwrap().is_ok());
        assert!(matches!(view.add(task()).await.unwrap(), Err(Error::Limit(_))));
        assert_eq!(tasks.asked.len(), 2);
        assert_eq!(ledger.into_parts().0, ["tasks: kind `shell`"]);
    }
}
