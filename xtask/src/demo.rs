//! The demo: from a fresh clone to a project that signed plugins worked through.
//!
//! In -> out: the checkout -> `target/dist/`, `target/demo/`, and a run that a newcomer can look at.
//! Invariant: the operator's folder of the demo is its own; nothing of the user's is read or changed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::{dist, step};

/// Removes all that the demo made.
pub(crate) fn clean(root: &Path) -> anyhow::Result<()> {
    for folder in ["target/demo", "target/dist"] {
        let path = root.join(folder);
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove `{folder}`"))?;
            println!("removed {folder}");
        }
    }
    Ok(())
}

/// Builds, signs, certifies, runs, and says what to try next.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    require_programs()?;
    let dist = dist::make(root, None)?;
    let project = root.join("target/demo/project");
    step::timed("a small Python project under git", || make_project(root, &project))?;

    let host = dist.folder.join("bin/orch-host");
    let config = ["--config-home", "target/demo/config"];
    step::say(
        "orch-host init target/demo/project --starter: what a release brings, certified here, approved, bound",
    );
    let mut init = Command::new(&host);
    init.current_dir(root)
        .args(["init", "target/demo/project", "--starter", "--yes", &dist.digest])
        .args(config);
    // Where the machine lacks a wall, the report says so.
    init.args(["--programs", "python3", "--sandbox", "best-effort"]);
    step::timed("packages: certified, approved", || step::run("init", &mut init))?;
    step::say("orch-host run target/demo/project --config-home target/demo/config");
    let mut run = Command::new(&host);
    run.current_dir(root).args(["run", "target/demo/project"]).args(config);
    let code = step::status("run", &mut run)?;
    // One test of the project fails on purpose, and with it its task: the goal is not met.
    if code != 1 {
        bail!("the run ended with {code}, expected 1: one task of the project fails on purpose");
    }
    let tasks = fs::read_to_string(project.join("tasks.yml")).context("cannot read the project's tasks")?;
    let ended: Vec<&str> = tasks.split("- id: ").skip(1).collect();
    let is = |task: &&&str, status: &str| task.contains(&format!("status: {status}\n"));
    let failed: Vec<_> = ended.iter().filter(|task| is(task, "failed")).collect();
    let done = ended.iter().filter(|task| is(task, "done")).count();
    if done + 1 != ended.len() || !failed.iter().all(|task| task.starts_with("test-totals")) {
        bail!("{done} of {} tasks are done, expected all but `test-totals`; `report` says why", ended.len());
    }
    let shown = host.strip_prefix(root).unwrap_or(&host).display().to_string();
    println!();
    println!(
        "The demo took {:.0} s. Six tasks and what the plugins added went through signed, certified plugins;",
        started.elapsed().as_secs_f64()
    );
    println!("`test-totals` failed, because one test of the project is wrong on purpose. Try next:");
    println!();
    println!("  {shown} logs test-totals --workspace target/demo/project --config-home target/demo/config");
    println!(
        "  {shown} report --workspace target/demo/project --config-home target/demo/config --format markdown"
    );
    println!("  printf x >> target/demo/config/packages/demo/executor-shell/0.1.0/component.wasm && \\");
    println!(
        "    {shown} run target/demo/project --config-home target/demo/config   # refused: digest-mismatch"
    );
    Ok(())
}

fn require_programs() -> anyhow::Result<()> {
    for (program, package) in [("git", "git"), ("python3", "python3"), ("cc", "gcc")] {
        let found =
            Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
        if !found {
            bail!("`{program}` is missing; on Debian: apt-get install {package}");
        }
    }
    Ok(())
}

/// A new project with one commit, and an operator's folder that knows nothing yet: packages of the same version may have changed.
fn make_project(root: &Path, project: &Path) -> anyhow::Result<()> {
    let demo = root.join("target/demo");
    if demo.exists() {
        fs::remove_dir_all(demo).context("cannot remove what an earlier demo made")?;
    }
    copy(&root.join("xtask/demo/project"), project)?;
    fs::rename(project.join("gitignore"), project.join(".gitignore")).context("cannot name `.gitignore`")?;
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(project)
            .args(["-c", "user.name=demo", "-c", "user.email=demo@example.invalid"])
            .args(args);
        step::run("git", &mut git)
    };
    git(&["init", "--quiet", "--initial-branch", "main"])?;
    git(&["add", "."])?;
    git(&["commit", "--quiet", "--message", "A small ledger"])
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make `{}`", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        match path.is_dir() {
            true => copy(&path, &target)?,
            false => {
                fs::copy(&path, &target).with_context(|| format!("cannot copy `{}`", path.display()))?;
            }
        }
    }
    Ok(())
}
