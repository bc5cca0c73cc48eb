//! What plugins that run what they are told would be told: whether their grant has it, before the first task starts.
//!
//! In -> out: a task or the workspace's `env`, an admitted plugin -> nothing, or [`ToldError`] with the lines of a policy that
//! would let it.
//! Invariant: nothing is refused here that the process capability would let pass, but a folder that lies behind a link now.
//! Not here: enforcing grants (`capability/process.rs`); what other executors make of a task's `command`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use orch_task::{Command, Env, FileTask, Kind, Status, Task};
use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::name::PluginId;
use orch_trust::permission::{ANY, Permissions, ProcessPermission};
use orch_trust::policy::entry_for;

use crate::capability::HostEnvironment;
use crate::capability::files::beneath::{FileError, Workspace, WorkspacePath};
use crate::capability::process::ProcessGrant;
use crate::capability::process::grant::{NoProgram, workspace_name};

const COMMAND: &str = "command";
const ENV: &str = "env";
const DIRECTORY: &str = "directory";

/// Why what a plugin would be told is refused.
#[derive(Debug, thiserror::Error)]
pub enum ToldError {
    #[error("task `{task}` runs `{program}`{more}, which is not granted to `{plugin}`")]
    Program { task: String, program: String, more: &'static str, plugin: String, lack: Box<Lack> },
    #[error("{who} sets `{variable}`, which is not granted to `{plugin}`{program}")]
    Variable { who: String, variable: String, plugin: String, program: String, lack: Box<Lack> },
    #[error("task `{task}` has `{key}`, and {why}")]
    Unused { task: String, key: &'static str, why: String },
    #[error("`directory` of task `{task}` is `{directory}`, {why}")]
    Directory { task: String, directory: String, why: &'static str },
}

/// What would let it.
#[derive(Debug)]
pub struct Lack {
    hint: String,
    /// Of a policy; none: no policy can.
    lines: Option<String>,
}

impl ToldError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Program { .. } => "program-not-granted",
            Self::Variable { .. } => "variable-not-granted",
            Self::Unused { key: COMMAND, .. } => "command-unused",
            Self::Unused { key: DIRECTORY, .. } => "task-directory",
            Self::Unused { .. } => "env-unused",
            Self::Directory { .. } => "task-directory",
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Program { lack, .. } | Self::Variable { lack, .. } => Some(lack.hint.clone()),
            Self::Unused { key: COMMAND, .. } => {
                Some("remove `command`, or give the task a kind whose executor runs commands; one that reads them without \
                     starting a program says so in its manifest (`taskKeys`)".to_owned())
            }
            Self::Unused { .. } => {
                Some("remove it, or give it to the task whose command needs it".to_owned())
            }
            Self::Directory { .. } => {
                Some("write it relative to the workspace, without `.`, `..` and links".to_owned())
            }
        }
    }

    /// Lines of a policy that would let it.
    pub fn lines(&self) -> Option<&str> {
        match self {
            Self::Program { lack, .. } | Self::Variable { lack, .. } => lack.lines.as_deref(),
            _ => None,
        }
    }
}

/// A plugin that may start programs, as far as that is said by others.
pub struct Told {
    id: PluginId,
    granted: Permissions,
    asked: ProcessPermission,
    process: ProcessGrant,
    workspace: PathBuf,
    is_narrowed: bool,
}

impl Told {
    /// None for a plugin that starts no program. `workspace`: absolute, without links.
    /// `is_narrowed`: the workspace takes away of its programs or variables.
    pub fn of(plugin: &Admitted, is_narrowed: bool, workspace: &Path) -> Option<Self> {
        let granted = plugin.grant().permissions().clone();
        let process = ProcessGrant::new(granted.process.as_ref()?, &HostEnvironment::of_this_process());
        Some(Self {
            asked: plugin.manifest().permissions.process.clone()?,
            process,
            workspace: workspace.to_owned(),
            granted,
            id: plugin.manifest().id.clone(),
            is_narrowed,
        })
    }

    /// True if a task's command gets that variable, should the host have it.
    pub fn hands_on(&self, variable: &str, task: &Task) -> bool {
        match self.program_of(task) {
            Some(program) => self.process.hands_on(variable, &program),
            None => self.process.hands_on_to_any(variable),
        }
    }

    /// Variables of the host's own that a task's command gets.
    pub fn handed_on(&self, task: &Task) -> BTreeMap<String, OsString> {
        match self.program_of(task) {
            Some(program) => self.process.handed_on(&program),
            None => self.process.handed_on_to_any(),
        }
    }

