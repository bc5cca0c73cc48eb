//! The files into which a command writes what it found.
//!
//! In -> out: the workspace before and after a command -> the reports, or why they do not count.
//! Units: at most 500 files, 32 MiB together.
//! Invariant: a test runner's report that is what it was before the command does not count: its times say when it ran.
//! Not here: what they say (`format/`).

use std::hash::{DefaultHasher, Hash, Hasher};

use orch_sdk::{Error, files};

use crate::places::Tree;

const FILES_MAX: usize = 500;
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Beyond the end of any source: nothing is read, but the answer says whether there is one.
const BEYOND_ITS_END: u64 = 1 << 40;

/// Reports of one look.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    pub(crate) texts: Vec<String>,
    pub(crate) missed_bytes: u64,
}

impl Reports {
    /// Reads all files that match.
    ///
    /// # Errors
    /// The glob is malformed, or a file could not be read.
    pub(crate) fn read(glob: &str) -> Result<Self, Error> {
        let mut reports = Self::default();
        let mut left = BYTES_MAX;
        for (index, entry) in files::find(glob).enumerate() {
            let entry = entry?;
            if index >= FILES_MAX || left == 0 {
                reports.missed_bytes = reports.missed_bytes.saturating_add(entry.size);
                continue;
            }
            let (bytes, missed) = read(&entry.path, entry.size, left)?;
            left = left.saturating_sub(bytes.len());
            reports.missed_bytes = reports.missed_bytes.saturating_add(missed);
            let text = String::from_utf8(bytes);
            reports
                .texts
                .push(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()));
        }
        Ok(reports)
    }

    /// One number for all that they say.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.texts.hash(&mut hasher);
        hasher.finish()
    }
}

/// Up to `bytes_max` of a file, and how many are left.
fn read(path: &str, size: u64, bytes_max: usize) -> Result<(Vec<u8>, u64), Error> {
    let expected = usize::try_from(size).unwrap_or(usize::MAX).min(bytes_max);
    let mut bytes = Vec::with_capacity(expected);
    while bytes.len() < bytes_max {
        let part = files::read(path, u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        if part.is_empty() {
            break;
        }
        let room = bytes_max.saturating_sub(bytes.len());
        bytes.extend_from_slice(part.get(..room).unwrap_or(&part));
    }
    let missed = size.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    Ok((bytes, missed))
}

/// Files of the workspace, as the host says it.
pub(crate) struct Workspace;

impl Tree for Workspace {
    fn holds(&self, path: &str) -> Option<bool> {
        match files::read(path, BEYOND_ITS_END) {
            Ok(_) => Some(true),
            Err(Error::NotFound) => Some(false),
            Err(_) => None,
        }
    }
}
