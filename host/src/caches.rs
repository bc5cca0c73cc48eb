//! Caches of commands: what tools may keep between the calls of one plugin in one workspace.
//!
//! In -> out: `[sandbox] cache` and presets, the operator's folder -> [`CallCaches`] -> the layers that a command sees.
//! Shape: `<operator>/caches/<workspace>/<plugin>/<place>/`, in it `kept` and, for each call, `attempts/<n>/{upper,work}`. What
//! the operator lets be read at that place lies beneath `kept`, and is never written.
//! Invariant: a call writes into a layer of its own. It goes into `kept` after a good answer and when nobody is left that
//! could write there; after any other end it is removed, and what a killed host left is removed at the next start.
//! Not here: how layers become one (`caches/layer.rs`), mounting them (`orch-supervisor`).

mod layer;
mod remove;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orch_supervisor::{Cache, Place};
use orch_trust::digest::Sha256Digest;
use orch_trust::policy::SandboxPolicy;

/// In the operator's folder.
pub const FOLDER: &str = "caches";
/// Of the digest that stands for a path.
const NAME_CHARACTERS: usize = 32;
const KEPT: &str = "kept";
const ATTEMPTS: &str = "attempts";

/// The caches of one workspace.
#[derive(Debug)]
pub struct Caches {
    folder: PathBuf,
    places: Vec<CachePlace>,
    /// Those that the operator names and that cannot be.
    left_out: Vec<PathBuf>,
    next: AtomicU64,
    /// One at a time goes into what is kept.
    keeping: Mutex<()>,
}

#[derive(Debug)]
struct CachePlace {
    /// As commands see it.
    path: PathBuf,
    name: String,
    /// What the operator lets be read there.
    base: Option<PathBuf>,
}

/// The folder with the caches of that workspace. `caches`: of all of them.
pub fn of_workspace(caches: &Path, workspace: &Path) -> PathBuf {
    caches.join(name_of(workspace))
}

fn name_of(path: &Path) -> String {
    let digest = Sha256Digest::of(path.as_os_str().as_encoded_bytes()).to_string();
    digest.chars().take(NAME_CHARACTERS).collect()
}

/// Of everything beneath, without following links; what goes away meanwhile is nothing.
pub fn bytes_in(folder: &Path) -> io::Result<u64> {
    remove::bytes_in(folder)
}

/// Removes a folder with all that is in it, whatever that is.
pub fn remove_all(folder: &Path) -> io::Result<()> {
    remove::remove_all(folder)
}

impl Caches {
    /// `caches`: the folder with those of all workspaces; `read`: what commands see; `own`: the host's folders.
    pub fn of(
        policy: &SandboxPolicy,
        home: Option<&Path>,
        caches: &Path,
        workspace: &Path,
        read: &[Place],
        own: &[PathBuf],
    ) -> Self {
        let named = policy.caches().into_iter().filter_map(|path| match path.strip_prefix("~") {
            Ok(below) => home.map(|home| home.join(below)),
            Err(_) => Some(path.clone()),
        });
        let overlaps = |path: &Path| {
            let mut others = own.iter().map(PathBuf::as_path).chain([workspace]);
            others.any(|other| other.starts_with(path) || path.starts_with(other))
        };
        // A mount over these would show what is hidden, or hide what is worked at.
        let (left_out, paths): (Vec<PathBuf>, Vec<PathBuf>) = named.partition(|path| overlaps(path));
        let base = |path: &Path| {
            let is_read = read.iter().any(|place| path.starts_with(&place.path));
            path.canonicalize().ok().filter(|found| is_read && found.is_dir() && !overlaps(found))
        };
        let places =
            paths.into_iter().map(|path| CachePlace { name: name_of(&path), base: base(&path), path });
        Self {
            folder: of_workspace(caches, workspace),
            places: places.collect(),
            left_out,
            next: AtomicU64::new(0),
            keeping: Mutex::new(()),
        }
    }

