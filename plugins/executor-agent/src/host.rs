//! The host's functions, as the loop sees them.
//!
//! In -> out: [`World`] -> `files`, `process`, `findings`, `artifacts`, `log`, `clocks`.
//! Invariant: translates and nothing else; whatever is refused comes back as the host said it.
//! Not here: when they are asked (`turns.rs`).

use std::time::Duration;

use orch_sdk::{Error, Finding, artifacts, clocks, files, findings, log, process};

use crate::world::{Exit, NotDone, Note, Ran, World};

/// That the host hands over at once.
const FILES_BYTES: usize = 1 << 20;

/// The workspace, or the tree of this attempt.
pub struct HostWorld {
    begun: Duration,
}

impl HostWorld {
    #[must_use]
    pub fn new() -> Self {
        Self { begun: clocks::monotonic() }
    }
}

impl Default for HostWorld {
    fn default() -> Self {
        Self::new()
    }
}

fn not_done(error: Error) -> NotDone {
    match error {
        Error::Denied(what) => NotDone::Denied(what),
        Error::Unavailable => NotDone::Unavailable,
        other => NotDone::Failed(other.to_string()),
    }
}

impl World for HostWorld {
    fn list(&mut self, glob: &str, max: usize) -> Result<(Vec<(String, u64)>, bool), NotDone> {
        let mut found = Vec::new();
        for entry in files::find(glob) {
            let entry = entry.map_err(not_done)?;
            if found.len() >= max {
                return Ok((found, true));
            }
            found.push((entry.path, entry.size));
        }
        Ok((found, false))
    }

    fn read(&mut self, path: &str, bytes_max: u64) -> Result<(Vec<u8>, bool), NotDone> {
        let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        loop {
            let part = files::read(path, bytes.len() as u64).map_err(not_done)?;
            let is_end = part.len() < FILES_BYTES;
            bytes.extend(part);
            if bytes.len() > max {
                bytes.truncate(max);
                return Ok((bytes, true));
            }
            if is_end {
                return Ok((bytes, false));
            }
        }
    }

    fn write(&mut self, path: &str, content: &[u8]) -> Result<(), NotDone> {
        files::write(path, content).map_err(not_done)
    }

    fn remove(&mut self, path: &str) -> Result<(), NotDone> {
        files::remove(path).map_err(not_done)
    }

    fn run(&mut self, program: &str, args: &[String], ms: u64, bytes_max: u32) -> Result<Ran, NotDone> {
        let command = process::Command::new(program).args(args).capture(bytes_max);
        let output = command.timeout(Duration::from_millis(ms)).run().map_err(not_done)?;
        let exit = match output.exit {
            process::Exit::Code(code) => Exit::Code(code),
            process::Exit::Signal(signal) => Exit::Signal(signal),
            process::Exit::TimedOut => Exit::TimedOut,
        };
        Ok(Ran { exit, stdout: output.stdout, stderr: output.stderr })
    }

    fn note(&mut self, note: &Note) -> Result<(), NotDone> {
        match note {
            Note::Log(text) => {
                log::info(text);
                Ok(())
            }
            Note::Finding { severity, category, message, location } => {
                let finding = Finding::new(*severity, *category, message);
                let finding = Finding { location: location.clone(), ..finding };
                findings::report(&finding).map_err(not_done)
            }
            Note::Artifact { name, text } => {
                artifacts::add_bytes(name, "text/plain", text.as_bytes()).map_err(not_done)
            }
        }
    }

    fn elapsed_ms(&mut self) -> u64 {
        u64::try_from(clocks::monotonic().saturating_sub(self.begun).as_millis()).unwrap_or(u64::MAX)
    }
}
