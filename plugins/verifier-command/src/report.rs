//! The files into which a command writes what it found.
//!
//! In -> out: the workspace before and after a command -> the reports, and why they do not count.
//! Units: at most 500 files, 32 MiB together.
//! Invariant: a test runner's report that is what it was before the command does not count: its times say when it ran.
//! Invariant: what was not read is a fault: nobody knows what it says.
//! Not here: what they say (`format/`).

use std::collections::BTreeMap;
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
    /// Sorted by path.
    paths: Vec<String>,
    /// One for each path.
    pub(crate) texts: Vec<String>,
    /// Files that were not read, or not to their end.
    unread: u64,
}

/// One number for what each report says, by its path.
pub(crate) type Fingerprints = BTreeMap<String, u64>;

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
                reports.unread += 1;
                continue;
            }
            let (bytes, is_whole) = read(&entry.path, entry.size, left)?;
            left = left.saturating_sub(bytes.len());
            reports.unread += u64::from(!is_whole);
            let text = String::from_utf8(bytes);
            reports.push(
                entry.path,
                text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            );
        }
        Ok(reports)
    }

    pub(crate) fn push(&mut self, path: String, text: String) {
        self.paths.push(path);
        self.texts.push(text);
    }

    #[must_use]
    pub(crate) fn fingerprints(&self) -> Fingerprints {
        let number = |text: &String| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        };
        self.paths.iter().cloned().zip(self.texts.iter().map(number)).collect()
    }

    /// Why they do not count; `before`: what there was before the command, if they must be new.
    #[must_use]
    pub(crate) fn faults(&self, before: Option<&Fingerprints>) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(before) = before {
            let is_old = |(path, number): &(String, u64)| before.get(path) == Some(number);
            let old: Vec<String> =
                self.fingerprints().into_iter().filter(is_old).map(|(path, _)| path).collect();
            if let Some(first) = old.first() {
                let more = match old.len() {
                    1 => String::new(),
                    count => format!(" (and {} more)", count.saturating_sub(1)),
                };
                faults.push(format!("its report `{first}`{more} is the one that was there before"));
            }
        }
        if self.unread > 0 {
            let mebibytes = BYTES_MAX / (1024 * 1024);
            faults.push(format!(
                "{} of its reports were not read: at most {FILES_MAX} files and {mebibytes} MiB are",
                self.unread
            ));
        }
        faults
    }
}

/// Up to `bytes_max` of a file, and whether that is all of it.
fn read(path: &str, size: u64, bytes_max: usize) -> Result<(Vec<u8>, bool), Error> {
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
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|read| read >= size);
    Ok((bytes, is_whole))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_is_a_fault() {
        assert_eq!(Reports::default().faults(None), [""; 0]);
        let reports = Reports { unread: 100, ..Reports::default() };
        let said = "100 of its reports were not read: at most 500 files and 32 MiB are";
        assert_eq!(reports.faults(None), [said]);
    }
}
