//! The repository that the workspace is a checkout of, to be read. Permission: `git`.
//!
//! In -> out: names of commits, paths -> commits, branches, differences, files as they were.
//! Limits: a commit is named by its 40 or 64 hex digits or by a branch; 100 commits at once, 1 MiB of a file or a patch.

use crate::Error;
use crate::bindings::capabilities::orch::git::git;
pub use crate::bindings::capabilities::orch::git::git::{Branch, Changed, Checkout, Commit, How};

const PART_BYTES_MAX: usize = 1024 * 1024;

/// Where the workspace stands; in a run whose edits go to a branch, the newest commit of that when the call began.
///
/// # Errors
/// `NotFound`: it is no checkout, or there is no commit. `Unavailable`: there is no git that the host can use.
pub fn head() -> Result<Checkout, Error> {
    Ok(git::head()?)
}

/// At most 1000 branches, by name, after `after`.
///
/// # Errors
/// As [`head`].
pub fn branches(after: Option<&str>) -> Result<Vec<Branch>, Error> {
    Ok(git::branches(after)?)
}

/// At most `count`, and 100, commits that `start` leads to, it first, without the first `skip`.
///
/// # Errors
/// As [`head`]; `Invalid`: `start` is no name of a commit.
pub fn log(start: &str, skip: u32, count: u32) -> Result<Vec<Commit>, Error> {
    Ok(git::log(start, skip, count)?)
}

/// At most 1000 files that differ and may be seen, by path, after `after`.
///
/// # Errors
/// As [`log`].
pub fn changes(old: &str, new: &str, after: Option<&str>) -> Result<Vec<Changed>, Error> {
    Ok(git::changes(old, new, after)?)
}

/// How one file differs, as a patch; empty if it does not.
///
/// # Errors
/// As [`log`]; `Denied`: the path may not be seen. `Limit`: the patch is over 1 MiB.
pub fn diff(old: &str, new: &str, path: &str) -> Result<String, Error> {
    Ok(git::diff(old, new, path)?)
}

/// A file as it is in a commit, whole.
///
/// # Errors
/// As [`diff`]; `NotFound`: there is no file. `Limit`: it is larger than `bytes_max`, or than 64 MiB.
pub fn show(commit: &str, path: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        let part = git::show(commit, path, bytes.len() as u64)?;
        let end = part.len() < PART_BYTES_MAX;
        bytes.extend(part);
        if bytes.len() as u64 > bytes_max {
            return Err(Error::Limit(format!("{bytes_max} bytes of `{path}`")));
        }
        if end {
            return Ok(bytes);
        }
    }
}
