//! What running tasks print, while they do.
//!
//! In -> out: attempts as they begin and end, their log files, pieces of models' answers -> printable lines, and the last line of each.
//! Limits: of what waits when somebody looks, [`WAITING_MAX`] bytes a task, on a terminal [`WAITING_MAX_TERMINAL`]; what is beyond
//! is left out, and how much is said; [`LINE_BYTES_MAX`] of a line, a longer one goes on in the next.
//! Invariant: it reads the logs that are written anyway, so that no command and no loop knows of who looks; a line of a
//! task is one line, whatever the program wrote.
//! Not here: which lines the run itself says (`watch.rs`), all of the output (`logs/`).

use std::path::PathBuf;

use orch_journal::event::TaskIndex;
use orch_task::TaskId;
use orch_trust::role::Role;

use super::How;
use super::pieces::Piece;
use crate::command_log::LogName;
use crate::console::bytes::printable;
use crate::console::lines::{argument, cut_middle};
use crate::console::{Console, Tone};
use crate::log_folder::{self, tail::Tail};

const WAITING_MAX: u64 = 16 << 20;
const WAITING_MAX_TERMINAL: u64 = 256 << 10;
const READ_BYTES: usize = 64 << 10;
const LINE_BYTES_MAX: usize = 4 << 10;
/// Looked at for the last line.
const END_BYTES: usize = 512;
/// Ids are written below each other up to this width.
const WIDTH_MAX: usize = 16;
const ID_CHARACTERS_MAX: usize = 32;

/// How output of tasks is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Only the end of what a failed one printed
    #[default]
    None,
    /// Each line as it comes, behind the id of its task
    Prefixed,
    /// All of a task when it is over
    #[value(alias = "grouped")]
    Group,
    /// Each line as it comes, and nothing else
    Interleaved,
}

/// An attempt that began.
pub(super) struct Begun {
    pub(super) task: TaskIndex,
    pub(super) attempt: u32,
    /// Milliseconds since 1970.
    pub(super) at: u64,
    pub(super) id: TaskId,
    pub(super) about: String,
}

/// Where printable lines go.
pub(super) type Say<'a> = &'a mut dyn FnMut(&str);

/// All attempts at work, the longest first.
pub(super) struct Running {
    output: Output,
    console: Console,
    logs: PathBuf,
    gap_at: u64,
    width: usize,
    tasks: Vec<One>,
    buffer: Vec<u8>,
}

/// An attempt at work.
pub(super) struct One {
    begun: Begun,
    tail: Option<Tail>,
    /// A line whose end has not come.
    line: Vec<u8>,
    /// The rest of a line of which the beginning was left out.
    amid: bool,
    /// What a model wrote of a line whose end has not come.
    model: Vec<u8>,
    /// The last line of the log; and of the log or a model, whichever came last.
    last_logged: String,
    last: String,
    /// It printed something that was shown.
    spoke: bool,
}

impl Running {
    pub(super) fn new(how: &How) -> Self {
        let (output, console, logs, gap_at) = (how.output, how.console, how.logs.clone(), how.gap_at);
        Self { output, console, logs, gap_at, width: 0, tasks: Vec::new(), buffer: vec![0; READ_BYTES] }
    }

    pub(super) fn begin(&mut self, begun: Begun) {
        self.width = self.width.max(begun.id.as_str().len().min(WIDTH_MAX));
        let last = begun.about.clone();
        let (line, model, last_logged) = (Vec::new(), Vec::new(), String::new());
        self.tasks.push(One { begun, tail: None, line, amid: false, model, last_logged, last, spoke: false });
    }

    /// What tasks print is to be said.
    pub(super) fn is_shown(&self) -> bool {
        self.output != Output::None
    }

    pub(super) fn count(&self) -> usize {
        self.tasks.len()
    }

    /// The first of them, each with the last line that it printed by now.
    pub(super) fn first(&mut self, count: usize) -> impl Iterator<Item = &One> {
        for one in self.tasks.iter_mut().take(count) {
            one.open(&self.logs, self.gap_at);
            one.look_at_end();
        }
        self.tasks.iter().take(count)
    }

