//! What a write of `tasks.yml` leaves behind when the host is killed in it.
//!
//! In -> out: folder and name -> what was found beside the file and what became of it.
//! Invariant: a file is removed only if its bytes are those that its own name promises.
//! Not here: writing (`exchange.rs`).

use std::io;
use std::path::Path;

use crate::disk::{Folder, Unread};
use crate::exchange::ExchangeError;
use crate::file::{Sha256Bytes, sha256};

const DRAFT: &str = ".orch-new";
const SWAP: &str = ".orch-swap";
/// Hex digits of a hash in a name.
const DIGITS: usize = 16;

/// What became of one file that a killed write had left.
#[derive(Debug, PartialEq, Eq)]
pub enum Recovered {
    /// It held nothing that is not elsewhere.
    Removed { file: String },
    /// It held an edit that the killed write had taken out; that is the task file again.
    Restored,
    /// It held an edit, but the task file was edited again since: it stands beside it under this name.
    Kept { file: String },
}

/// Names for the write from one version to another: the draft while it is written, and the file that is swapped. The
/// second name says what the file may hold, so that nothing else needs to survive a crash.
pub(super) fn names(name: &str, expected: &Sha256Bytes, new: &Sha256Bytes) -> (String, String) {
    let (expected, new) = (digits(expected), digits(new));
    (format!(".{name}.{expected}-{new}{DRAFT}"), format!(".{name}.{expected}-{new}{SWAP}"))
}

fn digits(hash: &Sha256Bytes) -> String {
    hex::encode(hash).chars().take(DIGITS).collect()
}

/// The two hashes in the name of a leftover of `name`, and whether it is a draft.
fn parse<'a>(name: &str, file: &'a str) -> Option<(&'a str, &'a str, bool)> {
    let rest = file.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('.')?;
    let (hashes, is_draft) = match rest.strip_suffix(DRAFT) {
        Some(hashes) => (hashes, true),
        None => (rest.strip_suffix(SWAP)?, false),
    };
    let (expected, new) = hashes.split_once('-')?;
    let is_hash =
        |text: &str| text.len() == DIGITS && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
    (is_hash(expected) && is_hash(new)).then_some((expected, new, is_draft))
}

/// True for the names that writes of the task file `name` use beside it. Whoever may create such a file may change the
/// task file, so they need the same protection.
pub fn is_exchange_name(name: &str, file: &str) -> bool {
    parse(name, file).is_some()
}

/// Tidies up after a host that was killed while it wrote the file `name` in `folder`. To be called before the file is
/// read, by the only host that writes it.
///
/// # Errors
/// `NotAFile` if a link or folder has the name of a leftover, `Io`.
pub fn recover(folder: &Path, name: &str) -> Result<Vec<Recovered>, ExchangeError> {
    let shown = folder.display().to_string();
    let folder = ExchangeError::io("open", &shown, Folder::open(folder))?;
    let mut recovered = Vec::new();
    for file in ExchangeError::io("list", &shown, folder.names())? {
        if let Some((expected, new, is_draft)) = parse(name, &file) {
            recovered.push(match is_draft {
                true => remove(&folder, &file)?,
                false => recover_swap(&folder, name, &file, expected, new)?,
            });
        }
    }
    if !recovered.is_empty() {
        ExchangeError::io("sync the folder of", name, folder.sync())?;
    }
    Ok(recovered)
}

fn recover_swap(
    folder: &Folder,
    name: &str,
    file: &str,
    expected: &str,
    new: &str,
) -> Result<Recovered, ExchangeError> {
    let found = folder.read(file).map_err(|why| ExchangeError::unread(file, why))?;
    let hash = digits(&sha256(&found.bytes));
    if hash == new || hash == expected {
        return remove(folder, file);
    }
    // An edit came out, and the host was killed before it could put it back.
    match folder.read(name) {
        Err(Unread::Missing) => {
            ExchangeError::io("restore", name, folder.rename(file, name))?;
            Ok(Recovered::Restored)
        }
        Ok(now) if digits(&sha256(&now.bytes)) == new => {
            if !ExchangeError::io("restore", name, folder.exchange(file, name))? {
                return Ok(Recovered::Kept { file: keep(folder, name, file)? });
            }
            remove(folder, file)?;
            Ok(Recovered::Restored)
        }
        _ => Ok(Recovered::Kept { file: keep(folder, name, file)? }),
    }
}

fn remove(folder: &Folder, file: &str) -> Result<Recovered, ExchangeError> {
    ExchangeError::io("remove", file, folder.remove(file))?;
    Ok(Recovered::Removed { file: file.to_owned() })
}

/// Gives an edit a name of its own beside the task file, one that nothing has yet.
pub(super) fn keep(folder: &Folder, name: &str, file: &str) -> Result<String, ExchangeError> {
    let hash = match folder.read(file) {
        Ok(found) => digits(&sha256(&found.bytes)),
        Err(_) => "unreadable".to_owned(),
    };
    for nth in 0..100 {
        let kept = match nth {
            0 => format!("{name}.edited-{hash}"),
            nth => format!("{name}.edited-{hash}-{nth}"),
        };
        if !ExchangeError::io("look for", &kept, folder.has(&kept))? {
            ExchangeError::io("keep", &kept, folder.rename(file, &kept))?;
            ExchangeError::io("sync the folder of", name, folder.sync())?;
            return Ok(kept);
        }
    }
    let source = io::Error::new(io::ErrorKind::AlreadyExists, "a hundred edits are kept already");
    Err(ExchangeError::Io { what: "keep", file: name.to_owned(), source })
}
