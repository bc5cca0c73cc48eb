//! What checks need from outside of the package: sources, a database of advisories, programs.
//!
//! In -> out: the certifier's machine -> [`Outside`], handed to children as it is.
//! Invariant: what is not given leaves its checks `skipped`, a program that is missing leaves them `error`.
//! Not here: running programs (`program.rs`), reading the database (`advisory_db.rs`).

use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use orch_supervisor::{Place, Request, Walls, system_places};
use serde::{Deserialize, Serialize};

use crate::advisory_db::FreshDatabase;

/// Of cargo's home: what it downloaded, and where it looks for that.
const SHARED_BY_CARGO: [&str; 3] = ["registry", "config.toml", "config"];
/// Of a cache folder: the compiler that `orch-plugin` keeps there.
const GUEST_TOOLCHAIN: &str = "orch/guest-toolchain";

/// Inputs of one certification, all of them optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    /// Folder with the plugin's `Cargo.toml`, in a git repository. Absolute.
    pub source: Option<PathBuf>,
    pub database: Option<FreshDatabase>,
    pub programs: Programs,
}

/// Programs by absolute path, and the folders that they share with the certifier's own account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programs {
    /// Folder of `cargo` and `rustc`.
    pub rust: Option<PathBuf>,
    pub git: Option<PathBuf>,
    pub cargo_audit: Option<PathBuf>,
    pub cargo_vet: Option<PathBuf>,
    /// Where cargo keeps what it downloaded; nothing of it is written.
    pub cargo_home: Option<PathBuf>,
    /// Where `orch-plugin` keeps a compiler for plugins.
    pub cache: Option<PathBuf>,
}

impl Programs {
    /// What the caller's environment says.
    pub fn find() -> Self {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = |name: &str| set("HOME").map(|home| home.join(name));
        Self {
            rust: find_rust(),
            git: on_path("git"),
            cargo_audit: on_path("cargo-audit"),
            cargo_vet: on_path("cargo-vet"),
            cargo_home: set("CARGO_HOME").or_else(|| home(".cargo")),
            cache: set("XDG_CACHE_HOME").or_else(|| home(".cache")),
        }
    }
}

/// The compiler itself and not rustup's stand-in, which would obey a file in the sources. A compiler that does not work
/// is none: what it cannot build says nothing of the sources.
fn find_rust() -> Option<PathBuf> {
    let asked = Command::new("rustc").args(["--print", "sysroot"]).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8(asked.stdout).ok().filter(|_| asked.status.success())?;
    let sysroot = PathBuf::from(said.trim_end());
    let inside = Some(sysroot.join("bin")).filter(|folder| is_program(&folder.join("cargo")));
    let found = inside.or_else(|| on_path("cargo")?.parent().map(Path::to_owned));
    found.filter(|folder| folder.is_absolute())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// A program that is there, or the finding that it is not.
pub(crate) fn wanted<'a>(program: &'a Option<PathBuf>, name: &str) -> Result<&'a Path, String> {
    program.as_deref().ok_or_else(|| format!("tool-missing: `{name}` is not there"))
}

/// A home for programs, made anew: nothing of the certifier's account is in its environment but the crates that cargo
/// downloaded and a compiler for plugins.
pub(crate) struct Home {
    folder: PathBuf,
    env: Vec<(OsString, OsString)>,
}

impl Home {
    /// Makes it in a folder that is there. What differs between two builds is given by the caller.
    ///
    /// # Errors
    /// A finding: `place`.
    pub(crate) fn make(folder: &Path, programs: &Programs, differs: &[(&str, &str)]) -> Result<Self, String> {
        let broken = |error: std::io::Error| format!("place: {error}");
        let (home, cargo) = (folder.join("home"), folder.join("cargo"));
        std::fs::create_dir_all(&home).map_err(broken)?;
        std::fs::create_dir_all(&cargo).map_err(broken)?;
        for name in SHARED_BY_CARGO {
            let there = programs.cargo_home.as_ref().map(|home| home.join(name));
            if let Some(there) = there.filter(|there| there.exists()) {
                symlink(there, cargo.join(name)).map_err(broken)?;
            }
        }
        let mut path = OsString::new();
        for (name, program) in [("rust", &programs.rust), ("git", &programs.git)] {
            let folder =
                if name == "rust" { program.as_deref() } else { program.as_deref().and_then(Path::parent) };
            if let Some(folder) = folder {
                path.push(folder);
                path.push(":");
            }
        }
        path.push("/usr/bin:/bin");
        let mut env: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), path),
            ("HOME".into(), home.into()),
            ("CARGO_HOME".into(), cargo.into()),
            ("CARGO_NET_OFFLINE".into(), "true".into()),
            ("CARGO_TERM_COLOR".into(), "never".into()),
            // Git obeys the repository's own settings, and nobody else's.
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
            ("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()),
            ("GIT_TERMINAL_PROMPT".into(), "0".into()),
            ("GIT_OPTIONAL_LOCKS".into(), "0".into()),
        ];
        if let Some(cache) = &programs.cache {
            env.push(("XDG_CACHE_HOME".into(), cache.into()));
        }
        env.extend(differs.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Ok(Self { folder: folder.to_owned(), env })
    }

    /// A command in this home, in that folder or in the home's own.
    pub(crate) fn request(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = impl Into<OsString>>,
        folder: Option<&Path>,
        timeout: Duration,
    ) -> Request {
        let mut request = Request::new(program, folder.unwrap_or(&self.folder));
        request.args = args.into_iter().map(Into::into).collect();
        request.env = self.env.clone();
        request.timeout = Some(timeout);
        request
    }

    /// The same command with walls around it, as commands of plugins have them: it writes in this home's folder alone, reads
    /// beside it the system's files, the compiler, what cargo downloaded, this program and `read`, and has no network. Where
    /// a wall cannot be put up it is not started.
    ///
    /// # Errors
    /// A finding: `place`.
    pub(crate) fn confined(
        &self,
        mut request: Request,
        programs: &Programs,
        read: &[&Path],
    ) -> Result<Request, String> {
        let broken = |error: std::io::Error| format!("place: {error}");
        let below = |folder: &Option<PathBuf>, names: &[&str]| -> Vec<PathBuf> {
            folder.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))).collect()
        };
        // Of the compiler's folder no more than itself: beside a stand-in of it lie somebody's keys.
        let compiler = programs.rust.as_ref().and_then(|folder| folder.parent()).map(Path::to_owned);
        let named = [
            programs.rust.clone().into_iter().collect(),
            below(&compiler, &["lib", "libexec"]),
            below(&programs.cargo_home, &SHARED_BY_CARGO),
            below(&programs.cache, &[GUEST_TOOLCHAIN]),
            vec![request.program.clone()],
            read.iter().map(|path| (*path).to_owned()).collect(),
        ];
        let folder = self.folder.canonicalize().map_err(broken)?;
        let places = system_places().into_iter().chain(named.into_iter().flatten().map(Place::read));
        request.sandbox = Walls::around(places.chain([Place::write(folder)]).collect()).into();
        Ok(request)
    }

    /// With one more variable.
    pub(crate) fn with(&self, name: &str, value: &Path) -> Self {
        let mut env = self.env.clone();
        env.push((name.into(), value.into()));
        Self { folder: self.folder.clone(), env }
    }
}
