//! A host that has and answers what a case says.
//!
//! In -> out: [`Script`] -> what the host's traits ask, and a record of what was asked.
//! Invariant: nothing real happens: no program starts and nothing is written but the case's own folder; a command
//! that the script does not name next is not found, and the case fails.
//! Not here: grants and limits, which the engine enforces around it.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orch_host::call::Boxed;
use orch_host::capability::{EffectGate, EffectRecord, GateClosed};
use orch_host::capability::kv::{KvReader, KvUnavailable};
use orch_host::capability::log::{LogLevel, LogSink};
use orch_host::capability::process::{ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes};
use orch_host::capability::tasks::{TaskReader, TaskSummary};
use orch_journal::event::TaskIndex;
use orch_task::{Status, Task};
use serde::Deserialize;

const PAGE: usize = 1000;

/// What the host has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// The run's tasks, all pending.
    pub tasks: Vec<Task>,
    /// The workspace: path -> text.
    pub files: BTreeMap<String, String>,
    /// Label -> key -> text.
    pub kv: BTreeMap<String, BTreeMap<String, String>>,
    /// Commands in the order in which they must come.
    pub commands: VecDeque<ScriptedCommand>,
}

/// A command and how it ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCommand {
    /// Name of the program's file.
    pub program: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub ends: Ends,
    #[serde(default)]
    pub stdout: String,
    #[serde(default)]
    pub stderr: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    Code(i32),
    Signal(i32),
    TimedOut,
}

impl Default for Ends {
    fn default() -> Self {
        Self::Code(0)
    }
}

impl TaskReader for Script {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        self.tasks.get(usize::try_from(index).ok()?).cloned()
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        let place = self.tasks.iter().position(|task| task.id.as_str() == id)?;
        TaskIndex::try_from(place).ok()
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        let page = self.tasks.iter().zip(0..).skip(from).take(PAGE);
        let summary = |(task, index): (&Task, TaskIndex)| TaskSummary {
            index,
            id: task.id.as_str().to_owned(),
            kind: task.kind.as_str().to_owned(),
            status: Status::Pending,
            priority: task.priority,
            cost: task.cost,
        };
        page.map(summary).collect()
    }
}

impl KvReader for Script {
    fn read(&self, _plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        Ok(self.kv.get(label).and_then(|values| values.get(key)).map(|value| value.clone().into_bytes()))
    }

    fn keys(
        &self,
        _plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        let keys = self.kv.get(label).into_iter().flat_map(BTreeMap::keys);
        let wanted =
            |key: &&String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        Ok(keys.filter(wanted).take(PAGE).cloned().collect())
    }

    fn bytes(&self, _plugin: &str) -> Result<u64, KvUnavailable> {
        let values = self.kv.values().flatten();
        Ok(values.map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }
}

/// Agrees to every effect: none of them is real.
pub(super) struct Gate;

impl EffectGate for Gate {
    fn record(&self, _effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async { Ok(()) })
    }
}

/// Answers commands from the script.
pub(super) struct Commands {
    left: Mutex<VecDeque<ScriptedCommand>>,
    unscripted: Mutex<Vec<String>>,
}

impl Commands {
    pub(super) fn new(script: &Script) -> Self {
        Self { left: Mutex::new(script.commands.clone()), unscripted: Mutex::default() }
    }

    /// What differed from the script: commands that came and were not next, and those that never came.
    pub(super) fn differences(&self) -> Vec<String> {
        let mut out = lock(&self.unscripted).clone();
        let missing = lock(&self.left);
        out.extend(
            missing
                .iter()
                .map(|command| format!("commands: {} never came", shown(&command.program, &command.args))),
        );
        out
    }

