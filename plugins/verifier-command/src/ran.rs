//! A command that ran: its end and everything that it wrote.
//!
//! Not here: running it (`lib.rs`), what that means (`format.rs`, `judge.rs`).

use crate::places::Places;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Code(i32),
    Signal(i32),
    TimedOut,
}

/// A command that ran.
pub struct Ran<'a> {
    pub ending: Ending,
    /// Without sequences for terminals.
    pub stdout: &'a str,
    pub stderr: &'a str,
    /// What it wrote into files; none: the check names no `report`.
    pub reports: Option<&'a [String]>,
    /// Why reports do not count.
    pub report_faults: &'a [String],
    /// Bytes of its streams that we did not get.
    pub missed_bytes: u64,
    pub duration_ms: u64,
    pub places: &'a Places<'a>,
}

impl<'a> Ran<'a> {
    /// Where a tool's machine form stands: in its reports, else in standard output.
    pub fn documents(&self) -> impl Iterator<Item = &'a str> {
        let (reports, stdout) = match self.reports {
            Some(reports) => (reports, None),
            None => (&[][..], Some(self.stdout)),
        };
        reports.iter().map(String::as_str).chain(stdout)
    }

    /// Everything that it wrote.
    pub fn texts(&self) -> impl Iterator<Item = &'a str> {
        self.reports.unwrap_or(&[]).iter().map(String::as_str).chain([self.stdout, self.stderr])
    }

    #[must_use]
    pub fn has_report(&self) -> bool {
        self.reports.is_some()
    }
}
