//! A database of advisories in the form of RustSec's, and whether it may be used.
//!
//! In -> out: folder, the time, what was used last -> [`FreshDatabase`], or why not.
//! Limits: 100,000 files of 1 MiB; 30 days; `trust/src/inputs.rs` has the age.
//! Invariant: its identity is the SHA-256 over its sorted paths and digests, its date the newest advisory's and never
//! git's; one with fewer advisories or an older date than the one that was used last is refused.
//! Not here: looking for vulnerabilities (`check/vulnerabilities.rs`).

use std::io;
use std::path::{Path, PathBuf};

use orch_host::regular_file::{self, Links, ReadError};
use orch_host::whole_file;
use orch_trust::digest::Sha256Digest;
use orch_trust::inputs::{AdvisoryDb, is_commit};
use orch_trust::refusal::Refusal;
use orch_trust::strict_json;
use orch_trust::time::{Day, UnixSeconds};
use serde::{Deserialize, Serialize};

const FILES_MAX: usize = 100_000;
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What the database of RustSec keeps advisories in: of crates, and of the language's own tools.
const COLLECTIONS: [&str; 2] = ["crates", "rust"];
const STATE_FILE: &str = "advisory-db.json";

/// Why a database may not be used.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoryDbError {
    #[error("`{path}` cannot be read")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is no database of advisories: {message}")]
    Malformed { path: PathBuf, message: String },
    #[error("`{path}` changed while it was read")]
    Changed { path: PathBuf },
    #[error(transparent)]
    Age(Refusal),
    #[error("database has {found} advisories, the one that was used last had {last}")]
    Shrunk { found: u64, last: u64 },
    #[error("newest advisory of the database is of {found}, of the one that was used last of {last}")]
    Rollback { found: Day, last: Day },
}

impl AdvisoryDbError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "advisory-db-io",
            Self::Malformed { .. } => "advisory-db-malformed",
            Self::Changed { .. } => "advisory-db-changed",
            Self::Age(refusal) => refusal.code(),
            Self::Shrunk { .. } => "advisory-db-shrunk",
            Self::Rollback { .. } => "advisory-db-rollback",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Age(_) | Self::Shrunk { .. } | Self::Rollback { .. } => {
                Some("get the database anew: `git clone https://github.com/RustSec/advisory-db`".to_owned())
            }
            _ => None,
        }
    }
}

/// A database that may be used: young enough, and nothing was taken away from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshDatabase {
    folder: PathBuf,
    identity: AdvisoryDb,
}

