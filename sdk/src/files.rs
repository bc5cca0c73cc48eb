//! Files inside the workspace, by path relative to it with `/` between the parts.
//!
//! Permission: `files`, globs for reading and for writing. Links are not followed. Only executors write; what the host and
//! version control believe (`tasks.yml`, `.git`) nobody does.
//! Limits: 1 MiB a read, fetched one after the other; 16 MiB a write, 1 GiB and 10,000 changes a call; files of 256 MiB.

use crate::Error;
pub use crate::bindings::capabilities::orch::files::files::Entry;
use crate::host::files;

const READ_BYTES_MAX: usize = 1024 * 1024;
/// Entries that the host hands over at once.
const ENTRIES_MAX: usize = 1000;

/// Files that match the glob and may be read, sorted by path, fetched as they are asked for.
///
/// # Errors
/// `Invalid`: the glob is malformed or over 1024 bytes. `Unavailable`: a folder could not be read.
pub fn find(glob: &str) -> impl Iterator<Item = Result<Entry, Error>> {
    let glob = glob.to_owned();
    let mut after = None;
    let mut more = true;
    let mut page = Vec::new().into_iter();
    std::iter::from_fn(move || {
        if let Some(entry) = page.next() {
            return Some(Ok(entry));
        }
        if !more {
            return None;
        }
        let fetched: Vec<Entry> = match files::find(&glob, after.as_deref()) {
            Ok(fetched) => fetched,
            Err(error) => {
                more = false;
                return Some(Err(error.into()));
            }
        };
        more = fetched.len() >= ENTRIES_MAX;
        after = fetched.last().map(|entry| entry.path.clone());
        page = fetched.into_iter();
        page.next().map(Ok)
    })
}

/// At most 1 MiB from `offset` on; fewer bytes mean the end.
///
/// # Errors
/// `Denied`, `Invalid`: absolute, has `..`, or over 4096 bytes. `NotFound`, `Unavailable`.
pub fn read(path: &str, offset: u64) -> Result<Vec<u8>, Error> {
    Ok(files::read(path, offset)?)
}

/// The whole file.
///
/// # Errors
/// As [`read`]; `Limit`: it is larger than `bytes_max`.
pub fn read_all(path: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        let part = read(path, bytes.len() as u64)?;
        let end = part.len() < READ_BYTES_MAX;
        bytes.extend(part);
        if bytes.len() as u64 > bytes_max {
            return Err(Error::Limit(format!("{bytes_max} bytes of `{path}`")));
        }
        if end {
            return Ok(bytes);
        }
    }
}

/// The whole file as text.
///
/// # Errors
/// As [`read_all`]; `Invalid`: it is not UTF-8.
pub fn read_text(path: &str, bytes_max: u64) -> Result<String, Error> {
    String::from_utf8(read_all(path, bytes_max)?)
        .map_err(|_| Error::Invalid(format!("`{path}` is not UTF-8")))
}

/// Replaces a whole file, atomically; folders are made. An effect, unless the run's edits go to a branch.
///
/// # Errors
/// `Denied`: not granted for writing, or protected. `Invalid`: the path is wrong, content or file are too large, or there is
/// no regular file in that place. `Limit`: of this call. `Unavailable`: it could not be written.
pub fn write(path: &str, content: &[u8]) -> Result<(), Error> {
    Ok(files::write(path, content)?)
}

/// Adds to the end of a file, or makes it and its folders. The file is replaced whole, so it costs what rewriting it costs.
///
/// # Errors
/// As [`write()`].
pub fn append(path: &str, content: &[u8]) -> Result<(), Error> {
    Ok(files::append(path, content)?)
}

/// Cuts a file to its first `size` bytes.
///
/// # Errors
/// As [`write()`]; `Invalid`: it is shorter than that. `NotFound`.
pub fn truncate(path: &str, size: u64) -> Result<(), Error> {
    Ok(files::truncate(path, size)?)
}

/// Makes a folder and those above it; one that is there already is fine.
///
/// # Errors
/// As [`write()`].
pub fn make_folder(path: &str) -> Result<(), Error> {
    Ok(files::make_folder(path)?)
}

/// Moves a file, not a folder; folders are made, and nothing is ever replaced.
///
/// # Errors
/// As [`write()`], for both paths; `Invalid`: something is there already. `NotFound`.
pub fn rename(from: &str, to: &str) -> Result<(), Error> {
    Ok(files::rename(from, to)?)
}

/// Removes a file, or a folder in which nothing is.
///
/// # Errors
/// As [`write()`]; `Invalid`: the folder is not empty. `NotFound`.
pub fn remove(path: &str) -> Result<(), Error> {
    Ok(files::remove(path)?)
}
