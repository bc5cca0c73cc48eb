//! `orch:files`: files inside the workspace.
//!
//! In -> out: WIT calls -> [`Workspace`]; each change an effect with the digests before and after.
//! Limits: 1 MiB a read, 1000 files a search, globs of 1024 bytes; 16 MiB handed over at once, 1 GiB and 10,000 changes a call.
//! Invariant: nothing is read or changed that no glob of the grant covers; what is protected is never changed, and the host's
//! state is never read, whatever the grant says; only executors change anything, by what they are granted.
//! Not here: how paths are resolved (`files/beneath.rs`), what is protected (`files/protected.rs`), changing (`files/change.rs`).

pub(crate) mod beneath;
mod change;
pub mod protected;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use orch_trust::interfaces::Import;
use orch_trust::permission::{Domain, DomainName, FilesPermission};
use wasmtime::component::Linker;

use super::effect::EffectRecord;
use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::files::files::{Entry, Host, add_to_linker};
use crate::bindings::types::types::Error;
use beneath::{FileError, Workspace, WorkspacePath};
use change::{Change, ChangeError, Changer};
pub use protected::{Protected, is_hidden, is_protected, is_taken_for_git, protected_names};

const READ_BYTES_MAX: usize = 1 << 20;
const GLOB_BYTES_MAX: usize = 1024;
const FIND_MAX: usize = 1000;
/// Handed over at once.
const WRITE_BYTES_MAX: usize = 16 << 20;
/// Of one call, together.
const WRITTEN_BYTES_MAX: u64 = 1 << 30;
const CHANGES_MAX: u32 = 10_000;
/// Of a path that is changed.
const PARTS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 255;

/// What the grant covers.
pub struct FilesGrant {
    read: GlobSet,
    write: GlobSet,
}

impl FilesGrant {
    pub fn new(permission: &FilesPermission) -> Self {
        Self { read: glob_set(&permission.read), write: glob_set(&permission.write) }
    }

    pub(super) fn may_read(&self, path: &WorkspacePath, protected: &Protected) -> bool {
        !is_hidden(path.as_str(), protected) && self.read.is_match(path.as_str())
    }

    fn may_write(&self, path: &WorkspacePath, protected: &Protected) -> bool {
        !is_protected(path.as_str(), protected) && self.write.is_match(path.as_str())
    }
}

/// `*` inside one part, `**` across parts.
fn glob(text: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build()
}

/// A glob that cannot be read covers nothing.
fn glob_set(globs: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    globs.iter().filter_map(|text| glob(text).ok()).for_each(|glob| {
        set.add(glob);
    });
    set.build().unwrap_or_else(|_| GlobSet::empty())
}

/// State of this capability in one store.
pub struct Files {
    granted: Arc<FilesGrant>,
    folder: Arc<PathBuf>,
    protected: Arc<Protected>,
    /// What is changed is kept with the call's answer, or gone with it.
    is_kept: bool,
    workspace: Option<Arc<Workspace>>,
    changes: u32,
    written: u64,
}

impl Files {
    pub fn new(granted: Arc<FilesGrant>, folder: Arc<PathBuf>, protected: Arc<Protected>) -> Self {
        Self { granted, folder, protected, is_kept: false, workspace: None, changes: 0, written: 0 }
    }

    fn workspace(&mut self) -> Result<Arc<Workspace>, FileError> {
        if let Some(workspace) = &self.workspace {
            return Ok(workspace.clone());
        }
        let workspace = Arc::new(Workspace::open(&self.folder)?);
        self.workspace = Some(workspace.clone());
        Ok(workspace)
    }

    /// Counts a change for which so many bytes are handed over.
    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        let written = self.written.saturating_add(bytes as u64);
        match () {
            () if bytes > WRITE_BYTES_MAX => {
                Err(Error::Invalid(format!("content of {bytes} bytes, limit is {WRITE_BYTES_MAX}")))
            }
            () if written > WRITTEN_BYTES_MAX => {
                Err(Error::Limit(format!("{WRITTEN_BYTES_MAX} bytes written in one call")))
            }
            () if self.changes >= CHANGES_MAX => {
                Err(Error::Limit(format!("{CHANGES_MAX} changes of files in one call")))
            }
            () => {
                (self.changes, self.written) = (self.changes + 1, written);
                Ok(())
            }
        }
    }
}

