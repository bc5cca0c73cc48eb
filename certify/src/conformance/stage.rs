//! The stage: one package compiled once, a small project to look at, and what calls are lent.
//!
//! In -> out: engine, package, an empty folder -> [`Stage`].
//! Limits: the manifest's, and 10 s of wall time for each call.
//! Invariant: nothing that a call is lent is real but the folder.
//! Not here: calls (`call.rs`), the fakes themselves (`orch_host::trial`).

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orch_host::capability::trial::{Fakes, Mood};
use orch_host::engine::{CallError, Compiled, Engine};
use orch_host::role::AnyExported;
use orch_task::{Kind, Task};
use orch_trust::certificate::Measured;
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::manifest::{Limits, Manifest, Role};
use orch_trust::package::PackageBytes;
use orch_trust::permission::{PermissionExcess, Permissions};

use super::call::Seen;
use super::case::Case;
use super::{questions, tasks, workspace};
use crate::check::finding;

const WALL_MS_MAX: u32 = 10_000;

/// Where calls are made.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) compiled: Compiled<Candidate>,
    workspace: PathBuf,
    wall: Duration,
    compile_ms: u64,
}

/// Why there is no stage.
pub(crate) enum Setup {
    /// The plugin's fault, as a finding.
    Refused(String),
    /// Ours.
    Broken(String),
}

/// What calls run on: this thread alone.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().build()
}

impl Stage {
    /// Compiles the package's component and writes a small project into the empty folder `workspace`.
    pub(crate) fn new(engine: Engine, package: &PackageBytes, workspace: &Path) -> Result<Self, Setup> {
        let broken = |error: io::Error| Setup::Broken(format!("workspace: {error}"));
        let workspace = workspace.canonicalize().map_err(broken)?;
        workspace::write(&workspace).map_err(broken)?;
        let candidate = Candidate::examine(package).map_err(|refusal| Setup::Refused(finding(&refusal)))?;
        let wall_ms = candidate.manifest().limits.wall_ms.min(WALL_MS_MAX);
        let started = Instant::now();
        let compiled = engine
            .compile(candidate)
            .map_err(|error| Setup::Refused(format!("{}: {error}", error.code())))?;
        let compile_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Self { engine, compiled, workspace, wall: Duration::from_millis(wall_ms.into()), compile_ms })
    }

    /// The same native code under fewer permissions and smaller limits.
    ///
    /// # Errors
    /// The first permission that the package does not ask for.
    pub(crate) fn narrowed(
        &self,
        permissions: &Permissions,
        limits: Limits,
    ) -> Result<Self, PermissionExcess> {
        Ok(Self { compiled: self.compiled.narrowed(permissions, limits)?, ..self.clone() })
    }

    /// The same with at most so much fuel for each call.
    pub(crate) fn with_fuel(&self, fuel_max: u64) -> Self {
        Self { engine: self.engine.with_fuel(fuel_max), ..self.clone() }
    }

    /// The same with another empty folder, into which the small project is written.
    ///
    /// # Errors
    /// The system's, if the folder cannot be made.
    pub(crate) fn moved(&self, workspace: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(workspace)?;
        let workspace = workspace.canonicalize()?;
        workspace::write(&workspace)?;
        Ok(Self { workspace, ..self.clone() })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        self.compiled.evidence().manifest()
    }

    pub(crate) fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// What compiling took, and nothing of calls.
    pub(crate) fn measured(&self) -> Measured {
        Measured { compile_ms: self.compile_ms, ..Measured::default() }
    }

    /// The first kind that the plugin executes; `shell` for one that executes none.
    pub(crate) fn kind(&self) -> Kind {
        let kinds = &self.manifest().kinds;
        kinds.first().and_then(|kind| Kind::parse(kind).ok()).unwrap_or_else(Kind::shell)
    }

    /// The three tasks of the run.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        tasks::of_the_run(&self.kind())
    }

    /// Fakes for one call.
    pub(crate) fn fakes(&self, mood: Mood) -> Fakes {
        Fakes::new(self.tasks(), mood)
    }

    /// What a plugin of that role is asked, in order; the first case is what the role is made for.
    pub(crate) fn cases(&self, role: Role) -> Vec<Case> {
        let asked = questions(role, &self.compiled.evidence().facts().exports);
        asked.iter().flat_map(|asked| (asked.cases)(&self.kind())).collect()
    }

    /// The plugin in that role.
    ///
    /// # Errors
    /// `Link`: an import is not granted or not for this role, or the export is missing.
    pub(crate) fn link(&self, role: Role) -> Result<AnyExported<Candidate>, CallError> {
        AnyExported::link(&self.engine, self.compiled.clone(), role)
    }

    /// Makes the case's call; the plugin is linked in the case's role.
    pub(crate) async fn call(&self, plugin: &AnyExported<Candidate>, fakes: &Fakes, case: &Case) -> Seen {
        case.call.make(plugin, fakes.context(self.workspace.clone(), "{}", self.wall)).await
    }
}
