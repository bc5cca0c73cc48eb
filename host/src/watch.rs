//! What a person or a program sees of a run while it goes on.
//!
//! In -> out: recorded events -> lines, a live table, or JSON, in the order of the journal; output of tasks, if it is asked for.
//! Invariant: no event is shown before it is durable; text from outside is escaped; the loop waits for nobody who looks.
//! Not here: what is recorded (`drive/`), the thread that shows (`watch/shower.rs`), output (`watch/output.rs`), the summary at the
//! end (`commands/run.rs`).

mod counts;
pub mod named;
mod output;
pub mod pieces;
mod shower;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use orch_journal::event::{AddedTask, AttemptFinished, Ending, Event, Severity, TaskIndex};
use orch_journal::{Journal, RunState};
use orch_task::{Status, Task};

use self::counts::Counts;
use self::output::Begun;
pub use self::output::Output;
pub use self::pieces::Pieces;
use self::shower::{FRAME, Shower};
use crate::console::{Console, Tone, escape, escape_cut, json_shown, lines};

/// Of what a plugin says about an attempt that failed, as it fails; the end of the run shows all.
const FAILURE_LINES: usize = 6;
const ABOUT_CHARACTERS_MAX: usize = 100;
/// Behind a word and its two spaces.
const INDENT: usize = 18;

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A live table on a terminal, lines elsewhere.
    Text,
    /// One event a line.
    Json,
}

/// How much of a run is shown, and where.
#[derive(Clone, Debug)]
pub struct How {
    pub format: Format,
    pub output: Output,
    /// Among events, what models write.
    pub deltas: bool,
    /// Failures only.
    pub quiet: bool,
    pub console: Console,
    /// Folder of the logs.
    pub logs: PathBuf,
    /// Where a log that is full goes on.
    pub gap_at: u64,
}

impl How {
    /// Whether there is a live table.
    pub fn is_live(&self) -> bool {
        self.format == Format::Text && self.console.is_terminal && !self.quiet
    }

    /// Whether what models write is to be seen.
    pub fn hears(&self) -> bool {
        match self.format {
            // Without a table nobody would see the last line.
            Format::Text => self.is_live() || matches!(self.output, Output::Prefixed | Output::Interleaved),
            Format::Json => self.deltas,
        }
    }
}

/// What the loop tells.
pub trait Observer: Send {
    /// The event is recorded at that place of the run, and taken into the state.
    fn recorded(&mut self, place: u64, event: &Event, state: &RunState);
}

/// One thing to show.
enum Seen {
    Lines(Vec<String>),
    Started(Begun),
    Ended { task: TaskIndex, lines: Vec<String> },
    Counts { done: usize, over: usize, all: usize, said: String },
}

/// Sends what is worth showing to the thread that shows it.
pub struct Watcher {
    how: How,
    run: String,
    counts: Counts,
    /// When each attempt that runs began, in milliseconds since 1970.
    begun: BTreeMap<TaskIndex, u64>,
    /// A plugin answered already: tasks that are added before it are those of the file, which is no news.
    answered: bool,
    seen: Sender<(u64, Seen)>,
}

/// The thread that shows; ends when its watcher is dropped and everything is shown.
pub struct Screen(JoinHandle<()>);

impl Screen {
    /// Waits until all is shown.
    pub fn finish(self) {
        // A screen that panicked has already said so; the run's result does not hang on it.
        let _ = self.0.join();
    }
}

/// A watcher and the thread behind it, which shows an event once it is durable. `notes`: what else a live table says.
pub fn open(
    how: How,
    run: &str,
    journal: Arc<Journal>,
    notes: Receiver<String>,
    pieces: &Pieces,
) -> (Watcher, Screen) {
    open_at(how, run, notes, pieces, move |place| is_durable(&journal, place))
}

/// The same for a run of another host, that stands so and whose events are told when they are durable. `running`: tasks that
/// are at work, since when.
pub fn follow(
    how: How,
    run: &str,
    state: &RunState,
    running: &BTreeMap<TaskIndex, u64>,
    pieces: &Pieces,
) -> (Watcher, Screen) {
    let (_, no_notes) = channel();
    let (mut watcher, screen) = open_at(how, run, no_notes, pieces, |_| true);
    watcher.answered = state.sessions > 0;
    for (task, at) in running {
        if let Some(found) = state.tasks.get(*task as usize) {
            watcher.tell_started(0, *task, found.attempts, *at, &found.task);
        }
    }
    watcher.counts.begin(state);
    watcher.tell_counts(0);
    (watcher, screen)
}

