//! Trees: what a commit holds, what differs between two, a new one out of an old one.
//!
//! In -> out: commits -> [`Entry`]s and [`Changed`]s; changes -> the name of a tree.
//! Invariant: paths are bytes, as git has them.
//! Not here: what a work tree holds (`worktrees/`), how changes are shown (`show.rs`).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::program::Call;
use super::{GitError, Oid, Repository};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    File,
    Program,
    Link,
    /// Another repository's commit.
    Gitlink,
}

impl Mode {
    fn parse(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"100644" | b"100664" => Self::File,
            b"100755" => Self::Program,
            b"120000" => Self::Link,
            b"160000" => Self::Gitlink,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Program => "100755",
            Self::Link => "120000",
            Self::Gitlink => "160000",
        }
    }
}

/// Something in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub path: PathBuf,
    pub mode: Mode,
    pub oid: Oid,
}

/// Something that differs. None: it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub path: PathBuf,
    pub from: Option<(Mode, Oid)>,
    pub to: Option<(Mode, Oid)>,
}

impl Repository {
    /// All that a commit or tree holds, in git's order.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn entries(&self, of: &Oid) -> Result<Vec<Entry>, GitError> {
        let out = self.call(&["ls-tree", "-r", "-z", "--full-tree", of.as_str()]).run()?.out;
        let entry = |line: &[u8]| {
            let (head, path) = line.split_at_checked(line.iter().position(|byte| *byte == b'\t')?)?;
            let mut words = head.split(|byte| *byte == b' ');
            let (mode, _, oid) = (Mode::parse(words.next()?)?, words.next()?, words.next()?);
            let oid = Oid::parse(std::str::from_utf8(oid).ok()?)?;
            Some(Entry { path: OsStr::from_bytes(path.get(1..)?).into(), mode, oid })
        };
        lines(&out).map(|line| entry(line).ok_or_else(|| unread("ls-tree"))).collect()
    }

    /// What differs between two commits or trees.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn changes(&self, from: &Oid, to: &Oid) -> Result<Vec<Changed>, GitError> {
        let args =
            ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", from.as_str(), to.as_str()];
        let out = self.call(&args).run()?.out;
        let mut parts = lines(&out);
        let mut changes = Vec::new();
        while let Some(head) = parts.next() {
            let path = parts.next().ok_or_else(|| unread("diff-tree"))?;
            let side = |mode: Option<&[u8]>, oid: Option<&[u8]>| {
                let mode = Mode::parse(mode?)?;
                Some((mode, Oid::parse(std::str::from_utf8(oid?).ok()?)?))
            };
            let mut words = head.strip_prefix(b":").unwrap_or(head).split(|byte| *byte == b' ');
            let (old_mode, new_mode, old, new) = (words.next(), words.next(), words.next(), words.next());
            let (from, to) = (side(old_mode, old), side(new_mode, new));
            changes.push(Changed { path: OsStr::from_bytes(path).into(), from, to });
        }
        Ok(changes)
    }

    /// Puts all that a commit holds into a folder, byte for byte, and into an index; both are fresh, and made anew after the end
    /// of the machine's power: the disk is not waited for.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn check_out(&self, commit: &Oid, folder: &Path, index: &Path) -> Result<(), GitError> {
        let of_index = |args: &[&str]| self.call(args).unsynced().env("GIT_INDEX_FILE", index);
        of_index(&["read-tree", commit.as_str()]).run()?;
        let args = ["checkout-index", "--all", "--quiet", "--index"];
        of_index(&args).env("GIT_WORK_TREE", folder).folder(folder).run().map(drop)
    }

    /// Puts these files into a folder that has none of them, as that folder's index has them, which then knows all of its files.
    ///
    /// # Errors
    /// `Failed`, also where a file in the folder is not the index's; `Io`.
    pub fn check_out_again(&self, files: &[&Path], folder: &Path, index: &Path) -> Result<(), GitError> {
        let of_index = |args: &[&str]| {
            let call = self.call(args).unsynced().env("GIT_INDEX_FILE", index);
            call.env("GIT_WORK_TREE", folder).folder(folder)
        };
        if !files.is_empty() {
            let input: Vec<&[u8]> =
                files.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\0"]).collect();
            let args = ["checkout-index", "--quiet", "--index", "-z", "--stdin"];
            of_index(&args).input(&input.concat()).run()?;
        }
        of_index(&["update-index", "--refresh"]).run().map(drop)
    }

    /// Takes a folder from one commit to another, with its index; what was changed in it since is not overwritten.
    ///
    /// # Errors
    /// `Failed` with what stands in the way; `Io`.
    pub fn switch(&self, from: &Oid, to: &Oid, folder: &Path, index: &Path) -> Result<(), GitError> {
        self.switching(from, to, folder, index).run().map(drop)
    }

    /// The same of a folder that is made anew after the end of the machine's power.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn switch_throwaway(
        &self,
        from: &Oid,
        to: &Oid,
        folder: &Path,
        index: &Path,
    ) -> Result<(), GitError> {
        self.switching(from, to, folder, index).unsynced().run().map(drop)
    }

    fn switching(&self, from: &Oid, to: &Oid, folder: &Path, index: &Path) -> Call<'_> {
        let call = self.call(&["read-tree", "-m", "-u", from.as_str(), to.as_str()]);
        call.env("GIT_INDEX_FILE", index).env("GIT_WORK_TREE", folder).folder(folder)
    }

    /// The tree of a commit with these changes; `index` is written over.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn tree_with(
        &self,
        base: &Oid,
        changes: &[(PathBuf, Option<(Mode, Oid)>)],
        index: &Path,
    ) -> Result<Oid, GitError> {
        let of_index = |args: &[&str]| self.call(args).env("GIT_INDEX_FILE", index);
        of_index(&["read-tree", base.as_str()]).run()?;
        // What goes, goes first: a file may come into a folder's place.
        let (gone, there): (Vec<_>, Vec<_>) = changes.iter().partition(|(_, to)| to.is_none());
        let mut input = Vec::new();
        for (path, to) in gone.into_iter().chain(there) {
            let head = match to {
                Some((mode, oid)) => format!("{} {oid}\t", mode.as_str()),
                None => format!("0 {}\t", base.zero()),
            };
            input.extend_from_slice(head.as_bytes());
            input.extend_from_slice(path.as_os_str().as_bytes());
            input.push(0);
        }
        if !input.is_empty() {
            of_index(&["update-index", "-z", "--index-info"]).input(&input).run()?;
        }
        let out = of_index(&["write-tree"]).run()?.out;
        self.oid("write-tree", &String::from_utf8_lossy(&out))
    }

    /// Those of the paths below that folder that its `.gitignore` files, and the repository's own, leave out.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn ignored(&self, folder: &Path, paths: &[PathBuf]) -> Result<Vec<PathBuf>, GitError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let mut input = Vec::new();
        for path in paths {
            // A name that begins with `:` would be a word of git's.
            input.extend_from_slice(b"./");
            input.extend_from_slice(path.as_os_str().as_bytes());
            input.push(0);
        }
        let call = self.call(&["check-ignore", "--no-index", "-z", "--stdin"]).answers(&[1]);
        let out = call.env("GIT_WORK_TREE", folder).folder(folder).input(&input).run()?.out;
        let path = |line: &[u8]| OsString::from_vec(line.strip_prefix(b"./").unwrap_or(line).to_vec()).into();
        Ok(lines(&out).map(path).collect())
    }
}

/// What ends with a NUL each.
fn lines(out: &[u8]) -> impl Iterator<Item = &[u8]> {
    out.split(|byte| *byte == 0).filter(|line| !line.is_empty())
}

fn unread(verb: &str) -> GitError {
    GitError::Failed { verb: verb.to_owned(), said: "an answer that is not understood".to_owned() }
}
