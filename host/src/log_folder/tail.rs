//! A log of commands, followed while it is written.
//!
//! In -> out: an open file -> its bytes in order, each once, and a line in the place of those that are not in it any more.
//! Limits: the caller's buffer.
//! Invariant: what comes out is what the commands wrote, in order; what is missing is counted. Nobody is held up: who writes
//! does not know of who reads.
//! Not here: what is kept of a log (`command_log.rs`), how it looks (`console/bytes.rs`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use orch_supervisor::{gap, read_gap};

/// How far it was read.
#[derive(Debug)]
pub struct Tail {
    file: File,
    /// Where the line about what is missing stands, once something is.
    gap_at: u64,
    /// Of all that the commands wrote.
    passed: u64,
}

/// What lies behind the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gap {
    missed: u64,
    line: u64,
}

impl Tail {
    /// From the beginning on, of a log whose head ends there.
    pub fn new(file: File, gap_at: u64) -> Self {
        Self { file, gap_at, passed: 0 }
    }

    /// Puts what comes next into the buffer; gives how much, 0 if there is nothing now.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.passed < self.gap_at {
            let room = usize::try_from(self.gap_at - self.passed).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.file.read_at(buffer.get_mut(..room).unwrap_or_default(), self.passed)?;
            self.passed += read as u64;
            return Ok(read);
        }
        let found = self.gap()?;
        let begins = self.gap_at + found.missed;
        if self.passed < begins {
            let line = gap(begins - self.passed);
            let Some(room) = buffer.get_mut(..line.len()) else { return Ok(0) };
            room.copy_from_slice(line.as_bytes());
            self.passed = begins;
            return Ok(line.len());
        }
        let at = self.gap_at + found.line + (self.passed - begins);
        let read = self.file.read_at(buffer, at)?;
        // What stood there may have been replaced meanwhile: then it is looked at again.
        if self.gap()? != found {
            return Ok(0);
        }
        self.passed += read as u64;
        Ok(read)
    }

    /// How many bytes are in the file that were not read, about.
    pub fn waiting(&self) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        let found = if self.passed < self.gap_at { Gap::default() } else { self.gap()? };
        Ok((length + found.missed).saturating_sub(found.line).saturating_sub(self.passed))
    }

    /// Leaves out so many bytes.
    pub fn skip(&mut self, bytes: u64) {
        self.passed += bytes;
    }

    /// The last bytes of the file, whatever was read; gives how many.
    pub fn peek_end(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.metadata()?.len();
        self.file.read_at(buffer, length.saturating_sub(buffer.len() as u64))
    }

    fn gap(&self) -> io::Result<Gap> {
        let mut line = [0; 64];
        let read = self.file.read_at(&mut line, self.gap_at)?;
        let found = read_gap(line.get(..read).unwrap_or_default());
        Ok(found.map_or(Gap::default(), |(missed, line)| Gap { missed, line: line as u64 }))
    }
}
