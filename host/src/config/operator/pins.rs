//! Which workspaces pin packages of this folder, and who changes what it keeps.
//!
//! In -> out: a workspace -> `pins/HASH.json` with its path; all of them -> paths.
//! Limits: 10 s of waiting for another command that keeps or removes packages.
//! Invariant: a workspace is remembered before it pins, so that no package is removed under it; being remembered allows nothing.
//! Not here: `orch.lock` itself (`place.rs`), what is kept and removed (`commands/plugin/`).

use std::fs::File;
use std::path::{Path, PathBuf};

use orch_trust::digest::Sha256Digest;

use super::{FILES_MAX, Operator, OperatorError, folder_lock, make_folder, read};
use crate::config::{keeper, workspaces};
use crate::whole_file;

const FOLDER: &str = "pins";

/// Keeps other commands from changing kept packages and pins, for as long as it is there.
pub struct Keeping {
    folder: PathBuf,
    _lock: File,
}

impl Operator {
    /// Waits for other commands that keep or remove packages.
    ///
    /// # Errors
    /// `Io`, `Locked`.
    pub fn keeping(&self) -> Result<Keeping, OperatorError> {
        let folder = self.home.join(FOLDER);
        make_folder(&folder)?;
        keeper::check_folder(&folder)?;
        Ok(Keeping { _lock: folder_lock::lock(&folder)?, folder })
    }

    /// Workspaces that were run here, or pin something.
    ///
    /// # Errors
    /// `Io`, and those of a file that others could have written.
    pub fn workspaces(&self) -> Result<Vec<PathBuf>, OperatorError> {
        let mut texts = vec![read(&self.home.join("workspaces"))?.unwrap_or_default()];
        let folder = self.home.join(FOLDER);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries.take(FILES_MAX).filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(_) => Vec::new(),
        };
        for path in entries.iter().filter(|path| path.extension().is_some_and(|end| end == "json")) {
            texts.push(read(path)?.unwrap_or_default());
        }
        let mut paths: Vec<PathBuf> = texts.iter().flat_map(|text| workspaces::paths(text)).collect();
        paths.sort();
        paths.dedup();
        Ok(paths)
    }
}

impl Keeping {
    /// Remembers that this workspace pins something.
    ///
    /// # Errors
    /// `WorkspaceName`, `Io`.
    pub fn remember(&self, workspace: &Path) -> Result<(), OperatorError> {
        let line = workspaces::line(workspace)?;
        let name = Sha256Digest::of(line.as_bytes()).to_string();
        let path = self.folder.join(format!("{}.json", name.get(..16).unwrap_or(&name)));
        if read(&path)?.is_some_and(|known| known == line) {
            return Ok(());
        }
        whole_file::write(&path, line.as_bytes(), whole_file::PRIVATE).map_err(|source| OperatorError::Io {
            what: "write",
            path,
            source,
        })
    }
}