    /// Says what came since, if it is to be said as it comes.
    pub(super) fn show_new(&mut self, say: Say<'_>) {
        if !matches!(self.output, Output::Prefixed | Output::Interleaved) {
            return;
        }
        for at in 0..self.tasks.len() {
            self.show_one(at, say);
        }
    }

    /// What a model wrote for an attempt, said where output is said as it comes. Back comes what is of one that is not known yet.
    pub(super) fn piece(&mut self, piece: Piece, say: Say<'_>) -> Option<Piece> {
        let of = piece.task.clone().filter(|_| piece.role == Some(Role::Executor))?;
        let Some(at) = self.tasks.iter().position(|one| one.begun.id.as_str() == &*of) else {
            return Some(piece);
        };
        let prefix = self.tasks.get(at).map(|one| self.prefix(one)).unwrap_or_default();
        let is_said = matches!(self.output, Output::Prefixed | Output::Interleaved);
        let one = self.tasks.get_mut(at)?;
        let mut text = String::new();
        match piece.delta {
            Some(written) => {
                for line in written.as_bytes().split_inclusive(|byte| *byte == b'\n') {
                    take_piece(&mut one.model, line, &prefix, &mut text);
                    if let Some(last) = last_line(line) {
                        one.last = last;
                    }
                }
            }
            None => push_line(&mut text, &prefix, &std::mem::take(&mut one.model)),
        }
        if is_said && !text.is_empty() {
            say(&text);
        }
        None
    }

    /// Says that so many pieces of models are not shown; what was begun of a line ends there.
    pub(super) fn lost(&mut self, pieces: u64, say: Say<'_>) {
        if !matches!(self.output, Output::Prefixed | Output::Interleaved) {
            return;
        }
        let mut text = String::new();
        for at in 0..self.tasks.len() {
            let prefix = self.tasks.get(at).map(|one| self.prefix(one)).unwrap_or_default();
            if let Some(one) = self.tasks.get_mut(at) {
                push_line(&mut text, &prefix, &std::mem::take(&mut one.model));
            }
        }
        text.push_str(&format!(
            "[... {pieces} pieces of models' answers are left out here: they came too fast ...]\n"
        ));
        say(&text);
    }

    /// Says the rest.
    pub(super) fn end(&mut self, task: TaskIndex, say: Say<'_>) {
        let Some(at) = self.tasks.iter().position(|one| one.begun.task == task) else { return };
        if self.is_shown() {
            self.show_one(at, say);
        }
        let mut one = self.tasks.remove(at);
        if !one.line.is_empty() {
            let mut text = String::new();
            let line = std::mem::take(&mut one.line);
            push_line(&mut text, &self.prefix(&one), &line);
            say(&text);
        }
    }

    fn prefix(&self, one: &One) -> String {
        match self.output {
            Output::Prefixed => {
                let id = cut_middle(one.begun.id.to_string(), ID_CHARACTERS_MAX);
                let name = format!("{id:>width$}", width = self.width);
                format!("{} ", self.console.tint(one.begun.task as usize, &format!("{name} │")))
            }
            // No line of the host begins so.
            Output::Group => format!("{} ", self.console.paint(Tone::Faint, "│")),
            Output::None | Output::Interleaved => String::new(),
        }
    }

    fn show_one(&mut self, at: usize, say: Say<'_>) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Some(one) = self.tasks.get_mut(at) {
            one.open(&self.logs, self.gap_at);
        }
        if let Some(one) = self.tasks.get(at) {
            let prefix = self.prefix(one);
            let header = match self.output {
                Output::Group => {
                    Some(self.console.paint(Tone::Faint, &format!("{:>16}  {}", "output", one.begun.id)))
                }
                _ => None,
            };
            let max = if self.console.is_terminal { WAITING_MAX_TERMINAL } else { WAITING_MAX };
            if let Some(one) = self.tasks.get_mut(at) {
                one.show_new(&prefix, header, max, &mut buffer, say);
            }
        }
        self.buffer = buffer;
    }
}

impl One {
    pub(super) fn at(&self) -> u64 {
        self.begun.at
    }

    /// Its id, and which attempt it is if it is not the first.
    pub(super) fn name(&self) -> String {
        match self.begun.attempt {
            0 | 1 => self.begun.id.to_string(),
            again => format!("{} ({again})", self.begun.id),
        }
    }

