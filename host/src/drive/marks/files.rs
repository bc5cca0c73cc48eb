//! The files that tasks name, as they are now.
//!
//! In -> out: paths and patterns, how the files were before -> [`FileMark`]s, sorted by path; the first difference, in words.
//! Invariant: a file is read unless size, times and inode are those that were read, and older than [`SETTLED`] by then: what
//! changes within one tick of the file system's clock is not missed. Only regular files are opened.
//! Not here: which files names mean (`tree.rs`), what comes and goes meanwhile (`coming.rs`), what follows from a difference
//! (`fresh.rs`).

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orch_journal::event::FileMark;
use sha2::{Digest, Sha256};

use super::tree::{Found, Tree, Unseen};
use crate::clock::now_ms;

/// In milliseconds.
const SETTLED: u64 = 2_000;

/// Looks at files below a workspace.
pub(super) struct Files {
    tree: Arc<Tree>,
    /// Nothing more is read.
    stopped: AtomicBool,
    /// What was read since this host began, and when.
    read: Mutex<HashMap<String, (FileMark, u64)>>,
}

impl Files {
    pub(super) fn below(tree: Arc<Tree>) -> Self {
        Self { tree, stopped: AtomicBool::new(false), read: Mutex::default() }
    }

    /// The files that the names mean, as they are now. `before`: how they were at that time.
    ///
    /// # Errors
    /// As [`Tree::collect`]; what cannot be read.
    pub(super) fn look(
        &self,
        names: &[String],
        before: &[FileMark],
        at: u64,
    ) -> Result<Vec<FileMark>, Unseen> {
        let mark = |(path, meta): (String, Metadata)| {
            let known = before.binary_search_by(|mark| mark.path.as_str().cmp(&path)).ok();
            let known = known.and_then(|place| before.get(place)).map(|mark| (mark, at));
            self.mark(path, &meta, known)
        };
        self.tree.collect(names, &mut |_| ())?.into_iter().map(mark).collect()
    }

    /// Whether something lies there; of a pattern, whether a file matches it.
    ///
    /// # Errors
    /// It is no pattern, or the system does not say.
    pub(super) fn is_there(&self, path: &str) -> Result<bool, Unseen> {
        self.tree.is_there(path)
    }

    /// Ends looks that are under way, or lets them be made again.
    pub(super) fn stop(&self, stopped: bool) {
        self.stopped.store(stopped, Ordering::Relaxed);
    }

    fn mark(
        &self,
        path: String,
        meta: &Metadata,
        before: Option<(&FileMark, u64)>,
    ) -> Result<FileMark, Unseen> {
        let mut mark = unread(path, meta);
        let is_known = |known: &FileMark, at: u64| {
            let settled =
                i64::try_from(at.saturating_sub(SETTLED)).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            let same = (known.size, known.mtime, known.ctime, known.inode)
                == (mark.size, mark.mtime, mark.ctime, mark.inode);
            same && mark.mtime < settled && mark.ctime < settled
        };
        if let Some((known, _)) = before.filter(|(known, at)| is_known(known, *at)) {
            mark.sha256.clone_from(&known.sha256);
            return Ok(mark);
        }
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&mark.path).cloned();
        if let Some((known, _)) = read.filter(|(known, at)| is_known(known, *at)) {
            mark.sha256 = known.sha256;
            return Ok(mark);
        }
        let at = now_ms();
        mark.sha256 = hex::encode(
            digest(&self.tree.folder.join(&mark.path), meta, &self.stopped)
                .map_err(|error| format!("`{}` cannot be read: {error}", mark.path.escape_debug()))?,
        );
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(mark.path.clone(), (mark.clone(), at));
        Ok(mark)
    }
}

/// A file as it is, but for its bytes.
fn unread(path: String, meta: &Metadata) -> FileMark {
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    FileMark {
        size: meta.size(),
        mtime: nanos(meta.mtime(), meta.mtime_nsec()),
        ctime: nanos(meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
        sha256: String::new(),
        path,
    }
}

/// The bytes of a file; of what is none, where it leads.
fn digest(path: &Path, meta: &Metadata, stopped: &AtomicBool) -> std::io::Result<[u8; 32]> {
    if meta.is_symlink() {
        return Ok(Sha256::digest(fs::read_link(path)?.as_os_str().as_bytes()).into());
    }
    // What has become a pipe or a device meanwhile is not opened: its writer would go on.
    let place = File::options().read(true).custom_flags(libc::O_PATH).open(path)?;
    if !place.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut file = File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if stopped.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("a person ended it"));
        }
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The first difference, in words; none if the bytes of all are the same.
pub(super) fn difference(before: &[FileMark], now: &[FileMark]) -> Option<String> {
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    loop {
        let say = |mark: &FileMark, what: &str| Some(format!("`{}` {what}", mark.path.escape_debug()));
        match (before.peek(), now.peek()) {
            (None, None) => return None,
            (Some(old), Some(new)) if old.path == new.path => {
                if old.sha256 != new.sha256 {
                    return say(new, "changed");
                }
                before.next();
                now.next();
            }
            (Some(old), Some(new)) if old.path < new.path => return say(old, "is gone"),
            (Some(old), None) => return say(old, "is gone"),
            (_, Some(new)) => return say(new, "is new"),
        }
    }
}