    /// None at all.
    pub fn none() -> Self {
        let (next, keeping) = (AtomicU64::new(0), Mutex::new(()));
        Self { folder: PathBuf::new(), places: Vec::new(), left_out: Vec::new(), next, keeping }
    }

    pub fn is_none(&self) -> bool {
        self.places.is_empty()
    }

    /// Where commands see one.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|place| place.path.as_path())
    }

    /// Those that lie in the workspace or the host's folders, or around them.
    pub fn left_out(&self) -> &[PathBuf] {
        &self.left_out
    }

    /// Removes the layers of calls of which nobody said how they ended. Only whoever holds the workspace may.
    pub fn sweep(&self) -> io::Result<()> {
        for plugin in folders(&self.folder)? {
            for place in folders(&plugin)? {
                // And what was being removed.
                let others = folders(&place)?.into_iter().filter(|folder| !folder.ends_with(KEPT));
                others.into_iter().try_for_each(|folder| remove::remove_all(&folder))?;
            }
        }
        Ok(())
    }

    /// Of one call of that plugin; nothing is made before its first command.
    pub fn of_call(self: &Arc<Self>, plugin: &str) -> CallCaches {
        let folder = self.folder.join(plugin.replace('/', "__"));
        CallCaches { caches: self.clone(), folder, layers: Mutex::default() }
    }
}

/// The caches of one call.
pub struct CallCaches {
    caches: Arc<Caches>,
    folder: PathBuf,
    /// Made for its first command, and the same for all of them.
    layers: Mutex<Vec<Cache>>,
}

impl CallCaches {
    /// What a command of this call sees.
    pub fn layers(&self) -> io::Result<Vec<Cache>> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if layers.is_empty() {
            *layers = self.caches.places.iter().map(|place| self.layer(place)).collect::<io::Result<_>>()?;
        }
        Ok(layers.clone())
    }

    fn layer(&self, place: &CachePlace) -> io::Result<Cache> {
        let folder = self.folder.join(&place.name);
        let nth = self.caches.next.fetch_add(1, Ordering::Relaxed);
        let attempt = folder.join(ATTEMPTS).join(nth.to_string());
        let (kept, upper, work) = (folder.join(KEPT), attempt.join("upper"), attempt.join("work"));
        // Of a host before this one that nobody swept away: it must not be gone on with.
        remove::remove_all(&attempt)?;
        for made in [&kept, &upper, &work] {
            DirBuilder::new().recursive(true).mode(0o700).create(made)?;
        }
        let beneath = [Some(kept), place.base.clone()].into_iter().flatten();
        let beneath = beneath.map(fs::canonicalize).collect::<io::Result<Vec<_>>>()?;
        Ok(Cache {
            path: place.path.clone(),
            beneath,
            upper: upper.canonicalize()?,
            work: work.canonicalize()?,
        })
    }

    /// True if there is nothing to keep and nothing to remove.
    pub fn is_unused(&self) -> bool {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Keeps what the call's commands wrote, or removes it. None of them is left.
    ///
    /// # Errors
    /// What was not kept is removed all the same. Of what is kept each file is the old or the new one.
    pub fn end(&self, is_good: bool) -> io::Result<()> {
        let layers = std::mem::take(&mut *self.layers.lock().unwrap_or_else(PoisonError::into_inner));
        let mut kept = Ok(());
        for layer in &layers {
            let Some(below) = layer.beneath.first().filter(|_| is_good && kept.is_ok()) else { continue };
            let _alone = self.caches.keeping.lock().unwrap_or_else(PoisonError::into_inner);
            kept = layer::keep(&layer.upper, below);
        }
        // Each, whatever came of the one before it.
        let attempts = layers.iter().filter_map(|layer| layer.upper.parent());
        attempts.fold(kept, |ended, attempt| ended.and(remove::remove_all(attempt)))
    }
}

/// The folders in a folder that may not be there.
fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
