//! What is around the commands of plugins on this machine: the operator's policy, put into walls and places.
//!
//! In -> out: policy, operator's folders, a workspace -> [`Sandboxing`]; a command -> its [`Sandbox`].
//! Invariant: the workspace is there to be written, but not what the host keeps in it; the host's own folders are never
//! there; a wall that the machine does not give ends the run before its first task, or is in its report.
//! Not here: how a wall is put up (`orch-supervisor`'s `sandbox.rs`), which programs are granted (`capability/process/`).

mod denied;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_supervisor::{
    Access, Cache, Exit as ProgramExit, Limits, Place as Seen, Request, RunError, Sandbox, StartStep,
    SupervisorPool, Wall, Walls, system_places,
};
use orch_trust::policy::{GitAccess, SandboxMode, SandboxPolicy};

use crate::caches::Caches;
use crate::capability::files::{Protected, protected_names};
use crate::capability::process::ProcessRequest;
use crate::exit::{Exit, Fault};
use crate::relay::Ways;
use crate::worktrees::{SEEN_REPOSITORY, SEEN_TREE, Seat};

pub use denied::denied;

/// What is said in each report where there is no sandbox.
pub const OFF: &str = "a `process` grant equals your own authority, the host's secret included: programs run without an \
                       operating-system sandbox; `network` is not enforced";

/// What caches take.
const OVERLAY: &str = "overlayfs in namespaces of users, Linux 5.11, and a disk with `user.` attributes under the operator's folder";

/// Whose caches a trial uses.
const TRIAL: &str = ".trial";

/// Of a workspace, what git believes: to be read, not written. Each is a mount of its own, as `.git` is, so that nothing else
/// comes into its place.
const OF_GIT: [&str; 7] = [
    ".git/config",
    ".git/hooks",
    ".git/config.worktree",
    ".git/commondir",
    ".git/info",
    ".git/modules",
    ".git/worktrees",
];

/// What is around each command.
#[derive(Clone, Debug)]
pub struct Sandboxing {
    /// None where the operator's policy says `off`.
    walls: Option<Walls>,
    workspace: PathBuf,
    git: GitAccess,
    /// The host's own, wherever they lie.
    hidden: Vec<PathBuf>,
    protected: Arc<Protected>,
    caches: Arc<Caches>,
}

impl Sandboxing {
    /// `home`: where the operator's tools lie; `own`: the host's folders.
    pub fn of(
        policy: &SandboxPolicy,
        home: Option<&Path>,
        workspace: &Path,
        protected: Arc<Protected>,
        own: impl IntoIterator<Item = PathBuf>,
    ) -> Self {
        let walls = (policy.mode != SandboxMode::Off).then(|| Walls {
            limits: limits(policy),
            ..Walls::around(system_places().into_iter().chain(named(policy, home)).collect())
        });
        let (hidden, caches) = (own.into_iter().collect(), Arc::new(Caches::none()));
        Self { walls, workspace: workspace.to_owned(), git: policy.git, hidden, protected, caches }
    }

    /// How that command reaches what it may, through a relay. None: it reaches nothing, or no wall is around it.
    pub fn ways(&self, request: &ProcessRequest) -> Option<Ways> {
        let walls = self.walls.as_ref().filter(|walls| walls.up.contains(&Wall::Network));
        walls.and_then(|_| Ways::of(&request.network))
    }

    /// With the caches that the policy names, kept in that folder; none where there are no walls.
    pub fn keeping(mut self, policy: &SandboxPolicy, home: Option<&Path>, folder: &Path) -> Self {
        let Some(walls) = &self.walls else { return self };
        let caches = Caches::of(policy, home, folder, &self.workspace, &walls.places, &self.hidden);
        self.caches = Arc::new(caches);
        self
    }

    /// What tools keep between the calls of a plugin.
    pub fn caches(&self) -> &Arc<Caches> {
        &self.caches
    }

