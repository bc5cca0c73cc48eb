//! Which edits are never kept, whoever made them.
//!
//! In -> out: one edit of a tree -> nothing, or [`Unkept`].
//! Invariant: one that is not kept refuses all of its attempt's.
//! Not here: finding them (`edits.rs`), what plugins may write where there is no work tree (`capability/files.rs`).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode as Bits, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use crate::capability::files::{Protected, is_protected, is_taken_for_git};
use crate::git::{Changed, GitError, Mode, Repository};

/// Why an attempt's edits are not kept.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    #[error("`{}` is protected: only people and the host change it", shown(path))]
    Protected { path: PathBuf },
    #[error("`{}` is git's own, or would be taken for it", shown(path))]
    GitFolder { path: PathBuf },
    #[error("`{}` stands for another repository", shown(path))]
    Gitlink { path: PathBuf },
    #[error("`{}` is a link to `{}`, which leads out of the tree", shown(path), shown(to))]
    LinkOut { path: PathBuf, to: PathBuf },
    #[error("`{}` is no file of at most 1 MiB", shown(path))]
    IgnoreFile { path: PathBuf },
    #[error("both this task and one that ended before it changed {}", all(paths))]
    Conflict { paths: Vec<PathBuf> },
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("cannot {what} `{path}`: {source}")]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
}

impl Unkept {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Protected { .. } => "edits-protected",
            Self::GitFolder { .. } => "edits-git-folder",
            Self::Gitlink { .. } => "edits-gitlink",
            Self::LinkOut { .. } => "edits-link-out",
            Self::IgnoreFile { .. } => "edits-ignore-file",
            Self::Conflict { .. } => "edits-conflict",
            Self::Git(error) => error.code(),
            Self::Io { .. } => "edits-io",
        }
    }

    /// True if another attempt may come out better.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Git(_) | Self::Io { .. })
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}

fn all(paths: &[PathBuf]) -> String {
    let named: Vec<String> = paths.iter().take(5).map(|path| format!("`{}`", shown(path))).collect();
    named.join(", ")
}

/// Refuses a path that no attempt changes.
pub(super) fn path(path: &Path, protected: &Protected) -> Result<(), Unkept> {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    if parts.iter().any(|part| is_taken_for_git(part)) {
        return Err(Unkept::GitFolder { path: path.to_owned() });
    }
    match is_protected(&parts.join("/"), protected) {
        true => Err(Unkept::Protected { path: path.to_owned() }),
        false => Ok(()),
    }
}

/// Refuses a link that leads out of the tree, by what it says or over other links.
pub(super) fn link(tree: &Path, path: &Path, to: &Path) -> Result<(), Unkept> {
    leads_within(path, to)?;
    let out = || Unkept::LinkOut { path: path.to_owned(), to: to.to_owned() };
    let io = |source: Errno| Unkept::Io { what: "open", path: path.to_owned(), source: source.into() };
    let folder = open(tree, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Bits::empty()).map_err(io)?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(&folder, path, OFlags::PATH | OFlags::CLOEXEC, Bits::empty(), resolve) {
        Err(Errno::XDEV) => Err(out()),
        // One that leads nowhere, or round in a circle, leads not out.
        Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => Ok(()),
        Err(other) => Err(io(other)),
    }
}

/// Refuses a link by what it says.
fn leads_within(path: &Path, to: &Path) -> Result<(), Unkept> {
    let out = || Unkept::LinkOut { path: path.to_owned(), to: to.to_owned() };
    let mut depth = path.components().count().saturating_sub(1);
    for part in to.components() {
        depth = match part {
            Component::RootDir | Component::Prefix(_) => return Err(out()),
            Component::CurDir => depth,
            Component::Normal(_) => depth + 1,
            Component::ParentDir => depth.checked_sub(1).ok_or_else(out)?,
        };
    }
    if to.as_os_str().as_bytes().is_empty() { Err(out()) } else { Ok(()) }
}

/// Refuses what a merge of an attempt's edits would change though no attempt may.
///
/// # Errors
/// `Protected`, `GitFolder`, `Gitlink`, `LinkOut`, `Git`.
pub fn check_change(repository: &Repository, changed: &Changed, protected: &Protected) -> Result<(), Unkept> {
    path(&changed.path, protected)?;
    let modes = [&changed.from, &changed.to].into_iter().flatten().map(|(mode, _)| *mode);
    if modes.into_iter().any(|mode| mode == Mode::Gitlink) {
        return Err(Unkept::Gitlink { path: changed.path.clone() });
    }
    match &changed.to {
        Some((Mode::Link, oid)) => {
            let to = OsString::from_vec(repository.bytes_of(oid)?);
            leads_within(&changed.path, Path::new(&to))
        }
        _ => Ok(()),
    }
}

/// True of what looks like another repository's folder.
pub(super) fn is_git(name: &std::ffi::OsStr) -> bool {
    name.as_bytes().eq_ignore_ascii_case(b".git")
}
