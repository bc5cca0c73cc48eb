//! Where a command works: workspace, state folder, operator.
//!
//! In -> out: arguments -> absolute folders, opened stores.
//! Not here: how an error of theirs ends the program (`place/faults.rs`), what is done there (`session.rs`, `commands/`).

mod faults;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use orch_journal::{Level, Reader, STORE_FILE, Store, StoreError, StoreOptions};
use orch_trust::authority::AuthorityError;
use orch_trust::lock::Lock;
use orch_trust::time::UnixSeconds;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::capability::files::Protected;
use crate::clock;
use crate::config::operator::{self, Operator};
use crate::config::workspace::{WorkspaceConfig, WorkspaceError, one_spelling};
use crate::console::escape;
use crate::exit::{Exit, Fault};
use crate::machine;
use crate::regular_file::{self, Links};
use crate::whole_file;

pub use faults::is_approval;

const LOCK_BYTES_MAX: u64 = 1 << 20;
/// What is written there before there is a store, by whoever makes the folder; the task files are of `index` and of a replay.
const BEFORE_A_STORE: [&str; 3] = [".gitignore", "index.yml", "tasks.yml"];
/// Folders of a workspace that are no place for a store.
const OF_OTHERS: [&str; 2] = ["logs", ".git"];
/// Of a file of trust or a workflow that somebody names.
const NAMED_FILE_BYTES_MAX: u64 = 64 << 20;

/// The workspace that a command is about.
#[derive(clap::Args, Clone, Debug)]
pub struct WorkspaceArgs {
    /// The workspace
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub workspace: PathBuf,
    /// State folder, relative to the workspace
    #[arg(long, value_name = "DIR", default_value = ".orch")]
    pub memory: PathBuf,
}

/// A workspace's folders, absolute and without links.
#[derive(Clone, Debug)]
pub struct Place {
    pub workspace: Arc<PathBuf>,
    pub state: PathBuf,
}

impl Place {
    pub fn of(workspace: &Path, memory: &Path) -> Result<Self, Fault> {
        let absolute = workspace
            .canonicalize()
            .ok()
            .filter(|path| path.is_dir())
            .ok_or_else(|| WorkspaceError::NotAFolder { path: workspace.to_owned() })?;
        let state = inside(&absolute, "--memory", memory)?;
        refuse_links(&absolute, &state)?;
        Ok(Self { state, workspace: Arc::new(absolute) })
    }

    /// The task file, which must be in the workspace; relative to it. `.yaml` may stand for `.yml`.
    ///
    /// # Errors
    /// `outside-workspace`, `two-files`.
    pub fn task_file(&self, tasks: &Path) -> Result<PathBuf, Fault> {
        let said = inside(&self.workspace, "--tasks", tasks)?;
        let found = one_spelling(said)?;
        Ok(found.strip_prefix(&*self.workspace).unwrap_or(&found).to_owned())
    }

    /// Refuses a machine on which a run would fail in its midst.
    ///
    /// # Errors
    /// `memory-in-use`, `machine-call`, `machine-folder`.
    pub fn check_machine(&self, operator: &Operator) -> Result<(), Fault> {
        self.check_state()?;
        let (logs, heads, cache) =
            (self.workspace.join("logs"), operator.home.join("heads"), operator.home.join("cache"));
        machine::check([self.workspace.as_path(), &self.state, &logs, &heads, &cache])
    }

    /// Refuses a link in the place of the folder of logs, before anything has to be written there.
    pub fn check_logs(&self) -> Result<(), Fault> {
        refuse_links(&self.workspace, &self.workspace.join("logs"))
    }

    pub fn from_args(args: &WorkspaceArgs) -> Result<Self, Fault> {
        Self::of(&args.workspace, &args.memory)
    }

    /// What plugins do not reach: the state folder and the task file, where they lie in the workspace.
    pub fn protected(&self, tasks: &Path) -> Arc<Protected> {
        let inside = |path: &Path| {
            let path = path.strip_prefix(&*self.workspace).ok()?.display().to_string();
            (!path.is_empty()).then_some(path)
        };
        let hidden = inside(&self.state).into_iter().collect();
        let unwritten = inside(&self.workspace.join(tasks)).into_iter().collect();
        Arc::new(Protected { hidden, unwritten })
    }

    pub fn config(&self) -> Result<WorkspaceConfig, Fault> {
        Ok(WorkspaceConfig::read(&self.workspace)?)
    }