fn open_at(
    how: How,
    run: &str,
    notes: Receiver<String>,
    pieces: &Pieces,
    is_durable: impl Fn(u64) -> bool + Send + 'static,
) -> (Watcher, Screen) {
    let (seen, told) = channel();
    let shower = Shower::new(&how, pieces);
    let screen = std::thread::spawn(move || shower.show(&told, &notes, is_durable));
    let (counts, begun) = (Counts::default(), BTreeMap::new());
    (Watcher { how, run: run.to_owned(), counts, begun, answered: false, seen }, Screen(screen))
}

/// Waits until the event is durable; false if it never will be, because the store is at its end.
fn is_durable(journal: &Journal, place: u64) -> bool {
    loop {
        // Asked before the count: what was committed last counts too.
        let is_over = journal.is_over();
        if journal.committed() > place {
            return true;
        }
        if is_over {
            return false;
        }
        std::thread::sleep(FRAME / 10);
    }
}

impl Watcher {
    fn tell(&self, place: u64, seen: Seen) {
        // The screen only ends after its watcher.
        let _ = self.seen.send((place, seen));
    }

    /// A word, what it is about, and more lines below that.
    fn block(&self, tone: Tone, word: &str, mut told: Vec<String>) -> Vec<String> {
        let word = self.how.console.paint(tone, &format!("{word:>16}"));
        for (nth, line) in told.iter_mut().enumerate() {
            *line = match nth {
                0 => format!("{word}  {line}").trim_end().to_owned(),
                _ => format!("{:INDENT$}{line}", "").trim_end().to_owned(),
            };
        }
        told
    }

    fn line(&self, place: u64, tone: Tone, word: &str, rest: &str) {
        self.lines(place, tone, word, vec![rest.to_owned()]);
    }

    fn lines(&self, place: u64, tone: Tone, word: &str, told: Vec<String>) {
        if !self.how.quiet || tone == Tone::Bad {
            self.tell(place, Seen::Lines(self.block(tone, word, told)));
        }
    }

    fn show(&mut self, place: u64, event: &Event, state: &RunState) {
        let id = |task: TaskIndex| state.tasks.get(task as usize).map_or("?", |found| found.task.id.as_str());
        match event {
            Event::RunStarted(started) => {
                let plugins = started.plugins.len();
                self.line(place, Tone::Strong, "run", &format!("{} with {plugins} plugins", self.run));
            }
            Event::TasksAdded { tasks, .. } => {
                let answered = self.answered;
                let is_news = |added: &&AddedTask| {
                    added.added_by.is_some() && (answered || added.status == Status::WaitingApproval)
                };
                for added in tasks.iter().filter(is_news) {
                    let by = added.added_by.as_deref().unwrap_or_default();
                    let rest = format!(
                        "{} by {}: {}",
                        added.task.id,
                        escape(by),
                        escape_cut(&added.task.description, 100)
                    );
                    let word =
                        if added.status == Status::WaitingApproval { "asks approval" } else { "added" };
                    self.line(place, Tone::Strong, word, &rest);
                }
            }
            Event::AttemptStarted { task, attempt, at } => {
                let Some(found) = state.tasks.get(*task as usize) else { return };
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                let about = escape_cut(&found.task.description, 60);
                if !self.how.console.is_terminal {
                    self.line(place, Tone::Faint, "started", &format!("{}{again}  {about}", found.task.id));
                }
                self.tell_started(place, *task, *attempt, *at, &found.task);
            }
            Event::AttemptFinished(finished) => {
                let lines = self.ended(finished, state);
                self.tell(place, Seen::Ended { task: finished.task, lines });
            }
            // With none it says only that a host has looked.
            Event::TasksFresh { tasks, .. } if !tasks.is_empty() => {
                self.line(
                    place,
                    Tone::Good,
                    "up to date",
                    &lines::some_of(tasks.iter().map(|task| id(*task))),
                );
            }
            Event::LooksAsked { tasks, .. } => {
                let names = lines::some_of(tasks.iter().map(|task| id(*task)));
                let rest = format!("{names}: its verifiers, as they are now, did not look at it");
                self.line(place, Tone::Careful, "not verified", &rest);
            }
            Event::TaskMoved { task, to, why, .. } => {
                let tone = if *to == Status::Failed { Tone::Bad } else { Tone::Careful };
                self.line(place, tone, to.as_str(), &format!("{}  {}", id(*task), escape_cut(why, 160)));
            }
            Event::Called(called) => {
                for finding in &called.writes.findings {
                    let is_major = finding.severity == Severity::Major;
                    let tone = if is_major { Tone::Bad } else { Tone::Careful };
                    let at = finding.location.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
                    let text = format!("{}{at}: {}", finding.category.as_str(), finding.message);
                    let word = format!("{} finding", finding.severity.as_str());
                    self.lines(place, tone, &word, lines::told(&text, FAILURE_LINES));
                }
            }
            Event::LookKept { verifier, task, .. } => {
                let rest =
                    format!("{} looked at {} last, nothing was done since", escape(verifier), id(*task));
                self.line(place, Tone::Faint, "not again", &rest);
            }
            Event::ConfigReloaded(taken) => {
                self.line(
                    place,
                    Tone::Careful,
                    "configuration",
                    &format!("taken anew: {}", escape(&taken.keys.join(", "))),
                );
            }
            Event::BudgetWarned { used, budget } => {
                self.line(place, Tone::Careful, "budget", &format!("{used} of {budget} is used"));
            }
            Event::Denied { plugin, what } => {
                self.line(
                    place,
                    Tone::Careful,
                    "denied",
                    &format!("{}: {}", escape(plugin), escape_cut(what, 160)),
                );
            }
            Event::Warned { code, text } => {
                self.line(
                    place,
                    Tone::Careful,
                    "warning",
                    &format!("{}: {}", escape(code), escape_cut(text, 200)),
                );
            }
            _ => {}
        }
    }

