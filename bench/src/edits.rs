//! What an attempt costs that edits nothing in a tree of its own, beside `git worktree add` of the same commit alone.
//!
//! In -> out: a host, an operator -> Markdown on standard output.
//! Both have the same files, in a repository of the same shape; what the host adds is a run on a branch less one in the
//! workspace itself, for each attempt, with the checkout that the run itself has. A tree that nobody touched may be the next
//! attempt's, so there are two commands: one that does nothing, one that touches a file and leaves its bytes as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::Args;

use crate::figures::median;

/// What is measured, and where.
#[derive(Args, Clone)]
pub(crate) struct EditsArgs {
    /// Folder of the operator who trusts the packages
    #[arg(long)]
    config_home: PathBuf,
    /// Folder for the workspace and for the trees
    #[arg(long)]
    work: PathBuf,
    /// `orch-host`
    #[arg(long)]
    host: PathBuf,
    /// Files of the repository
    #[arg(long, default_value_t = 10_000)]
    files: usize,
    /// Attempts of each run
    #[arg(long, default_value_t = 20)]
    attempts: usize,
    /// Rounds, in turns; the median is shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

const CONFIG: &str =
    "roles: {planner: demo/planner-priority, executors: {shell: demo/executor-shell}}\njobs: 1\n";

pub(crate) fn measure(args: &EditsArgs) -> anyhow::Result<()> {
    let (mut own, mut touched, mut shared, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..args.rounds {
        let folder = args.work.join(format!("edits-{round}"));
        repository(args, &folder)?;
        shared.push(run(args, &folder, "none", ":")?);
        own.push(run(args, &folder, "worktree", ":")?);
        touched.push(run(args, &folder, "worktree", "touch src/0/0.txt")?);
        bare.push(worktrees(args, &folder)?);
        fs::remove_dir_all(&folder)?;
    }
    let of_one = |all: Vec<f64>| median(all) * 1000.0 / args.attempts as f64;
    let (own, touched, shared, bare) = (of_one(own), of_one(touched), of_one(shared), of_one(bare));
    println!(
        "| {} files, an attempt that | in a tree of its own, ms | in the workspace, ms | `git worktree add`, ms | beside both, ms |",
        args.files
    );
    println!("|---|--:|--:|--:|--:|");
    for (what, took) in [("does nothing", own), ("touches a file", touched)] {
        println!("| {what} | {took:.0} | {shared:.0} | {bare:.0} | {:.0} |", took - shared - bare);
    }
    Ok(())
}

/// A workspace with one commit.
fn repository(args: &EditsArgs, folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let workspace = folder.join("workspace");
    for file in 0..args.files {
        let inside = workspace.join(format!("src/{}", file / 100));
        if file % 100 == 0 {
            fs::create_dir_all(&inside)?;
        }
        fs::write(inside.join(format!("{file}.txt")), format!("file {file}\n"))?;
    }
    fs::write(workspace.join(".gitignore"), "logs/\nconfig.yaml\n")?;
    git(&workspace, &["init", "--quiet"])?;
    git(&workspace, &["add", "--all"])?;
    let by = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
    git(&workspace, &[&by[..], &["commit", "--quiet", "--message=first"]].concat())
}

/// Seconds of a whole run of attempts at that.
fn run(args: &EditsArgs, folder: &Path, isolation: &str, script: &str) -> anyhow::Result<f64> {
    let workspace = folder.join("workspace");
    let task = |task| format!("- {{id: t{task}, command: [sh, -c, '{script}']}}\n");
    fs::write(workspace.join("tasks.yml"), (0..args.attempts).map(task).collect::<String>())?;
    fs::write(workspace.join("config.yaml"), format!("{CONFIG}isolation: {isolation}\n"))?;
    let state = workspace.join(".orch");
    if state.exists() {
        fs::remove_dir_all(state)?;
    }
    let mut host = Command::new(&args.host);
    host.args(["run", "--trust-workspace", "--config-home"]).arg(&args.config_home);
    host.current_dir(&workspace).env("XDG_STATE_HOME", folder.join("state"));
    let begun = Instant::now();
    let output = host.stdout(Stdio::null()).output().context("cannot start the host")?;
    let took = begun.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(took)
}

/// Seconds in which git makes as many trees.
fn worktrees(args: &EditsArgs, folder: &Path) -> anyhow::Result<f64> {
    let workspace = folder.join("workspace");
    let mut took = 0.0;
    for attempt in 0..args.attempts {
        let tree = folder.join(format!("tree-{attempt}"));
        let path = tree.to_str().context("a path that is no text")?;
        let begun = Instant::now();
        git(&workspace, &["worktree", "add", "--quiet", "--detach", path])?;
        took += begun.elapsed().as_secs_f64();
        git(&workspace, &["worktree", "remove", "--force", path])?;
    }
    Ok(took)
}

fn git(workspace: &Path, args: &[&str]) -> anyhow::Result<()> {
    let mut git = Command::new("git");
    git.current_dir(workspace).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = git.output().context("cannot start git")?;
    ensure!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