    /// As a permission names it; none if the plugin itself decides what it runs.
    fn program_of(&self, task: &Task) -> Option<String> {
        let program = said_program(task.command.as_ref().filter(|_| self.runs_commands())?);
        self.name_of(program).ok().or_else(|| Some(program.to_owned()))
    }

    fn name_of(&self, program: &str) -> Result<String, NoProgram> {
        match self.process.program(program, &self.workspace) {
            Ok(program) => Ok(program.name),
            // It may be made until then.
            Err(NoProgram::Missing) => Ok(workspace_name(program)
                .filter(|_| program.contains('/'))
                .unwrap_or_else(|| program.to_owned())),
            Err(why) => Err(why),
        }
    }

    /// True if the command of a task is what it runs: it asks for whatever programs the operator names.
    fn runs_commands(&self) -> bool {
        self.asked.programs.iter().any(|program| program == ANY)
    }

    fn check_task(&self, found: &FileTask) -> Result<(), ToldError> {
        let task = || found.task.id.to_string();
        let Some(command) = &found.task.command else {
            let why = "no `command` that it could be for".to_owned();
            let is_set = |key: &str| self.runs_commands() && found.task.settings.contains_key(key);
            let key = match found.env.is_empty() {
                false => ENV,
                true if is_set(DIRECTORY) => DIRECTORY,
                true => return Ok(()),
            };
            return Err(ToldError::Unused { task: task(), key, why });
        };
        if !self.runs_commands() {
            return self.check_env(&format!("task `{}`", task()), &found.env);
        }
        self.check_directory(found)?;
        let program = said_program(command);
        let name = match self.name_of(program) {
            Ok(name) => name,
            Err(why) => {
                let (entry, hint) = self.entry_of(program, why);
                let lines = entry.map(|entry| self.lines_with(|process| process.programs.push(entry)));
                return Err(ToldError::Program {
                    task: task(),
                    program: program.chars().take(200).flat_map(char::escape_debug).collect(),
                    more: why.more(),
                    plugin: self.id.to_string(),
                    lack: Box::new(Lack { hint, lines }),
                });
            }
        };
        match found.env.names().find(|variable| !self.process.lets_set(variable, &name)) {
            None => Ok(()),
            Some(variable) => Err(self.variable(&format!("task `{}`", task()), variable, Some(&name))),
        }
    }

    /// Fails for a variable that no program of its can be given. `who` sets them, in words.
    pub fn check_env(&self, who: &str, env: &Env) -> Result<(), ToldError> {
        match env.names().find(|variable| !self.process.lets_set_for_any(variable)) {
            None => Ok(()),
            Some(variable) => Err(self.variable(who, variable, None)),
        }
    }

    fn check_directory(&self, found: &FileTask) -> Result<(), ToldError> {
        let Some(directory) = found.task.settings.get(DIRECTORY).and_then(|value| value.as_str()) else {
            return Ok(());
        };
        let wrong = |why| {
            let directory = directory.chars().take(200).flat_map(char::escape_debug).collect();
            Err(ToldError::Directory { task: found.task.id.to_string(), directory, why })
        };
        if directory.is_empty() {
            return Ok(());
        }
        let Ok(path) = WorkspacePath::parse(directory) else {
            return wrong("which is no path inside the workspace");
        };
        let is_link =
            || self.workspace.join(directory).symlink_metadata().is_ok_and(|found| found.is_symlink());
        match Workspace::open(&self.workspace).map(|workspace| workspace.check_folder(&path)) {
            Ok(Err(FileError::NotRegular)) => wrong("which is a link or lies behind one"),
            Ok(Err(_)) if is_link() => wrong("which is a link or lies behind one"),
            // It may be made until then.
            _ => Ok(()),
        }
    }

    /// The entry that a policy lacks, and what there is to say of it.
    fn entry_of(&self, program: &str, why: NoProgram) -> (Option<String>, String) {
        let in_workspace = self.process.in_workspace_along_path(program, &self.workspace);
        let own = workspace_name(program).filter(|_| program.contains('/'));
        match (why, in_workspace, own) {
            (NoProgram::NoPath, ..) => (
                None,
                "a program is a name along `PATH`, an absolute path, or a path inside the workspace"
                    .to_owned(),
            ),
            (NoProgram::InWorkspace, Some(entry), _) => {
                (Some(entry), self.hint_of("it is in the workspace, whoever writes there decides what runs"))
            }
            (_, _, Some(own)) => {
                (Some(own), self.hint_of("it is in the workspace, whoever writes there decides what runs"))
            }
            _ if !program.contains('/') && self.workspace.join(program).is_file() => {
                let hint =
                    format!("a file of the workspace is written with a folder in front: `./{program}`");
                (None, hint)
            }
            _ => (
                Some(program.to_owned()),
                self.hint_of("a shell, an interpreter or a build tool runs anything"),
            ),
        }
    }

