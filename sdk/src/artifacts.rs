//! Artifacts: what a call made, kept with its result. Permission: `artifacts`.
//!
//! In -> out: a name, a media type, a file of the workspace or bytes -> the host's list.
//! Limits: the permission's count and bytes for each call; bytes that are handed over 1 MiB each.

use crate::Error;
use crate::host::artifacts::{self, Label};

fn label(name: &str, media_type: &str) -> Label {
    Label { name: name.to_owned(), media_type: media_type.to_owned() }
}

/// Names a regular file in the workspace, as it is now.
///
/// # Errors
/// `Denied`: the media type is not granted, or the path is the host's own. `Invalid`: name, type or path are malformed,
/// or the name was used in this call. `NotFound`, `Unavailable`: the file. `Limit`: count or bytes are used up.
pub fn add_file(name: &str, media_type: &str, path: &str) -> Result<(), Error> {
    Ok(artifacts::add_file(&label(name, media_type), path)?)
}

/// Hands bytes over, at most 1 MiB.
///
/// # Errors
/// As [`add_file`], without those of the path.
pub fn add_bytes(name: &str, media_type: &str, content: &[u8]) -> Result<(), Error> {
    Ok(artifacts::add_bytes(&label(name, media_type), content)?)
}
