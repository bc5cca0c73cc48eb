//! A work tree that was touched, at the same commit again: what nobody touched stays, the rest is made anew.
//!
//! In -> out: a tree after its call, how it was made -> how it is now, as a fresh one would be; none if it is not worth it.
//! Limits: at most half of the files.
//! Invariant: no file, link or folder that was touched is in it afterwards, under whatever name: folders are made anew, too, and
//! what nobody touched moves into them. No link is followed. What is not of it lies in a folder beside the tree.
//! Not here: whether stamps tell all (`spare.rs`), who removes what lies beside (`spare.rs`).

use std::collections::{HashMap, HashSet};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Made, Stamp, Worktree};
use crate::git::{GitError, Mode};

/// Permission bits of a mode.
const PERMISSIONS: u32 = 0o7777;

/// What is not as it was made.
struct Touched {
    folders: HashSet<PathBuf>,
    files: HashSet<PathBuf>,
}

impl Worktree {
    /// The tree as it was made, if it is or can be; `aside`: a folder that is not there, for what is not of it.
    ///
    /// # Errors
    /// `Failed`, `Io`; it is nobody's then.
    pub(super) fn mended(&self, made: Made, aside: &Path) -> Result<Option<Made>, GitError> {
        let Some(touched) = touched(&made, &self.seat.tree) else { return Ok(None) };
        if touched.folders.is_empty() && touched.files.is_empty() {
            return Ok(Some(made));
        }
        fs::create_dir(aside).map_err(self.at("make"))?;
        let mut aside = Aside { folder: aside, next: 0 };
        self.clear_out(&made, &touched, &mut aside).map_err(self.at("mend"))?;
        let mut files: Vec<&Path> = touched.files.iter().map(PathBuf::as_path).collect();
        files.sort_unstable();
        self.repository.check_out_again(&files, &self.seat.tree, &self.index())?;
        self.write_git(&made.base)?;
        let made = self.stamped_anew(made, &touched).map_err(self.at("look at"))?;
        super::settle(&self.seat.git).map_err(self.at("look at"))?;
        Ok(Some(made))
    }

    /// Leaves in the tree what nobody touched, in folders that nobody touched.
    fn clear_out(&self, made: &Made, touched: &Touched, aside: &mut Aside<'_>) -> io::Result<()> {
        let tree = &self.seat.tree;
        let mut folders: Vec<&(PathBuf, Stamp)> =
            made.around.iter().filter(|(path, _)| touched.folders.contains(path)).collect();
        let within = within(made, touched);
        // From above: what is beneath comes along, and is looked at next.
        folders.sort_unstable_by_key(|(path, _)| path.components().count());
        for (path, stamp) in folders {
            let (whole, moved) = (join(tree, path), aside.next());
            let was_there = moved_away(&whole, &moved)?;
            fs::create_dir(&whole)?;
            fs::set_permissions(&whole, Permissions::from_mode(stamp.mode & PERMISSIONS))?;
            if !was_there || !open_up(&moved)? {
                continue;
            }
            for child in within.get(path.as_path()).into_iter().flatten() {
                let Some(name) = child.file_name() else { continue };
                let from = moved.join(name);
                if !touched.folders.contains(*child) || open_up(&from)? {
                    fs::rename(&from, whole.join(name))?;
                }
            }
        }
        for path in &touched.files {
            moved_away(&tree.join(path), &aside.next())?;
        }
        Ok(())
    }

    /// With the stamps of all that was made anew, or moved into what was.
    fn stamped_anew(&self, mut made: Made, touched: &Touched) -> io::Result<Made> {
        let above = touched.files.iter().filter_map(|path| path.parent().map(Path::to_owned));
        let changed: HashSet<PathBuf> = touched.folders.iter().cloned().chain(above).collect();
        let is_new = |path: &Path| {
            changed.contains(path) || path.parent().is_some_and(|above| changed.contains(above))
        };
        let stamp =
            |path: &Path| fs::symlink_metadata(join(&self.seat.tree, path)).map(|found| Stamp::of(&found));
        for (path, before) in made.around.iter_mut().filter(|(path, _)| is_new(path)) {
            *before = stamp(path)?;
        }
        for (path, (_, before)) in made.entries.iter_mut().filter(|(path, _)| is_new(path)) {
            *before = Some(stamp(path)?);
        }
        Ok(made)
    }
}

/// What lies directly in each folder that was touched, without the files that were.
fn within<'a>(made: &'a Made, touched: &Touched) -> HashMap<&'a Path, Vec<&'a Path>> {
    let around = made.around.iter().map(|(path, _)| path.as_path());
    let files = made.entries.keys().map(PathBuf::as_path).filter(|path| !touched.files.contains(*path));
    let mut within: HashMap<&Path, Vec<&Path>> = HashMap::new();
    for path in around.chain(files) {
        if let Some(above) = path.parent().filter(|above| touched.folders.contains(*above)) {
            within.entry(above).or_default().push(path);
        }
    }
    within
}

/// Where things lie that are not the tree's.
struct Aside<'a> {
    folder: &'a Path,
    next: u64,
}

impl Aside<'_> {
    /// A name that is not taken.
    fn next(&mut self) -> PathBuf {
        self.next += 1;
        self.folder.join(self.next.to_string())
    }
}

/// None if it is not to be mended.
fn touched(made: &Made, tree: &Path) -> Option<Touched> {
    let is_touched = |path: &Path, stamp: Option<Stamp>| !stamp.is_some_and(|stamp| stamp.is_of(tree, path));
    let around = || made.around.iter().map(|(path, stamp)| (path.as_path(), Some(*stamp)));
    // Beneath what is no folder any more a path may lead elsewhere, to what is untouched there.
    let is_lost = |path: &&Path| !fs::symlink_metadata(tree.join(path)).is_ok_and(|found| found.is_dir());
    let touched = around().filter(|(path, stamp)| is_touched(path, *stamp)).map(|(path, _)| path);
    let lost: HashSet<&Path> = touched.filter(is_lost).collect();
    let is_beneath_lost =
        |path: &Path| !lost.is_empty() && path.ancestors().skip(1).any(|above| lost.contains(above));
    let files = made.entries.iter().map(|(path, (_, stamp))| (path.as_path(), *stamp));
    let found = |all: &mut dyn Iterator<Item = (&Path, Option<Stamp>)>| -> HashSet<PathBuf> {
        let touched = all.filter(|(path, stamp)| is_beneath_lost(path) || is_touched(path, *stamp));
        touched.map(|(path, _)| path.to_owned()).collect()
    };
    let touched = Touched { folders: found(&mut around()), files: found(&mut files.into_iter()) };
    let is_gitlink =
        |path: &PathBuf| made.entries.get(path).is_some_and(|(entry, _)| entry.mode == Mode::Gitlink);
    // What leads git is the host's: whoever could touch it was held by no wall.
    let is_nobodys = touched.folders.contains(Path::new(".git"))
        || touched.files.iter().any(is_gitlink)
        || touched.files.len() > made.entries.len() / 2;
    (!is_nobodys).then_some(touched)
}

/// The tree itself has no name in it.
fn join(tree: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { tree.to_owned() } else { tree.join(path) }
}

/// False if nothing was there.
fn moved_away(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        // To be moved elsewhere a folder must be its user's to write.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && open_up(from)? => {
            fs::rename(from, to).map(|()| true)
        }
        Err(error) => Err(error),
    }
}

/// Lets this user into a folder that a command may have closed; false if it is none.
fn open_up(folder: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => {
            fs::set_permissions(folder, Permissions::from_mode(0o700)).map(|()| true)
        }
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
