//! Commands of plugins: run under a supervisor, their output in a log file.
//!
//! In -> out: [`ProcessRequest`] -> [`ProcessOutput`]; both streams in one file of `logs/`.
//! Limits: a command's timeout, SIGTERM, `kill_after` and SIGKILL lie inside of the call's time.
//! Invariant: when a call is over, no descendant of its commands is left, nothing that they reached by the host goes on, and
//! what they reached is recorded, also of a call that was dropped.
//! Not here: which programs are granted (`capability/process.rs`), the process tree itself (`orch-supervisor`), what of
//! the output is kept (`command_log.rs`), why a program did not start (`processes/unstarted.rs`).

mod unstarted;

use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orch_supervisor::{Exit, Group, Limit, Request, SupervisorPool, pump};

use crate::caches::CallCaches;
use crate::call::Boxed;
use crate::capability::process::{ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes};
use crate::capability::{EffectGate, EffectRecord, GateClosed};
use crate::command_log::CommandLog;
use crate::open_files;
use crate::relay::{Open, Relay, Ways};
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
    relay: Arc<Relay>,
    caches: Arc<CallCaches>,
    /// The work tree that they run in.
    seat: Option<Seat>,
    /// Of commands whose network is open, also of those that were dropped.
    open: Mutex<Vec<OpenNetwork>>,
}

/// The network of one command. Dropped before its end was recorded, it says what the command reached until then.
struct OpenNetwork {
    pid: u32,
    relay: Open,
    log: Arc<CommandLog>,
    effects: Arc<dyn EffectGate>,
    is_recorded: bool,
}

impl OpenNetwork {
    /// Ends what goes through it; records what it was.
    async fn close(mut self) -> Result<(), GateClosed> {
        self.relay.end().await;
        match self.reached() {
            Some(reached) => self.effects.record(reached).await,
            None => Ok(()),
        }
    }

    /// What there is to record, once.
    fn reached(&mut self) -> Option<EffectRecord> {
        if std::mem::replace(&mut self.is_recorded, true) {
            return None;
        }
        let used = self.relay.used();
        used.lines.iter().for_each(|line| self.log.note(line));
        if used.is_nothing() {
            return None;
        }
        Some(EffectRecord::NetworkUsed { pid: self.pid, uses: used.uses, others: used.others })
    }
}

impl Drop for OpenNetwork {
    fn drop(&mut self) {
        if let Some(reached) = self.reached() {
            self.effects.tell(reached);
        }
    }
}

/// What ends a command that takes too much.
const SIGKILL: i32 = 9;
/// Of a call's time, for the plugin to say how its command ended.
const ANSWER: Duration = Duration::from_secs(1);

impl CallProcesses {
    /// `kill_after`: from the request to end to SIGKILL; `plugin`: whose call it is.
    pub fn new(
        commands: &Commands,
        log: Arc<CommandLog>,
        kill_after: Duration,
        sandboxing: Arc<Sandboxing>,
        relay: Arc<Relay>,
        plugin: &str,
        seat: Option<Seat>,
    ) -> Self {
        let caches = Arc::new(sandboxing.caches().of_call(plugin));
        let (commands, open) = (commands.group(), Mutex::default());
        Self { commands, log, kill_after, sandboxing, relay, caches, seat, open }
    }

    fn open(&self) -> MutexGuard<'_, Vec<OpenNetwork>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what goes through the host for that command, or for all; records what it reached.
    async fn close(&self, pid: Option<u32>) -> Result<(), GateClosed> {
        let is_meant = |one: &mut OpenNetwork| pid.is_none_or(|pid| one.pid == pid);
        let closed: Vec<_> = self.open().extract_if(.., is_meant).collect();
        for one in closed {
            one.close().await?;
        }
        Ok(())
    }

