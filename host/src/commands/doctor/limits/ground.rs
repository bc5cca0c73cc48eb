//! What hostile guests and processes stand on: a folder of this trial, with something outside that they reach for.
//!
//! In -> out: the machine's folder for such -> [`Ground`], which is removed with all that is in it.
//! Invariant: only its user may look into it.
//! Not here: who stands on it (`guests.rs`, `programs.rs`).

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

/// Removed when it is dropped.
pub(super) struct Ground {
    root: PathBuf,
}

impl Ground {
    pub(super) fn new() -> io::Result<Self> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        let root = std::env::temp_dir().canonicalize()?.join(format!("orch-limits-{random:016x}"));
        DirBuilder::new().mode(0o700).create(&root)?;
        let ground = Self { root };
        fs::create_dir(ground.workspace())?;
        fs::create_dir(ground.elsewhere())?;
        symlink(ground.elsewhere(), ground.workspace().join("out"))?;
        fs::write(ground.secret(), "outside")?;
        Ok(ground)
    }

    /// What they may write. The link `out` in it leads to [`Self::elsewhere`].
    pub(super) fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// A file outside.
    pub(super) fn secret(&self) -> PathBuf {
        self.root.join("secret")
    }

    fn elsewhere(&self) -> PathBuf {
        self.root.join("elsewhere")
    }

    /// What is outside of the workspace now and was not at first.
    pub(super) fn made_outside(&self) -> io::Result<Vec<PathBuf>> {
        let known = [self.workspace(), self.secret(), self.elsewhere()];
        let mut found = Vec::new();
        for folder in [&*self.root, &*self.elsewhere()] {
            for entry in fs::read_dir(folder)? {
                found.push(entry?.path());
            }
        }
        found.retain(|path| !known.contains(path));
        Ok(found)
    }

    /// What is in the workspace, but for the link.
    pub(super) fn made_inside(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.workspace())?.map(|entry| Ok(entry?.path()));
        let mut found = entries.collect::<io::Result<Vec<_>>>()?;
        found.retain(|path| path.file_name() != Some(Path::new("out").as_os_str()));
        Ok(found)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // What is left lies in a folder that is nobody's but this user's.
        let _ = fs::remove_dir_all(&self.root);
    }
}
