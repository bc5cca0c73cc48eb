//! What an agent can reach, as the loop sees it.
//!
//! In -> out: paths below the workspace, programs, notes -> bytes, or the host's answer to whoever asks for too much.
//! Invariant: the host decides what is granted; nothing here widens or guesses it.
//! Not here: the host's functions (`host.rs`).

use orch_sdk::{Category, Severity};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// Not granted; what was asked.
    Denied(String),
    /// It cannot be done so; why.
    Failed(String),
    /// Not now; trying again later may help.
    Unavailable,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    TimedOut,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// What is noted for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    Log(String),
    Finding { severity: Severity, category: Category, message: String, location: Option<String> },
    Artifact { name: String, text: String },
}

/// Whoever does what tools ask for.
pub trait World {
    /// Paths and sizes of files that may be read and match the glob, sorted, at most `max`; and whether there are more.
    ///
    /// # Errors
    /// [`NotDone`].
    fn list(&mut self, glob: &str, max: usize) -> Result<(Vec<(String, u64)>, bool), NotDone>;

    /// At most `bytes_max` bytes of a file from its beginning, and whether there are more.
    ///
    /// # Errors
    /// [`NotDone`].
    fn read(&mut self, path: &str, bytes_max: u64) -> Result<(Vec<u8>, bool), NotDone>;

    /// Replaces a whole file.
    ///
    /// # Errors
    /// [`NotDone`].
    fn write(&mut self, path: &str, content: &[u8]) -> Result<(), NotDone>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`NotDone`].
    fn remove(&mut self, path: &str) -> Result<(), NotDone>;

    /// Runs a program to its end, at most `ms` milliseconds; of each stream at most `bytes_max`.
    ///
    /// # Errors
    /// [`NotDone`].
    fn run(&mut self, program: &str, args: &[String], ms: u64, bytes_max: u32) -> Result<Ran, NotDone>;

    /// # Errors
    /// [`NotDone`].
    fn note(&mut self, note: &Note) -> Result<(), NotDone>;

    /// Milliseconds since the call began.
    fn elapsed_ms(&mut self) -> u64;
}
