//! What is in a work tree that was not checked out, or is not as it was.
//!
//! In -> out: a work tree after its call -> [`Edit`]s, their contents among the repository's objects.
//! Limits: `.gitignore` files of 1 MiB.
//! Invariant: the tree is walked by the host, no link is followed; a file whose stamp is the old one is not read. Pipes,
//! sockets and devices are nothing, as they are for git. One edit that is never kept refuses all.
//! Not here: which are never kept (`check.rs`), what becomes of them (`drive/keep.rs`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::check::Unkept;
use super::{Made, Stamp, Worktree, check};
use crate::capability::files::Protected;
use crate::git::{GitError, Mode, Oid, Repository};

const IGNORE_FILE_BYTES_MAX: u64 = 1 << 20;

/// A path and what is there now; none: nothing.
pub type Edit = (PathBuf, Option<(Mode, Oid)>);

impl Worktree {
    /// What was changed since it was made, by path. `outputs`: what is kept though git leaves it out.
    ///
    /// # Errors
    /// The first edit that is never kept; `Git`, `Io`.
    pub fn edits(&self, outputs: &[String], protected: &Protected) -> Result<Vec<Edit>, Unkept> {
        let Some(made) = self.made.as_ref().filter(|made| !made.is_untouched(&self.seat.tree)) else {
            return Ok(Vec::new());
        };
        let found = Walk::of(self, made, &Outputs::of(outputs)).all()?;
        let mut edits: Vec<Edit> = Vec::new();
        let mut files: Vec<(PathBuf, Mode)> = Vec::new();
        for (path, (entry, _)) in &made.entries {
            match found.get(path) {
                Some(_) => {}
                None if entry.mode == Mode::Gitlink => return Err(Unkept::Gitlink { path: path.clone() }),
                None => edits.push((path.clone(), None)),
            }
        }
        for (path, now) in &found {
            let before = made.entries.get(path);
            let is_old = before.is_some_and(|(_, stamp)| *stamp == Some(Stamp::of(now)));
            if is_old || now.is_dir() {
                continue;
            }
            if now.is_symlink() {
                let to = self.read_link(path)?;
                let oid = self.repository.write_bytes(to.as_os_str().as_encoded_bytes())?;
                edits.push((path.clone(), Some((Mode::Link, oid))));
            } else {
                files.push((path.clone(), mode_of(now)));
            }
        }
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        let oids = self.repository.write_files(&self.seat.tree, &paths)?;
        edits.extend(files.into_iter().zip(oids).map(|((path, mode), oid)| (path, Some((mode, oid)))));
        // What was touched and is as it was is no edit.
        let is_new = |(path, to): &Edit| {
            let before = made.entries.get(path).map(|(entry, _)| (entry.mode, entry.oid.clone()));
            before != *to
        };
        edits.retain(is_new);
        edits.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (path, to) in &edits {
            check::path(path, protected)?;
            if let Some((Mode::Link, _)) = to {
                check::link(&self.seat.tree, path, &self.read_link(path)?)?;
            }
        }
        Ok(edits)
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf, Unkept> {
        let whole = self.seat.tree.join(path);
        fs::read_link(&whole).map_err(|source| Unkept::Io { what: "read", path: path.to_owned(), source })
    }
}

/// What lies at one path below a folder, among the repository's objects by then.
///
/// # Errors
/// `Failed`, `Io`.
pub fn edit_of(repository: &Repository, folder: &Path, path: &Path) -> Result<Edit, GitError> {
    let whole = folder.join(path);
    let at = |source| GitError::Io { what: "read", path: whole.clone(), source };
    let found = match fs::symlink_metadata(&whole) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok((path.to_owned(), None));
        }
        Err(error) => return Err(at(error)),
    };
    if found.is_symlink() {
        let to = fs::read_link(&whole).map_err(at)?;
        let oid = repository.write_bytes(to.as_os_str().as_encoded_bytes())?;
        return Ok((path.to_owned(), Some((Mode::Link, oid))));
    }
    let oids = repository.write_files(folder, &[path.to_owned()])?;
    Ok((path.to_owned(), oids.into_iter().next().map(|oid| (mode_of(&found), oid))))
}

fn mode_of(found: &Metadata) -> Mode {
    if found.permissions().mode() & 0o100 != 0 { Mode::Program } else { Mode::File }
}

/// What a task makes, by its `outputs`.
struct Outputs {
    patterns: GlobSet,
    /// What stands before the first wildcard of each.
    beginnings: Vec<String>,
}