    /// The same walls around another folder, in which nothing is the host's or a person's.
    pub fn around_another(&self, workspace: &Path) -> Self {
        Self { workspace: workspace.to_owned(), ..self.clone() }
    }

    /// True if there are walls.
    pub fn is_on(&self) -> bool {
        self.walls.is_some()
    }

    /// True if commands see a work tree in the workspace's place.
    pub fn has_mounts(&self) -> bool {
        self.walls.as_ref().is_some_and(|walls| walls.up.contains(&Wall::Mounts))
    }

    /// True if a command in a work tree changes nothing but that: every wall is up, and nothing else may be written.
    pub fn holds_all(&self) -> bool {
        let is_whole = |walls: &Walls| Wall::ALL.iter().all(|wall| walls.up.contains(wall));
        let writes = |walls: &Walls| walls.places.iter().any(|place| place.access == Access::Write);
        self.walls.as_ref().is_some_and(|walls| is_whole(walls) && !writes(walls))
    }

    /// That path of a work tree as a command sees it.
    pub fn seen(&self, path: &Path, seat: Option<&Seat>) -> PathBuf {
        let below = seat.filter(|_| self.has_mounts()).and_then(|seat| path.strip_prefix(&seat.tree).ok());
        below.map_or_else(|| path.to_owned(), |below| plain(&self.workspace.join(below)))
    }

    /// What is around that command, with the caches of its call; in a work tree, if it has a seat there.
    pub fn around(&self, request: &ProcessRequest, caches: Vec<Cache>, seat: Option<&Seat>) -> Sandbox {
        let Some(walls) = &self.walls else { return Sandbox::None };
        let mut walls = with_caches(walls, caches);
        walls.listen = Ways::of(&request.network).map(|ways| ways.listen()).unwrap_or_default();
        // Where the tree lies for the command, and where on the machine.
        let (root, real) = match seat {
            Some(seat) if self.has_mounts() => (&self.workspace, &seat.tree),
            Some(seat) => (&seat.tree, &seat.tree),
            None => (&self.workspace, &self.workspace),
        };
        let within = |name: &str| root.join(name);
        let is_folder = |name: &str| real.join(name).is_dir();
        walls.places.push(match root == real {
            true => Seen::write(root),
            false => Seen::write(root).of(real),
        });
        // A link in the workspace leads where it leads: what it names is what runs.
        for program in
            [Some(request.program.clone()), request.program.canonicalize().ok()].into_iter().flatten()
        {
            if !walls.places.iter().any(|place| program.starts_with(&place.path)) {
                walls.places.push(Seen::read(program));
            }
        }
        match seat {
            None => {
                // A file that is called so leads to a repository elsewhere.
                walls.places.push(match self.git == GitAccess::Write && is_folder(".git") {
                    true => Seen::write(within(".git")),
                    false => Seen::read(within(".git")),
                });
                walls.places.extend(OF_GIT.map(|name| Seen::read(within(name))));
            }
            // Commits are the host's.
            Some(seat) => {
                walls.places.push(Seen::read(within(".git")));
                walls.places.extend(match self.has_mounts() {
                    true => [
                        Seen::read(SEEN_TREE).of(&seat.git),
                        Seen::read(SEEN_REPOSITORY).of(&seat.repository),
                    ],
                    false => [Seen::read(&seat.git), Seen::read(&seat.repository)],
                });
            }
        }
        // What people write is read by whatever looks at the whole workspace; what the host keeps is nobody's.
        let protected = protected_names(&self.protected).map(|name| match is_folder(name) {
            true => Seen::hidden(within(name)),
            false => Seen::read(within(name)),
        });
        walls.places.extend(protected.chain(self.hidden.iter().map(Seen::hidden)));
        walls.into()
    }

    /// Names of the host's or of people's in the workspace that are not there: no wall can be around them.
    pub fn unmade(&self) -> Vec<String> {
        let names = protected_names(&self.protected).chain([".git"]);
        let unmade = names.filter(|name| self.workspace.join(name).symlink_metadata().is_err());
        if self.walls.is_some() { unmade.map(str::to_owned).collect() } else { Vec::new() }
    }

