//! Which files names mean below a workspace.
//!
//! In -> out: paths and patterns -> files, sorted by path, each folder being told of before it is read.
//! Limits: [`FILES_MAX`] files a list of names, [`DEPTH_MAX`] folders deep; beyond them is an error, never less.
//! Not here: their bytes (`files.rs`), what comes and goes there (`coming.rs`).

use std::fs::{self, Metadata};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

pub(super) const FILES_MAX: usize = 100_000;
pub(super) const DEPTH_MAX: usize = 64;
/// Folders that no pattern and no folder means: the host's own at the top, and git's.
const LOGS: &str = "logs";
const GIT: &str = ".git";

/// Why files could not be looked at, in words.
pub(super) type Unseen = String;

/// Files by their paths below the workspace.
pub(super) type Found = Vec<(String, Metadata)>;

/// A workspace and its store's folder.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) folder: Arc<PathBuf>,
    /// The store's, relative to it.
    pub(super) state: String,
}

/// What a name that a task says means.
#[derive(Debug)]
pub(super) enum Meant {
    Pattern(Pattern),
    /// A file, or a folder with all in it.
    Path(String),
}

impl Meant {
    pub(super) fn of(name: &str) -> Result<Self, Unseen> {
        let name = tidy(name);
        Ok(Pattern::of(&name)?.map_or(Self::Path(name), Self::Pattern))
    }

    /// Whether it may mean what lies at that path, if that is no folder. A link in the place of one of a pattern's folders
    /// leads to what it means.
    pub(super) fn may_mean(&self, path: &str, is_link: bool) -> bool {
        match self {
            Self::Pattern(pattern) => {
                pattern.whole.is_match(path) || (is_link && pattern.leads_through(path))
            }
            Self::Path(folder) => is_below(path, folder),
        }
    }

    /// Whether what it means may lie in the folder at that path.
    pub(super) fn leads_into(&self, path: &str) -> bool {
        match self {
            Self::Pattern(pattern) => is_below(path, &pattern.start) && pattern.leads_into(path),
            Self::Path(folder) => is_below(path, folder),
        }
    }

    pub(super) fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Pattern(pattern) => Some(pattern),
            Self::Path(_) => None,
        }
    }
}

/// A walk through folders: what it is for, and who is told of each before it is read.
pub(super) struct Walk<'a> {
    pub(super) pattern: Option<&'a Pattern>,
    /// It ends early once it found more.
    pub(super) enough: usize,
    pub(super) enter: &'a mut dyn FnMut(&str),
}

impl Tree {
    pub(super) fn of(folder: Arc<PathBuf>, state: &Path) -> Self {
        let state = state.strip_prefix(&*folder).map(|state| state.display().to_string()).unwrap_or_default();
        Self { folder, state }
    }

    /// The files that the names mean, as they are now.
    ///
    /// # Errors
    /// A path that leads nowhere, to what is no file or to a folder without one; a pattern that matches nothing; too many
    /// files, too deep; what cannot be read.
    pub(super) fn collect(&self, names: &[String], enter: &mut dyn FnMut(&str)) -> Result<Found, Unseen> {
        let mut found = Vec::new();
        for name in names {
            let before = found.len();
            match Meant::of(name)? {
                Meant::Pattern(pattern) => {
                    let mut walk = Walk { pattern: Some(&pattern), enough: FILES_MAX, enter };
                    self.walk(&pattern.start, 0, &mut walk, &mut found)?;
                    if found.len() == before {
                        return Err(format!("`{}` matches no file", tidy(name).escape_debug()));
                    }
                }
                Meant::Path(name) => match fs::metadata(self.folder.join(&name)) {
                    Ok(meta) if meta.is_dir() => {
                        let mut walk = Walk { pattern: None, enough: FILES_MAX, enter };
                        self.walk(&name, 0, &mut walk, &mut found)?;
                        if found.len() == before {
                            return Err(format!("`{}` has no file", name.escape_debug()));
                        }
                    }
                    Ok(meta) if meta.is_file() => found.push((name, meta)),
                    Ok(_) => return Err(format!("`{}` is no file", name.escape_debug())),
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        return Err(format!("`{}` does not exist", name.escape_debug()));
                    }
                    Err(error) => return Err(unreadable(&name, &error)),
                },
            }
            if found.len() > FILES_MAX {
                return Err(format!("more than {FILES_MAX} files"));
            }
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        found.dedup_by(|(one, _), (other, _)| one == other);
        Ok(found)
    }

