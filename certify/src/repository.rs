//! The git repository that a plugin's sources are in.
//!
//! In -> out: folder, git, a home -> [`Repository`]; what was changed in it, and copies of what was committed.
//! Invariant: a copy is made of objects whose names are their digests, computed again; settings, filters and hooks of
//! the repository have no part in what a copy holds. Git reads the repository's own settings all the same, and some
//! of them name programs: this runs only in children (`docs/threats.md`).
//! Not here: whether it is the released commit (`check/provenance.rs`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_trust::inputs::is_commit;

use crate::outside::Home;
use crate::program;

const WALL: Duration = Duration::from_secs(60);

/// A repository and what is checked out there.
pub(crate) struct Repository<'a> {
    git: &'a Path,
    home: &'a Home,
    top: PathBuf,
    /// The plugin's folder below the top.
    pub(crate) inside: PathBuf,
    /// Git's full name of the commit.
    pub(crate) commit: String,
}

impl<'a> Repository<'a> {
    /// The repository of that folder.
    ///
    /// # Errors
    /// A finding: `source-no-repository`, or why git did not run.
    pub(crate) fn open(git: &'a Path, home: &'a Home, folder: &Path) -> Result<Self, String> {
        let said = run(git, home, folder, &["rev-parse", "--show-toplevel", "--show-prefix", "HEAD"])
            .map_err(|why| match why.strip_prefix("tool-failed: ") {
                Some(failed) => format!("source-no-repository: {failed}"),
                None => why,
            })?;
        let parts: Vec<&str> = said.split('\n').collect();
        let &[top, inside, commit] = parts.as_slice() else {
            return Err("tool-output: `git` did not say where its folder is".to_owned());
        };
        match is_commit(commit) {
            true => Ok(Self { git, home, top: top.into(), inside: inside.into(), commit: commit.to_owned() }),
            false => Err("tool-output: `git` did not name a commit".to_owned()),
        }
    }

    /// How many committed files are not there as they were committed. `index`: a file that is not there yet; without
    /// the repository's own, nothing that is marked there hides a change.
    pub(crate) fn changes(&self, index: &Path) -> Result<usize, String> {
        let home = self.home.with("GIT_INDEX_FILE", index);
        run(self.git, &home, &self.top, &["read-tree", "HEAD"])?;
        let status = ["status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=none"];
        let said = run(self.git, &home, &self.top, &status)?;
        Ok(said.split('\0').filter(|entry| !entry.is_empty()).count())
    }

    /// What was committed, in a folder that is not there yet; the plugin's folder in it comes back.
    pub(crate) fn copy(&self, to: &Path) -> Result<PathBuf, String> {
        let (top, target) = (text(&self.top)?, text(to)?);
        let clone = ["clone", "--quiet", "--no-local", "--no-hardlinks", "--depth", "1", "--", top, target];
        run(self.git, self.home, Path::new("/"), &clone)?;
        let copied = run(self.git, self.home, to, &["rev-parse", "HEAD"])?;
        match copied == self.commit {
            true => Ok(to.join(&self.inside)),
            false => Err("source-changed: another commit was checked out meanwhile".to_owned()),
        }
    }
}

fn run(git: &Path, home: &Home, folder: &Path, args: &[&str]) -> Result<String, String> {
    // A program that watches the folder, and hooks, are not needed for anything that is done here.
    let own = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
    let request = home.request(git, own.iter().chain(args), Some(folder), WALL);
    program::run("git", request)?.line("git")
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| "source-path: the folder's path is no text".to_owned())
}
