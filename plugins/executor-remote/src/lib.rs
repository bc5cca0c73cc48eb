//! Hands a task to a broker, waits until a worker has done it, and brings back what came of it.
//!
//! In -> out: a task of kind `remote` -> a task at the broker -> the exit of its command, its output as artifacts and as a file.
//! Limits: the task's timeout and the call's; 1 MiB of each stream as artifact, 16 MiB as file.
//! Invariant: a task has one id at the broker, whatever attempt asks; one that is there with the same command is taken up, not
//! made again, so an attempt that was cut off and its successor have one result. Its end stays there until an attempt knows from
//! its own host that it was recorded, or its time is over: whoever dies between the two loses nothing.
//! Not here: the broker's words (`answer.rs`, `order.rs`), asking it (`broker.rs`), when it is asked again (`pace.rs`).

pub mod answer;
pub mod broker;
pub mod order;
pub mod pace;

use std::time::Duration;

use orch_sdk::{Attempt, Completion, Executor, Failure, Task, artifacts, clocks, files, log, settings};
use serde::Deserialize;

use crate::answer::{Ended, Refused, Shown};
use crate::broker::Broker;
use crate::order::Order;
use crate::pace::Pace;

/// Of a stream, as artifact.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// What the host writes into a file at once.
const SAVED_BYTES_MAX: usize = 16 << 20;
/// Left of the call's time for output: a call that is cut off leaves its task in doubt.
const ANSWER: Duration = Duration::from_secs(5);
/// Lines of standard error that a failure shows.
const SHOWN_LINES: usize = 10;

#[derive(Deserialize)]
struct Keys {
    save: Option<String>,
}

pub struct RemoteExecutor;

impl Executor for RemoteExecutor {
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, Failure> {
        let Keys { save } = settings::parse_text(&task.settings)?;
        let broker = Broker::of_settings()?;
        let order = Order::of(&task, &broker.prefix).map_err(Failure::new)?;
        let wall = Duration::from_millis(attempt.wall_ms);
        let pace = Pace::new(clocks::monotonic(), wall.saturating_sub(ANSWER).max(wall / 2));
        let earlier = attempt.earlier.map(|earlier| earlier.message);
        let errand = Errand { broker, order, pace, earlier };
        errand.add()?;
        let (shown, ended) = errand.wait()?;
        errand.bring(&shown, &ended, save.as_deref())
    }
}

orch_sdk::export!(executor: RemoteExecutor);

/// One order on its way.
struct Errand {
    broker: Broker,
    order: Order,
    pace: Pace,
    /// Why the last attempt of this run failed, or that it was cut off; none if there is none whose end is open or bad.
    earlier: Option<String>,
}

impl Errand {
    /// The order is at the broker, by this attempt or by one before it.
    fn add(&self) -> Result<(), Failure> {
        let id = &self.order.id;
        if let Some(there) = self.look()? {
            if !there.was_recorded(self.earlier.as_deref()) {
                return self.take_up(&there);
            }
            log::info(format_args!("task `{id}` ended there before and was recorded: it is added anew"));
            self.remove()?;
        }
        match self.patiently(|| self.broker.add(&self.order))? {
            Ok(()) => {
                log::info(format_args!("task `{id}` is at the broker"));
                Ok(())
            }
            // By this attempt, which did not hear the answer.
            Err(Refused::Taken) => match self.look()? {
                Some(there) => self.take_up(&there),
                None => Err(Failure::retriable(format!("task `{id}` was removed from the broker meanwhile"))),
            },
            Err(other) => Err(Failure::new(format!("task `{id}` is not at the broker: {other}"))),
        }
    }

    fn look(&self) -> Result<Option<Shown>, Failure> {
        let id = &self.order.id;
        match self.patiently(|| self.broker.look(id))? {
            Ok(there) => Ok(Some(there)),
            Err(Refused::Unknown) => Ok(None),
            Err(other) => Err(Failure::new(format!("task `{id}`: {other}"))),
        }
    }

    fn take_up(&self, there: &Shown) -> Result<(), Failure> {
        let id = &self.order.id;
        if there.command != self.order.command {
            return Err(Failure::new(format!(
                "the broker has another task `{id}`, with the command {}: remove it there, or choose another setting `prefix`",
                there.command
            )));
        }
        log::info(format_args!("task `{id}` is at the broker already, and is taken up"));
        Ok(())
    }

    /// Until it ended.
    fn wait(&self) -> Result<(Shown, Ended), Failure> {
        let id = &self.order.id;
        let mut seen = 0;
        loop {
            let Some(shown) = self.look()? else {
                return Err(Failure::retriable(format!("somebody removed task `{id}` from the broker")));
            };
            if let Some(ended) = shown.result.clone() {
                return Ok((shown, ended));
            }
            if let Some(lease) = shown.lease.as_ref().filter(|_| shown.attempts != seen) {
                seen = shown.attempts;
                log::info(format_args!("worker `{}` has task `{id}`, lease {seen}", lease.worker));
            }
            match self.pace.wait(clocks::monotonic()) {
                Some(wait) => clocks::sleep(wait),
                None => return Err(self.give_up()),
            }
        }
    }

