//! Where a worker runs commands: a folder for each, within the walls that the operator's policy says.
//!
//! In -> out: a leased task -> [`Done`].
//! Limits: [`OUTPUT_BYTES_MAX`] of each stream; the task's timeout; `[sandbox]` of the policy.
//! Invariant: a command runs as commands of plugins do, by the same grant and within the same walls; programs that
//! `[worker.allow]` does not name are refused by name, and nothing starts.
//! Invariant: when [`Bench::run`] returns, no process of the command is left, and neither is its folder.
//! Not here: the walls (`sandbox.rs`), starting and ending (`processes.rs`).

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orch_task::TaskId;
use tokio::sync::watch;

use super::client::{Command, Leased};
use crate::capability::effect::{Boxed, EffectGate, EffectRecord, GateClosed};
use crate::capability::process::grant::NoProgram;
use crate::capability::process::{ProcessExit, ProcessGrant, ProcessOutput, ProcessRequest, Processes};
use crate::clock::now_ms;
use crate::command_log::{CommandLog, LogName};
use crate::processes::{CallProcesses, Commands};
use crate::relay::Relay;
use crate::sandbox::Sandboxing;

/// Of each stream; beyond it the beginning and the end are kept, with a line between them. A broker takes no more.
const OUTPUT_BYTES_MAX: u32 = 32 << 20;
/// Without a timeout of the task's own.
const TIMEOUT: Duration = Duration::from_secs(86_400);
/// From the request to end to SIGKILL.
const KILL_AFTER: Duration = Duration::from_secs(5);
/// Beside a command's timeout, for its end.
const ENDING: Duration = Duration::from_secs(30);
/// The owner of caches and connections, where a plugin's id stands otherwise.
const OWNER: &str = "worker";
const FOLDER_MODE: u32 = 0o700;

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// None if it did not exit by itself.
    pub exit_code: Option<i32>,
    /// Why not.
    pub reason: Option<String>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Done {
    fn without(reason: String) -> Self {
        Self { exit_code: None, reason: Some(reason), stdout: Vec::new(), stderr: Vec::new() }
    }

    /// For people, in a line.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.exit_code, &self.reason) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(reason)) => reason.clone(),
            (None, None) => "ended".to_owned(),
        }
    }
}

/// What commands run with.
pub struct Bench {
    pub commands: Commands,
    /// Of the folder of all tasks; each command has the walls around its own.
    pub sandboxing: Sandboxing,
    pub relay: Arc<Relay>,
    pub granted: ProcessGrant,
    /// The worker's own: nothing else is in it.
    pub root: PathBuf,
}

/// A worker has no journal: the broker hears how a task ended, and nothing begins before the broker leased it.
struct Unrecorded;

impl EffectGate for Unrecorded {
    fn record(&self, _effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async { Ok(()) })
    }

    fn tell(&self, _effect: EffectRecord) {}
}

impl Bench {
    /// Runs the task's command; `over`: nobody wants to know how it ends.
    pub async fn run(&self, leased: &Leased, over: watch::Receiver<bool>) -> Done {
        let folder = self.root.join(format!("{}.{}", leased.id, leased.fence));
        let work = folder.join("work");
        let made = make(&folder).and_then(|()| make(&work));
        let done = match made {
            Ok(()) => self.run_in(&folder, &work, leased, over).await,
            Err(error) => Done::without(format!("`{}` cannot be made: {error}", folder.display())),
        };
        let removed = tokio::task::spawn_blocking(move || remove(&folder)).await;
        if let Err(error) = removed.unwrap_or_else(|error| Err(error.into())) {
            tracing::warn!(%error, task = leased.id, "the folder of a task is not removed");
        }
        done
    }

