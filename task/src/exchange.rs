//! Replacing `tasks.yml` on disk without losing what somebody wrote into it meanwhile.
//!
//! In -> out: folder, name, new bytes, hash of what was last seen -> written, or what was found instead.
//! Invariant: bytes that nobody has seen are never removed: they end up at the name, or beside it and are named.
//! Invariant: a kill at any moment leaves either version whole; `recover` tidies up.
//! Off-limits: a program that writes into the old file through a handle it opened before is not noticed.
//! Not here: merging what was found (`merge.rs`), when to write (the host).

use std::io;
use std::path::Path;

use crate::disk::{Folder, Unread};
use crate::file::{FILE_BYTES_MAX, Sha256Bytes, TaskFile, TaskFileError, sha256};

mod recover;

pub use recover::{Recovered, is_exchange_name, recover};

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Exchanged {
    /// The new bytes are durable at the name.
    Written,
    /// The file is not what was expected. It is as it was found.
    Edited {
        /// What is at the name now.
        found: Vec<u8>,
        /// Where the version before that was put, if it was edited twice in this moment.
        kept: Option<String>,
    },
}

/// Why a file was not replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    #[error("`{file}` does not exist any more")]
    Missing { file: String },
    #[error("`{file}` is {found}, expected a regular file")]
    NotAFile { file: String, found: &'static str },
    #[error("`{file}` is {found_bytes} bytes, limit is {FILE_BYTES_MAX}")]
    TooLarge { file: String, found_bytes: u64 },
    #[error("`{file}` is left from a write that was cut off")]
    Leftover { file: String },
    #[error("cannot {what} `{file}`")]
    Io {
        what: &'static str,
        file: String,
        #[source]
        source: io::Error,
    },
}

impl ExchangeError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "task-file-missing",
            Self::NotAFile { .. } => "task-file-not-a-file",
            Self::TooLarge { .. } => "task-file-too-large",
            Self::Leftover { .. } => "task-file-leftover",
            Self::Io { .. } => "task-file-io",
        }
    }

    /// What the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { file } => Some(format!("put `{file}` back; the run goes on from the store")),
            Self::NotAFile { .. } => {
                Some("put the file itself there: a link could lead outside the workspace".to_owned())
            }
            Self::Leftover { file } => Some(format!("the next run looks after `{file}`")),
            Self::TooLarge { .. } | Self::Io { .. } => None,
        }
    }

    fn io<T>(what: &'static str, file: &str, result: io::Result<T>) -> Result<T, Self> {
        result.map_err(|source| Self::Io { what, file: file.to_owned(), source })
    }

    fn unread(file: &str, why: Unread) -> Self {
        let file = file.to_owned();
        match why {
            Unread::Missing => Self::Missing { file },
            Unread::NotAFile(found) => Self::NotAFile { file, found },
            Unread::TooLarge(found_bytes) => Self::TooLarge { file, found_bytes },
            Unread::Io(source) => Self::Io { what: "read", file, source },
        }
    }
}

/// Reads the task file `name` in `folder`; a link there is refused. `known` is given back, unparsed, if the file still
/// has its bytes.
///
/// # Errors
/// `Missing`, `NotAFile`, `Unreadable`, and all of [`TaskFile::parse`].
pub fn read_task_file(folder: &Path, name: &str, known: Option<TaskFile>) -> Result<TaskFile, TaskFileError> {
    let file = || folder.join(name).display().to_string();
    let unreadable = |source| TaskFileError::Unreadable { file: file(), source };
    let opened = match Folder::open(folder) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(TaskFileError::Missing { file: file() });
        }
        opened => opened.map_err(unreadable)?,
    };
    match opened.read(name) {
        Ok(found) => match known.filter(|known| known.bytes() == found.bytes) {
            Some(known) => Ok(known),
            None => TaskFile::parse(found.bytes),
        },
        Err(Unread::Missing) => Err(TaskFileError::Missing { file: file() }),
        Err(Unread::NotAFile(found)) => Err(TaskFileError::NotAFile { file: file(), found }),
        Err(Unread::TooLarge(found_bytes)) => Err(TaskFileError::TooLarge { found_bytes }),
        Err(Unread::Io(source)) => Err(unreadable(source)),
    }
}

