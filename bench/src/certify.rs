//! What certifying costs: every check of level `local`, beside one bare compilation of the same component.
//!
//! In -> out: reference packages, and one of 10 MB made of them -> Markdown on standard output.
//! Time is the median of rounds of the real program. Memory is what all its processes had resident at one moment, and what
//! the largest of them had, looked at every few milliseconds: what lasts for less is not seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;

use crate::bare_engine;
use crate::figures::median;
use crate::trust_package::make;

/// The plugin that the large package is made of, and the bytes of its component.
const LARGE: (&str, usize) = ("demo/reflector-complexity", 10_000_000);
const LOOK: Duration = Duration::from_millis(5);

/// What is measured, and where.
#[derive(Args)]
pub(crate) struct CertifyArgs {
    /// Folder of the reference packages
    #[arg(long)]
    packages: PathBuf,
    /// Folder for the package that is made
    #[arg(long)]
    work: PathBuf,
    /// `orch-certify`
    #[arg(long)]
    certify: PathBuf,
    /// Rounds, in turns; the median is shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Default)]
struct Row {
    component_bytes: u64,
    seconds: Vec<f64>,
    compiled: Vec<f64>,
    largest_kib: u64,
    at_once_kib: u64,
}

pub(crate) fn measure(args: &CertifyArgs) -> anyhow::Result<()> {
    fs::create_dir_all(&args.work).context("cannot make the work folder")?;
    let large = args.work.join("10-MB");
    make(&args.packages.join(LARGE.0).join("0.1.0"), LARGE.1, &large)?;
    let mut folders = packages(&args.packages)?;
    folders.insert("10 MB".to_owned(), large);
    let engine = bare_engine::engine(11)?;
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for round in 1..=args.rounds {
        for (name, folder) in &folders {
            eprintln!("round {round} of {}: {name}", args.rounds);
            let row = rows.entry(name).or_default();
            let component = folder.join("component.wasm");
            row.component_bytes = fs::metadata(&component)?.len();
            let clock = Instant::now();
            bare_engine::precompile(&engine, &component)?;
            row.compiled.push(clock.elapsed().as_secs_f64());
            certify(&args.certify, folder, row)?;
        }
    }
    println!("| package | component | certified | compiled once | ratio | largest process | all processes |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (name, row) in rows {
        let (certified, compiled) = (median(row.seconds), median(row.compiled));
        println!(
            "| {name} | {:.0} KB | {certified:.2} s | {compiled:.2} s | {:.1} | {:.0} MiB | {:.0} MiB |",
            row.component_bytes as f64 / 1e3,
            certified / compiled,
            row.largest_kib as f64 / 1024.0,
            row.at_once_kib as f64 / 1024.0,
        );
    }
    Ok(())
}

/// The newest package of each plugin.
fn packages(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for publisher in fs::read_dir(folder)? {
        for plugin in fs::read_dir(publisher?.path())? {
            let plugin = plugin?;
            let versions: Result<Vec<_>, _> = fs::read_dir(plugin.path())?.collect();
            if let Some(newest) = versions?.iter().map(fs::DirEntry::path).max() {
                found.insert(plugin.file_name().to_string_lossy().into_owned(), newest);
            }
        }
    }
    ensure!(!found.is_empty(), "no packages in `{}`", folder.display());
    Ok(found)
}

/// One run of every check; nothing is signed.
fn certify(program: &Path, package: &Path, row: &mut Row) -> anyhow::Result<()> {
    let clock = Instant::now();
    let mut run = Command::new(program);
    run.arg("run").arg(package).args(["--quiet", "--format", "json"]);
    let mut child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        look(&child, row);
        std::thread::sleep(LOOK);
    };
    ensure!(status.success(), "`{}` was not certified: {status}", package.display());
    row.seconds.push(clock.elapsed().as_secs_f64());
    Ok(())
}

/// What the program and everything that it started have resident now.
fn look(child: &Child, row: &mut Row) {
    let Ok(all) = fs::read_dir("/proc") else { return };
    let mut parents = BTreeMap::new();
    for pid in all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name in parentheses may hold anything; state, parent and group follow it.
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        if let Some(parent) = after.split(' ').nth(1).and_then(|parent| parent.parse::<u32>().ok()) {
            parents.insert(pid, parent);
        }
    }
    let is_ours = |mut pid: u32| {
        while let Some(parent) = parents.get(&pid).filter(|_| pid != child.id()) {
            pid = *parent;
        }
        pid == child.id()
    };
    let resident = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
    };
    let ours: Vec<u64> = parents.keys().filter(|pid| is_ours(**pid)).filter_map(resident).collect();
    row.largest_kib = row.largest_kib.max(ours.iter().copied().max().unwrap_or(0));
    row.at_once_kib = row.at_once_kib.max(ours.iter().sum());
}
