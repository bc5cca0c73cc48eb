//! What a person or a program sees of a run while it goes on.
//!
//! In -> out: recorded events -> lines, a live table, or JSON, in the order of the journal.
//! Invariant: nothing is shown before it is durable; text from outside is escaped.
//! Not here: what is recorded (`drive/`), the summary at the end (`commands/run.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use orch_journal::event::{AddedTask, Ending, Event, TaskIndex};
use orch_journal::{Journal, RunState};
use orch_task::Status;

use crate::console::{Console, Tone, escape, escape_cut, json_shown, shown};

/// How often what became durable is shown.
const FRAME: Duration = Duration::from_millis(50);

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A live table on a terminal, lines elsewhere.
    Text,
    /// One event a line.
    Json,
}

/// What the loop tells.
pub trait Observer: Send {
    /// The event is recorded at that place of the run, and taken into the state.
    fn recorded(&mut self, place: u64, event: &Event, state: &RunState);
}

/// One thing to show.
enum Seen {
    Line(String),
    Started {
        task: TaskIndex,
        label: String,
    },
    Ended {
        task: TaskIndex,
        line: Option<String>,
    },
    /// Done and all tasks.
    Counts(usize, usize),
}

/// Sends what is worth showing to the thread that shows it.
pub struct Watcher {
    format: Format,
    run: String,
    console: Console,
    done: usize,
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

/// Whether a run is shown as a live table.
pub fn is_live(format: Format, console: Console) -> bool {
    format == Format::Text && console.is_terminal
}

/// A watcher and the thread behind it, which shows an event once it is durable. `notes`: what else a live table says.
pub fn open(
    format: Format,
    run: &str,
    console: Console,
    journal: Arc<Journal>,
    notes: Receiver<String>,
) -> (Watcher, Screen) {
    open_at(format, run, console, notes, move |place| is_durable(&journal, place))
}

/// The same for a run of another host, that stands so and whose events are told when they are durable.
pub fn follow(format: Format, run: &str, console: Console, state: &RunState) -> (Watcher, Screen) {
    let (_, no_notes) = channel();
    let (watcher, screen) = open_at(format, run, console, no_notes, |_| true);
    let done = state.tasks.iter().filter(|found| found.status.is_final()).count();
    let watcher = Watcher { done, answered: state.sessions > 0, ..watcher };
    watcher.counts(0, state);
    (watcher, screen)
}

fn open_at(
    format: Format,
    run: &str,
    console: Console,
    notes: Receiver<String>,
    is_durable: impl Fn(u64) -> bool + Send + 'static,
) -> (Watcher, Screen) {
    let (seen, shown) = channel();
    let live = is_live(format, console);
    let screen = std::thread::spawn(move || match live {
        true => Table::new().show(&shown, &notes, is_durable),
        false => lines(&shown, is_durable, console),
    });
    (Watcher { format, run: run.to_owned(), console, done: 0, answered: false, seen }, Screen(screen))
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

fn lines(shown: &Receiver<(u64, Seen)>, is_durable: impl Fn(u64) -> bool, console: Console) {
    for (place, seen) in shown {
        if let Seen::Line(line) | Seen::Ended { line: Some(line), .. } = seen
            && is_durable(place)
        {
            console.line(&line);
        }
    }
}

/// The live table: a bar for the run, a line for each running task.
struct Table {
    all: MultiProgress,
    head: ProgressBar,
    running: BTreeMap<TaskIndex, ProgressBar>,
}

impl Table {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let head = all.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("  {elapsed_precise}  [{bar:24}] {pos}/{len} over");
        head.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        head.enable_steady_tick(Duration::from_millis(200));
        Self { all, head, running: BTreeMap::new() }
    }

    fn show(
        mut self,
        shown: &Receiver<(u64, Seen)>,
        notes: &Receiver<String>,
        is_durable: impl Fn(u64) -> bool,
    ) {
        loop {
            for note in notes.try_iter() {
                self.say(&note);
            }
            match shown.recv_timeout(FRAME) {
                Ok((place, seen)) if is_durable(place) => self.take(seen),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.head.finish();
    }

    fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Line(line) => self.say(&line),
            Seen::Started { task, label } => {
                let bar = self.all.add(ProgressBar::new_spinner());
                let style = ProgressStyle::with_template("  {elapsed_precise}  {spinner} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.set_message(label);
                bar.enable_steady_tick(Duration::from_millis(200));
                self.running.insert(task, bar);
            }
            Seen::Ended { task, line } => {
                if let Some(bar) = self.running.remove(&task) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
                if let Some(line) = line {
                    self.say(&line);
                }
            }
            Seen::Counts(done, all) => {
                self.head.set_length(all as u64);
                self.head.set_position(done as u64);
            }
        }
    }

    fn say(&self, line: &str) {
        // A terminal that went away is no reason to stop the run.
        let _ = self.all.println(shown(line));
    }
}

impl Watcher {
    fn tell(&self, place: u64, seen: Seen) {
        // The screen only ends after its watcher.
        let _ = self.seen.send((place, seen));
    }

    fn line(&self, place: u64, tone: Tone, word: &str, rest: &str) {
        let word = self.console.paint(tone, &format!("{word:>16}"));
        self.tell(place, Seen::Line(format!("{word}  {rest}").trim_end().to_owned()));
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
                self.counts(place, state);
            }
            Event::AttemptStarted { task, attempt, .. } => {
                let Some(found) = state.tasks.get(*task as usize) else { return };
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                let label = format!("{}{again}  {}", found.task.id, escape_cut(&found.task.description, 60));
                if !self.console.is_terminal {
                    self.line(place, Tone::Faint, "started", &label);
                }
                self.tell(place, Seen::Started { task: *task, label });
            }
            Event::AttemptFinished(finished) => {
                let (tone, rest) = match &finished.ending {
                    Ending::Done { summary } => (Tone::Good, summary.clone()),
                    Ending::Failed { message, .. } => (Tone::Bad, message.clone()),
                    Ending::Broken { code, message } => (Tone::Bad, format!("{code}: {message}")),
                    Ending::InDoubt { code, message } => {
                        (Tone::Careful, format!("in doubt, {code}: {message}"))
                    }
                    Ending::Rerun { code } => (Tone::Careful, format!("runs again, {code}")),
                    Ending::Cancelled => (Tone::Careful, "cancelled".to_owned()),
                };
                let word = self.console.paint(tone, &format!("{:>16}", finished.status));
                let pause = finished.not_before.map_or(0, |again| again.saturating_sub(finished.at));
                let waits = match pause {
                    0 => String::new(),
                    ms => format!("again in {}.{} s: ", ms / 1000, ms % 1000 / 100),
                };
                let line = format!("{word}  {}  {waits}{}", id(finished.task), escape_cut(&rest, 160));
                self.tell(place, Seen::Ended { task: finished.task, line: Some(line) });
                self.done += usize::from(finished.status.is_final());
                self.counts(place, state);
            }
            Event::TasksFresh { tasks, .. } => {
                const NAMED: usize = 5;
                let mut names = tasks.iter().take(NAMED).map(|task| id(*task)).collect::<Vec<_>>().join(", ");
                if let Some(more) = tasks.len().checked_sub(NAMED).filter(|more| *more > 0) {
                    names.push_str(&format!(" and {more} more"));
                }
                self.line(place, Tone::Good, "up to date", &names);
                self.done += tasks.len();
                self.counts(place, state);
            }
            Event::TaskMoved { task, to, why, .. } => {
                self.line(
                    place,
                    Tone::Careful,
                    to.as_str(),
                    &format!("{}  {}", id(*task), escape_cut(why, 160)),
                );
            }
            Event::Called(called) => {
                for finding in &called.writes.findings {
                    let tone = if finding.severity == orch_journal::event::Severity::Major {
                        Tone::Bad
                    } else {
                        Tone::Careful
                    };
                    let at = finding
                        .location
                        .as_deref()
                        .map(|at| format!(" at {}", escape(at)))
                        .unwrap_or_default();
                    let rest =
                        format!("{}{at}: {}", finding.category.as_str(), escape_cut(&finding.message, 140));
                    self.line(place, tone, &format!("{} finding", finding.severity.as_str()), &rest);
                }
            }
            Event::LookKept { verifier, task, .. } => {
                let rest =
                    format!("{} looked at {} last, nothing was done since", escape(verifier), id(*task));
                self.line(place, Tone::Faint, "not again", &rest);
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

    fn counts(&self, place: u64, state: &RunState) {
        self.tell(place, Seen::Counts(self.done, state.tasks.len()));
    }
}

impl Observer for Watcher {
    fn recorded(&mut self, place: u64, event: &Event, state: &RunState) {
        self.answered |= matches!(event, Event::AttemptFinished(_) | Event::Called(_));
        match self.format {
            Format::Text => self.show(place, event, state),
            Format::Json => {
                let line = serde_json::json!({ "run": self.run, "seq": place, "event": event }).to_string();
                self.tell(place, Seen::Line(json_shown(&line)));
            }
        }
    }
}
