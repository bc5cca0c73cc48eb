//! The committed sources of a plugin, as the checks of its dependencies see them.
//!
//! In -> out: what was given from outside, an empty folder -> [`Source`], or why there is none.
//! Limits: a lock file of 8 MiB; 60 s for `cargo metadata`, which uses no network.
//! Invariant: looked at is a copy of the commit, never what else lies in the folder; cargo is started elsewhere, so
//! that no settings in the sources choose programs.
//! Not here: what is judged (`check/*`), git (`repository.rs`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_host::regular_file::{self, Links};
use orch_plugin::dependencies::Dependencies;
use orch_plugin::target::Target;
use orch_trust::digest::Sha256Digest;
use rustsec::Lockfile;

use crate::outside::{Home, Outside, Programs, wanted};
use crate::program;
use crate::repository::Repository;

const LOCK_BYTES_MAX: u64 = 8 << 20;
const METADATA_WALL: Duration = Duration::from_secs(60);
pub(crate) const LOCK: &str = "Cargo.lock";

/// What a plugin is made of, as its sources say.
pub(crate) struct Source {
    /// The copy of the repository.
    pub(crate) top: PathBuf,
    pub(crate) commit: String,
    pub(crate) lock: Lockfile,
    pub(crate) lock_path: PathBuf,
    pub(crate) lock_sha256: Sha256Digest,
    pub(crate) dependencies: Dependencies,
}

/// Why there is nothing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoSource {
    /// None was given.
    Absent(String),
    /// The certifier's machine could not read it.
    Broken(String),
    /// Nobody could build from it.
    Refused(String),
}

impl Source {
    /// Copies the commit into that folder and reads it.
    pub(crate) fn read(outside: &Outside, home: &Home, folder: &Path) -> Result<Self, NoSource> {
        let absent = || NoSource::Absent("no sources were given".to_owned());
        let given = outside.source.as_deref().ok_or_else(absent)?;
        let git = wanted(&outside.programs.git, "git").map_err(NoSource::Broken)?;
        let rust = wanted(&outside.programs.rust, "cargo").map_err(NoSource::Broken)?;
        let repository = Repository::open(git, home, given).map_err(|why| match why.split_once(": ") {
            Some(("source-no-repository", _)) => NoSource::Absent(why),
            _ => NoSource::Broken(why),
        })?;
        let project = repository.copy(folder).map_err(NoSource::Broken)?;
        let top = folder.canonicalize().map_err(|error| NoSource::Broken(format!("place: {error}")))?;
        let dependencies = resolve(home, &outside.programs, &rust.join("cargo"), &project, &top)?;
        let lock_path = dependencies.workspace_folder.join(LOCK);
        let unread = |error: &dyn std::fmt::Display| NoSource::Refused(format!("lock-unreadable: {error}"));
        let (bytes, _) =
            regular_file::read(&lock_path, Links::Refused, LOCK_BYTES_MAX).map_err(|error| unread(&error))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| unread(&error))?;
        let lock = text.parse().map_err(|error| unread(&error))?;
        let (lock_sha256, commit) = (Sha256Digest::of(&bytes), repository.commit);
        Ok(Self { top, commit, lock, lock_path, lock_sha256, dependencies })
    }
}

/// What cargo makes of the lock file.
fn resolve(
    home: &Home,
    programs: &Programs,
    cargo: &Path,
    project: &Path,
    top: &Path,
) -> Result<Dependencies, NoSource> {
    let target = Target::wanted(project, false)
        .map_err(|error| NoSource::Refused(format!("source-not-resolved: {error}")))?;
    let manifest = project.join("Cargo.toml");
    let mut args: Vec<std::ffi::OsString> =
        ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", target.as_str()]
            .map(Into::into)
            .to_vec();
    args.extend(["--manifest-path".into(), manifest.into_os_string()]);
    let request = home.request(cargo, args, None, METADATA_WALL);
    let request = home.confined(request, programs, &[top]).map_err(NoSource::Broken)?;
    let said = program::run("cargo metadata", request).map_err(NoSource::Broken)?;
    if said.code != 0 {
        // Findings are the same wherever the copy lies.
        let trace = said.trace().replace(&top.display().to_string(), "SOURCE");
        return Err(match trace.contains("offline") && !trace.contains("--locked") {
            true => NoSource::Broken(format!("crates-not-there: {trace}")),
            false => NoSource::Refused(format!("source-not-resolved: {trace}")),
        });
    }
    Dependencies::parse(&said.stdout, project)
        .map_err(|error| NoSource::Refused(format!("source-not-resolved: {error}")))
}