    fn answer(&self, request: &ProcessRequest) -> Option<ProcessOutput> {
        let program = request.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut left = lock(&self.left);
        let is_next = left.front().is_some_and(|next| next.program == program && next.args == request.args);
        let Some(command) = left.pop_front_if(|_| is_next) else {
            let next = left.front().map_or("no command".to_owned(), |next| shown(&next.program, &next.args));
            let found = shown(&program, &request.args);
            lock(&self.unscripted).push(format!("commands: expected {next}, found {found}"));
            return None;
        };
        let capture = usize::try_from(request.capture_bytes).unwrap_or(usize::MAX);
        let kept = |text: &str| text.bytes().take(capture).collect();
        Some(ProcessOutput {
            exit: match command.ends {
                Ends::Code(code) => ProcessExit::Code(code),
                Ends::Signal(signal) => ProcessExit::Signal(signal),
                Ends::TimedOut => ProcessExit::TimedOut,
            },
            stdout: kept(&command.stdout),
            stderr: kept(&command.stderr),
            stdout_bytes: command.stdout.len() as u64,
            stderr_bytes: command.stderr.len() as u64,
            duration: Duration::from_millis(1),
        })
    }
}

impl Processes for Commands {
    fn run(
        &self,
        request: ProcessRequest,
        effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        Box::pin(async move {
            let program = request.program.display().to_string();
            let started = EffectRecord::ProcessStarted {
                program: program.clone(),
                pid: 0,
                start_ticks: 0,
                boot_id: String::new(),
            };
            effects.record(started).await?;
            self.answer(&request).ok_or(ProcessError::NotFound { program })
        })
    }
}

fn shown(program: &str, args: &[String]) -> String {
    format!(
        "`{}`",
        std::iter::once(program).chain(args.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    )
}

/// Keeps lines as a case names them.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<String>>);

impl Lines {
    pub(super) fn all(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

impl LogSink for Lines {
    fn line(&self, _plugin: &str, level: LogLevel, text: &str) {
        let level = match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        };
        lock(&self.0).push(format!("{level}: {text}"));
    }
}

/// Writes the workspace's files; an error says which path is none.
pub(super) fn write_files(workspace: &Path, script: &Script) -> Result<(), String> {
    for (name, text) in &script.files {
        let sound = !name.is_empty() && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let path = workspace.join(name);
        let written = || {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(&path, text)
        };
        match sound {
            true => written().map_err(|error| format!("`{name}` of `files` cannot be written: {error}"))?,
            false => return Err(format!("`{name}` of `files` is not inside the workspace")),
        }
    }
    Ok(())
}

/// Values behind these locks are whole: each is changed by one call.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(program: &str, args: &[&str]) -> ProcessRequest {
        ProcessRequest {
            program: format!("/usr/bin/{program}").into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: Vec::new(),
            directory: "/".into(),
            timeout: Duration::from_secs(1),
            capture_bytes: 2,
        }
    }

    #[test]
    fn commands_come_in_the_script_s_order_or_not_at_all() {
        let script =
            r#"{"commands": [{"program": "python3", "args": ["-V"], "stdout": "3.11"}, {"program": "git"}]}"#;
        let commands = Commands::new(&serde_json::from_str(script).unwrap());
        assert_eq!(commands.answer(&request("git", &[])), None);
        let output = commands.answer(&request("python3", &["-V"])).unwrap();
        assert_eq!((output.stdout, output.stdout_bytes), (b"3.".to_vec(), 4));
        let differences = commands.differences();
        assert_eq!(
            differences,
            ["commands: expected `python3 -V`, found `git`", "commands: `git` never came"]
        );
    }

    #[test]
    fn files_stay_inside_the_case_s_folder() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            |name: &str| Script { files: [(name.to_owned(), "x".to_owned())].into(), ..Script::default() };
        write_files(folder.path(), &script("a/b.txt")).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("a/b.txt")).unwrap(), "x");
        for wrong in ["../x", "/x", "a//b", "", "a/../../x"] {
            assert!(write_files(folder.path(), &script(wrong)).is_err(), "{wrong}");
        }
    }
}
