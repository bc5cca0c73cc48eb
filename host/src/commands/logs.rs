//! `orch-host logs TASK [-f]`: what a task's commands printed, byte for byte.
//!
//! In -> out: rows of a task's attempts -> their log files on standard output, what else is known of them on standard
//! error.
//! Invariant: a file is an attempt's only if the store names it, or if its name is exactly what that attempt's is.
//! Not here: how bytes look on a terminal (`console/bytes.rs`).

use std::time::Duration;

use orch_journal::rows::{AttemptRow, TaskRow};
use orch_journal::{Event, Reader};
use orch_task::{Status, TaskId};

use super::followed::logs_of;
use super::stored_run::{find_run, is_open, result_of};
use crate::command_log::LogName;
use crate::console::bytes::Bytes;
use crate::console::{Console, escape};
use crate::drive::attempt::{OUTPUT_CUT, PROCESSES_LEFT};
use crate::exit::{Exit, Fault, Outcome};
use crate::log_folder::{self, tail::Tail};
use crate::place::{self, Place, WorkspaceArgs};

const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Of why an attempt without a log failed.
const SHOWN_LINES: usize = 24;
const READ_BYTES: usize = 64 << 10;

#[derive(clap::Args)]
pub struct LogsArgs {
    /// The task
    task: String,
    /// Go on until the task is over, also if it has not started yet
    #[arg(short, long)]
    follow: bool,
    /// Control characters as they are, also on a terminal
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    place: WorkspaceArgs,
    /// Another run than the newest
    #[arg(long, value_name = "ID")]
    run: Option<String>,
}

/// The logs of one task in one run.
struct Logs {
    place: Place,
    reader: Reader,
    run: String,
    task: TaskRow,
}

pub fn run(args: &LogsArgs, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let reader = place.reader()?;
    let run = find_run(&reader, args.run.as_deref())?.id;
    let unknown = || {
        let what = format!("run `{run}` has no task `{}`", escape(&args.task));
        place::input("task-unknown", Some("`orch-host status` shows the tasks".to_owned()), what)
    };
    let task = reader.task(&run, &args.task)?.ok_or_else(unknown)?;
    let logs = Logs { place, reader, run, task };
    // A log that is full is gone on with behind its head, which is as long as the workspace says.
    let (_, gap_at) = logs_of(&logs.place);
    let escaped = console.is_terminal && !args.raw;
    let mut out = Printed { console, escaped, gap_at, attempt: 0, tail: None, shown: Bytes::default() };
    match args.follow {
        true => logs.follow(&mut out)?,
        false => logs.newest(&mut out)?,
    }
    logs.tell(out.attempt, console)?;
    Ok(Exit::Done)
}

impl Logs {
    fn attempts(&self) -> Result<Vec<AttemptRow>, Fault> {
        Ok(self.reader.attempts(&self.run, self.task.place)?)
    }

    /// The name of the attempt's log file, if it ran a command. Its row names it only once it is over, so that the name
    /// is made for one that runs, or whose host went away.
    fn log(&self, attempt: &AttemptRow) -> Option<String> {
        if let Some(log) = &attempt.log {
            return Some(log.strip_prefix("logs/").unwrap_or(log).to_owned());
        }
        let at: jiff::Timestamp = attempt.started_at.parse().ok()?;
        let at = u64::try_from(at.as_millisecond()).ok()?;
        let task = TaskId::parse(&self.task.id).ok()?;
        let name = LogName::Attempt { task, attempt: attempt.attempt, at }.to_string();
        self.place.workspace.join("logs").join(&name).symlink_metadata().is_ok().then_some(name)
    }

    /// Prints the log of the newest attempt that has one.
    fn newest(&self, out: &mut Printed) -> Result<(), Fault> {
        let with_log =
            self.attempts()?.into_iter().rev().find_map(|row| Some((row.attempt, self.log(&row)?)));
        if let Some((attempt, log)) = with_log {
            out.print(attempt, &self.place, &log)?;
            out.finish();
        }
        Ok(())
    }

    /// Prints from the newest attempt on whatever comes, until the task is over or nobody works at it any more.
    fn follow(&self, out: &mut Printed) -> Result<(), Fault> {
        self.newest(out)?;
        loop {
            // Asked before the files are read: of what is over by then, all is written.
            let goes_on = self.goes_on()?;
            let shown = out.attempt;
            for row in self.attempts()?.iter().filter(|row| row.attempt >= shown) {
                if let Some(log) = self.log(row)
                    && !out.print(row.attempt, &self.place, &log)?
                {
                    return Ok(());
                }
            }
            if !goes_on {
                out.finish();
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn goes_on(&self) -> Result<bool, Fault> {
        let open = self.reader.run(&self.run)?.is_some_and(|run| is_open(&run));
        let task = self.reader.task(&self.run, &self.task.id)?;
        let status = task.and_then(|task| Status::from_word(&task.status));
        let over = status.is_none_or(|status| status.is_final() || status == Status::InDoubt);
        Ok(open && !over && self.place.is_held())
    }

    /// Says what the bytes do not: how the last attempt ended, and what is missing of the one that was printed.
    fn tell(&self, printed: u32, console: Console) -> Result<(), Fault> {
        let attempts = self.attempts()?;
        let id = escape(&self.task.id);
        let Some(last) = attempts.last() else {
            console.note(&format!("task `{id}` is {} and has not started yet", escape(&self.task.status)));
            return Ok(());
        };
        if last.attempt != printed {
            console.note(&format!("attempt {} at task `{id}` ran no command", last.attempt));
        }
        if (last.attempt != printed || last.status != "done") && last.status != "running" {
            result_of(last, SHOWN_LINES).iter().for_each(|line| console.note(line));
        }
        let Some(log) = attempts.iter().find(|row| row.attempt == printed).and_then(|row| row.log.as_ref())
        else {
            return Ok(());
        };
        let about = format!("log `{log}` ");
        for event in self.reader.events(&self.run) {
            if let Event::Warned { code, text } = event?.1
                && [OUTPUT_CUT, PROCESSES_LEFT].contains(&code.as_str())
                && text.starts_with(&about)
            {
                console.warn(&escape(&text));
            }
        }
        Ok(())
    }
}

/// How far what was printed.
struct Printed {
    console: Console,
    escaped: bool,
    gap_at: u64,
    attempt: u32,
    /// Of that attempt's log.
    tail: Option<Tail>,
    shown: Bytes,
}

impl Printed {
    /// Prints what the attempt's log has more by now. False when nobody reads any more.
    fn print(&mut self, attempt: u32, place: &Place, log: &str) -> Result<bool, Fault> {
        if attempt != self.attempt {
            self.finish();
            (self.attempt, self.tail) = (attempt, None);
        }
        let folder = place.workspace.join("logs");
        let io = |error| place::io(&folder.join(log), "read", error);
        let tail = match &mut self.tail {
            Some(tail) => tail,
            none => none.insert(Tail::new(log_folder::read(&folder, log).map_err(io)?, self.gap_at)),
        };
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let bytes = match tail.read(&mut buffer).map_err(io)? {
                0 => return Ok(true),
                count => buffer.get(..count).unwrap_or_default(),
            };
            let good = match self.escaped {
                true => self.console.bytes(self.shown.take(bytes).as_bytes()),
                false => self.console.bytes(bytes),
            };
            if !good {
                return Ok(false);
            }
        }
    }

    /// No more bytes of this attempt come.
    fn finish(&mut self) {
        let rest = self.shown.finish();
        if !rest.is_empty() {
            self.console.bytes(rest.as_bytes());
        }
    }
}