    /// What is said of an attempt that ended.
    fn ended(&mut self, finished: &AttemptFinished, state: &RunState) -> Vec<String> {
        let task = state.tasks.get(finished.task as usize).map(|found| &found.task);
        let id = task.map_or("?", |task| task.id.as_str());
        let is_allowed = finished.status == Status::Failed && task.is_some_and(|task| task.allow_failure);
        let bad = if is_allowed { Tone::Careful } else { Tone::Bad };
        let (tone, text) = match &finished.ending {
            Ending::Done { summary } => (Tone::Good, said_of_done(task, summary)),
            Ending::Failed { message, .. } => (bad, message.clone()),
            Ending::Broken { code, message } => (bad, format!("{code}: {message}")),
            Ending::InDoubt { code, message } => (Tone::Careful, format!("in doubt, {code}: {message}")),
            Ending::Rerun { code } => (Tone::Careful, format!("runs again, {code}")),
            Ending::Cancelled => (Tone::Careful, "cancelled".to_owned()),
        };
        let begun = self.begun.remove(&finished.task);
        if self.how.quiet && !matches!(finished.status, Status::Failed | Status::InDoubt) {
            return Vec::new();
        }
        let took = begun.filter(|_| tone == Tone::Good).map(|at| finished.at.saturating_sub(at));
        let took = took.map(|ms| format!("{}  ", lines::span(ms))).unwrap_or_default();
        let pause = finished.not_before.map_or(0, |again| again.saturating_sub(finished.at));
        let waits = match pause {
            0 => String::new(),
            ms => format!("again in {}.{} s: ", ms / 1000, ms % 1000 / 100),
        };
        let mut told = lines::told(&text, FAILURE_LINES);
        // What it printed stands above, if that is shown.
        if self.how.output != Output::None {
            told.truncate(1);
        }
        if let Some(head) = told.first_mut() {
            let allowed = if is_allowed { "(allowed) " } else { "" };
            *head = format!("{id}  {took}{waits}{allowed}{head}");
        }
        self.block(tone, finished.status.as_str(), told)
    }

    fn tell_started(&mut self, place: u64, task: TaskIndex, attempt: u32, at: u64, begun: &Task) {
        self.begun.insert(task, at);
        if self.how.is_live() || self.how.output != Output::None {
            let (id, about) = (begun.id.clone(), about(begun).unwrap_or_default());
            self.tell(place, Seen::Started(Begun { task, attempt, at, id, about }));
        }
    }

    fn tell_counts(&self, place: u64) {
        if self.how.is_live() {
            self.tell(place, self.counts.seen());
        }
    }
}

/// What a task is for: its description, else its command.
fn about(task: &Task) -> Option<String> {
    match task.description.is_empty() {
        true => task.command.as_ref().map(|command| lines::command(command, ABOUT_CHARACTERS_MAX)),
        false => Some(escape_cut(&task.description, ABOUT_CHARACTERS_MAX)),
    }
}

/// Of a command that is done there is nothing to say but what it was for.
fn said_of_done(task: Option<&Task>, summary: &str) -> String {
    task.filter(|task| task.command.is_some()).and_then(about).unwrap_or_else(|| summary.to_owned())
}

impl Observer for Watcher {
    fn recorded(&mut self, place: u64, event: &Event, state: &RunState) {
        self.answered |= matches!(event, Event::AttemptFinished(_) | Event::Called(_));
        match self.how.format {
            Format::Text => {
                self.show(place, event, state);
                if self.counts.take(event, state) {
                    self.tell_counts(place);
                }
            }
            Format::Json => {
                let Ok(told) = serde_json::to_value(event) else {
                    unreachable!("the journal took it as JSON")
                };
                let id =
                    |task: TaskIndex| state.tasks.get(task as usize).map(|found| found.task.id.to_string());
                let line = named::json(&self.run, place, event, told, id).to_string();
                self.tell(place, Seen::Lines(vec![json_shown(&line)]));
            }
        }
    }
}