impl Outputs {
    fn of(outputs: &[String]) -> Self {
        let mut patterns = GlobSetBuilder::new();
        let mut beginnings = Vec::new();
        for output in outputs {
            let output = output.trim_start_matches("./").trim_end_matches('/');
            for pattern in [output.to_owned(), format!("{output}/**")] {
                let glob = GlobBuilder::new(&pattern).literal_separator(true).backslash_escape(true).build();
                glob.into_iter().for_each(|glob| {
                    patterns.add(glob);
                });
            }
            let plain = output.find(['*', '?', '[', '{']).unwrap_or(output.len());
            beginnings.push(output.get(..plain).unwrap_or_default().to_owned());
        }
        Self { patterns: patterns.build().unwrap_or_else(|_| GlobSet::empty()), beginnings }
    }

    fn has(&self, path: &Path) -> bool {
        self.patterns.is_match(path)
    }

    /// True of a folder in which one may lie.
    fn leads_into(&self, folder: &Path) -> bool {
        let folder = format!("{}/", folder.to_string_lossy());
        self.beginnings.iter().any(|beginning| {
            let beginning_folder = format!("{beginning}/");
            folder.starts_with(beginning) || beginning_folder.starts_with(&folder)
        })
    }
}

/// One walk through a tree, a depth at a time, so that what git leaves out is asked for once each.
struct Walk<'a> {
    worktree: &'a Worktree,
    made: &'a Made,
    outputs: &'a Outputs,
    /// Folders in which something was checked out.
    known: HashSet<&'a Path>,
    found: BTreeMap<PathBuf, Metadata>,
}

/// A folder to be looked into; in one that git leaves out only outputs count.
type Folder = (PathBuf, bool);

impl<'a> Walk<'a> {
    fn of(worktree: &'a Worktree, made: &'a Made, outputs: &'a Outputs) -> Self {
        let above = made.entries.keys().flat_map(|path| path.ancestors().skip(1));
        Self { worktree, made, outputs, known: above.collect(), found: BTreeMap::new() }
    }

    /// Files and links that are there and count, and folders in the place of gitlinks.
    fn all(mut self) -> Result<BTreeMap<PathBuf, Metadata>, Unkept> {
        let mut folders: Vec<Folder> = vec![(PathBuf::new(), false)];
        while !folders.is_empty() {
            let (mut next, mut new) = (Vec::new(), HashMap::new());
            for (folder, is_left_out) in folders {
                self.look_into(&folder, is_left_out, &mut next, &mut new)?;
            }
            let asked: Vec<PathBuf> = new
                .iter()
                .filter(|(_, (_, is_left_out))| !is_left_out)
                .map(|(path, _)| path.clone())
                .collect();
            let ignored = self.worktree.repository.ignored(&self.worktree.seat.tree, &asked)?;
            let ignored: HashSet<PathBuf> = ignored.into_iter().collect();
            for (path, (metadata, is_left_out)) in new {
                let is_left_out = is_left_out || ignored.contains(&path);
                match metadata.is_dir() {
                    true if !is_left_out || self.outputs.leads_into(&path) => next.push((path, is_left_out)),
                    false if !is_left_out || self.outputs.has(&path) => {
                        self.found.insert(path, metadata);
                    }
                    _ => {}
                }
            }
            folders = next;
        }
        Ok(self.found)
    }

    fn look_into(
        &mut self,
        folder: &Path,
        is_left_out: bool,
        next: &mut Vec<Folder>,
        new: &mut HashMap<PathBuf, (Metadata, bool)>,
    ) -> Result<(), Unkept> {
        let whole = self.worktree.seat.tree.join(folder);
        let io = |source| Unkept::Io { what: "look into", path: folder.to_owned(), source };
        for entry in fs::read_dir(&whole).map_err(io)? {
            let entry = entry.map_err(io)?;
            let (name, metadata) = (entry.file_name(), entry.metadata().map_err(io)?);
            let path = folder.join(&name);
            if check::is_git(&name) {
                // The tree's own says where git looks for it.
                if folder.as_os_str().is_empty() && name == ".git" {
                    continue;
                }
                return Err(Unkept::GitFolder { path });
            }
            if name == ".gitignore" && (!metadata.is_file() || metadata.len() > IGNORE_FILE_BYTES_MAX) {
                return Err(Unkept::IgnoreFile { path });
            }
            let kind = metadata.file_type();
            if !(kind.is_dir() || kind.is_file() || kind.is_symlink()) {
                continue;
            }
            match self.made.entries.get(&path) {
                Some((known, _)) if known.mode == Mode::Gitlink => {
                    let is_empty = kind.is_dir() && fs::read_dir(entry.path()).map_err(io)?.next().is_none();
                    if !is_empty {
                        return Err(Unkept::Gitlink { path });
                    }
                    self.found.insert(path, metadata);
                }
                Some(_) if !kind.is_dir() => drop(self.found.insert(path, metadata)),
                _ if kind.is_dir() && self.known.contains(&*path) => next.push((path, false)),
                _ => drop(new.insert(path, (metadata, is_left_out))),
            }
        }
        Ok(())
    }
}