impl FreshDatabase {
    /// The database in that folder, if it may be used now. `last`: the one that was used before.
    ///
    /// # Errors
    /// Every variant of [`AdvisoryDbError`].
    pub fn open(folder: &Path, last: Option<&AdvisoryDb>, now: UnixSeconds) -> Result<Self, AdvisoryDbError> {
        let source = |source| AdvisoryDbError::Io { path: folder.to_owned(), source };
        let folder = folder.canonicalize().map_err(source)?;
        let (identity, _) = read(&folder)?;
        judge(&identity, last, now)?;
        Ok(Self { folder, identity })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn identity(&self) -> &AdvisoryDb {
        &self.identity
    }
}

/// Succeeds if a database of that identity may be used now.
///
/// # Errors
/// `Age`, `Shrunk`, `Rollback`.
pub fn judge(found: &AdvisoryDb, last: Option<&AdvisoryDb>, now: UnixSeconds) -> Result<(), AdvisoryDbError> {
    found.check_age(now).map_err(AdvisoryDbError::Age)?;
    let Some(last) = last else { return Ok(()) };
    if found.date < last.date {
        return Err(AdvisoryDbError::Rollback { found: found.date, last: last.date });
    }
    match found.advisories < last.advisories {
        true => Err(AdvisoryDbError::Shrunk { found: found.advisories, last: last.advisories }),
        false => Ok(()),
    }
}

/// Identity and content of the database in that folder.
///
/// # Errors
/// `Io`, `Malformed`, `Changed`.
pub fn read(folder: &Path) -> Result<(AdvisoryDb, rustsec::Database), AdvisoryDbError> {
    let malformed = |message: String| AdvisoryDbError::Malformed { path: folder.to_owned(), message };
    let files = list(folder)?;
    let database = rustsec::Database::open(folder).map_err(|error| malformed(error.to_string()))?;
    // What was parsed is what the identity is of.
    if list(folder)? != files {
        return Err(AdvisoryDbError::Changed { path: folder.to_owned() });
    }
    let advisories = database.iter().count();
    if advisories != files.len() {
        return Err(malformed(format!("{} files give {advisories} advisories", files.len())));
    }
    let mut newest = None;
    for advisory in database.iter() {
        let day = Day::parse(advisory.date().as_str());
        newest = newest.max(Some(day.map_err(|error| malformed(format!("{}: {error}", advisory.id())))?));
    }
    let date = newest.ok_or_else(|| malformed("it has no advisory".to_owned()))?;
    let said: String = files.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect();
    let identity = AdvisoryDb {
        sha256: Sha256Digest::of(said.as_bytes()),
        date,
        advisories: advisories as u64,
        commit: commit(folder),
    };
    Ok((identity, database))
}

/// Path, with `/`, and digest of each advisory, sorted. Hidden files are none, as for `rustsec`.
fn list(folder: &Path) -> Result<Vec<(String, Sha256Digest)>, AdvisoryDbError> {
    let mut files = Vec::new();
    for collection in COLLECTIONS {
        let inside = folder.join(collection);
        if collection != "crates" && !inside.exists() {
            continue;
        }
        for (package, path) in entries(&inside)? {
            if !path.is_dir() {
                continue;
            }
            for (name, path) in entries(&path)?.into_iter().filter(|(name, _)| !name.starts_with('.')) {
                let limit =
                    |error: ReadError| AdvisoryDbError::Io { path: path.clone(), source: error.into() };
                let (bytes, _) = regular_file::read(&path, Links::Refused, FILE_BYTES_MAX).map_err(limit)?;
                files.push((format!("{collection}/{package}/{name}"), Sha256Digest::of(&bytes)));
                if files.len() > FILES_MAX {
                    let (path, message) = (folder.to_owned(), format!("it has over {FILES_MAX} files"));
                    return Err(AdvisoryDbError::Malformed { path, message });
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, AdvisoryDbError> {
    let io = |source| AdvisoryDbError::Io { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().into_string().map_err(|name| AdvisoryDbError::Malformed {
            path: folder.to_owned(),
            message: format!("`{}` is no name", name.display()),
        })?;
        found.push((name, entry.path()));
    }
    Ok(found)
}

/// Git's name for what is checked out there, as its own files say. Evidence only: nothing is decided by it.
fn commit(folder: &Path) -> Option<String> {
    let read = |name: &str| {
        let read = regular_file::read_text(&folder.join(".git").join(name), Links::Refused, FILE_BYTES_MAX);
        read.ok().map(|(text, _)| text.trim_end().to_owned())
    };
    let head = read("HEAD")?;
    let commit = match head.strip_prefix("ref: ") {
        None => head,
        Some(branch) if branch.starts_with("refs/") && !branch.contains("..") => match read(branch) {
            Some(commit) => commit,
            None => {
                let packed = read("packed-refs")?;
                let named = packed.lines().find_map(|line| line.strip_suffix(branch))?;
                named.trim_end().to_owned()
            }
        },
        Some(_) => return None,
    };
    is_commit(&commit).then_some(commit)
}

/// The database that was used last, as the certifier's state folder says; none if no one was.
///
/// # Errors
/// `Io`, `Malformed`.
pub fn last_used(state: &Path) -> Result<Option<AdvisoryDb>, AdvisoryDbError> {
    let path = state.join(STATE_FILE);
    let (bytes, _) = match regular_file::read(&path, Links::Refused, FILE_BYTES_MAX) {
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(AdvisoryDbError::Io { path, source: error.into() }),
        Ok(read) => read,
    };
    let parsed = strict_json::parse(&bytes);
    parsed
        .map(Some)
        .map_err(|error| AdvisoryDbError::Malformed { path, message: format!("of the last one: {error}") })
}

/// Keeps which database was used, for the next time.
///
/// # Errors
/// `Io`.
pub fn remember(state: &Path, used: &AdvisoryDb) -> Result<(), AdvisoryDbError> {
    let path = state.join(STATE_FILE);
    let io = |source| AdvisoryDbError::Io { path: path.clone(), source };
    std::fs::create_dir_all(state).map_err(io)?;
    let bytes = serde_json::to_vec(used).map_err(|error| io(error.into()))?;
    whole_file::write(&path, &bytes, whole_file::PUBLIC).map_err(io)
}
