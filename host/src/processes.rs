//! Commands of plugins: run under a supervisor, their output in a log file.
//!
//! In -> out: [`ProcessRequest`] -> [`ProcessOutput`]; both streams, byte exact, in one file of `logs/`.
//! Limits: bytes of one log file (the caller's); beyond it the streams are drained and counted.
//! Invariant: when a call is over, or dropped, no descendant of its commands is left.
//! Not here: which programs are granted (`capability/process.rs`), the process tree itself (`orch-supervisor`).

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orch_supervisor::{Exit, OutputLimits, Request, RunError, StartStep, SupervisorPool, pump};
use orch_task::TaskId;

use crate::call::Boxed;
use crate::capability::process::{ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes};
use crate::capability::{EffectGate, EffectRecord, GateClosed};

/// The host's supervisors.
pub type Commands = SupervisorPool;

/// Whose commands a log file holds; times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub enum LogName {
    Attempt {
        task: TaskId,
        attempt: u32,
        at: u64,
    },
    /// `place` is that of the run's last event as the call began: no two calls of a run share it.
    Call {
        call: &'static str,
        task: Option<TaskId>,
        plugin: String,
        at: u64,
        place: u64,
    },
}

impl fmt::Display for LogName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt { task, attempt, at } => {
                write!(out, "task-{task}-{}-{attempt}.log", log_stamp(*at))
            }
            Self::Call { call, task, plugin, at, place } => {
                let name = plugin.rsplit('/').next().unwrap_or(plugin);
                let task = task.as_ref().map_or_else(String::new, |task| format!("{task}-"));
                write!(out, "{call}-{task}{name}-{}-{place}.log", log_stamp(*at))
            }
        }
    }
}

/// Output for which a log file had no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogCut {
    pub kept_bytes: u64,
    pub all_bytes: u64,
}

impl fmt::Display for LogCut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept_bytes, all_bytes } = self;
        write!(
            out,
            "{kept_bytes} of {all_bytes} bytes of output are kept, `log_mib` in `config.yaml` is the limit"
        )
    }
}

/// A log file that is made when the first command writes to it.
pub struct CommandLog {
    folder: PathBuf,
    name: LogName,
    /// What may still be written, in bytes.
    room: AtomicU64,
    kept: AtomicU64,
    /// Came when there was no room any more.
    dropped: AtomicU64,
    file: Mutex<Option<File>>,
}

impl CommandLog {
    pub fn new(folder: PathBuf, name: LogName, bytes_max: u64) -> Self {
        let (room, kept, dropped) = (AtomicU64::new(bytes_max), AtomicU64::new(0), AtomicU64::new(0));
        Self { folder, name, room, kept, dropped, file: Mutex::new(None) }
    }

    /// What of the output is kept, if not all of it is.
    pub fn cut(&self) -> Option<LogCut> {
        let dropped_bytes = self.dropped.load(Ordering::Relaxed);
        let kept_bytes = self.kept.load(Ordering::Relaxed);
        (dropped_bytes > 0).then_some(LogCut { kept_bytes, all_bytes: kept_bytes + dropped_bytes })
    }

    /// Relative to the workspace; none if no command ran.
    pub fn path(&self) -> Option<String> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_ref().map(|_| format!("logs/{}", self.name))
    }

    fn room(&self) -> u64 {
        self.room.load(Ordering::Relaxed)
    }

    fn took(&self, kept: u64, dropped: u64) {
        self.room.fetch_sub(kept.min(self.room()), Ordering::Relaxed);
        self.kept.fetch_add(kept, Ordering::Relaxed);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    fn open(&self) -> io::Result<File> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = file.as_ref() {
            return file.try_clone();
        }
        make_log_folder(&self.folder)?;
        let made = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(self.folder.join(self.name.to_string()))?;
        let clone = made.try_clone()?;
        *file = Some(made);
        Ok(clone)
    }
}

/// Makes the folder of the logs; a link in its place is refused, it could lead anywhere.
pub fn make_log_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => crate::whole_file::keep_out_of_git(folder)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    match std::fs::symlink_metadata(folder)?.is_dir() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "the folder of the logs is a link")),
    }
}

/// Milliseconds since 1970 as `20261121-121726.042` (UTC), for names of log files.
pub fn log_stamp(at_ms: u64) -> String {
    let stamp =
        jiff::Timestamp::from_millisecond(i64::try_from(at_ms).unwrap_or(i64::MAX)).unwrap_or_default();
    stamp.strftime("%Y%m%d-%H%M%S.%3f").to_string()
}

/// The commands of one call.
pub struct CallProcesses {
    commands: Arc<Commands>,
    log: Arc<CommandLog>,
}

impl CallProcesses {
    pub fn new(commands: Arc<Commands>, log: Arc<CommandLog>) -> Self {
        Self { commands, log }
    }
}

impl Processes for CallProcesses {
    fn run(
        &self,
        request: ProcessRequest,
        effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        Box::pin(async move {
            let program = request.program.display().to_string();
            let text = |(name, value): &(String, String)| (name.into(), value.into());
            let command = Request {
                args: request.args.iter().map(Into::into).collect(),
                env: request.env.iter().map(text).collect(),
                timeout: Some(request.timeout),
                ..Request::new(&request.program, &request.directory)
            };
            let not_started = |source| ProcessError::NotStarted { program: program.clone(), source };
            let log = self.log.open().map_err(not_started)?;
            let running = self.commands.run(command).await.map_err(|error| refused(&program, error))?;
            orch_journal::failpoint::hit("after-spawn");
            for one in [running.identity(), running.supervisor()] {
                let started = EffectRecord::ProcessStarted {
                    program: program.clone(),
                    pid: one.pid,
                    start_ticks: one.start_ticks,
                    boot_id: one.boot_id.clone(),
                };
                effects.record(started).await?;
            }
            let limits = OutputLimits {
                log_bytes_max: self.log.room(),
                capture_bytes_max: u64::from(request.capture_bytes),
            };
            let mut log = tokio::fs::File::from_std(log);
            let output = pump(running, &mut log, limits).await.map_err(|error| refused(&program, error))?;
            self.log.took(output.logged_bytes, output.unlogged_bytes);
            Ok(ProcessOutput {
                exit: match output.ended.exit {
                    Exit::Code(code) => ProcessExit::Code(code),
                    Exit::Signal(signal) => ProcessExit::Signal(signal),
                    Exit::TimedOut => ProcessExit::TimedOut,
                    Exit::Cancelled => return Err(GateClosed.into()),
                },
                stdout: output.stdout.captured,
                stderr: output.stderr.captured,
                stdout_bytes: output.stdout.total_bytes,
                stderr_bytes: output.stderr.total_bytes,
                duration: output.ended.duration,
            })
        })
    }
}

fn refused(program: &str, error: RunError) -> ProcessError {
    let program = program.to_owned();
    match error {
        RunError::NotStarted { step: StartStep::Program, source, .. }
            if source.kind() == io::ErrorKind::NotFound =>
        {
            ProcessError::NotFound { program }
        }
        RunError::NotStarted { source, .. } => ProcessError::NotStarted { program, source },
        // It may have run, in part or whole: nobody knows how it ended, so the guest gets no answer to act on.
        RunError::SupervisorGone | RunError::Socket { .. } | RunError::Log { .. } | RunError::Read { .. } => {
            ProcessError::SupervisorGone
        }
        other => ProcessError::NotStarted { program, source: io::Error::other(other) },
    }
}