    /// `orch.lock`, empty if there is none.
    pub fn lock(&self) -> Result<Lock, Fault> {
        let path = self.workspace.join("orch.lock");
        match regular_file::read_text(&path, Links::Refused, LOCK_BYTES_MAX) {
            Ok((text, _)) => Lock::parse(&text).map_err(|source| lock_fault(&path, source)),
            Err(error) if error.is_missing() => Ok(Lock::default()),
            Err(error) => Err(unreadable(&path, error.into())),
        }
    }

    /// True if runs were kept here before.
    pub fn has_store(&self) -> bool {
        self.state.join(STORE_FILE).exists()
    }

    /// What is committed, without the lock: works while a run goes on.
    pub fn reader(&self) -> Result<Reader, Fault> {
        Reader::open(&self.state).map_err(|error| self.store_fault(error))
    }

    /// True while a host, or a command that changes something, holds the store.
    pub fn is_held(&self) -> bool {
        let Ok(lock) = std::fs::File::open(self.state.join("lock")) else { return false };
        // Shared, and given back at once: who looks as well is not in the way.
        let taken = flock(&lock, FlockOperation::NonBlockingLockShared);
        taken == Err(Errno::WOULDBLOCK)
    }

    /// Refuses a state folder in which somebody else's things lie: plugins would not see them, and `git` would not either.
    ///
    /// # Errors
    /// `memory-in-use`.
    pub fn check_state(&self) -> Result<(), Fault> {
        let shown = self.state.strip_prefix(&*self.workspace).unwrap_or(&self.state).display().to_string();
        let has = |name: &str| self.state.join(name).symlink_metadata().is_ok();
        let what = match self.state.symlink_metadata() {
            Ok(found) if !found.is_dir() => "is no folder",
            _ if OF_OTHERS.iter().any(|name| self.state.starts_with(self.workspace.join(name))) => {
                "lies where other things belong"
            }
            Ok(_) if has("lock") || has(STORE_FILE) => return Ok(()),
            Ok(_) => {
                let unread = |error| io(&self.state, "read", error);
                let entries = std::fs::read_dir(&self.state).map_err(unread)?;
                let is_ours = |name: &std::ffi::OsStr| BEFORE_A_STORE.iter().any(|ours| name == *ours);
                let other = entries.map(|entry| Ok(!is_ours(&entry?.file_name())));
                match other.collect::<Result<Vec<_>, _>>().map_err(unread)?.contains(&true) {
                    true => "holds other things",
                    false => return Ok(()),
                }
            }
            Err(_) => return Ok(()),
        };
        let hint = "name a folder that is not there yet, or none: `.orch` is the usual one".to_owned();
        let what = format!("`{}` {what}, expected a folder for the store alone", escape(&shown));
        Err(input("memory-in-use", Some(hint), what))
    }

    /// The store, held by this process; every event becomes at least so durable.
    pub fn store(&self, operator: &Operator, level: Level) -> Result<Store, Fault> {
        let options = StoreOptions { level, ..options(operator) };
        operator.check_heads()?;
        self.check_state()?;
        // Before anything lies there that somebody's git could see.
        whole_file::make_own_folder(&self.state).map_err(|error| io(&self.state, "make", error))?;
        Store::open(&self.state, options).map_err(|error| self.store_fault(error))
    }

    /// The store, or the inner fault while another process holds it.
    pub fn store_if_free(&self, operator: &Operator, level: Level) -> Result<Result<Store, Fault>, Fault> {
        match self.store(operator, level) {
            Err(held) if held.exit == Exit::StoreHeld => Ok(Err(held)),
            opened => opened.map(Ok),
        }
    }

    /// The file that cannot be read or written is named.
    pub fn store_fault(&self, error: StoreError) -> Fault {
        let how = match &error {
            StoreError::Sqlite(_) if error.refused().is_none() => "read",
            StoreError::Sqlite(_) => "opened",
            _ => return error.into(),
        };
        let path = self.state.join(STORE_FILE);
        Fault::from(error).context(format!("store `{}` cannot be {how}", path.display()))
    }
}

/// Refuses a link anywhere on the way to a folder of the host's in the workspace: it could lead into another one.
fn refuse_links(workspace: &Path, folder: &Path) -> Result<(), Fault> {
    let beneath = folder.strip_prefix(workspace).unwrap_or(folder);
    let mut path = workspace.to_owned();
    for part in beneath.components() {
        path.push(part);
        if path.is_symlink() {
            let what = format!("`{}` is a link, expected a folder", path.display());
            let hint = "put the folder itself there: a link could lead into another workspace; another disk can be mounted".to_owned();
            return Err(input("folder-is-a-link", Some(hint), what));
        }
    }
    Ok(())
}