/// The first file that somebody touched between two looks, though its bytes are the same, in words.
pub(super) fn touched(before: &[FileMark], now: &[FileMark]) -> Option<String> {
    let touched = before.iter().zip(now).find(|(before, now)| stamp(before) != stamp(now));
    touched.map(|(mark, _)| format!("`{}` was touched", mark.path.escape_debug()))
}

fn stamp(mark: &FileMark) -> (u64, i64, i64, u64) {
    (mark.size, mark.mtime, mark.ctime, mark.inode)
}

/// The first file that is another than it was, by what can be said without reading it, in words.
pub(super) fn moved_on(before: &[FileMark], now: Found) -> Option<String> {
    let now: Vec<FileMark> = now.into_iter().map(|(path, meta)| unread(path, &meta)).collect();
    let paths = |marks: &[FileMark]| marks.iter().map(|mark| mark.path.clone()).collect::<BTreeSet<_>>();
    match paths(before).symmetric_difference(&paths(&now)).next() {
        Some(path) => Some(came_or_went(path)),
        None => touched(before, &now),
    }
}

pub(super) fn came_or_went(path: &str) -> String {
    format!("`{}` came or went", path.escape_debug())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::tree::DEPTH_MAX;
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn folder(files: &[&str]) -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let tree = Tree { folder: Arc::new(folder.path().to_owned()), state: ".orch".to_owned() };
        let files = Files::below(Arc::new(tree));
        (folder, files)
    }

    #[track_caller]
    fn found(files: &Files, asked: &[&str]) -> String {
        let found = files.look(&names(asked), &[], 0).unwrap();
        found.into_iter().map(|mark| mark.path).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_mean_files_folders_and_patterns() {
        let all = [
            "Makefile",
            "src/a.c",
            "src/deep/b.c",
            "src/deep/b.h",
            "src/.hidden",
            ".orch/state.db",
            "logs/x",
            ".git/HEAD",
        ];
        let (folder, files) = folder(&all);
        for (asked, expected) in [
            (&["Makefile"][..], "Makefile"),
            (&["./src//a.c", "src/a.c"], "src/a.c"),
            (&["src"], "src/.hidden src/a.c src/deep/b.c src/deep/b.h"),
            (&["src/*.c"], "src/a.c"),
            (&["src/**/*.c"], "src/a.c src/deep/b.c"),
            (&["**/*.{c,h}", "Makefile"], "Makefile src/a.c src/deep/b.c src/deep/b.h"),
            (&["**"], "Makefile src/.hidden src/a.c src/deep/b.c src/deep/b.h"),
        ] {
            assert_eq!(found(&files, asked), expected, "{asked:?}");
        }
        assert_eq!(files.look(&names(&["gone"]), &[], 0).unwrap_err(), "`gone` does not exist");
        assert!(files.look(&names(&["a[b"]), &[], 0).unwrap_err().contains("is no pattern"));
        // Links count as what they lead to, folders behind them are not walked, pipes are not waited for.
        symlink("a.c", folder.path().join("src/link.c")).unwrap();
        symlink("..", folder.path().join("src/up")).unwrap();
        symlink("nowhere", folder.path().join("src/broken")).unwrap();
        assert_eq!(found(&files, &["src/*"]), "src/.hidden src/a.c src/broken src/link.c src/up");
        let pipe = folder.path().join("src/deep/pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(files.look(&names(&["src/deep/pipe"]), &[], 0).unwrap_err(), "`src/deep/pipe` is no file");
        assert_eq!(found(&files, &["src/deep"]), "src/deep/b.c src/deep/b.h");
        for none in ["none/*.c", "*.none", "src/deep/pipe*"] {
            let said = files.look(&names(&["Makefile", none]), &[], 0).unwrap_err();
            assert_eq!(said, format!("`{none}` matches no file"));
        }
        fs::create_dir(folder.path().join("empty")).unwrap();
        assert_eq!(files.look(&names(&["empty"]), &[], 0).unwrap_err(), "`empty` has no file");
        // Folders that are called as the host's own are everywhere else people's.
        fs::create_dir_all(folder.path().join("src/logs")).unwrap();
        fs::write(folder.path().join("src/logs/x.c"), "").unwrap();
        assert_eq!(found(&files, &["src/logs", "src/deep/*.c"]), "src/deep/b.c src/logs/x.c");
        assert!(found(&files, &["**/*.c"]).contains("src/logs/x.c"));
        let deep = folder.path().join("d/".repeat(DEPTH_MAX + 2));
        fs::create_dir_all(deep).unwrap();
        assert!(files.look(&names(&["d"]), &[], 0).unwrap_err().contains("folders deep"));
    }

    #[test]
    fn a_patterns_own_folder_may_be_a_link() {
        let (folder, files) = folder(&["vendor/two/src/b.c", "vendor/two/deep/c.c", "packages/one/src/a.c"]);
        symlink("../vendor/two", folder.path().join("packages/two")).unwrap();
        symlink("..", folder.path().join("packages/up")).unwrap();
        symlink("../deep", folder.path().join("vendor/two/src/deep")).unwrap();
        for (asked, expected) in [
            ("packages/*/src/*.c", "packages/one/src/a.c packages/two/src/b.c"),
            ("packages/t?o/src/**", "packages/two/src/b.c packages/two/src/deep"),
            ("packages/{two,one}/s*/*.c", "packages/one/src/a.c packages/two/src/b.c"),
            ("*/*/src/*.c", "packages/one/src/a.c packages/two/src/b.c vendor/two/src/b.c"),
            ("packages/*/*/*/*.c", "packages/two/src/deep/c.c"),
            ("packages/**/*.c", "packages/one/src/a.c"),
        ] {
            assert_eq!(found(&files, &[asked]), expected, "{asked}");
        }
    }

    #[test]
    fn a_pattern_is_there_if_a_file_matches_it() {
        let (_folder, files) = folder(&["a.toml", "src/x.c", ".orch/b.json"]);
        for path in ["a.toml", "./src", "*.toml", "**/*.c", "src/*.{c,h}"] {
            assert_eq!(files.is_there(path), Ok(true), "{path}");
        }
        for path in ["*.yml", "none/*", "**/*.json"] {
            assert_eq!(files.is_there(path), Ok(false), "{path}");
        }
        assert!(files.is_there("a[b").unwrap_err().contains("is no pattern"));
    }

    #[test]
    fn a_change_within_one_tick_of_the_clock_is_not_missed() {
        let (folder, files) = folder(&["a"]);
        let path = folder.path().join("a");
        let before = files.look(&names(&["a"]), &[], 0).unwrap();
        let at = now_ms();
        let file = File::options().write(true).open(&path).unwrap();
        let times = fs::FileTimes::new().set_modified(file.metadata().unwrap().modified().unwrap());
        for round in 0..20 {
            // Same length, same time of change of its bytes, same inode.
            fs::write(&path, [b'a' + round % 2 + 1]).unwrap();
            file.set_times(times).unwrap();
            let now = files.look(&names(&["a"]), &before, at).unwrap();
            assert_ne!(now[0].sha256, before[0].sha256, "{round}");
        }
    }

    #[test]
    fn what_was_read_long_ago_and_has_not_changed_is_not_read_again() {
        let (folder, files) = folder(&["a", "b"]);
        let mut before = files.look(&names(&["a", "b"]), &[], 0).unwrap();
        // As if it had other bytes: whoever does not read does not see.
        before[0].sha256 = "known".to_owned();
        let later = now_ms() + SETTLED + 1_000;
        assert_eq!(files.look(&names(&["a", "b"]), &before, later).unwrap()[0].sha256, "known");
        let soon = files.look(&names(&["a", "b"]), &before, now_ms()).unwrap();
        assert_ne!(soon[0].sha256, "known", "too near to its own change");
        // Replaced by a file with the same size and times.
        let old = fs::metadata(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("new"), "x").unwrap();
        let times = fs::FileTimes::new().set_modified(old.modified().unwrap());
        File::options().write(true).open(folder.path().join("new")).unwrap().set_times(times).unwrap();
        fs::rename(folder.path().join("new"), folder.path().join("a")).unwrap();
        let now = files.look(&names(&["a", "b"]), &before, later).unwrap();
        assert_eq!(difference(&before, &now).unwrap(), "`a` changed");
    }

    #[test]
    fn the_first_difference_is_named() {
        let mark = |path: &str, sha256: &str| FileMark {
            path: path.to_owned(),
            size: 0,
            mtime: 0,
            ctime: 0,
            inode: 0,
            sha256: sha256.to_owned(),
        };
        let before = [mark("a", "1"), mark("c", "2")];
        let check = |now: &[FileMark], expected: Option<&str>| {
            assert_eq!(difference(&before, now).as_deref(), expected);
        };
        check(&before, None);
        check(&[mark("a", "1"), mark("c", "3")], Some("`c` changed"));
        check(&[mark("a", "1")], Some("`c` is gone"));
        check(&[mark("c", "2")], Some("`a` is gone"));
        check(&[mark("a", "1"), mark("b", "1"), mark("c", "2")], Some("`b` is new"));
        check(&[mark("a", "1"), mark("c", "2"), mark("d", "1")], Some("`d` is new"));
    }
}
