//! From a project's sources to its component and bill of materials.
//!
//! In -> out: [`BuildRequest`] -> [`Built`], two files in a folder.
//! Invariant: a lock file that exists is obeyed; the machine's paths are replaced before they reach the module, and what
//! the shell says of profiles and of the compiler does not.
//! Not here: the package and its manifest (`pack.rs`).

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use orch_trust::digest::Sha256Digest;
use orch_trust::package::{COMPONENT, SBOM};

use crate::component::{self, ComponentError};
use crate::dependencies::{Dependencies, DependenciesError};
use crate::flags::{self, FlagsError};
use crate::sbom;
use crate::target::{Target, TargetError};
use crate::toolchain::Toolchain;

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const FLAG_END: &str = "\u{1f}";

/// Why a project was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("cannot read or write `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`cargo build` cannot be run")]
    CargoNotRun(#[source] io::Error),
    #[error("`cargo build` failed for `{project}`: {status}")]
    CargoFailed { project: PathBuf, status: std::process::ExitStatus },
    #[error(transparent)]
    Dependencies(#[from] DependenciesError),
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Flags(#[from] FlagsError),
    #[error("the bill of materials cannot be written")]
    Sbom(#[source] serde_json::Error),
}

impl BuildError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "build-io",
            Self::CargoNotRun(_) => "build-not-run",
            Self::CargoFailed { .. } => "build-failed",
            Self::Dependencies(error) => error.code(),
            Self::Component(error) => error.code(),
            Self::Target(_) => "build-target",
            Self::Flags(error) => error.code(),
            Self::Sbom(_) => "build-sbom",
        }
    }

    /// What the author can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Dependencies(error) => error.hint(),
            Self::Component(error) => error.hint(),
            Self::Flags(error) => error.hint(Target::Lean),
            _ => None,
        }
    }
}

/// What to build.
#[derive(Clone, Debug)]
pub struct BuildRequest<'a> {
    /// Folder with the plugin's `Cargo.toml`.
    pub project: &'a Path,
    pub toolchain: &'a Toolchain,
    /// Where the result goes; none: `plugin/<name>` in cargo's target folder.
    pub out: Option<&'a Path>,
    /// Let cargo print only what is wrong.
    pub quiet: bool,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Holds `component.wasm` and `sbom.cdx.json`.
    pub folder: PathBuf,
    pub name: String,
    pub version: semver::Version,
    pub component_bytes: u64,
    pub component: Sha256Digest,
    /// Packages that it is made of, its own included.
    pub packages: usize,
}

/// Builds a plugin.
///
/// # Errors
/// `CargoFailed`: cargo printed why. `Component`: the module is no plugin.
pub fn build(request: &BuildRequest<'_>) -> Result<Built, BuildError> {
    let project = fs::canonicalize(request.project).map_err(io_at(request.project))?;
    // Cargo makes a missing lock file and refuses to change one that is there.
    let locked = lock_file(&project, request.toolchain)?.is_file();
    let dependencies = Dependencies::resolve(&project, request.toolchain, locked)?;
    let module_path = compile(request, &project, &dependencies)?;
    let module = fs::read(&module_path).map_err(io_at(&module_path))?;
    let component = component::encode(&module, &dependencies, request.toolchain.target)?;
    let digest = Sha256Digest::of(&component);
    let sbom = sbom::write(&dependencies, digest).map_err(BuildError::Sbom)?;
    let Some(plugin) = dependencies.plugin() else { unreachable!("the root is one of the packages") };
    let folder = match request.out {
        Some(out) => out.to_owned(),
        None => dependencies.target_folder.join("plugin").join(&plugin.name),
    };
    fs::create_dir_all(&folder).map_err(io_at(&folder))?;
    for (name, bytes) in [(COMPONENT, &component), (SBOM, &sbom)] {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(io_at(&path))?;
    }
    Ok(Built {
        folder,
        name: plugin.name.clone(),
        version: plugin.version.clone(),
        component_bytes: component.len() as u64,
        component: digest,
        packages: dependencies.packages.len(),
    })
}

