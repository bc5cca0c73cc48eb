//! What a run would do, said before anything is done.
//!
//! In -> out: the tasks of the file -> those that would run, in the order of their priorities, with their commands; what this
//! machine lacks of the sandbox.
//! Not here: whether plugins and file are sound (`run.rs`), the planner, which may choose otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_supervisor::SupervisorPool;
use orch_task::{FileTask, Status, Task};
use orch_trust::manifest::Role;

use super::own_executable;
use crate::commands::bootstrap;
use crate::commands::counted;
use crate::commands::tasks::command_line;
use crate::config::operator::{Operator, home_folder};
use crate::config::workspace::WorkspaceConfig;
use crate::console::{Console, escape_cut};
use crate::exit::Fault;
use crate::place::Place;
use crate::sandbox::Sandboxing;
use crate::watch::Format;

/// Ids are written below each other up to this width.
const WIDTH_MAX: usize = 32;

pub(super) fn show(tasks: &[FileTask], config: &WorkspaceConfig, format: Format, console: Console) {
    let plugins = config.roles.ids().len();
    let notices = notices(config);
    let order: Vec<&Task> = bootstrap::order(tasks).collect();
    if format == Format::Json {
        let mut told = serde_json::json!({ "plugins": plugins, "tasks": tasks.len(), "order": order });
        if let Some(told) = told.as_object_mut().filter(|_| !notices.is_empty()) {
            told.insert("notices".to_owned(), serde_json::json!(notices));
        }
        console.json(&told.to_string());
        return;
    }
    console.line(&format!(
        "{}, {}; nothing was run",
        counted(plugins, "plugin is admitted", "plugins are admitted"),
        counted(tasks.len(), "task is sound", "tasks are sound")
    ));
    if !order.is_empty() {
        console.line("one by one, by priority, if each ends well:");
    }
    let width = order.iter().map(|task| task.id.as_str().len()).max().unwrap_or(0).min(WIDTH_MAX);
    for (nth, task) in order.iter().enumerate() {
        let does = command_line(task).unwrap_or_else(|| match task.description.is_empty() {
            true => format!("(kind {})", task.kind),
            false => escape_cut(&task.description, 100),
        });
        console.line(format!("{:>6}  {:<width$}  {does}", nth + 1, task.id.as_str()).trim_end());
    }
    let done = tasks.iter().filter(|task| task.status == Some(Status::Done)).count();
    match tasks.len() - order.len() - done {
        0 => {}
        other => console.line(&format!(
            "{other} more would not run as things are; `orch-host tasks list` shows where each stands"
        )),
    }
    for (ending, Notice { channels, provider }) in notices {
        let (channels, provider) = (channels.join(", "), escape_cut(&provider, 200));
        console.line(&format!("if it is {ending}: a notice to {channels} by {provider}"));
    }
}

/// The walls of the sandbox that this machine does not give, tried out as a run does it; caches are not tried, for that writes.
///
/// # Errors
/// `sandbox-lacking`, where the policy requires them.
pub(super) fn lacking_walls(operator: &Operator, place: &Place) -> Result<Vec<String>, Fault> {
    let (policy, own) = (&operator.policy.sandbox, own_executable()?);
    let home = home_folder();
    let mut tried = Sandboxing::of(policy, home.as_deref(), &place.workspace, Arc::default(), []);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let commands = SupervisorPool::new(&own, 1);
    runtime.map_err(anyhow::Error::from)?.block_on(tried.try_out(&commands, &own, policy.mode))
}

/// What the host would tell people of the run's end.
#[derive(serde::Serialize)]
struct Notice {
    channels: Vec<String>,
    provider: String,
}

fn notices(config: &WorkspaceConfig) -> BTreeMap<&'static str, Notice> {
    let provider = config.roles.by_key(Role::Provider, "notify").unwrap_or_default().to_owned();
    let said = config.notify.all().into_iter().filter(|(_, channels)| !channels.is_empty());
    said.map(|(ending, channels)| {
        (ending, Notice { channels: channels.to_vec(), provider: provider.clone() })
    })
    .collect()
}