/// The path in the workspace, if it does not lead out of it and is not the workspace itself.
fn inside(workspace: &Path, argument: &str, said: &Path) -> Result<PathBuf, Fault> {
    let absolute = workspace.join(said);
    let beneath = absolute.strip_prefix(workspace).ok().filter(|rest| {
        let plain = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        rest.components().all(|part| plain(&part))
            && rest.components().any(|part| matches!(part, Component::Normal(_)))
    });
    if beneath.is_some() {
        return Ok(absolute);
    }
    let hint = "what belongs to a workspace lies in it, so that it can be protected from plugins".to_owned();
    let what = format!("`{argument} {}` is not inside of the workspace", said.display());
    Err(input("outside-workspace", Some(hint), what))
}

/// This host's keys and folder of heads.
pub fn options(operator: &Operator) -> StoreOptions {
    let mut options = StoreOptions::new(operator.secret.journal_keys());
    options.heads_dir = Some(operator.home.join("heads"));
    options
}

/// The operator's folder.
pub fn operator(said: Option<&Path>) -> Result<Operator, Fault> {
    Ok(Operator::open(&operator::home(said)?)?)
}

/// Folders with packages: those said, which must be there, and the operator's.
pub fn package_folders(operator: &Operator, said: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    match said.iter().find(|folder| !folder.is_dir()) {
        Some(missing) => {
            let hint = "it is the folder above `NAMESPACE/NAME/VERSION`".to_owned();
            Err(input(
                "packages-missing",
                Some(hint),
                format!("`{}` is not a folder of packages", missing.display()),
            ))
        }
        None => Ok(operator.package_folders(said)),
    }
}

/// These folders as they are named from everywhere.
pub fn absolute(folders: &[PathBuf]) -> Vec<String> {
    let absolute = |folder: &PathBuf| folder.canonicalize().unwrap_or_else(|_| folder.clone());
    folders.iter().map(|folder| absolute(folder).display().to_string()).collect()
}

pub fn now() -> UnixSeconds {
    clock::now()
}

/// A fault of the file system.
pub fn io(path: &Path, what: &str, source: std::io::Error) -> Fault {
    let error = anyhow::Error::from(source).context(format!("cannot {what} `{}`", path.display()));
    Fault::new(Exit::HostError, "io", None, error)
}

/// The bytes of a file that the operator named.
pub fn named_file(path: &Path) -> Result<Vec<u8>, Fault> {
    match regular_file::read(path, Links::Followed, NAMED_FILE_BYTES_MAX) {
        Ok((bytes, _)) => Ok(bytes.to_vec()),
        Err(error) => Err(unreadable(path, error.into())),
    }
}

/// A file that the operator named and that is not there or not what it should be.
pub fn unreadable(path: &Path, source: std::io::Error) -> Fault {
    Fault { exit: Exit::Usage, ..io(path, "read", source) }
}

/// A wrong input of the operator's.
pub fn input(code: &'static str, hint: Option<String>, what: String) -> Fault {
    Fault::new(Exit::Usage, code, hint, anyhow::Error::msg(what))
}

fn lock_fault(path: &Path, source: AuthorityError) -> Fault {
    let error = anyhow::Error::from(source).context(format!("`{}` is not usable", path.display()));
    let hint =
        "put it back as it was committed; once it is removed, the next `run` pins what it finds".to_owned();
    Fault::new(Exit::Usage, "lock-malformed", Some(hint), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_and_task_file_lie_in_the_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().canonicalize().unwrap();
        let code = |memory: &str| Place::of(&workspace, Path::new(memory)).err().map(|fault| fault.code);
        let absolute = workspace.join("state").display().to_string();
        for memory in [".orch", "a/b", "./x", "..orch", &absolute] {
            assert_eq!(code(memory), None, "{memory}");
        }
        for memory in ["..", "../up", "a/../../up", "a/..", "", ".", "/", "/tmp/elsewhere"] {
            assert_eq!(code(memory), Some("outside-workspace"), "{memory}");
        }
        let place = Place::of(&workspace, Path::new(".orch")).unwrap();
        assert_eq!(place.task_file(Path::new("tasks.yml")).unwrap(), Path::new("tasks.yml"));
        assert_eq!(place.task_file(Path::new("../x.yml")).unwrap_err().code, "outside-workspace");
    }
}