    fn hint_of(&self, more: &str) -> String {
        let narrowed = if self.is_narrowed { "; so must `narrow` in `config.yaml`" } else { "" };
        format!(
            "this in `policy.toml` grants it, in the place of `[namespaces]` and `[default]`{narrowed}; {more}"
        )
    }

    fn variable(&self, who: &str, variable: &str, program: Option<&str>) -> ToldError {
        // For a plugin that decides itself what it runs, each program that it may run is one.
        let any = self.granted.process.iter().flat_map(|process| &process.programs).next();
        let entry = ProcessPermission::entry_to_set(
            variable,
            program.or(any.map(String::as_str)).unwrap_or("PROGRAM"),
        );
        let asks = self.asked.env.iter().any(|asked| *asked == entry || asked == ANY);
        let lack = match asks {
            true => {
                let more = match entry.contains('@') {
                    true => "it steers what runs, so it is granted for one program",
                    false => "its value comes from the file, or from the host where no file says one",
                };
                let lines = Some(self.lines_with(|process| process.env.push(entry)));
                Lack { hint: self.hint_of(more), lines }
            }
            false => {
                let hint =
                    format!("the manifest of `{}` does not ask for it: no policy can grant it", self.id);
                Lack { hint, lines: None }
            }
        };
        let program = program.map_or(String::new(), |program| format!(" for `{program}`"));
        ToldError::Variable {
            who: who.to_owned(),
            variable: variable.to_owned(),
            plugin: self.id.to_string(),
            program,
            lack: Box::new(lack),
        }
    }

    fn lines_with(&self, change: impl FnOnce(&mut ProcessPermission)) -> String {
        let mut process = self.granted.process.clone().unwrap_or_default();
        change(&mut process);
        entry_for(&self.id, &Permissions { process: Some(process), ..self.granted.clone() })
    }
}

/// Fails for a task of a person's that could not run as it says. `told`: its executor, if that may start programs;
/// `task_keys`: what that reads of a task besides.
pub fn check_task(
    told: Option<&Told>,
    plugin: &str,
    task_keys: &[String],
    found: &FileTask,
) -> Result<(), ToldError> {
    // What says what it reads may be done again.
    let is_over = found.status.is_some_and(Status::is_final) && !found.task.names_files();
    match told {
        // What a plugin asked for is judged when it runs: it must not keep people's tasks from running.
        _ if is_over || found.added_by.is_some() => Ok(()),
        Some(told) => told.check_task(found),
        None => {
            let reads_command = task_keys.iter().any(|key| key == COMMAND);
            let key = match &found.task.command {
                Some(_) if !reads_command => COMMAND,
                _ if !found.env.is_empty() => ENV,
                _ => return Ok(()),
            };
            let why = format!("`{plugin}`, which executes the kind `{}`, starts no program", found.task.kind);
            Err(ToldError::Unused { task: found.task.id.to_string(), key, why })
        }
    }
}

/// What people may expect otherwise of these tasks, for them.
pub fn note(tasks: &[FileTask]) -> Option<String> {
    let mut alone = tasks.iter().filter(|FileTask { task, status, added_by, .. }| {
        let is_open = !status.is_some_and(Status::is_final) && added_by.is_none() && task.command.is_some();
        is_open && task.kind == Kind::shell() && task.retries > 0 && !task.settings.contains_key("retry_on")
    });
    let first = alone.next()?.task.id.to_string();
    let others = match alone.count() {
        0 => String::new(),
        1 => " and one other".to_owned(),
        count => format!(" and {count} others"),
    };
    Some(format!(
        "`retries` of task `{first}`{others} covers only a command that could not be started: `retry_on: true`, or a list of exit \
         codes, says after which failures it is tried again"
    ))
}

/// The program that a command names; a text is one of the shell's.
fn said_program(command: &Command) -> &str {
    match command {
        Command::Argv(words) => words.first().map_or("", String::as_str),
        Command::Shell(_) => "sh",
    }
}