    /// What the log says of those that are there now.
    pub fn made_of(&self, unmade: Vec<String>) -> Vec<String> {
        let made = unmade.into_iter().filter(|name| self.workspace.join(name).symlink_metadata().is_ok());
        let line =
            |name| format!("`{name}` was not there before this command: the host takes it as a person's");
        made.map(line).collect()
    }

    /// Puts the walls around a program that does nothing, and takes away those that this machine does not give: what is
    /// lacking is said.
    ///
    /// # Errors
    /// `sandbox-lacking`, where the policy requires all of them.
    pub async fn try_out(
        &mut self,
        commands: &SupervisorPool,
        own: &Path,
        mode: SandboxMode,
    ) -> Result<Vec<String>, Fault> {
        let Some(walls) = &mut self.walls else { return Ok(Vec::new()) };
        let mut lacking = Vec::new();
        loop {
            let mut places = walls.places.clone();
            places.push(Seen::read(own));
            let tried = Walls { places, ..walls.clone() };
            let (step, source) = match try_one(commands, own, tried).await {
                Ok(ProgramExit::Code(0)) => {
                    lacking.extend(self.try_caches(commands, own).await);
                    return Ok(lacking);
                }
                Ok(other) => {
                    let error = anyhow::anyhow!(
                        "the sandbox was tried out: `{}` ended with {other:?}",
                        own.display()
                    );
                    return Err(Fault::new(Exit::HostError, "sandbox-trial", None, error));
                }
                Err(RunError::NotStarted { step, source, .. }) => (step, source),
                Err(error) => return Err(anyhow::Error::from(error).into()),
            };
            let missing: BTreeSet<Wall> = match step {
                StartStep::Sandbox(wall) => [wall].into(),
                StartStep::Namespaces => {
                    walls.up.iter().copied().filter(|wall| wall.takes_a_namespace()).collect()
                }
                StartStep::Directory | StartStep::Program => {
                    let error =
                        anyhow::Error::from(source).context(format!("the sandbox was tried out: its {step}"));
                    return Err(Fault::new(Exit::HostError, "sandbox-trial", None, error));
                }
            };
            let names: Vec<String> = missing.iter().map(Wall::to_string).collect();
            let what = format!("this machine does not give the sandbox its walls for {}", names.join(", "));
            if mode == SandboxMode::Require || missing.is_empty() {
                let error = anyhow::Error::from(source).context(what);
                return Err(Fault::new(Exit::Usage, "sandbox-lacking", Some(hint(step)), error));
            }
            walls.up.retain(|wall| !missing.contains(wall));
            lacking.push(format!("{what}: {source}; programs run without"));
        }
    }

    /// Tries caches where the walls hold, and takes them away where the machine does not give them: that weakens nothing, and is
    /// said.
    async fn try_caches(&mut self, commands: &SupervisorPool, own: &Path) -> Vec<String> {
        let left_out = |path: &PathBuf| {
            let path = path.display();
            format!(
                "the cache `{path}` is left out: the workspace or a folder of the host lies in it or around it"
            )
        };
        let mut lacking: Vec<String> = self.caches.left_out().iter().map(left_out).collect();
        let Some(walls) = self.walls.as_ref().filter(|_| !self.caches.is_none()) else { return lacking };
        let trial = self.caches.of_call(TRIAL);
        let tried = async {
            let mut walls = with_caches(walls, trial.layers()?);
            walls.places.push(Seen::read(own));
            if !walls.up.contains(&Wall::Mounts) {
                anyhow::bail!("they need the wall of mounts");
            }
            let exit = try_one(commands, own, walls).await?;
            anyhow::ensure!(exit == ProgramExit::Code(0), "`{}` ended with {exit:?}", own.display());
            Ok(())
        };
        let tried = tried.await.and(trial.end(false).map_err(anyhow::Error::from));
        if let Err(error) = tried {
            self.caches = Arc::new(Caches::none());
            lacking.push(format!("nothing is kept in caches of commands: {error:#} ({OVERLAY})"));
        }
        lacking
    }

