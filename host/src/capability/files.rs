//! `orch:files`: files inside the workspace.
//!
//! In -> out: WIT calls -> [`Workspace`]; each write an effect with the digests before and after.
//! Limits: 1 MiB a read, 16 MiB a write, 1000 files a search, globs of 1024 bytes.
//! Invariant: nothing is read or written that no glob of the grant covers; the host's own files and version control
//! are never written, and the host's state is never read, whatever the grant says.
//! Not here: how paths are resolved (`files/beneath.rs`).

pub(crate) mod beneath;
pub mod protected;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use orch_trust::digest::Sha256Digest;
use orch_trust::interfaces::Import;
use orch_trust::permission::{Domain, DomainName, FilesPermission};
use wasmtime::component::Linker;

use super::effect::EffectRecord;
use super::shape::{Capability, HasView, Holds, HostEnvironment, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::files::files::{Entry, Host, add_to_linker};
use crate::bindings::types::types::Error;
use beneath::{FileError, Workspace, WorkspacePath};
pub use protected::Protected;

const READ_BYTES_MAX: usize = 1 << 20;
const WRITE_BYTES_MAX: usize = 16 << 20;
const GLOB_BYTES_MAX: usize = 1024;
const FIND_MAX: usize = 1000;

/// Of the workspace itself: the host's, and what people and the host write.
const OF_THE_HOST: [&str; 9] = [
    ".orch",
    "orch.lock",
    "config.yaml",
    "config.yml",
    "models.yaml",
    "models.yml",
    "tasks.yml",
    "tasks.yaml",
    "logs",
];
/// How the names begin of files that the host swaps in for the task file.
const SWAPPED_IN: [&str; 2] = [".tasks.yml.", ".tasks.yaml."];
/// In every folder: what version control believes.
const OF_VERSION_CONTROL: [&str; 6] = [".git", ".hg", ".svn", ".jj", ".bzr", "_darcs"];

/// What the grant covers.
pub struct FilesGrant {
    read: GlobSet,
    write: GlobSet,
}

impl FilesGrant {
    pub fn new(permission: &FilesPermission) -> Self {
        Self { read: glob_set(&permission.read), write: glob_set(&permission.write) }
    }

    fn may_read(&self, path: &WorkspacePath, protected: &Protected) -> bool {
        !is_hidden(path, protected) && self.read.is_match(path.as_str())
    }

    fn may_write(&self, path: &WorkspacePath, protected: &Protected) -> bool {
        !is_protected(path.as_str(), protected) && self.write.is_match(path.as_str())
    }
}

/// True of what no plugin and no attempt changes, by its path below the workspace: the host's, people's, and what version
/// control believes, at any depth.
pub fn is_protected(path: &str, protected: &Protected) -> bool {
    let first = path.split('/').next();
    is_one_of(first, &OF_THE_HOST)
        // Whoever may make the file that the host swaps in may change the task file.
        || first.map(str::to_ascii_lowercase).is_some_and(|name| SWAPPED_IN.iter().any(|begin| name.starts_with(begin)))
        || lies_in(path, &protected.hidden)
        || lies_in(path, &protected.unwritten)
        || path.split('/').any(|part| is_one_of(Some(part), &OF_VERSION_CONTROL))
}

/// What of a workspace is the host's or people's alone, relative to it; each is there or not.
pub fn protected_names(protected: &Protected) -> impl Iterator<Item = &str> {
    let more = protected.hidden.iter().chain(&protected.unwritten);
    OF_THE_HOST.into_iter().chain(more.map(String::as_str))
}

/// True of the host's own state, which nobody sees.
pub(super) fn is_hidden(path: &WorkspacePath, protected: &Protected) -> bool {
    is_one_of(path.parts().next(), &OF_THE_HOST[..1]) || lies_in(path.as_str(), &protected.hidden)
}

/// True if the path is one of these or below it, without regard to case.
fn lies_in(path: &str, protected: &[String]) -> bool {
    let path = path.to_ascii_lowercase();
    protected
        .iter()
        .map(|name| name.to_ascii_lowercase())
        .any(|name| path == name || path.strip_prefix(&name).is_some_and(|rest| rest.starts_with('/')))
}

/// Without regard to case: some file systems have none.
fn is_one_of(part: Option<&str>, names: &[&str]) -> bool {
    part.is_some_and(|part| names.iter().any(|name| name.eq_ignore_ascii_case(part)))
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
    /// What is written is kept with the call's answer, or gone with it.
    is_kept: bool,
    workspace: Option<Arc<Workspace>>,
}

impl Files {
    pub fn new(granted: Arc<FilesGrant>, folder: Arc<PathBuf>, protected: Arc<Protected>) -> Self {
        Self { granted, folder, protected, is_kept: false, workspace: None }
    }

    fn workspace(&mut self) -> Result<Arc<Workspace>, FileError> {
        if let Some(workspace) = &self.workspace {
            return Ok(workspace.clone());
        }
        let workspace = Arc::new(Workspace::open(&self.folder)?);
        self.workspace = Some(workspace.clone());
        Ok(workspace)
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
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(FileError::Io(std::io::Error::other(stopped))),
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
        self.ledger.forget_reason();
        if content.len() > WRITE_BYTES_MAX {
            let found = content.len();
            return Ok(Err(Error::Invalid(format!("content of {found} bytes, limit is {WRITE_BYTES_MAX}"))));
        }
        let path = match self.path(&path, "write", FilesGrant::may_write) {
            Ok(path) => path,
            Err(error) => return Ok(Err(error)),
        };
        let workspace = match self.state.workspace() {
            Ok(workspace) => workspace,
            Err(error) => return Ok(Err(self.unreadable(path.as_str(), &error))),
        };
        match self.state.is_kept {
            true => self.ledger.go_on()?,
            false => self.ledger.intend(DomainName::Files, "files-write").await?,
        }
        let (shown, after) = (path.as_str().to_owned(), Sha256Digest::of(&content).to_string());
        let size = content.len() as u64;
        // The thread that writes hears of the end of this call, which does not wait for it.
        let is_over = Arc::new(AtomicBool::new(false));
        let _ends = Over(is_over.clone());
        let goes_on = move || !is_over.load(Ordering::SeqCst);
        let before = match aside(move || workspace.replace(&path, &content, &goes_on)).await {
            Ok(before) => before.map(hex::encode),
            Err(FileError::NotRegular) => {
                return Ok(Err(Error::Invalid("there is something that is no regular file".to_owned())));
            }
            Err(error) => {
                return Ok(Err(self.ledger.refuse(Error::Unavailable, format!("`{shown}`: {error}"))));
            }
        };
        self.ledger.gate().record(EffectRecord::FileWritten { path: shown, before, after, size }).await?;
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::Ledger;
    use crate::capability::bench::Bench;
    use crate::capability::mood::Mood;

    struct Open {
        bench: Bench,
        files: Files,
        table: ResourceTable,
        ledger: Ledger,
        folder: tempfile::TempDir,
    }

    impl Open {
        fn new(read: &[&str], write: &[&str]) -> Self {
            Self::in_mood(read, write, Mood::Good)
        }

        fn in_mood(read: &[&str], write: &[&str], mood: Mood) -> Self {
            let list = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect();
            let granted = FilesGrant::new(&FilesPermission { read: list(read), write: list(write) });
            let (bench, folder) = (Bench::in_mood(mood), tempfile::tempdir().unwrap());
            let files = Files::new(Arc::new(granted), Arc::new(folder.path().to_owned()), Arc::default());
            Self { files, table: ResourceTable::new(), ledger: bench.ledger(), bench, folder }
        }

        fn view(&mut self) -> View<'_, Files> {
            View::of(&mut self.files, &mut self.table, &mut self.ledger)
        }

        async fn read(&mut self, path: &str) -> Result<Vec<u8>, Error> {
            self.view().read(path.to_owned(), 0).await.unwrap()
        }

        async fn write(&mut self, path: &str) -> Result<(), Error> {
            self.view().write(path.to_owned(), b"x".to_vec()).await.unwrap()
        }
    }

    #[tokio::test]
    async fn reading_needs_a_glob_and_never_reaches_the_hosts_state() {
        let mut open = Open::new(&["src/*.py", "**/.orch/**", ".orch/**"], &[]);
        for name in ["src/a.py", "src/b/c.py", "src/a.rs", ".orch/state.db"] {
            let file = open.folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, name).unwrap();
        }
        assert_eq!(open.read("src/a.py").await.unwrap(), b"src/a.py");
        assert!(matches!(open.read("src/none.py").await, Err(Error::NotFound)));
        for path in ["src/b/c.py", "src/a.rs", ".orch/state.db", ".ORCH/state.db"] {
            assert!(matches!(open.read(path).await, Err(Error::Denied(_))), "{path}");
        }
        for path in ["/etc/passwd", "src/../src/a.py", ""] {
            assert!(matches!(open.read(path).await, Err(Error::Invalid(_))), "{path}");
        }
        assert_eq!(
            open.ledger.into_parts(),
            (
                vec![
                    "files: read `src/b/c.py`".to_owned(),
                    "files: read `src/a.rs`".to_owned(),
                    "files: read `.orch/state.db`".to_owned(),
                    "files: read `.ORCH/state.db`".to_owned(),
                ],
                false
            )
        );
    }

    #[tokio::test]
    async fn protected_files_are_never_written() {
        let mut open = Open::new(&[], &["**"]);
        for path in [
            ".orch/state.db",
            "orch.lock",
            "config.yaml",
            "config.yml",
            "tasks.yaml",
            "tasks.yml",
            "TASKS.yml",
            "logs/a.log",
            ".git/hooks/pre-commit",
            "sub/.git/config",
            ".GIT/config",
            ".git",
            "sub/.hg/hgrc",
        ] {
            assert!(matches!(open.write(path).await, Err(Error::Denied(_))), "{path}");
        }
        assert_eq!(open.bench.effects(), [], "no intent for what is denied");
        for path in ["a.txt", "sub/tasks.yml", "sub/logs/a", ".github/x"] {
            assert!(open.write(path).await.is_ok(), "{path}");
        }
    }

    #[tokio::test]
    async fn a_state_folder_and_a_task_file_of_other_names_are_protected_too() {
        let mut open = Open::new(&["**"], &["**"]);
        let (hidden, unwritten) = (vec!["var/state".to_owned()], vec!["plan.yml".to_owned()]);
        open.files.protected = Arc::new(Protected { hidden, unwritten });
        fs::create_dir_all(open.folder.path().join("var/state")).unwrap();
        for file in ["var/state/state.db", "var/other", "plan.yml"] {
            fs::write(open.folder.path().join(file), "x").unwrap();
        }
        assert!(matches!(open.read("var/state/state.db").await, Err(Error::Denied(_))));
        assert!(matches!(open.write("VAR/state/state.db").await, Err(Error::Denied(_))));
        assert!(matches!(open.write("plan.yml").await, Err(Error::Denied(_))));
        assert!(matches!(open.write(".tasks.yml.0-1.orch-swap").await, Err(Error::Denied(_))));
        assert!(open.read("plan.yml").await.is_ok() && open.read("var/other").await.is_ok());
        let found = open.view().find("**".to_owned(), None).await.unwrap().unwrap();
        let paths: Vec<&str> = found.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["plan.yml", "var/other"]);
    }

    #[tokio::test]
    async fn a_write_is_an_effect_with_its_intent_first() {
        let mut open = Open::new(&[], &["out/**"]);
        assert!(matches!(open.write("other").await, Err(Error::Denied(_))));
        open.write("out/a").await.unwrap();
        open.view().write("out/a".to_owned(), b"y".to_vec()).await.unwrap().unwrap();
        let digest = |bytes: &[u8]| Sha256Digest::of(bytes).to_string();
        let written = |before, after: &[u8]| EffectRecord::FileWritten {
            path: "out/a".to_owned(),
            before,
            after: digest(after),
            size: after.len() as u64,
        };
        let expected = [
            EffectRecord::Intent { domain: DomainName::Files, effect: "files-write", spends: false },
            written(None, b"x"),
            written(Some(digest(b"x")), b"y"),
        ];
        assert_eq!(open.bench.effects(), expected);
        assert!(open.ledger.into_parts().1);
    }

    #[tokio::test]
    async fn a_gate_that_refuses_ends_the_call_before_anything_is_written() {
        let mut open = Open::in_mood(&[], &["**"], Mood::Closed);
        let ended = open.view().write("a".to_owned(), Vec::new()).await;
        assert!(ended.unwrap_err().downcast_ref::<crate::capability::GateClosed>().is_some());
        assert!(!open.folder.path().join("a").exists());
    }

    #[tokio::test]
    async fn content_and_globs_over_their_limits_are_invalid() {
        let mut open = Open::new(&["**"], &["**"]);
        let large = open.view().write("a".to_owned(), vec![0; WRITE_BYTES_MAX + 1]).await.unwrap();
        assert!(matches!(large, Err(Error::Invalid(_))));
        for glob in ["[".to_owned(), "a".repeat(1025)] {
            assert!(matches!(open.view().find(glob, None).await.unwrap(), Err(Error::Invalid(_))));
        }
        fs::remove_dir(open.folder.path()).unwrap();
        assert!(matches!(open.view().find("**".to_owned(), None).await.unwrap(), Err(Error::Unavailable)));
    }

    #[tokio::test]
    async fn a_search_finds_what_both_the_glob_and_the_grant_cover() {
        let mut open = Open::new(&["src/**"], &[]);
        for name in ["src/a.py", "src/b.rs", "c.py"] {
            let file = open.folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "12").unwrap();
        }
        let found = open.view().find("**/*.py".to_owned(), None).await.unwrap().unwrap();
        let found: Vec<(&str, u64)> = found.iter().map(|entry| (entry.path.as_str(), entry.size)).collect();
        assert_eq!(found, [("src/a.py", 2)]);
        let after = open.view().find("**".to_owned(), Some("src/a.py".to_owned())).await.unwrap().unwrap();
        assert_eq!(after[0].path, "src/b.rs");
    }
}
