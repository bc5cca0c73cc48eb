//! The log of one call: what it says through `orch:log` and what it prints.
//!
//! In -> out: lines, and bytes of standard output and error -> [`LogSink`].
//! Limits: 8 KiB a line; `logKiB` of the manifest for a call, each line and its end counted.
//! Invariant: what is printed without the permission `log` goes nowhere; what was printed of a line that never ended is
//! a line when the call ends; the last panic is kept whether its line had room or not.
//! Not here: escaping and colour (`console.rs`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backend::{LogLevel, LogSink};
use crate::cut::{cut, cut_to};

pub(super) const LINE_BYTES_MAX: usize = 8 * 1024;

/// How Rust's own text of a panic begins, which the SDK logs.
const PANIC: &str = "panicked at ";

/// One for each store.
pub(crate) struct Lines {
    plugin: Arc<str>,
    sink: Arc<dyn LogSink>,
    /// Printing is logging.
    prints: bool,
    state: Mutex<State>,
}

struct State {
    bytes_left: u64,
    /// Of all lines, those without room too.
    asked_bytes: u64,
    is_cut: bool,
    panic: Option<String>,
    /// Of lines that did not end yet: less than a line each.
    output: Vec<u8>,
    error: Vec<u8>,
}

impl State {
    fn held(&mut self, printed: Printed) -> &mut Vec<u8> {
        match printed {
            Printed::Output => &mut self.output,
            Printed::Error => &mut self.error,
        }
    }
}

/// Where a program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Printed {
    Output,
    Error,
}

impl Printed {
    fn level(self) -> LogLevel {
        match self {
            Self::Output => LogLevel::Info,
            Self::Error => LogLevel::Warn,
        }
    }
}

impl Lines {
    pub(crate) fn new(plugin: Arc<str>, bytes_max: u64, sink: Arc<dyn LogSink>, prints: bool) -> Self {
        let state = State {
            bytes_left: bytes_max,
            asked_bytes: 0,
            is_cut: false,
            panic: None,
            output: Vec::new(),
            error: Vec::new(),
        };
        Self { plugin, sink, prints, state: Mutex::new(state) }
    }

    /// Writes a line, cut at 8 KiB.
    pub(super) fn write(&self, level: LogLevel, text: &str) {
        let mut state = self.state();
        if level == LogLevel::Error && text.starts_with(PANIC) {
            state.panic = Some(cut(text));
        }
        self.say(&mut state, level, text);
    }

    /// The last panic that it told: `panicked at FILE:LINE:COLUMN:`, a line end, the message; at most 4096 bytes.
    pub(crate) fn panic(&self) -> Option<String> {
        self.state().panic.clone()
    }