    /// True of a path that a command does not see, though it is there.
    fn is_outside(&self, path: &Path) -> bool {
        let Some(walls) = self.walls.as_ref().filter(|walls| walls.up.contains(&Wall::Mounts)) else {
            return false;
        };
        let seen = walls.places.iter().map(|place| place.path.as_path());
        let own = ["/tmp", "/proc", "/dev", "/sys", "/run"].map(Path::new);
        let mut known = seen.chain(own).chain(self.caches.paths()).chain([self.workspace.as_path()]);
        !known.any(|known| path.starts_with(known))
    }
}

/// What is read at a cache's place lies beneath what is kept there.
fn with_caches(walls: &Walls, caches: Vec<Cache>) -> Walls {
    let mut walls = Walls { caches, ..walls.clone() };
    walls.places.retain(|place| !walls.caches.iter().any(|cache| cache.path == place.path));
    walls
}

/// How a program that does nothing ends within these walls.
async fn try_one(commands: &SupervisorPool, own: &Path, walls: Walls) -> Result<ProgramExit, RunError> {
    let request = Request { args: vec!["--version".into()], sandbox: walls.into(), ..Request::new(own, "/") };
    Ok(commands.run(request).await?.wait().await?.exit)
}

/// Without a slash at its end.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// What to do where a machine lacks a wall.
fn hint(step: StartStep) -> String {
    let cure = match step {
        StartStep::Sandbox(Wall::Landlock) => {
            "the kernel must be 6.2 or newer with `landlock` in its list of security modules (`cat /sys/kernel/security/lsm`)"
        }
        StartStep::Sandbox(Wall::Mounts) => {
            "in a container, `/proc` must not be masked (`--security-opt systempaths=unconfined`) and the kernel be 5.12 or newer"
        }
        StartStep::Sandbox(_) => "the kernel, or the container's own filter, refuses it",
        StartStep::Namespaces | StartStep::Directory | StartStep::Program => {
            "namespaces of users must be allowed: `sysctl user.max_user_namespaces`, `kernel.unprivileged_userns_clone`, \
             `kernel.apparmor_restrict_unprivileged_userns`; in a container its seccomp profile must let them be made"
        }
    };
    format!(
        "{cure}; or, in the operator's `policy.toml`, `[sandbox] mode = \"best-effort\"` goes on with what is missing in every report"
    )
}

fn named(policy: &SandboxPolicy, home: Option<&Path>) -> Vec<Seen> {
    let absolute = |path: &PathBuf| match path.strip_prefix("~") {
        Ok(below) => home.map(|home| home.join(below)),
        Err(_) => Some(path.clone()),
    };
    let presets = policy.presets.iter().flat_map(|preset| preset.folders());
    let presets = presets.filter_map(|below| Some(Seen::read(home?.join(below))));
    let read = policy.read.iter().filter_map(absolute).map(Seen::read);
    let write = policy.write.iter().filter_map(absolute).map(Seen::write);
    presets.chain(read).chain(write).collect()
}

fn limits(policy: &SandboxPolicy) -> Limits {
    let usual = Limits::default();
    let mib = |mib: std::num::NonZeroU32| u64::from(mib.get()) << 20;
    Limits {
        processes: policy.processes.map(std::num::NonZeroU32::get).or(usual.processes),
        memory_bytes: policy.memory_mib.map(mib).or(usual.memory_bytes),
        cpu_seconds: policy.cpu_seconds.map(|seconds| seconds.get().into()).or(usual.cpu_seconds),
        file_bytes: policy.file_mib.map(mib).or(usual.file_bytes),
        tmp_bytes: policy.tmp_mib.map_or(usual.tmp_bytes, mib),
        free_bytes: policy.free_mib.map(mib).or(usual.free_bytes),
    }
}
