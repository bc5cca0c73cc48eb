//! Files inside the workspace, by path relative to it with `/` between the parts.
//!
//! Permission: `files`, globs for reading and for writing. Links are not followed.
//! Limits: 1 MiB a read, fetched one after the other; 16 MiB a write.

use crate::Error;
use crate::bindings::capabilities::orch::files::files;
pub use crate::bindings::capabilities::orch::files::files::Entry;

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

/// Replaces a whole file, atomically; folders are made. An effect.
///
/// # Errors
/// `Denied`: not granted for writing, or protected. `Invalid`: the path is wrong, or the content is over 16 MiB.
/// `Unavailable`: it could not be written.
pub fn write(path: &str, content: &[u8]) -> Result<(), Error> {
    Ok(files::write(path, content)?)
}
