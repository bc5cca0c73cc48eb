//! Runs a task's command or shell text; a task that says nothing of its own only joins others.
//!
//! In -> out: a task of kind `shell` -> its summary, or why it failed.
//! Units: milliseconds, bytes; of each stream 1 MiB is looked at, of a longer one its end too.
//! Invariant: exactly one program starts for an attempt, and only exit code 0 is success.
//! Not here: the log file with all of the output, the programs that are granted, ending what is left over: the host's.

pub mod invocation;
pub mod report;
pub mod settings;

use std::time::Duration;

use orch_sdk::process::{self, Exit};
use orch_sdk::{Attempt, Command, Completion, Error, Executor, Failure, Task, log};

use crate::invocation::Invocation;
use crate::report::{Ending, Ran, Stream, report};
use crate::settings::Settings;

const CAPTURE_BYTES: u32 = 1024 * 1024;
/// Left of the call's time for saying how the command ended: a call that is cut off leaves its task in doubt.
const ANSWER_MS: u64 = 500;

pub struct ShellExecutor;

impl Executor for ShellExecutor {
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, Failure> {
        let settings = Settings::parse(&task.settings).map_err(Failure::new)?;
        if task.command.is_none() {
            settings::check_join(&task.settings).map_err(Failure::new)?;
        }
        let said = if task.description.is_empty() { &task.id } else { &task.description };
        let invocation = match task.command {
            None => {
                log::info(said);
                return Ok(Completion::new(format!("{said} (no command)")));
            }
            Some(Command::Argv(words)) => Invocation::of_list(words).map_err(Failure::new)?,
            Some(Command::Shell(line)) => Invocation::of_text(line),
        };
        log::info(format_args!("{said}: `{}`", invocation.shown));
        let output = process::Command::new(&invocation.program)
            .args(&invocation.args)
            .directory(&settings.directory)
            .timeout(timeout(task.timeout_ms, attempt.wall_ms))
            .capture(CAPTURE_BYTES)
            .run()
            .map_err(|error| cannot_run(&invocation.program, &error))?;
        let ran = Ran {
            command: &invocation.shown,
            ending: match output.exit {
                Exit::Code(code) => Ending::Code(code),
                Exit::Signal(signal) => Ending::Signal(signal),
                Exit::TimedOut => Ending::TimedOut,
            },
            stdout: Stream { captured: &output.stdout, bytes: output.stdout_bytes },
            stderr: Stream { captured: &output.stderr, bytes: output.stderr_bytes },
            duration_ms: u64::try_from(output.duration.as_millis()).unwrap_or(u64::MAX),
        };
        match report(&ran, &settings.retry_on) {
            Ok(summary) => Ok(Completion::new(summary)),
            Err(failed) => Err(Failure { message: failed.message, retriable: failed.retriable }),
        }
    }
}

orch_sdk::export!(executor: ShellExecutor);

/// The task's own time, but never so long that the call is cut off first; 0 means that the task has none.
fn timeout(task_ms: u64, wall_ms: u64) -> Duration {
    let call_ms = wall_ms.saturating_sub(ANSWER_MS).max(1);
    Duration::from_millis(if task_ms == 0 { call_ms } else { task_ms.min(call_ms) })
}

/// Nothing ran. Only what the host calls unavailable may go better next time.
fn cannot_run(program: &str, error: &Error) -> Failure {
    Failure { message: format!("cannot run `{program}`: {error}"), retriable: *error == Error::Unavailable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_ends_before_the_call_is_cut_off() {
        assert_eq!(timeout(2_000, 12_000), Duration::from_millis(2_000));
        assert_eq!(timeout(12_000, 12_000), Duration::from_millis(11_500));
        assert_eq!(timeout(0, 12_000), Duration::from_millis(11_500));
        assert_eq!(timeout(0, 3), Duration::from_millis(1));
    }

    #[test]
    fn only_unavailable_is_worth_another_attempt() {
        assert!(cannot_run("make", &Error::Unavailable).retriable);
        for error in
            [Error::Denied("program `make`".to_owned()), Error::NotFound, Error::Invalid("x".to_owned())]
        {
            let failure = cannot_run("make", &error);
            assert!(!failure.retriable);
            assert!(failure.message.starts_with("cannot run `make`: "), "{}", failure.message);
        }
    }
}