    /// Takes printed bytes: each line that ends with them is written.
    pub(crate) fn print(&self, printed: Printed, bytes: &[u8]) {
        if !self.prints {
            return;
        }
        let mut state = self.state();
        let mut held = std::mem::take(state.held(printed));
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = piece.strip_suffix(b"\n");
            // What is beyond a line's length is cut off of it; holding it would be for nothing.
            let room = (LINE_BYTES_MAX + 4).saturating_sub(held.len());
            let piece = ended.unwrap_or(piece);
            held.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if ended.is_some() {
                self.say(&mut state, printed.level(), &String::from_utf8_lossy(&held));
                held.clear();
            }
        }
        *state.held(printed) = held;
    }

    /// Writes what was printed of lines that did not end.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        for printed in [Printed::Output, Printed::Error] {
            let held = std::mem::take(state.held(printed));
            if !held.is_empty() {
                self.say(&mut state, printed.level(), &String::from_utf8_lossy(&held));
            }
        }
    }

    /// What all its lines take, those that were dropped too.
    pub(crate) fn asked_bytes(&self) -> u64 {
        self.state().asked_bytes
    }

    /// Lines were dropped.
    pub(crate) fn is_cut(&self) -> bool {
        self.state().is_cut
    }

    fn say(&self, state: &mut State, level: LogLevel, text: &str) {
        let line = cut_to(text, LINE_BYTES_MAX);
        let bytes = line.len() as u64 + 1;
        state.asked_bytes = state.asked_bytes.saturating_add(bytes);
        match state.bytes_left.checked_sub(bytes) {
            Some(left) if !state.is_cut => {
                state.bytes_left = left;
                self.sink.line(&self.plugin, level, line);
            }
            _ => state.is_cut = true,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::bench::Bench;

    fn lines(bench: &Bench, bytes_max: u64, prints: bool) -> Lines {
        Lines::new("demo/x".into(), bytes_max, bench.0.log.clone(), prints)
    }

    #[test]
    fn a_line_is_kept_with_its_level_and_cut_at_8_kib() {
        let bench = Bench::new();
        let log = lines(&bench, 100_000, false);
        log.write(LogLevel::Warn, "a");
        log.write(LogLevel::Info, &"x".repeat(LINE_BYTES_MAX + 1));
        let said = bench.lines();
        assert_eq!(said[0], (LogLevel::Warn, "a".to_owned()));
        assert_eq!(said[1].1.len(), LINE_BYTES_MAX);
        assert!(!log.is_cut());
    }

    #[test]
    fn lines_over_the_limit_are_dropped_and_that_is_said() {
        let bench = Bench::new();
        let log = lines(&bench, 6, true);
        for text in ["abcd", "", "e", ""] {
            log.write(LogLevel::Info, text);
        }
        log.print(Printed::Output, b"printed\n");
        assert_eq!(bench.lines().len(), 2, "5 bytes and 1 byte");
        assert_eq!((log.is_cut(), log.asked_bytes()), (true, 5 + 1 + 2 + 1 + 8));
    }

    #[test]
    fn the_last_panic_is_kept_also_when_its_line_has_no_room() {
        let bench = Bench::new();
        let log = lines(&bench, 3, false);
        log.write(LogLevel::Error, "it is said that something panicked at noon");
        log.write(LogLevel::Info, "panicked at src/lib.rs:1:1:\nnot as an error");
        assert_eq!(log.panic(), None);
        log.write(LogLevel::Error, "panicked at src/lib.rs:7:5:\nboom");
        assert_eq!((log.panic().as_deref(), log.is_cut()), (Some("panicked at src/lib.rs:7:5:\nboom"), true));
        assert!(bench.lines().is_empty());
    }

    #[test]
    fn what_is_printed_becomes_lines_and_the_last_one_ends_with_the_call() {
        let bench = Bench::new();
        let log = lines(&bench, 100_000, true);
        for piece in ["on", "e\ntwo\n\nth", "ree"] {
            log.print(Printed::Output, piece.as_bytes());
        }
        log.print(Printed::Error, b"oh\xff");
        let info = |text: &str| (LogLevel::Info, text.to_owned());
        assert_eq!(bench.lines(), [info("one"), info("two"), info("")]);
        log.end();
        log.end();
        assert_eq!(bench.lines()[3..], [info("three"), (LogLevel::Warn, "oh\u{fffd}".to_owned())]);
    }

    #[test]
    fn a_line_without_end_is_held_no_longer_than_a_line() {
        let bench = Bench::new();
        let log = lines(&bench, 100_000, true);
        for _ in 0..100 {
            log.print(Printed::Output, &[b'x'; 4096]);
        }
        assert!(log.state().output.len() <= LINE_BYTES_MAX + 4);
        log.print(Printed::Output, b"\n");
        assert_eq!(bench.lines(), [(LogLevel::Info, "x".repeat(LINE_BYTES_MAX))]);
    }

    #[test]
    fn without_the_permission_what_is_printed_goes_nowhere() {
        let bench = Bench::new();
        let log = lines(&bench, 100_000, false);
        log.print(Printed::Output, b"secret\nrest");
        log.end();
        assert!(bench.lines().is_empty() && !log.is_cut());
    }
}