    /// Whether something lies there; of a pattern, whether a file matches it.
    ///
    /// # Errors
    /// It is no pattern, or the system does not say.
    pub(super) fn is_there(&self, path: &str) -> Result<bool, Unseen> {
        let path = match Meant::of(path)? {
            Meant::Pattern(pattern) => {
                let mut found = Vec::new();
                let mut walk = Walk { pattern: Some(&pattern), enough: 1, enter: &mut |_| () };
                self.walk(&pattern.start, 0, &mut walk, &mut found)?;
                return Ok(!found.is_empty());
            }
            Meant::Path(path) => path,
        };
        match self.folder.join(&path).symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(unreadable(&path, &error)),
        }
    }

    /// True for a folder that nothing means.
    pub(super) fn is_own(&self, path: &str) -> bool {
        path == LOGS || path == self.state || path.rsplit('/').next() == Some(GIT)
    }

    /// Adds the files below that match, or all.
    pub(super) fn walk(
        &self,
        folder: &str,
        depth: usize,
        walk: &mut Walk<'_>,
        found: &mut Found,
    ) -> Result<(), Unseen> {
        if depth > DEPTH_MAX {
            return Err(format!("`{}` is more than {DEPTH_MAX} folders deep", folder.escape_debug()));
        }
        (walk.enter)(folder);
        let entries = match fs::read_dir(self.folder.join(folder)) {
            Ok(entries) => entries,
            // A folder that went away, or that a pattern begins with and that is not there, has no files.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(unreadable(folder, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(format!("`{}` is no UTF-8", entry.path().display().to_string().escape_debug()));
            };
            let path = below(folder, name);
            let own = match entry.metadata() {
                Ok(own) => own,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&path, &error)),
            };
            if found.len() > walk.enough {
                return Ok(());
            }
            // One of a pattern's own parts, as `*` in `packages/*/src/**`, may be a link, as for a shell. Each part is one
            // folder, so that no circle of links has an end.
            let leads_on =
                own.is_symlink() && walk.pattern.is_some_and(|pattern| pattern.leads_through(&path));
            let leads_on = leads_on && fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
            if own.is_dir() || leads_on {
                if !self.is_own(&path) && walk.pattern.is_none_or(|pattern| pattern.leads_into(&path)) {
                    self.walk(&path, depth + 1, walk, found)?;
                }
                continue;
            }
            // A link is the file that it leads to; one to a folder, or to nothing, is where it leads. Pipes, sockets and
            // devices have no bytes to compare.
            let meta = match fs::metadata(entry.path()) {
                Ok(meta) => Some(meta).filter(Metadata::is_file),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) if error.raw_os_error() == Some(libc::ELOOP) => None,
                Err(error) => return Err(unreadable(&path, &error)),
            };
            let meta = meta.or_else(|| Some(own).filter(Metadata::is_symlink));
            let is_meant = walk.pattern.is_none_or(|pattern| pattern.whole.is_match(&path));
            if let Some(meta) = meta.filter(|_| is_meant) {
                found.push((path, meta));
            }
        }
        Ok(())
    }
}

/// The path of what lies in that folder.
pub(super) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn unreadable(path: &str, error: &Error) -> Unseen {
    format!("`{}` cannot be read: {error}", path.escape_debug())
}

/// `./a//b/` as `a/b`.
pub(super) fn tidy(name: &str) -> String {
    name.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// A name with `*`, `?`, `[` or `{`.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The folder that it begins in.
    pub(super) start: String,
    whole: GlobMatcher,
    /// Its folders, the first one of `a/*/b` being `a`, up to one that stands for any number of them.
    folders: Vec<GlobMatcher>,
    /// Behind these it means whatever lies there.
    goes_deep: bool,
    /// Each of its folders is known: no `/` stands inside of braces.
    is_plain: bool,
}

impl Pattern {
    fn of(name: &str) -> Result<Option<Self>, Unseen> {
        let Some(first) = name.find(['*', '?', '[', '{']) else { return Ok(None) };
        let matcher = |name: &str| {
            let glob = GlobBuilder::new(name).literal_separator(true).build();
            glob.map(|glob| glob.compile_matcher())
        };
        let whole = matcher(name);
        let whole =
            whole.map_err(|error| format!("`{}` is no pattern: {}", name.escape_debug(), error.kind()))?;
        let start =
            name.get(..first).and_then(|plain| plain.rsplit_once('/')).map_or("", |(folder, _)| folder);
        // What stands before a `/` inside of braces is no pattern by itself, and leads nowhere.
        let ends = name.match_indices('/').map_while(|(end, _)| name.get(..end));
        let parts: Vec<_> = ends.take_while(|folder| !folder.contains("**")).map(matcher).collect();
        let is_plain = parts.iter().all(Result::is_ok);
        Ok(Some(Self {
            start: start.to_owned(),
            whole,
            folders: parts.into_iter().filter_map(Result::ok).collect(),
            goes_deep: name.contains("**"),
            is_plain,
        }))
    }

    /// Whether that path is one of its folders.
    fn leads_through(&self, path: &str) -> bool {
        self.folders.iter().any(|folder| folder.is_match(path))
    }

    /// Whether something that it matches may lie in that folder.
    fn leads_into(&self, path: &str) -> bool {
        let parts = path.match_indices('/').map_while(|(end, _)| path.get(..end)).chain([path]);
        let mut known = self.folders.iter();
        // Each of the path's own parts in turn, for each of the pattern's.
        let is_on_its_way = parts.zip(known.by_ref()).all(|(part, folder)| folder.is_match(part));
        let is_deeper = path.split('/').count() > self.folders.len();
        !self.is_plain || (is_on_its_way && (self.goes_deep || !is_deeper))
    }
}
