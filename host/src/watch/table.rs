//! The live table: how far the run is, and a row for each task at work.
//!
//! In -> out: counts, running tasks -> rows at the lower end of a terminal; lines above them.
//! Limits: as many rows as the terminal has room for; the others are counted.
//! Not here: what is said (`watch.rs`), what tasks printed (`watch/output.rs`).

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Running;
use crate::clock::now_ms;
use crate::console::{Console, lines};

/// For the head, the foot and a line above.
const ROWS_FREE: usize = 3;
const ROWS_USUAL: usize = 24;
const PENDING_BYTES_MAX: usize = 64 << 10;
const ID_CHARACTERS_MAX: usize = 32;
/// Colour only where the width is known: codes before it would be counted.
const ROW: &str = "{prefix}  {wide_msg}";
const ROW_COLOURED: &str = "{prefix}  {wide_msg:.dim}";

pub(super) struct Table {
    console: Console,
    all: MultiProgress,
    head: ProgressBar,
    rows: Vec<ProgressBar>,
    /// The last line: what a person's interrupt did, else nothing. It never fills its row, for the cursor stands behind it,
    /// and what a terminal shows of a pressed key must not begin a row of its own.
    foot: ProgressBar,
    /// Lines that are still to be said.
    pending: String,
}

impl Table {
    pub(super) fn new(console: Console) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let head = all.add(ProgressBar::new(0));
        head.set_style(style("  {elapsed_precise}  [{bar:24}] {wide_msg}"));
        let foot = all.add(ProgressBar::new_spinner());
        foot.set_style(style("{msg}"));
        Self { console, all, head, rows: Vec::new(), foot, pending: String::new() }
    }

    pub(super) fn count(&mut self, done: usize, over: usize, all: usize, said: String) {
        self.head.set_length(all as u64);
        self.head.set_position(over as u64);
        self.head.set_message(format!("{done} of {all} done{said}"));
    }

    /// One or more printable lines, above the table; soon.
    pub(super) fn say(&mut self, lines: &str) {
        self.pending.push_str(lines);
        if !lines.ends_with('\n') {
            self.pending.push('\n');
        }
        if self.pending.len() >= PENDING_BYTES_MAX {
            self.flush();
        }
    }

    /// Says what is pending, with the table out of the way: its own lines would be as wide as the terminal.
    pub(super) fn flush(&mut self) {
        if !self.pending.is_empty() {
            // A terminal that went away is no reason to stop the run.
            self.all.suspend(|| self.console.bytes(self.pending.as_bytes()));
            self.pending.clear();
        }
    }

    /// Says it, and goes on showing it where no line pushes it away.
    pub(super) fn note(&mut self, note: &str) {
        self.say(note);
        self.foot.set_message(format!("  {note}"));
    }

    /// Shows what is at work, the longest first.
    pub(super) fn draw(&mut self, running: &mut Running) {
        let height =
            rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_row));
        let room = if height == 0 { ROWS_USUAL } else { height }.saturating_sub(ROWS_FREE).max(1);
        let count = running.count();
        let shown = if count > room { room - 1 } else { count };
        let now = now_ms();
        let mut told = Vec::with_capacity(room);
        for one in running.first(shown) {
            let took = lines::span(now.saturating_sub(one.at()));
            let id = lines::cut_middle(one.name(), ID_CHARACTERS_MAX);
            told.push((format!("  {took:>10}  {id}"), one.last_line().to_owned()));
        }
        if count > shown {
            told.push((format!("  {:>10}  {} more at work", "…", count - shown), String::new()));
        }
        while self.rows.len() > told.len() {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.all.remove(&row);
            }
        }
        while self.rows.len() < told.len() {
            let row = self.all.insert_before(&self.foot, ProgressBar::new_spinner());
            row.set_style(style(if self.console.has_colour() { ROW_COLOURED } else { ROW }));
            self.rows.push(row);
        }
        for (row, (what, last)) in self.rows.iter().zip(told) {
            if row.prefix() != what || row.message() != last {
                row.set_prefix(what);
                row.set_message(last);
            }
        }
        self.head.tick();
        self.foot.tick();
    }

    pub(super) fn finish(&mut self) {
        self.flush();
        for row in self.rows.drain(..) {
            row.finish_and_clear();
        }
        self.head.finish();
        self.foot.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
