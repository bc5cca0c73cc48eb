//! Commands of plugins: run under a supervisor, their output in a log file.
//!
//! In -> out: [`ProcessRequest`] -> [`ProcessOutput`]; both streams in one file of `logs/`.
//! Limits: a command's timeout, SIGTERM, `kill_after` and SIGKILL lie inside of the call's time.
//! Invariant: when a call is over, no descendant of its commands is left.
//! Not here: which programs are granted (`capability/process.rs`), the process tree itself (`orch-supervisor`), what of
//! the output is kept (`command_log.rs`), why a program did not start (`processes/unstarted.rs`).

mod unstarted;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use orch_supervisor::{Exit, Group, Limit, Request, SupervisorPool, pump};

use crate::call::Boxed;
use crate::capability::process::{ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes};
use crate::capability::{EffectGate, EffectRecord, GateClosed};
use crate::command_log::CommandLog;
use crate::open_files;
use crate::sandbox::{Sandboxing, denied};
use crate::worktrees::Seat;

/// The host's supervisors.
pub type Commands = SupervisorPool;

/// The commands of one call.
pub struct CallProcesses {
    commands: Group,
    log: Arc<CommandLog>,
    kill_after: Duration,
    sandboxing: Arc<Sandboxing>,
    /// The work tree that they run in.
    seat: Option<Seat>,
}

/// What ends a command that takes too much.
const SIGKILL: i32 = 9;
/// Of a call's time, for the plugin to say how its command ended.
const ANSWER: Duration = Duration::from_secs(1);

impl CallProcesses {
    /// `kill_after`: from the request to end to SIGKILL.
    pub fn new(
        commands: &Commands,
        log: Arc<CommandLog>,
        kill_after: Duration,
        sandboxing: Arc<Sandboxing>,
        seat: Option<Seat>,
    ) -> Self {
        Self { commands: commands.group(), log, kill_after, sandboxing, seat }
    }

    /// A command's timeout and `kill_after`, so that both and the answer lie inside of the call's time.
    fn times(&self, asked: Duration, wall_left: Duration) -> (Duration, Duration) {
        let kill_after = self.kill_after.min(wall_left / 4);
        let reserved = kill_after + ANSWER.min(wall_left / 4);
        (asked.min(wall_left.saturating_sub(reserved)), kill_after)
    }
}

/// What the log says of a command that took too much.
fn beyond(limit: Limit) -> String {
    let (what, key) = match limit {
        Limit::Processes => ("processes", "processes"),
        Limit::Memory => ("memory", "memory_mib"),
    };
    format!("ended: it took more {what} than `[sandbox] {key}` in the operator's `policy.toml` allows")
}

impl Processes for CallProcesses {
    fn run(
        &self,
        request: ProcessRequest,
        effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        Box::pin(async move {
            let seat = self.seat.as_ref();
            let request = ProcessRequest {
                program: self.sandboxing.seen(&request.program, seat),
                directory: self.sandboxing.seen(&request.directory, seat),
                ..request
            };
            let program = request.program.display().to_string();
            let text = |(name, value): &(String, OsString)| (name.into(), value.clone());
            let (timeout, kill_after) = self.times(request.timeout, request.wall_left);
            let command = Request {
                args: request.args.iter().map(Into::into).collect(),
                env: request.env.iter().map(text).collect(),
                timeout: Some(timeout),
                kill_after,
                open_files_max: open_files::of_commands(),
                sandbox: self.sandboxing.around(&request, seat),
                ..Request::new(&request.program, &request.directory)
            };
            // In a work tree nothing of theirs is kept.
            let unmade = if seat.is_none() { self.sandboxing.unmade() } else { Vec::new() };
            let no_log = |error| ProcessError::NotStarted { why: format!("its log cannot be made: {error}") };
            let mut log = self.log.open().map_err(no_log)?;
            let running =
                self.commands.run(command).await.map_err(|error| unstarted::refused(&request, error))?;
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
            let output = pump(running, &mut log, u64::from(request.capture_bytes))
                .await
                .map_err(|error| unstarted::refused(&request, error))?;
            self.log.add_left(output.ended.left);
            for line in self.sandboxing.made_of(unmade) {
                self.log.note(&line);
            }
            if output.ended.exit != Exit::Code(0) {
                let streams = [&*output.stdout.captured, &*output.stderr.captured];
                for line in denied(&self.sandboxing, streams) {
                    self.log.note(&line);
                }
            }
            Ok(ProcessOutput {
                exit: match output.ended.exit {
                    Exit::Code(code) => ProcessExit::Code(code),
                    Exit::Signal(signal) => ProcessExit::Signal(signal),
                    Exit::TimedOut => ProcessExit::TimedOut,
                    Exit::Beyond(limit) => {
                        self.log.note(&beyond(limit));
                        ProcessExit::Signal(SIGKILL)
                    }
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

    fn is_kept_whole(&self, request: &ProcessRequest) -> bool {
        self.seat.is_some() && !request.network && self.sandboxing.holds_all()
    }

    fn over(&self) -> Boxed<'_, ()> {
        Box::pin(self.commands.over())
    }
}