    /// Takes it back if nobody works on it.
    fn give_up(&self) -> Failure {
        let id = &self.order.id;
        Failure::retriable(match self.broker.remove(id) {
            Ok(()) => format!("no worker took task `{id}` in time; it was taken back"),
            Err(Refused::InProgress) => {
                format!(
                    "a worker still has task `{id}` when the time is up; another attempt takes its result"
                )
            }
            Err(other) => format!("task `{id}` was not done in time, and stays at the broker: {other}"),
        })
    }

    /// Takes it away from there: nobody needs it any more.
    fn remove(&self) -> Result<(), Failure> {
        let id = &self.order.id;
        match self.patiently(|| self.broker.remove(id))? {
            Ok(()) | Err(Refused::Unknown) => Ok(()),
            Err(other) => {
                Err(Failure::new(format!("task `{id}` cannot be removed from the broker: {other}")))
            }
        }
    }

    /// What came of it, kept here; it stays there, for this host may die before it has recorded that.
    fn bring(&self, shown: &Shown, ended: &Ended, save: Option<&str>) -> Result<Completion, Failure> {
        let id = &self.order.id;
        let is_done = ended.exit_code == Some(0);
        let saved = save.filter(|_| is_done);
        if saved.is_some() && shown.stdout_bytes > SAVED_BYTES_MAX as u64 {
            let bytes = shown.stdout_bytes;
            return Err(Failure::new(format!(
                "standard output of `{id}` has {bytes} bytes, a file takes {SAVED_BYTES_MAX}: it stays at the broker"
            )));
        }
        let stdout = self.read(
            "stdout",
            shown.stdout_bytes,
            if saved.is_some() { SAVED_BYTES_MAX } else { KEPT_BYTES_MAX },
        )?;
        let stderr = self.read("stderr", shown.stderr_bytes, KEPT_BYTES_MAX)?;
        if let Some(path) = saved {
            let written = files::write(path, &stdout);
            written.map_err(|error| Failure::new(format!("`{path}` cannot be written: {error}")))?;
        }
        for (name, bytes) in [("stdout", &stdout), ("stderr", &stderr)] {
            keep(name, bytes)?;
        }
        match is_done {
            true => Ok(Completion::new(match saved {
                Some(path) => format!("{}; {} bytes in `{path}`", ended.shown(), stdout.len()),
                None => ended.shown(),
            })),
            // The next attempt knows by these words which end was recorded.
            false => Err(Failure::new(with_last_lines(shown.named(ended), &stderr))),
        }
    }

    /// At most so many bytes of a stream, from its beginning.
    fn read(&self, stream: &str, there: u64, most: usize) -> Result<Vec<u8>, Failure> {
        let id = &self.order.id;
        let wanted = usize::try_from(there).unwrap_or(usize::MAX).min(most);
        if there > most as u64 {
            log::warn(format_args!("{stream} of `{id}` has {there} bytes, the first {most} are kept"));
        }
        let mut bytes = Vec::new();
        while bytes.len() < wanted {
            let asked = self.patiently(|| self.broker.output(id, stream, bytes.len()))?;
            let piece = asked.map_err(|why| Failure::new(format!("{stream} of `{id}`: {why}")))?;
            if piece.is_empty() {
                return Err(Failure::new(format!(
                    "{stream} of `{id}` ends after {} of {there} bytes",
                    bytes.len()
                )));
            }
            bytes.extend(piece);
        }
        bytes.truncate(wanted);
        Ok(bytes)
    }

    /// Asks until there is an answer that another question would not change.
    fn patiently<T>(&self, ask: impl Fn() -> Result<T, Refused>) -> Result<Result<T, Refused>, Failure> {
        let mut warned = false;
        loop {
            let why = match ask() {
                Err(Refused::Later(why)) => why,
                other => return Ok(other),
            };
            if !warned {
                warned = true;
                log::warn(format_args!("{why}; it is asked again"));
            }
            match self.pace.wait(clocks::monotonic()) {
                Some(wait) => clocks::sleep(wait),
                None => return Err(Failure::retriable(why)),
            }
        }
    }
}

/// As artifact, if there is anything.
fn keep(name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let bytes = bytes.get(..KEPT_BYTES_MAX).unwrap_or(bytes);
    let kind = if std::str::from_utf8(bytes).is_ok() { "text/plain" } else { "application/octet-stream" };
    match bytes.is_empty() {
        true => Ok(()),
        false => artifacts::add_bytes(name, kind, bytes)
            .map_err(|error| Failure::new(format!("{name} cannot be kept: {error}"))),
    }
}

fn with_last_lines(how: String, stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default();
    if last.is_empty() { how } else { format!("{how}:\n{}", last.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_end_of_standard_error() {
        assert_eq!(with_last_lines("exit 1".to_owned(), b""), "exit 1");
        let lines: String = (0..12).map(|number| format!("{number}\n")).collect();
        let said = with_last_lines("exit 1".to_owned(), lines.as_bytes());
        assert!(said.starts_with("exit 1:\n2\n3\n") && said.ends_with("\n11"), "{said}");
    }
}
