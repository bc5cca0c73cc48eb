//! The files of a workspace that are its own sources.
//!
//! In -> out: globs, names of folders -> paths with their sizes, sorted, each once.
//! Left out: what git ignores, what lies in an installed environment (a folder with a `pyvenv.cfg`), folders of given names.
//! Limits: `.gitignore` files of 256 KiB.
//! Not here: reading and measuring them (`source.rs`, `lib.rs`).

use std::collections::{BTreeMap, BTreeSet};

use orch_sdk::{Error, files, log};

use crate::Language;
use crate::ignored::Ignored;

const IGNORE_BYTES_MAX: u64 = 256 * 1024;

/// Which files are not looked at.
pub struct Limits {
    /// Folders with their final `/`.
    environments: Vec<String>,
    ignored: Ignored,
}

/// Every file that a glob matches and that is written in one of the languages, with its size in bytes. How many were left out
/// is logged.
///
/// # Errors
/// `Invalid`: a glob is malformed. `Unavailable`: a folder could not be read. With what was done.
pub fn find(
    globs: &[String],
    skips: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, u64>, (String, Error)> {
    let limits = Limits::read()?;
    let (mut sources, mut left_out) = (BTreeMap::new(), BTreeSet::new());
    for glob in globs {
        for entry in files::find(glob) {
            let entry = entry.map_err(|error| (format!("cannot look for `{glob}`"), error))?;
            if Language::of(&entry.path).is_none() || sources.contains_key(&entry.path) {
                continue;
            }
            if skips(&entry.path) || limits.leave_out(&entry.path) {
                left_out.insert(entry.path);
            } else {
                sources.insert(entry.path, entry.size);
            }
        }
    }
    if !left_out.is_empty() {
        log::info(format_args!(
            "{} files are left out: git ignores them, or they lie in virtual environments or in `skip_folders`",
            left_out.len()
        ));
    }
    Ok(sources)
}

impl Limits {
    /// What the workspace says of itself.
    ///
    /// # Errors
    /// `Unavailable`: a folder could not be read.
    pub fn read() -> Result<Self, (String, Error)> {
        let mut environments = Vec::new();
        for path in paths("**/pyvenv.cfg")? {
            // One in the workspace itself would leave out everything.
            environments.extend(path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")));
        }
        let mut ignoring = Vec::new();
        for path in paths("**/.gitignore")? {
            let folder = path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
            match files::read_all(&path, IGNORE_BYTES_MAX) {
                Ok(bytes) => ignoring.push((folder, String::from_utf8_lossy(&bytes).into_owned())),
                Err(error) => log::warn(format_args!("{path} is not heeded: {error}")),
            }
        }
        Ok(Self { environments, ignored: Ignored::new(ignoring) })
    }

    #[must_use]
    pub fn leave_out(&self, path: &str) -> bool {
        self.environments.iter().any(|folder| path.starts_with(folder.as_str()))
            || self.ignored.leaves_out(path)
    }
}

fn paths(glob: &str) -> Result<Vec<String>, (String, Error)> {
    let found: Result<Vec<String>, Error> = files::find(glob).map(|entry| Ok(entry?.path)).collect();
    found.map_err(|error| (format!("cannot look for `{glob}`"), error))
}
