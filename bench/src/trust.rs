//! What trust costs: a package verified, beside the bare SHA-256 and ed25519 of the same bytes.
//!
//! In -> out: reference packages -> packages of two sizes (`trust_package.rs`) -> Markdown on standard output.
//! Each figure is a median of rounds in turns; memory is of a process of its own for each side.
//! Not in it: compiling, and loading native code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use ed25519_dalek::{Signature, VerifyingKey};
use orch_host::package;
use orch_trust::admission::admit;
use orch_trust::package::PackageBytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::figures::{median, memory_kib};
use crate::trust_package::{Signed, make};

/// Names, the plugin whose code they are made of, and the bytes of the component.
const SIZES: [(&str, &str, usize); 2] =
    [("300 KB", "demo/executor-shell", 300_000), ("10 MB", "demo/reflector-complexity", 10_000_000)];
/// Rounds of each side; the first few warm caches and the schema.
const ROUNDS: usize = 45;
const WARM: usize = 5;

/// What is measured, and where.
#[derive(Args)]
pub(crate) struct TrustArgs {
    /// Folder of the reference packages
    #[arg(long)]
    packages: PathBuf,
    /// Folder for the packages that are made
    #[arg(long)]
    work: PathBuf,
}

#[derive(Args)]
pub(crate) struct TrustChildArgs {
    /// Folder of a package that `make` made
    #[arg(long)]
    package: PathBuf,
    #[arg(long, value_enum)]
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Reads and verifies.
    Host,
    /// Reads, hashes, checks two signatures.
    Bare,
    /// Reads only.
    Read,
}

impl Side {
    fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Bare => "bare",
            Self::Read => "read",
        }
    }
}

/// Most memory that was resident, KiB.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TrustFigures {
    pub(crate) memory_kib: u64,
}

pub(crate) fn measure(args: &TrustArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.work).context("cannot make the work folder")?;
    println!("| package | bytes | verified | bare | ratio | read and verified | read and bare | ratio |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let mut memory = Vec::new();
    for (name, plugin, bytes) in SIZES {
        let folder = args.work.join(name.replace(' ', "-"));
        let signed = make(&args.packages.join(plugin).join("0.1.0"), bytes, &folder)?;
        let [verified, bare, read_verified, read_bare] = times(&folder, &signed)?;
        println!(
            "| {name} | {} | {:.0} µs | {:.0} µs | {:.2} | {:.0} µs | {:.0} µs | {:.2} |",
            read(&folder, &signed)?.values().map(|bytes| bytes.len()).sum::<usize>(),
            verified,
            bare,
            verified / bare,
            read_verified,
            read_bare,
            read_verified / read_bare,
        );
        let of = |side| child(&folder, side).map(|figures| figures.memory_kib as f64 / 1024.0);
        memory.push((name, of(Side::Host)?, of(Side::Bare)?, of(Side::Read)?));
    }
    println!("\n| most memory resident | host | bare | reading alone |\n|---|--:|--:|--:|");
    for (name, host, bare, read) in memory {
        println!("| {name} | {host:.1} MiB | {bare:.1} MiB | {read:.1} MiB |");
    }
    Ok(())
}

/// Median microseconds: verified, bare, and both with reading.
fn times(folder: &Path, signed: &Signed) -> anyhow::Result<[f64; 4]> {
    let mut found: [Vec<f64>; 4] = Default::default();
    let files = read(folder, signed)?;
    for round in 0..ROUNDS {
        for (place, times) in found.iter_mut().enumerate() {
            let clock = Instant::now();
            match place {
                0 => verify(PackageBytes::new(files.clone())?, signed)?,
                1 => bare(&files, signed)?,
                2 => verify(package::read(folder)?, signed)?,
                _ => bare(&read(folder, signed)?, signed)?,
            }
            let spent = clock.elapsed().as_secs_f64() * 1e6;
            if round >= WARM {
                times.push(spent);
            }
        }
    }
    Ok(found.map(median))
}

fn verify(package: PackageBytes, signed: &Signed) -> anyhow::Result<()> {
    admit(&package, &signed.rules, signed.now)?;
    Ok(())
}

/// Every file hashed once, both signatures verified strictly; nothing is parsed.
fn bare(files: &BTreeMap<String, Arc<[u8]>>, signed: &Signed) -> anyhow::Result<()> {
    let mut digests = Vec::with_capacity(files.len());
    for bytes in files.values() {
        digests.push(Sha256::digest(bytes));
    }
    for (key, message, signature) in &signed.messages {
        let key = VerifyingKey::from_bytes(key)?;
        key.verify_strict(message, &Signature::from_bytes(signature))?;
    }
    ensure!(digests.len() == files.len() && !signed.messages.is_empty(), "nothing was hashed");
    Ok(())
}

fn read(folder: &Path, signed: &Signed) -> anyhow::Result<BTreeMap<String, Arc<[u8]>>> {
    let file = |name: &String| Ok((name.clone(), std::fs::read(folder.join(name))?.into()));
    signed.names.iter().map(file).collect()
}

fn child(folder: &Path, side: Side) -> anyhow::Result<TrustFigures> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["measure", "trust", "--side", side.as_str(), "--package"]).arg(folder);
    let output = child.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the measurement of memory ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// One side, once, in this process.
pub(crate) fn measure_memory(args: &TrustChildArgs) -> anyhow::Result<()> {
    let signed = Signed::read(&args.package)?;
    match args.side {
        Side::Host => verify(package::read(&args.package)?, &signed)?,
        Side::Bare => bare(&read(&args.package, &signed)?, &signed)?,
        Side::Read => drop(read(&args.package, &signed)?),
    }
    println!("{}", serde_json::to_string(&TrustFigures { memory_kib: memory_kib("VmHWM")? })?);
    Ok(())
}