/// Variables of the shell that say how code is made and that no plugin is built with.
pub fn left_out() -> Vec<String> {
    let set = std::env::vars_os().filter(|(name, value)| changes_code(name) && !value.is_empty());
    set.map(|(name, _)| name.to_string_lossy().into_owned()).collect()
}

/// True of a variable by which the same sources would give other bytes than elsewhere.
fn changes_code(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    // With the last, libraries take what only an unstable compiler has.
    name.starts_with("CARGO_PROFILE_")
        || name.starts_with("CARGO_TARGET_WASM32_") && name.ends_with("_RUSTFLAGS")
        || ["RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_INCREMENTAL", "RUSTC_BOOTSTRAP"].contains(&&*name)
}

/// The module's path.
fn compile(
    request: &BuildRequest<'_>,
    project: &Path,
    dependencies: &Dependencies,
) -> Result<PathBuf, BuildError> {
    let mut cargo = request.toolchain.cargo();
    let target = request.toolchain.target;
    cargo.args(["build", "--release", "--locked", "--lib", "--target", target.as_str()]).current_dir(project);
    if request.quiet {
        cargo.arg("--quiet");
    }
    for name in std::env::vars_os().map(|(name, _)| name).filter(|name| changes_code(name)) {
        cargo.env_remove(name);
    }
    let mut compiler_flags = flags::of_project(project, &dependencies.workspace_folder, target)?;
    compiler_flags.extend(remaps(request.toolchain, dependencies));
    if target == Target::Wasi {
        // The component is made here, of the module, as for the other target.
        compiler_flags.push("-Clink-arg=--skip-wit-component".to_owned());
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", compiler_flags.join(FLAG_END));
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    // Standard output stays the caller's own: cargo says nothing there.
    let status =
        cargo.stdin(Stdio::null()).stdout(Stdio::null()).status().map_err(BuildError::CargoNotRun)?;
    if !status.success() {
        return Err(BuildError::CargoFailed { project: project.to_owned(), status });
    }
    let file = format!("{}.wasm", dependencies.library);
    Ok(dependencies.target_folder.join(target.as_str()).join("release").join(file))
}

/// Where the project's lock file is or will be: beside the manifest of its workspace.
fn lock_file(project: &Path, toolchain: &Toolchain) -> Result<PathBuf, BuildError> {
    let mut cargo = toolchain.cargo();
    cargo.args(["locate-project", "--workspace", "--message-format", "plain"]).current_dir(project);
    let output = cargo.stdin(Stdio::null()).output().map_err(BuildError::CargoNotRun)?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(DependenciesError::Refused { project: project.to_owned(), message }.into());
    }
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim_end()).with_file_name("Cargo.lock"))
}

/// Flags that keep this machine's paths out of the module. Of several that match, the compiler takes the last.
fn remaps(toolchain: &Toolchain, dependencies: &Dependencies) -> Vec<String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| home.as_ref().map(|home| home.join(".cargo")));
    let known = [
        (home.as_deref(), "/home"),
        (cargo_home.as_deref(), "/cargo"),
        (Some(toolchain.sysroot.as_path()), "/rust"),
        (Some(dependencies.workspace_folder.as_path()), "/plugin"),
    ];
    let known = known.into_iter().filter_map(|(path, name)| Some((path?, name)));
    let known = known.filter(|(path, _)| path.parent().is_some());
    known.map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display())).collect()
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_shell_do_not_change_the_code() {
        for name in [
            "CARGO_PROFILE_RELEASE_LTO",
            "RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
            "RUSTC_BOOTSTRAP",
            "CARGO_INCREMENTAL",
        ] {
            assert!(changes_code(name.as_ref()), "{name}");
        }
        // Where things lie and how many jobs there are is the machine's own.
        for name in ["CARGO_HOME", "CARGO_BUILD_JOBS", "CARGO_NET_OFFLINE", "PATH", "RUSTC"] {
            assert!(!changes_code(name.as_ref()), "{name}");
        }
    }
}
