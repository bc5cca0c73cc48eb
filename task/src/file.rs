//! `tasks.yml`: the file that people write tasks in and get statuses back in.
//!
//! In -> out: bytes -> [`TaskFile`]; [`TaskFile::patched`] -> the same bytes with other statuses and more tasks.
//! Limits: [`FILE_BYTES_MAX`], [`TASKS_MAX`], the YAML budget in `file/parse.rs`.
//! Invariant: ids of a `TaskFile` are unique, dependencies known and without a cycle; its bytes are those read.
//! Invariant: a status is one task's own: none is read from, or written into, what others merge.
//! Not here: hand edits during a run (`merge.rs`), replacing the file on disk (`exchange.rs`).

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::env::Env;
use crate::file::node::{Placed, Spot};
use crate::model::{Status, Task};

mod error;
mod fields;
mod layout;
mod locate;
mod node;
mod parse;
mod patch;
mod words;
mod yaml_error;
mod yaml_options;

pub use error::{Place, TaskFileError};
pub use locate::place_of_key;
pub use patch::PatchError;
pub use words::{Written, read_written};

pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
pub const TASKS_MAX: usize = 200_000;

/// Hash of a file's bytes.
pub type Sha256Bytes = [u8; 32];

/// A `tasks.yml` that was read.
#[derive(Clone, Debug)]
pub struct TaskFile {
    text: String,
    sha256: Sha256Bytes,
    tasks: Vec<FileTask>,
}

/// One entry of the file.
#[derive(Clone, Debug)]
pub struct FileTask {
    pub task: Task,
    /// None when the file says nothing, which means `pending`. What came through a merge key is another task's.
    pub status: Option<Status>,
    /// Id of the plugin whose task the host appended.
    pub added_by: Option<String>,
    /// Of its commands; beside the task, which is kept in journals and shown to plugins.
    pub env: Env,
    /// Where the entry begins, from 1; columns in characters.
    pub line: u32,
    pub column: u32,
    spots: Spots,
}

/// An entry to append.
#[derive(Clone, Debug, PartialEq)]
pub struct NewFileTask {
    pub task: Task,
    pub status: Option<Status>,
    pub added_by: Option<String>,
}

/// Bytes of the text that a change of status needs.
#[derive(Clone, Debug)]
struct Spots {
    /// Spaces before the keys of the entry, if it is in block style.
    indent: Option<usize>,
    /// True when the keys are written in double quotes, as in JSON.
    has_quoted_keys: bool,
    /// End of the value of `id`; none if it came through an alias or a merge key.
    id_end: Option<usize>,
    status: StatusSpot,
}

#[derive(Clone, Debug)]
enum StatusSpot {
    Missing,
    /// Quotes included; empty for a key without value.
    Here(Range<usize>),
    /// The alias that stands there for a word which is written elsewhere.
    Alias(Range<usize>),
}

impl TaskFile {
    /// Reads the bytes of a `tasks.yml`.
    ///
    /// # Errors
    /// Every variant of [`TaskFileError`] but `Missing`, `NotAFile` and `Unreadable`, with its place.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self, TaskFileError> {
        let bytes: Vec<u8> = bytes.into();
        let found_bytes = bytes.len() as u64;
        if found_bytes > FILE_BYTES_MAX {
            return Err(TaskFileError::TooLarge { found_bytes });
        }
        let sha256 = sha256(&bytes);
        let text = String::from_utf8(bytes)
            .map_err(|error| not_utf8(error.as_bytes(), error.utf8_error().valid_up_to()))?;
        let tasks = parse::parse_text(&text)?;
        Ok(Self { text, sha256, tasks })
    }

    /// In file order, at most [`TASKS_MAX`].
    pub fn tasks(&self) -> &[FileTask] {
        &self.tasks
    }

    /// Of the bytes that were read.
    pub fn sha256(&self) -> Sha256Bytes {
        self.sha256
    }

    /// What was read.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl FileTask {
    /// Where the entry begins.
    pub fn place(&self) -> Place {
        Place { line: self.line, column: self.column }
    }

    /// The status, with what a missing one means.
    pub fn status_or_pending(&self) -> Status {
        self.status.unwrap_or(Status::Pending)
    }
}

impl Spots {
    /// `entry`: where the mapping stands; `key`, `value`: those of its `id`.
    fn of(text: &str, entry: &Spot, key: &Placed, value: &Placed) -> Self {
        let is_here = entry.is_own && key.at.is_own && value.at.is_own;
        let byte = |at: usize| text.as_bytes().get(at).copied();
        let is_flow = byte(entry.bytes.start) == Some(b'{');
        Self {
            // The column and not the line before it: a file may be one long line.
            indent: (!is_flow).then(|| entry.place.column as usize - 1),
            has_quoted_keys: byte(key.at.bytes.start) == Some(b'"'),
            id_end: is_here.then_some(value.at.bytes.end),
            status: StatusSpot::Missing,
        }
    }
}

impl StatusSpot {
    fn of(at: &Spot) -> Self {
        match at.is_own {
            true => Self::Here(at.bytes.clone()),
            false => Self::Alias(at.bytes.clone()),
        }
    }
}

/// SHA-256 of bytes, as in [`TaskFile::sha256`].
pub fn sha256(bytes: &[u8]) -> Sha256Bytes {
    Sha256::digest(bytes).into()
}

fn not_utf8(bytes: &[u8], valid: usize) -> TaskFileError {
    let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    TaskFileError::NotUtf8 { byte: valid as u64, place: Place { line: number(line), column: number(column) } }
}

#[cfg(test)]
mod tests;