impl Capability for Files {
    type Permission = FilesPermission;
    type Granted = Arc<FilesGrant>;

    fn grant(permission: FilesPermission, _host: &HostEnvironment) -> Arc<FilesGrant> {
        Arc::new(FilesGrant::new(&permission))
    }

    fn open(granted: &Arc<FilesGrant>, opening: Opening<'_>) -> Self {
        let (folder, protected) = (opening.lent.workspace.clone(), opening.lent.protected.clone());
        Self { is_kept: opening.lent.is_kept, ..Self::new(granted.clone(), folder, protected) }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(granted: Option<&FilesPermission>, watched: &Watched<'_>) -> Vec<String> {
        let mut found = Vec::new();
        for effect in watched.fakes.gate.effects() {
            if let EffectRecord::FileWritten { path, .. } = effect {
                let written = FilesPermission { read: Vec::new(), write: vec![path.clone()] };
                if granted.is_none_or(|granted| written.check_within(granted).is_err()) {
                    found.push(format!("`{path}` was written"));
                }
            }
        }
        found
    }
}

/// Runs what may take long on a thread of its own, so that other guests go on.
pub(super) async fn aside<T: Send + 'static, E: From<std::io::Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(std::io::Error::other(stopped).into()),
    }
}

/// Says that a call is over when it is dropped.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<C> View<'_, C> {
    /// What the guest is told of a file that could not be read; people are told why.
    pub(super) fn unreadable(&mut self, path: &str, error: &FileError) -> Error {
        let told = match error {
            FileError::NotFound | FileError::NotRegular => Error::NotFound,
            FileError::Io(_) => Error::Unavailable,
        };
        self.ledger.refuse(told, format!("`{path}`: {error}"))
    }
}

impl View<'_, Files> {
    fn path(
        &mut self,
        text: &str,
        verb: &str,
        may: fn(&FilesGrant, &WorkspacePath, &Protected) -> bool,
    ) -> Result<WorkspacePath, Error> {
        let path = WorkspacePath::parse(text).map_err(Error::Invalid)?;
        match may(&self.state.granted, &path, &self.state.protected) {
            true => Ok(path),
            false => Err(self.ledger.deny("files", format!("{verb} `{}`", path.as_str()))),
        }
    }

    /// A path that is about to be changed.
    fn changed_path(&mut self, text: &str) -> Result<WorkspacePath, Error> {
        let path = self.path(text, "write", FilesGrant::may_write)?;
        match path.parts().count() > PARTS_MAX || path.parts().any(|part| part.len() > NAME_BYTES_MAX) {
            true => Err(Error::Invalid(format!(
                "path of over {PARTS_MAX} parts, or with one of over {NAME_BYTES_MAX} bytes"
            ))),
            false => Ok(path),
        }
    }

    async fn found(&mut self, text: &str, after: Option<String>) -> Result<Vec<Entry>, Error> {
        if text.len() > GLOB_BYTES_MAX {
            return Err(Error::Invalid(format!("glob of {} bytes, limit is {GLOB_BYTES_MAX}", text.len())));
        }
        let matcher =
            glob(text).map_err(|_| Error::Invalid("glob is malformed".to_owned()))?.compile_matcher();
        let (granted, protected) = (self.state.granted.clone(), self.state.protected.clone());
        let workspace = self.state.workspace().map_err(|error| self.unreadable(text, &error))?;
        let search = move || {
            let wanted = |path: &str| {
                let may = |path| granted.may_read(&path, &protected);
                matcher.is_match(path) && WorkspacePath::parse(path).is_ok_and(may)
            };
            workspace.find(after.as_deref(), FIND_MAX, &wanted)
        };
        let found = aside(search).await.map_err(|error| {
            self.ledger.refuse(Error::Unavailable, format!("`{text}` in the workspace: {error}"))
        })?;
        Ok(found.into_iter().map(|found| Entry { path: found.path, size: found.size }).collect())
    }

    /// What a change needs: its paths, each granted, and the open workspace.
    fn prepared<const N: usize>(
        &mut self,
        paths: [&str; N],
        bytes: usize,
    ) -> Result<([WorkspacePath; N], Arc<Workspace>), Error> {
        let mut checked = Vec::with_capacity(N);
        for path in paths {
            checked.push(self.changed_path(path)?);
        }
        self.state.count(bytes)?;
        let workspace = self.state.workspace().map_err(|error| self.unreadable(".", &error))?;
        match checked.try_into() {
            Ok(checked) => Ok((checked, workspace)),
            Err(_) => unreachable!("as many paths as were checked"),
        }
    }

    /// Makes a change, for which so many bytes are handed over: its intent before it, unless it is kept with the call's answer
    /// or gone; what was done after it.
    async fn change<const N: usize, C: IntoIterator<Item = Change> + Send + 'static>(
        &mut self,
        paths: [&str; N],
        bytes: usize,
        work: impl FnOnce(&Changer<'_>, &[WorkspacePath; N]) -> Result<C, ChangeError> + Send + 'static,
    ) -> wasmtime::Result<Result<(), Error>> {
        self.ledger.forget_reason();
        let (checked, workspace) = match self.prepared(paths, bytes) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let in_tree = self.state.is_kept;
        match in_tree {
            true => self.ledger.go_on()?,
            false => self.ledger.intend(DomainName::Files, "files-write").await?,
        }
        // The thread that writes hears of the end of this call, which does not wait for it.
        let is_over = Arc::new(AtomicBool::new(false));
        let _ends = Over(is_over.clone());
        let done = aside(move || {
            let goes_on = || !is_over.load(Ordering::SeqCst);
            // A work tree is gone when the machine ends.
            let changer = Changer { workspace: &workspace, is_synced: !in_tree, goes_on: &goes_on };
            work(&changer, &checked)
        });
        let changes = match done.await {
            Ok(changes) => changes,
            Err(error) => return Ok(Err(self.unchanged(&paths.join("` to `"), &error))),
        };
        for Change { path, change, before, after, size } in changes {
            let (before, after) = (before.map(hex::encode), after.map(hex::encode));
            let effect = EffectRecord::FileWritten { path, change, before, after, size, in_tree };
            self.ledger.gate().record(effect).await?;
        }
        Ok(Ok(()))
    }

    /// What the guest is told of what was not changed; people are told why.
    fn unchanged(&mut self, path: &str, error: &ChangeError) -> Error {
        let told = match error {
            ChangeError::File(FileError::NotFound) => Error::NotFound,
            ChangeError::File(FileError::Io(_)) => Error::Unavailable,
            other => Error::Invalid(format!("`{path}`: {other}")),
        };
        self.ledger.refuse(told, format!("`{path}`: {error}"))
    }
}