    /// A command's timeout and `kill_after`, so that both and the answer lie inside of the call's time.
    fn times(&self, asked: Duration, wall_left: Duration) -> (Duration, Duration) {
        let kill_after = self.kill_after.min(wall_left / 4);
        let reserved = kill_after + ANSWER.min(wall_left / 4);
        (asked.min(wall_left.saturating_sub(reserved)), kill_after)
    }
}

/// The environment of a command; where it has a way out, that is the proxy, whatever anybody else says.
fn with_proxy(env: &[(String, OsString)], ways: Option<&Ways>) -> Vec<(OsString, OsString)> {
    let own: Vec<(&str, OsString)> = ways.into_iter().flat_map(Ways::variables).collect();
    let said = env.iter().filter(|(name, _)| !own.iter().any(|(own, _)| own == name));
    let said = said.map(|(name, value)| (name.into(), value.clone())).collect::<Vec<_>>();
    said.into_iter().chain(own.into_iter().map(|(name, value)| (name.into(), value))).collect()
}

/// What the log says of a command that took too much.
fn beyond(limit: Limit) -> String {
    let (what, key) = match limit {
        Limit::Processes => ("it took more processes", "processes"),
        Limit::Memory => ("it took more memory", "memory_mib"),
        Limit::Room => {
            return "ended: less room was left on the disk than `[sandbox] free_mib` in the operator's `policy.toml` asks for"
                .to_owned();
        }
    };
    format!("ended: {what} than `[sandbox] {key}` in the operator's `policy.toml` allows")
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
            let ways = self.sandboxing.ways(&request);
            let (timeout, kill_after) = self.times(request.timeout, request.wall_left);
            let no_cache =
                |error| ProcessError::NotStarted { why: format!("its caches cannot be made: {error}") };
            let caches = self.caches.layers().map_err(no_cache)?;
            let command = Request {
                args: request.args.iter().map(Into::into).collect(),
                env: with_proxy(&request.env, ways.as_ref()),
                timeout: Some(timeout),
                kill_after,
                open_files_max: open_files::of_commands(),
                sandbox: self.sandboxing.around(&request, caches, seat),
                ..Request::new(&request.program, &request.directory)
            };
            // In a work tree nothing of theirs is kept.
            let unmade = if seat.is_none() { self.sandboxing.unmade() } else { Vec::new() };
            let no_log = |error| ProcessError::NotStarted { why: format!("its log cannot be made: {error}") };
            let mut log = self.log.open().map_err(no_log)?;
            let mut running =
                self.commands.run(command).await.map_err(|error| unstarted::refused(&request, error))?;
            let pid = running.identity().pid;
            if let Some(ways) = ways {
                let served = self.relay.serve(&ways, std::mem::take(&mut running.listeners));
                let relay = served.map_err(|error| ProcessError::EndUnknown {
                    why: format!("the network of `{program}` cannot be served: {error}"),
                })?;
                let (log, effects) = (self.log.clone(), effects.clone());
                self.open().push(OpenNetwork { pid, relay, log, effects, is_recorded: false });
            }
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
            let output = pump(running, &mut log, u64::from(request.capture_bytes)).await;
            self.close(Some(pid)).await?;
            let output = output.map_err(|error| unstarted::refused(&request, error))?;
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
        self.seat.is_some() && request.network.is_empty() && self.sandboxing.holds_all()
    }

    fn over(&self, is_good: bool) -> Boxed<'_, ()> {
        Box::pin(async move {
            // Of a gate that is closed the run is over, and whoever ends it writes that down.
            let _ = self.close(None).await;
            self.commands.over().await;
            if self.caches.is_unused() {
                return;
            }
            let caches = self.caches.clone();
            let ended = tokio::task::spawn_blocking(move || caches.end(is_good)).await;
            if let Err(error) = ended.unwrap_or_else(|error| Err(error.into())) {
                self.log.note(&format!("not all that it wrote into caches is kept or removed: {error}"));
            }
        })
    }
}
