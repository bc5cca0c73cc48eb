//! What a release is: programs, signed packages, checksums, and all of it as one archive for machines without a network.
//!
//! In -> out: the checkout -> `target/dist/orch/`, and the same as `target/dist/orch-VERSION-TARGET.tar.gz`.
//! Invariant: the publisher's secret key never lies in it. The packages are signed and not certified: each machine certifies
//! for itself, by the program that comes with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::packages::{self, pack_and_sign};
use crate::place::{PLUGINS, Place};
use crate::step;

const PROGRAMS: [&str; 3] = ["orch-host", "orch-certify", "orch-plugin"];
const SUMS: &str = "SHA256SUMS";
/// Beside the packages, as files of the checkout.
const BESIDE: [(&str, &str); 1] = [("xtask/dist/config.yaml", "packages/config.yaml")];
const TEXTS: [(&str, &str); 3] =
    [("docs/install.md", "INSTALL.md"), ("LICENSE-APACHE", "LICENSE-APACHE"), ("LICENSE-MIT", "LICENSE-MIT")];

#[derive(clap::Args)]
pub(crate) struct DistArgs {
    /// The publisher's secret key, with its public file beside it; one of this checkout's own if absent
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// What was made.
pub(crate) struct Dist {
    pub(crate) folder: PathBuf,
    /// Of the packages' `SHA256SUMS`: what `orch-host init --starter --yes` takes.
    pub(crate) digest: String,
}

pub(crate) fn run(root: &Path, args: &DistArgs) -> anyhow::Result<()> {
    let dist = make(root, args.key.as_deref())?;
    let archive = step::timed("one archive", || archive(root, &dist.folder))?;
    println!();
    println!("{}", archive.display());
    println!("  {}/bin/orch-host init PROJECT --starter", dist.folder.display());
    println!("  its packages: SHA256SUMS {}", dist.digest);
    Ok(())
}

/// Builds the programs in release mode and the packages with them.
pub(crate) fn make(root: &Path, key: Option<&Path>) -> anyhow::Result<Dist> {
    step::timed("host, certifier and plugin tool, in release mode (minutes the first time)", || {
        let mut build = step::cargo(root);
        build.args(["build", "--release", "-p", "orch-host", "-p", "orch-certify", "-p", "orch-plugin"]);
        step::run("build", &mut build)
    })?;
    of_programs(root, &packages::target_folder(root).join("release"), &root.join("target/dist"), key)
}

/// The same of programs that are built.
pub(crate) fn of_programs(
    root: &Path,
    binaries: &Path,
    out: &Path,
    key: Option<&Path>,
) -> anyhow::Result<Dist> {
    let folder = out.join("orch");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove an earlier release")?;
    }
    let place = Place {
        binaries: binaries.to_owned(),
        config: out.join("none"),
        packages: folder.join("packages"),
        programs: Vec::new(),
        sandbox: "",
    };
    fs::create_dir_all(folder.join("bin")).context("cannot make the release's folder")?;
    for program in PROGRAMS {
        copy(&binaries.join(program), &folder.join("bin").join(program))?;
    }
    let key = match key {
        Some(key) => key.to_owned(),
        None => own_key(&place, out)?,
    };
    step::timed("packages: built, packed, signed", || {
        PLUGINS.into_iter().try_for_each(|plugin| {
            step::say(plugin);
            let package = place.packages.join("demo").join(plugin).join("0.1.0");
            pack_and_sign(&place, &root.join("plugins").join(plugin), &package, &key)
        })
    })?;
    copy(&key.with_extension("toml"), &place.packages.join("publisher.toml"))?;
    for (from, to) in BESIDE.into_iter().chain(TEXTS) {
        copy(&root.join(from), &folder.join(to))?;
    }
    let sums = sum(&place.packages)?;
    sum(&folder)?;
    Ok(Dist { digest: digest_of(&sums)?, folder })
}

/// The key of this checkout's releases, made once.
fn own_key(place: &Place, out: &Path) -> anyhow::Result<PathBuf> {
    let folder = out.join("keys");
    packages::private_folder(&folder)?;
    let key = folder.join("publisher.json");
    if !key.exists() {
        let mut keygen = place.program("orch-certify");
        keygen.arg("keygen").arg("--out").arg(&key).args([
            "--owner",
            "this checkout",
            "--publisher",
            "demo/",
        ]);
        step::run("keygen", &mut keygen)?;
    }
    Ok(key)
}

/// Writes `SHA256SUMS` of everything beneath; gives its path.
fn sum(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut files = Vec::new();
    list(folder, Path::new(""), &mut files)?;
    files.sort();
    let output = Command::new("sha256sum").current_dir(folder).args(&files).output();
    let output = output.context("cannot start `sha256sum`")?;
    ensure!(output.status.success(), "`sha256sum`: {}", String::from_utf8_lossy(&output.stderr));
    let path = folder.join(SUMS);
    fs::write(&path, output.stdout).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(path)
}

fn list(folder: &Path, below: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let here = folder.join(below);
    for entry in fs::read_dir(&here).with_context(|| format!("cannot read `{}`", here.display()))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => list(folder, &path, files)?,
            false if path.as_os_str() == SUMS => {}
            false => files.push(path),
        }
    }
    Ok(())
}

fn digest_of(file: &Path) -> anyhow::Result<String> {
    let output = Command::new("sha256sum").arg(file).output().context("cannot start `sha256sum`")?;
    let text = String::from_utf8(output.stdout).context("`sha256sum` wrote no text")?;
    Ok(text.split_whitespace().next().context("`sha256sum` wrote nothing")?.to_owned())
}

/// The same bytes of the same files, whenever it is made.
fn archive(root: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let target = Command::new("rustc").arg("-vV").output().context("cannot start `rustc`")?;
    let target = String::from_utf8_lossy(&target.stdout).into_owned();
    let target =
        target.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc` names no host")?;
    let name = format!("orch-{}-{target}", env!("CARGO_PKG_VERSION"));
    let archive = root.join("target/dist").join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.current_dir(folder.parent().unwrap_or(folder))
        .args(["--create", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--use-compress-program", "gzip --no-name --best"])
        .arg(format!("--transform=s,^orch,{name},"))
        .arg("--file")
        .arg(&archive)
        .arg("orch");
    step::run("tar", &mut tar)?;
    Ok(archive)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy `{}`", from.display()))?;
    Ok(())
}