    pub(super) fn last_line(&self) -> &str {
        &self.last
    }

    /// A file that is not there yet, or cannot be read, has nothing to show: the run does not hang on it.
    fn open(&mut self, logs: &std::path::Path, gap_at: u64) {
        if self.tail.is_none() {
            let Begun { attempt, at, id, .. } = &self.begun;
            let name = LogName::Attempt { task: id.clone(), attempt: *attempt, at: *at }.to_string();
            self.tail = log_folder::read(logs, &name).ok().map(|file| Tail::new(file, gap_at));
        }
    }

    fn look_at_end(&mut self) {
        let mut end = [0; END_BYTES];
        let Some(read) = self.tail.as_ref().and_then(|tail| tail.peek_end(&mut end).ok()) else { return };
        let last = last_line(end.get(..read).unwrap_or_default());
        // A model may have written since.
        if let Some(last) = last.filter(|last| *last != self.last_logged) {
            self.last.clone_from(&last);
            self.last_logged = last;
        }
    }

    fn show_new(
        &mut self,
        prefix: &str,
        header: Option<String>,
        waiting_max: u64,
        buffer: &mut [u8],
        say: Say<'_>,
    ) {
        let Some(tail) = &mut self.tail else { return };
        let mut text = String::new();
        let waiting = tail.waiting().unwrap_or(0);
        if waiting > waiting_max {
            let left_out = waiting - waiting_max / 2;
            tail.skip(left_out);
            push_line(&mut text, prefix, &std::mem::take(&mut self.line));
            let id = argument(self.begun.id.as_str());
            text.push_str(&format!(
                "{prefix}[... {left_out} bytes are left out here, `orch-host logs {id}` shows them ...]\n"
            ));
            self.amid = true;
        }
        // No more than was there, and the line about what is not: more may come as fast as it is said.
        let mut left = waiting_max + buffer.len() as u64;
        while left > 0
            && let Ok(read @ 1..) = tail.read(buffer)
        {
            left = left.saturating_sub(read as u64);
            let mut bytes = buffer.get(..read).unwrap_or_default();
            if !self.spoke {
                self.spoke = true;
                text.insert_str(0, &header.as_ref().map(|header| format!("{header}\n")).unwrap_or_default());
            }
            if std::mem::take(&mut self.amid) {
                let end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                bytes = bytes.get(end..).unwrap_or_default();
            }
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                take_piece(&mut self.line, piece, prefix, &mut text);
            }
            if text.len() >= READ_BYTES {
                say(&text);
                text.clear();
            }
        }
        if !text.is_empty() {
            say(&text);
        }
    }
}

/// The last of some lines that is more than blanks, printable.
fn last_line(bytes: &[u8]) -> Option<String> {
    let mut lines = bytes.rsplit(|byte| matches!(byte, b'\n' | b'\r'));
    let line = lines.find(|line| !line.trim_ascii().is_empty())?;
    Some(printable(line.trim_ascii_end()).replace('\t', " "))
}

/// Puts a piece behind the line that was begun, and says it if that is its end or it is long enough.
fn take_piece(line: &mut Vec<u8>, piece: &[u8], prefix: &str, text: &mut String) {
    if line.is_empty() && piece.ends_with(b"\n") && piece.len() <= LINE_BYTES_MAX {
        return push_line(text, prefix, piece);
    }
    line.extend_from_slice(piece);
    while line.len() > LINE_BYTES_MAX {
        // A character is not cut: its later bytes are of the form 10xxxxxx.
        let whole = (LINE_BYTES_MAX - 3..=LINE_BYTES_MAX)
            .rev()
            .find(|at| line.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80));
        let rest = line.split_off(whole.unwrap_or(LINE_BYTES_MAX));
        push_line(text, prefix, line);
        *line = rest;
    }
    if line.ends_with(b"\n") {
        push_line(text, prefix, line);
        line.clear();
    }
}

/// One printable line, if there is one.
fn push_line(text: &mut String, prefix: &str, line: &[u8]) {
    if line.is_empty() {
        return;
    }
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    text.push_str(prefix);
    text.push_str(&printable(line));
    text.push('\n');
}