impl Host for View<'_, Files> {
    async fn find(
        &mut self,
        glob: String,
        after: Option<String>,
    ) -> wasmtime::Result<Result<Vec<Entry>, Error>> {
        self.ledger.forget_reason();
        Ok(self.found(&glob, after).await)
    }

    async fn read(&mut self, path: String, offset: u64) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        self.ledger.forget_reason();
        let path = match self.path(&path, "read", FilesGrant::may_read) {
            Ok(path) => path,
            Err(error) => return Ok(Err(error)),
        };
        let read = self.state.workspace().and_then(|found| found.read(&path, offset, READ_BYTES_MAX));
        Ok(read.map_err(|error| self.unreadable(path.as_str(), &error)))
    }

    async fn write(&mut self, path: String, content: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let bytes = content.len();
        self.change([&path], bytes, move |changer, [path]| Ok([changer.replace(path, &content)?])).await
    }

    async fn append(&mut self, path: String, content: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let bytes = content.len();
        self.change([&path], bytes, move |changer, [path]| Ok([changer.append(path, &content)?])).await
    }

    async fn truncate(&mut self, path: String, size: u64) -> wasmtime::Result<Result<(), Error>> {
        self.change([&path], 0, move |changer, [path]| Ok([changer.truncate(path, size)?])).await
    }

    async fn make_folder(&mut self, path: String) -> wasmtime::Result<Result<(), Error>> {
        self.change([&path], 0, |changer, [path]| changer.make_folder(path)).await
    }

    async fn rename(&mut self, from: String, to: String) -> wasmtime::Result<Result<(), Error>> {
        self.change([&from, &to], 0, |changer, [from, to]| changer.rename(from, to)).await
    }

    async fn remove(&mut self, path: String) -> wasmtime::Result<Result<(), Error>> {
        self.change([&path], 0, |changer, [path]| Ok([changer.remove(path)?])).await
    }
}

#[cfg(test)]
mod tests;