    async fn run_in(
        &self,
        folder: &Path,
        work: &Path,
        leased: &Leased,
        mut over: watch::Receiver<bool>,
    ) -> Done {
        let request = match self.request(leased, work) {
            Ok(request) => request,
            Err(reason) => return Done::without(reason),
        };
        let Ok(task) = TaskId::parse(&leased.id) else {
            return Done::without("its id is none".to_owned());
        };
        let name = LogName::Attempt { task, attempt: 1, at: now_ms() };
        let log = Arc::new(CommandLog::new(folder.join("logs"), name, 2 * u64::from(OUTPUT_BYTES_MAX)));
        let sandboxing = Arc::new(self.sandboxing.around_another(work));
        let (relay, commands) = (self.relay.clone(), &self.commands);
        let processes = CallProcesses::new(commands, log, KILL_AFTER, sandboxing, relay, OWNER, None);
        let ended = tokio::select! {
            ended = processes.run(request, Arc::new(Unrecorded)) => Some(ended),
            () = super::is_set(&mut over) => None,
        };
        processes.over(false).await;
        match ended {
            Some(Ok(output)) => of_output(output),
            Some(Err(error)) => Done::without(error.to_string()),
            None => Done::without("it was ended".to_owned()),
        }
    }

    /// What the command means here, or why it is nothing here.
    fn request(&self, leased: &Leased, work: &Path) -> Result<ProcessRequest, String> {
        let (wanted, args) = words(&leased.command)?;
        let program = self.granted.program(&wanted, work).map_err(|why| match why {
            NoProgram::Missing => format!("not-found: this worker has no program `{wanted}`"),
            why => format!(
                "not-allowed: `process.programs` of `[worker.allow]` in this worker's policy does not name `{wanted}`{}",
                why.more()
            ),
        })?;
        let timeout = leased.timeout_seconds.map_or(TIMEOUT, |seconds| Duration::from_secs(seconds.into()));
        Ok(ProcessRequest {
            program: program.path,
            args,
            env: self.granted.handed_on(&program.name).into_iter().collect(),
            directory: work.to_owned(),
            timeout,
            wall_left: timeout + KILL_AFTER + ENDING,
            capture_bytes: OUTPUT_BYTES_MAX,
            network: self.granted.network().to_vec(),
        })
    }
}

/// Program and arguments. Whoever writes several lines means the later ones only if the earlier ones went well.
fn words(command: &Command) -> Result<(String, Vec<String>), String> {
    match command {
        Command::Line(line) => {
            let how = if line.trim().contains(['\n', '\r']) { "-ec" } else { "-c" };
            Ok(("sh".to_owned(), vec![how.to_owned(), line.clone()]))
        }
        Command::Words(words) => {
            let (program, args) = words.split_first().ok_or("malformed: the command names no program")?;
            Ok((program.clone(), args.to_vec()))
        }
    }
}

fn of_output(output: ProcessOutput) -> Done {
    let ProcessOutput { exit, stdout, stderr, .. } = output;
    let (exit_code, reason) = match exit {
        ProcessExit::Code(code) => (Some(code), None),
        ProcessExit::Signal(signal) => (None, Some(format!("signal: it was ended by signal {signal}"))),
        ProcessExit::TimedOut => (None, Some("timeout: it took longer than it may".to_owned())),
    };
    Done { exit_code, reason, stdout, stderr }
}

fn make(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(FOLDER_MODE).create(folder)
}

/// Removes a folder with whatever a command left in it.
pub fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_for_a_shell_and_a_list_is_not() {
        let line = |text: &str| words(&Command::Line(text.to_owned())).unwrap();
        assert_eq!(line("make x"), ("sh".to_owned(), vec!["-c".to_owned(), "make x".to_owned()]));
        assert_eq!(line("a\nb").1, ["-ec", "a\nb"]);
        let list = |list: &[&str]| words(&Command::Words(list.iter().map(|&word| word.to_owned()).collect()));
        assert_eq!(list(&["ls", "a b"]).unwrap(), ("ls".to_owned(), vec!["a b".to_owned()]));
        assert!(list(&[]).is_err());
    }

    #[test]
    fn only_what_exits_has_a_code() {
        let done = |exit| {
            let output = ProcessOutput {
                exit,
                stdout: b"a".to_vec(),
                stderr: Vec::new(),
                stdout_bytes: 1,
                stderr_bytes: 0,
                duration: Duration::ZERO,
            };
            of_output(output)
        };
        assert_eq!(
            (done(ProcessExit::Code(3)).exit_code, done(ProcessExit::Code(3)).shown()),
            (Some(3), "exit 3".to_owned())
        );
        for exit in [ProcessExit::Signal(9), ProcessExit::TimedOut] {
            let done = done(exit);
            assert!(done.exit_code.is_none() && done.reason.is_some() && done.stdout == b"a");
        }
    }
}
