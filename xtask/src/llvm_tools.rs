//! `llvm-cov` and `llvm-profdata` of the compiler's own version.
//!
//! In -> out: the compiler -> two programs, or none with the reason said.
//! Invariant: nothing is installed; where the toolchain lacks its component, it is unpacked into the user's cache folder.
//! Not here: what is measured (`fuzz.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::step;

/// Both programs.
pub(crate) struct LlvmTools {
    pub(crate) cov: PathBuf,
    pub(crate) profdata: PathBuf,
}

/// What `rustc` says of itself.
pub(crate) struct Compiler {
    pub(crate) release: String,
    pub(crate) host: String,
    sysroot: PathBuf,
}

impl Compiler {
    pub(crate) fn ask(root: &Path) -> anyhow::Result<Self> {
        let version = output(Command::new("rustc").arg("-vV").current_dir(root))?;
        let field = |name: &str| {
            let found = version.lines().find_map(|line| line.strip_prefix(name));
            found
                .map(|text| text.trim().to_owned())
                .with_context(|| format!("rustc does not say its `{name}`"))
        };
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root))?;
        Ok(Self { release: field("release:")?, host: field("host:")?, sysroot: sysroot.trim().into() })
    }
}

/// The tools, from the toolchain, the cache folder or the compiler's own distribution, in this order.
pub(crate) fn find(compiler: &Compiler) -> Option<LlvmTools> {
    let in_toolchain = compiler.sysroot.join("lib/rustlib").join(&compiler.host);
    let cached = cache_folder().join("llvm-tools").join(&compiler.release);
    for folder in [&in_toolchain, &cached] {
        if let Some(found) = tools_in(folder) {
            return Some(found);
        }
    }
    match step::timed("llvm-cov and llvm-profdata, into the cache folder", || fetch(compiler, &cached)) {
        Ok(()) => tools_in(&cached),
        Err(error) => {
            step::say(&format!("no llvm-cov, so no lines are counted: {error:#}"));
            None
        }
    }
}

fn tools_in(folder: &Path) -> Option<LlvmTools> {
    let (cov, profdata) = (folder.join("bin/llvm-cov"), folder.join("bin/llvm-profdata"));
    (cov.is_file() && profdata.is_file()).then_some(LlvmTools { cov, profdata })
}

/// Where this project keeps what it had to download.
pub(crate) fn cache_folder() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("orch")
}

/// Unpacks the component `llvm-tools` of exactly this compiler.
fn fetch(compiler: &Compiler, folder: &Path) -> anyhow::Result<()> {
    let name = format!("llvm-tools-{}-{}", compiler.release, compiler.host);
    let url = format!("https://static.rust-lang.org/dist/{name}.tar.xz");
    let work = folder.with_extension("new");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).context("cannot make a folder in the cache")?;
    let archive = work.join("archive.tar.xz");
    step::run(
        "download",
        Command::new("curl").args(["-fsSL", "--max-time", "300", "-o"]).arg(&archive).arg(&url),
    )?;
    let stated = output(Command::new("curl").args(["-fsSL", "--max-time", "60", &format!("{url}.sha256")]))?;
    let found = output(Command::new("sha256sum").arg(&archive))?;
    match (stated.split_whitespace().next(), found.split_whitespace().next()) {
        (Some(stated), Some(found)) if stated == found => {}
        (stated, found) => bail!("`{url}` has the digest {found:?}, its distribution says {stated:?}"),
    }
    step::run("unpack", Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(&work))?;
    // With the library beside them that the programs need.
    let inner = work.join(&name).join("llvm-tools-preview/lib/rustlib").join(&compiler.host);
    let _ = fs::remove_dir_all(folder);
    fs::rename(&inner, folder).with_context(|| format!("`{url}` has no folder of programs"))?;
    fs::remove_dir_all(&work).context("cannot clean up")
}

/// What a command prints.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let done = command.output().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => bail!("{command:?} failed: {}", String::from_utf8_lossy(&done.stderr).trim()),
    }
}