/// Puts `new` in the place of the file `name` in `folder` if that has the hash `expected`. Mode and, if possible,
/// owner stay; a second hard link to the old file does not follow.
///
/// `on` is told `before-exchange`, `after-exchange` and, after an edit was found, `before-exchange-back`.
///
/// Where the file system cannot swap names in one step, the file is compared and then replaced: an edit in the
/// microseconds between the two is lost there.
///
/// # Errors
/// `Missing` if the file is gone, `NotAFile` for a link, `Leftover` if [`recover`] was not called after a crash, `Io`.
pub fn write_exchanging(
    folder: &Path,
    name: &str,
    new: &[u8],
    expected: &Sha256Bytes,
    on: impl Fn(&'static str),
) -> Result<Exchanged, ExchangeError> {
    let folder = ExchangeError::io("open", &folder.display().to_string(), Folder::open(folder))?;
    Exchange { folder: &folder, name, new, expected, can_swap: true }.run(&on)
}

struct Exchange<'a> {
    folder: &'a Folder,
    name: &'a str,
    new: &'a [u8],
    expected: &'a Sha256Bytes,
    /// False in tests of file systems that cannot swap names.
    can_swap: bool,
}

impl Exchange<'_> {
    fn run(&self, on: &impl Fn(&'static str)) -> Result<Exchanged, ExchangeError> {
        let before = self.read(self.name)?;
        if sha256(&before.bytes) != *self.expected {
            return Ok(Exchanged::Edited { found: before.bytes, kept: None });
        }
        let (draft, swap) = recover::names(self.name, self.expected, &sha256(self.new));
        if ExchangeError::io("look for", &swap, self.folder.has(&swap))? {
            return Err(ExchangeError::Leftover { file: swap });
        }
        on("before-draft");
        // A draft that was cut off was never anything but ours.
        self.remove(&draft)?;
        ExchangeError::io("write", &draft, self.folder.create(&draft, self.new, &before.stat))
            .and_then(|()| ExchangeError::io("rename", &draft, self.folder.rename(&draft, &swap)))
            .inspect_err(|_| drop(self.folder.remove(&draft)))?;

        on("before-exchange");
        match self.swap_with(&swap) {
            Ok(true) => {}
            Ok(false) => return self.replace(&swap, on),
            Err(error) => {
                self.remove(&swap)?;
                return Err(error);
            }
        }
        on("after-exchange");
        self.look_at_what_came_out(&swap, on)
    }

    fn look_at_what_came_out(
        &self,
        swap: &str,
        on: &impl Fn(&'static str),
    ) -> Result<Exchanged, ExchangeError> {
        let old = self.folder.read(swap);
        if old.as_ref().is_ok_and(|old| sha256(&old.bytes) == *self.expected) {
            ExchangeError::io("sync the folder of", self.name, self.folder.sync())?;
            self.remove(swap)?;
            return Ok(Exchanged::Written);
        }
        on("before-exchange-back");
        self.swap_with(swap)?;
        let ours = self.folder.read(swap);
        if ours.is_ok_and(|ours| ours.bytes == self.new) {
            ExchangeError::io("sync the folder of", self.name, self.folder.sync())?;
            self.remove(swap)?;
            let found = old.map_err(|why| ExchangeError::unread(self.name, why))?.bytes;
            return Ok(Exchanged::Edited { found, kept: None });
        }
        // Ours was edited too, in the moment in which it was there: the newest goes back, the one before is kept.
        self.swap_with(swap)?;
        let kept = recover::keep(self.folder, self.name, swap)?;
        Ok(Exchanged::Edited { found: self.read(self.name)?.bytes, kept: Some(kept) })
    }

    /// For file systems that cannot swap: compare, then replace.
    fn replace(&self, swap: &str, on: &impl Fn(&'static str)) -> Result<Exchanged, ExchangeError> {
        let now = self.read(self.name).inspect_err(|_| drop(self.folder.remove(swap)))?;
        if sha256(&now.bytes) != *self.expected {
            self.remove(swap)?;
            return Ok(Exchanged::Edited { found: now.bytes, kept: None });
        }
        ExchangeError::io("replace", self.name, self.folder.rename(swap, self.name))
            .inspect_err(|_| drop(self.folder.remove(swap)))?;
        on("after-exchange");
        ExchangeError::io("sync the folder of", self.name, self.folder.sync())?;
        Ok(Exchanged::Written)
    }

    fn swap_with(&self, swap: &str) -> Result<bool, ExchangeError> {
        if !self.can_swap {
            return Ok(false);
        }
        match self.folder.exchange(swap, self.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ExchangeError::Missing { file: self.name.to_owned() })
            }
            result => ExchangeError::io("exchange", self.name, result),
        }
    }

    fn read(&self, name: &str) -> Result<crate::disk::Found, ExchangeError> {
        self.folder.read(name).map_err(|why| ExchangeError::unread(name, why))
    }

    fn remove(&self, name: &str) -> Result<(), ExchangeError> {
        ExchangeError::io("remove", name, self.folder.remove(name))
    }
}

#[cfg(test)]
mod tests;
