//! The compiler for plugins: found where it is, got where it can be had, and named where it cannot.
//!
//! In -> out: the machine -> [`Toolchain`].
//! Limits: 90 s for rustup's download, 15 min for the packages' way.
//! Invariant: nothing is installed into the system; what is downloaded lies in rustup's or the user's cache folder.
//! Not here: what is done with it (`build.rs`), the packages' way itself (`guest-toolchain.sh`).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::target::Target;

const SCRIPT: &str = include_str!("../guest-toolchain.sh");
const RUSTUP_WAIT: Duration = Duration::from_secs(90);
const SCRIPT_WAIT: Duration = Duration::from_secs(900);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Why there is no compiler for plugins.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    #[error("no compiler for `{}`: {tried}", target.as_str())]
    Missing {
        target: Target,
        /// What was tried and how it ended.
        tried: String,
    },
}

impl ToolchainError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "toolchain-missing",
        }
    }

    /// What the author can do about it.
    pub fn hint(&self) -> String {
        let Self::Missing { target, .. } = self;
        let name = target.as_str();
        if *target == Target::Wasi {
            return format!(
                "`rustup target add {name}` gets it, with a network; a plugin without WASI needs `{}` alone",
                Target::Lean.as_str()
            );
        }
        format!(
            "any one of these helps:\n  rustup target add {name}        (with a network)\n  \
             apt-get download works on this machine      (Debian or a derivative, then run this again)\n  \
             put a toolchain into `$XDG_CACHE_HOME/orch/guest-toolchain` (bin/rustc, bin/wasm-ld, usr/lib/rustlib)"
        )
    }
}

/// A compiler with the standard library of plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// None: the one that `cargo` finds by itself.
    rustc: Option<PathBuf>,
    /// None: the compiler's own.
    linker: Option<PathBuf>,
    /// What it compiles for.
    pub target: Target,
    /// The standard library's folder of folders, as the compiler knows it.
    pub sysroot: PathBuf,
    /// As the compiler says it: `rustc 1.96.0 (...)`.
    pub version: String,
}

impl Toolchain {
    /// `cargo` with the environment that builds plugins.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }

    fn new(target: Target, rustc: Option<PathBuf>, linker: Option<PathBuf>) -> Option<Self> {
        let program = rustc.clone().unwrap_or_else(own_rustc);
        let libraries =
            PathBuf::from(ask(&program, &["--print", "target-libdir", "--target", target.as_str()])?);
        let mut listed = fs::read_dir(libraries).ok()?.flatten();
        listed.find(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))?;
        let sysroot = PathBuf::from(ask(&program, &["--print", "sysroot"])?);
        let version = ask(&program, &["--version"])?;
        Some(Self { rustc, linker, target, sysroot, version })
    }
}

/// The compiler that is there already: the machine's own with the target, else the one in the cache folder.
pub fn find(target: Target) -> Option<Toolchain> {
    let cached = || (target == Target::Lean).then(|| find_cached(&cache_folder()?)).flatten();
    Toolchain::new(target, None, None).or_else(cached)
}

/// The compiler, got if it is not there yet. `progress` gets a line at least every ten seconds.
///
/// # Errors
/// `Missing`: no way worked; it says which were tried.
pub fn ensure(target: Target, progress: &mut dyn FnMut(&str)) -> Result<Toolchain, ToolchainError> {
    if let Some(found) = find(target) {
        return Ok(found);
    }
    let mut tried = Vec::new();
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target.as_str()]);
    match run(rustup, "rustup target add", RUSTUP_WAIT, progress) {
        Ok(()) => match Toolchain::new(target, None, None) {
            Some(found) => return Ok(found),
            None => tried.push("rustup added the target, `rustc` does not see it".to_owned()),
        },
        Err(why) => tried.push(why),
    }
    if target == Target::Wasi {
        return Err(ToolchainError::Missing { target, tried: tried.join("; ") });
    }
    let Some(cache) = cache_folder() else {
        tried.push("neither `XDG_CACHE_HOME` nor `HOME` is set".to_owned());
        return Err(ToolchainError::Missing { target, tried: tried.join("; ") });
    };
    let mut script = Command::new("bash");
    script.arg("-c").arg(SCRIPT).arg("guest-toolchain").arg(&cache);
    match run(script, "guest toolchain from Debian's packages", SCRIPT_WAIT, progress) {
        Ok(()) => match find_cached(&cache) {
            Some(found) => return Ok(found),
            None => tried.push(format!("`{}` was made and does not work", cache.display())),
        },
        Err(why) => tried.push(why),
    }
    Err(ToolchainError::Missing { target, tried: tried.join("; ") })
}

fn find_cached(folder: &Path) -> Option<Toolchain> {
    let (rustc, linker) = (folder.join("bin/rustc"), folder.join("bin/wasm-ld"));
    if !rustc.is_file() || !linker.is_file() {
        return None;
    }
    Toolchain::new(Target::Lean, Some(rustc), Some(linker))
}

fn cache_folder() -> Option<PathBuf> {
    Some(cache()?.join("guest-toolchain"))
}

/// Where this user's programs keep what they fetched.
pub(crate) fn cache() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("orch"))
}

fn own_rustc() -> PathBuf {
    std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from)
}

/// What a program prints, without the line end; none if it cannot be run or says no.
fn ask(program: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

/// Runs a command to its end or its time's end; an error says how it ended.
pub(crate) fn run(
    mut command: Command,
    name: &str,
    wait: Duration,
    progress: &mut dyn FnMut(&str),
) -> Result<(), String> {
    progress(&format!("{name} ..."));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("`{name}` cannot be started: {error}"))?;
    let (start, mut told) = (Instant::now(), Duration::ZERO);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("`{name}` failed: {status}")),
            Ok(None) => {}
            Err(error) => return Err(format!("`{name}` is lost: {error}")),
        }
        let passed = start.elapsed();
        if passed >= wait {
            let ended = child.kill().and_then(|()| child.wait());
            let how = if ended.is_ok() { "was ended" } else { "could not be ended" };
            return Err(format!("`{name}` {how} after {} s", wait.as_secs()));
        }
        if passed >= told + PROGRESS_EVERY {
            told = passed;
            progress(&format!("{name}: {} s", passed.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    }

    #[test]
    fn a_command_that_hangs_is_ended_and_says_so() {
        let mut lines = Vec::new();
        let ended = run(shell("sleep 60"), "sleep", Duration::from_millis(300), &mut |line| {
            lines.push(line.to_owned())
        });
        assert_eq!(ended, Err("`sleep` was ended after 0 s".to_owned()));
        assert_eq!(lines, ["sleep ..."]);
    }

    #[test]
    fn how_a_command_ended_is_told() {
        assert_eq!(run(shell("true"), "true", RUSTUP_WAIT, &mut |_| {}), Ok(()));
        assert_eq!(
            run(shell("exit 3"), "no", RUSTUP_WAIT, &mut |_| {}),
            Err("`no` failed: exit status: 3".to_owned())
        );
        let missing =
            run(Command::new("orch-no-such-program"), "none", RUSTUP_WAIT, &mut |_| {}).unwrap_err();
        assert!(missing.starts_with("`none` cannot be started: "), "{missing}");
    }

    #[test]
    fn a_folder_without_a_compiler_is_no_toolchain() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find_cached(folder.path()), None);
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("bin/rustc"), "#!/bin/sh\nexit 1\n").unwrap();
        fs::write(folder.path().join("bin/wasm-ld"), "").unwrap();
        assert_eq!(find_cached(folder.path()), None);
    }
}
