//! The thread that shows a run.
//!
//! In -> out: what its watcher tells, pieces of models' answers -> lines and a live table.
//! Invariant: nothing is shown of an event before it is durable; what a model wrote before one stands before it.
//! Not here: what is worth showing (`watch.rs`), how output of tasks is shown (`output.rs`), the table (`table.rs`).

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::output::Running;
use super::pieces::{Heard, Listener, Piece, Pieces, WAITING_MAX};
use super::table::Table;
use super::{Format, How, Seen};
use crate::console::{Console, shown};

/// How often what became durable, and what tasks print, is shown.
pub(super) const FRAME: Duration = Duration::from_millis(50);
/// How often the table is drawn.
const TABLE_FRAME: Duration = Duration::from_millis(200);
/// Between two looks where only events are shown.
const IDLE: Duration = Duration::from_secs(60);

/// What the thread that shows has.
pub(super) struct Shower {
    /// On a terminal.
    table: Option<Table>,
    running: Running,
    format: Format,
    /// Pieces of answers; those of attempts of whose beginning it has not heard.
    models: Option<Listener>,
    early: Vec<Piece>,
    console: Console,
}

impl Shower {
    pub(super) fn new(how: &How, pieces: &Pieces) -> Self {
        Self {
            models: how.hears().then(|| pieces.listen()),
            format: how.format,
            early: Vec::new(),
            table: how.is_live().then(|| Table::new(how.console)),
            running: Running::new(how),
            console: how.console,
        }
    }

    pub(super) fn show(
        mut self,
        told: &Receiver<(u64, Seen)>,
        notes: &Receiver<String>,
        is_durable: impl Fn(u64) -> bool,
    ) {
        let (mut read, mut drawn) = (Instant::now(), Instant::now());
        let as_it_comes = self.format == Format::Json && self.models.is_some();
        let frame = if self.table.is_some() || self.running.is_shown() || as_it_comes { FRAME } else { IDLE };
        loop {
            for note in notes.try_iter() {
                self.note(&note);
            }
            match told.recv_timeout(frame) {
                Ok((place, seen)) if is_durable(place) => self.take(seen),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if read.elapsed() >= FRAME {
                self.take_pieces();
            }
            let Self { table, running, console, .. } = &mut self;
            if read.elapsed() >= FRAME {
                running.show_new(&mut |text| print(table.as_mut(), *console, text));
                table.iter_mut().for_each(Table::flush);
                read = Instant::now();
            }
            if let Some(table) = table
                && drawn.elapsed() >= TABLE_FRAME
            {
                table.draw(running);
                drawn = Instant::now();
            }
        }
        self.take_pieces();
        for note in notes.try_iter() {
            self.note(&note);
        }
        if let Some(table) = &mut self.table {
            table.finish();
            // It leaves the cursor behind its last line.
            self.console.line("");
        }
    }

    fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Lines(lines) => {
                // What was written before an event stands before it.
                if self.format == Format::Json {
                    self.take_pieces();
                }
                lines.iter().for_each(|line| self.say(line));
            }
            Seen::Started(begun) => self.running.begin(begun),
            Seen::Ended { task, lines } => {
                self.take_pieces();
                let Self { table, running, console, .. } = self;
                running.end(task, &mut |text| print(table.as_mut(), *console, text));
                lines.iter().for_each(|line| self.say(line));
            }
            Seen::Counts { done, over, all, said } => {
                if let Some(table) = &mut self.table {
                    table.count(done, over, all, said);
                }
            }
        }
    }

    fn take_pieces(&mut self) {
        let Self { format, table, running, models, early, console } = self;
        let Some(models) = models else { return };
        let mut say = |text: &str| print(table.as_mut(), *console, text);
        let mut left = Vec::new();
        let waited = std::mem::take(early).into_iter().map(Heard::Piece);
        for heard in waited.chain(std::iter::from_fn(|| models.take())) {
            match (*format, heard) {
                (Format::Json, heard) => console.line(&heard.json()),
                (Format::Text, Heard::Piece(piece)) => left.extend(running.piece(piece, &mut say)),
                (Format::Text, Heard::LeftOut { left_out }) => running.lost(left_out, &mut say),
            }
        }
        // No more than may wait at all.
        left.truncate(WAITING_MAX);
        *early = left;
    }

    fn note(&mut self, note: &str) {
        match &mut self.table {
            Some(table) => table.note(&shown(note)),
            None => self.console.note(note),
        }
    }

    fn say(&mut self, line: &str) {
        match &mut self.table {
            Some(table) => table.say(&shown(line)),
            None => self.console.line(line),
        }
    }
}

/// Lines of tasks, made printable by who says them.
fn print(table: Option<&mut Table>, console: Console, text: &str) {
    match table {
        Some(table) => table.say(text),
        None => drop(console.bytes(text.as_bytes())),
    }
}
