//! The whole benchmark of the loop: each measurement in a process of its own, in turns, then the tables.
//!
//! In -> out: sizes, rounds -> Markdown on standard output, progress on standard error.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use orch_host::config::operator::Operator;
use orch_host::plugins;
use serde::de::DeserializeOwned;

use crate::LoopArgs;
use crate::bare_engine;
use crate::bare_store::BareRows;
use crate::calls::CallFigures;
use crate::figures::{median, shared_clock};
use crate::graph::Shape;
use crate::place;
use crate::run::{LevelArg, RunFigures};
use crate::start::{FirstTask, IdleFigures};

const STARTS: usize = 15;

pub(crate) fn measure(args: &LoopArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.work).context("cannot make the work folder")?;
    let work = args.work.canonicalize()?;
    let bench = Bench { args, work, clock: Instant::now() };
    bench.runs()?;
    bench.starts_and_calls()
}

struct Bench<'a> {
    args: &'a LoopArgs,
    work: PathBuf,
    clock: Instant,
}

/// One graph at one level, all rounds.
#[derive(Default)]
struct Row {
    rate: Vec<f64>,
    loop_rate: Vec<f64>,
    limit: Vec<f64>,
    gap_p50: Vec<f64>,
    gap_p99: Vec<f64>,
    commit: Vec<f64>,
    memory_mib: Vec<f64>,
    rows: f64,
    bytes: f64,
    group: Vec<f64>,
}

impl Bench<'_> {
    fn say(&self, what: &str) {
        eprintln!("[{:>5.0} s] {what}", self.clock.elapsed().as_secs_f64());
    }

    /// Runs one measurement in a process of its own.
    fn child<T: DeserializeOwned>(&self, args: &[&std::ffi::OsStr]) -> anyhow::Result<T> {
        let mut child = Command::new(std::env::current_exe()?);
        child.arg("measure").args(args).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = child.output()?;
        if !output.status.success() {
            bail!("{args:?} ended with {}", output.status);
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn workspace(&self, name: &str, tasks: &str, all: bool, jobs: u32) -> anyhow::Result<PathBuf> {
        let workspace = self.work.join(name);
        if workspace.exists() {
            std::fs::remove_dir_all(&workspace)?;
        }
        place::prepare(&workspace, tasks, all, jobs)?;
        let operator = Operator::open(&self.args.config_home)?;
        operator.trust_workspace(&workspace.canonicalize()?)?;
        Ok(workspace)
    }

    fn run(&self, shape: Shape, tasks: usize, level: LevelArg, row: &mut Row) -> anyhow::Result<()> {
        let jobs = match shape {
            Shape::Chain => 1,
            Shape::Wide => std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
        };
        let workspace = self.workspace("run", &shape.tasks_yml(tasks), false, jobs)?;
        let figures: RunFigures = self.child(&[
            "run".as_ref(),
            "--workspace".as_ref(),
            workspace.as_os_str(),
            "--config-home".as_ref(),
            self.args.config_home.as_os_str(),
            "--host".as_ref(),
            self.args.host.as_os_str(),
            "--level".as_ref(),
            level.as_str().as_ref(),
        ])?;
        if figures.tasks != tasks {
            bail!("{} of {tasks} tasks were done", figures.tasks);
        }
        let store = workspace.join(".orch/state.db");
        let rows = BareRows::of(&store, figures.events_before)?;
        let bare = self.work.join("bare.db");
        let mut limit = f64::NAN;
        let mut commit = f64::NAN;
        for single in [false, true] {
            remove_database(&bare)?;
            match single {
                false => limit = rows.write(&bare, level, figures.groups)?,
                true => commit = rows.single_commits(&bare, level)? as f64,
            }
        }
        remove_database(&bare)?;
        row.rate.push(tasks as f64 / figures.seconds);
        row.loop_rate.push(tasks as f64 / figures.tasks_seconds);
        row.limit.push(tasks as f64 / limit);
        row.gap_p50.push(figures.gap_p50 as f64);
        row.gap_p99.push(figures.gap_p99 as f64);
        row.commit.push(commit);
        row.memory_mib.push(figures.memory_kib as f64 / 1024.0);
        row.rows = rows.rows() as f64 / tasks as f64;
        row.bytes = std::fs::metadata(&store)?.len() as f64 / tasks as f64;
        row.group.push(tasks as f64 * row.rows / figures.groups.max(1) as f64);
        Ok(())
    }

    fn runs(&self) -> anyhow::Result<()> {
        let mut cases = Vec::new();
        for shape in [Shape::Chain, Shape::Wide] {
            for level in [LevelArg::Process, LevelArg::Power] {
                for tasks in &self.args.tasks {
                    cases.push((shape, level, *tasks, Row::default()));
                }
            }
        }
        for round in 1..=self.args.rounds {
            for (shape, level, tasks, row) in &mut cases {
                self.say(&format!(
                    "round {round} of {}: {} of {tasks} tasks, {}",
                    self.args.rounds,
                    shape.as_str(),
                    level.as_str()
                ));
                self.run(*shape, *tasks, *level, row)?;
            }
        }
        println!(
            "| graph | level | tasks | tasks/s | without `tasks.yml` | bare SQLite | of it | without `tasks.yml` | gap p50 | gap p99 | one commit | gap ÷ commit | memory | rows/task | bytes/task | rows/group |"
        );
        println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        for (shape, level, tasks, row) in &cases {
            let ratio = |above: &[f64], below: &[f64]| {
                median(above.iter().zip(below).map(|(above, below)| above / below).collect())
            };
            let gaps = match shape {
                Shape::Chain => format!(
                    "{:.0} µs | {:.0} µs | {:.0} µs | {:.2}",
                    median(row.gap_p50.clone()) / 1e3,
                    median(row.gap_p99.clone()) / 1e3,
                    median(row.commit.clone()) / 1e3,
                    ratio(&row.gap_p50, &row.commit)
                ),
                Shape::Wide => format!("– | – | {:.0} µs | –", median(row.commit.clone()) / 1e3),
            };
            println!(
                "| {} | {} | {tasks} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {gaps} | {:.0} MiB | {:.1} | {:.0} | {:.0} |",
                shape.as_str(),
                level.as_str(),
                median(row.rate.clone()),
                median(row.loop_rate.clone()),
                median(row.limit.clone()),
                ratio(&row.rate, &row.limit),
                ratio(&row.loop_rate, &row.limit),
                median(row.memory_mib.clone()),
                row.rows,
                row.bytes,
                median(row.group.clone()),
            );
        }
        println!();
        Ok(())
    }

    fn starts_and_calls(&self) -> anyhow::Result<()> {
        let one = self.workspace("start", "- {id: t0, kind: note}\n", false, 2)?;
        let (planner, executor) = (self.work.join("planner.native"), self.work.join("executor.native"));
        let engine = bare_engine::engine(11)?;
        for (id, path) in [("demo/planner-priority", &planner), ("demo/executor-note", &executor)] {
            std::fs::write(path, bare_engine::precompile(&engine, &self.component(id)?)?)?;
        }
        drop(engine);

        println!("| start of the process to the first task | host | bare engine | ratio |");
        println!("|---|--:|--:|--:|");
        for (what, keep) in [("first run of a workspace", false), ("further run, the store is there", true)] {
            self.say(&format!("starts: {what}"));
            let (mut host, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for start in 0..=STARTS {
                for left in [".orch", "logs"] {
                    if !keep && one.join(left).exists() {
                        std::fs::remove_dir_all(one.join(left))?;
                    }
                }
                place::prepare(&one, "- {id: t0, kind: note}\n", false, 2)?;
                let ours = self.first_task(&self.of(&one, "start"))?;
                let alone = self.first_task(&[
                    "bare-start".as_ref(),
                    "--planner".as_ref(),
                    planner.as_os_str(),
                    "--executor".as_ref(),
                    executor.as_os_str(),
                ])?;
                // The first one fills the caches.
                if start > 0 {
                    host.push(ours);
                    bare.push(alone);
                    ratios.push(ours / alone);
                }
            }
            println!(
                "| {what}, medians of {STARTS} | {:.1} ms | {:.1} ms | {:.2} |",
                median(host),
                median(bare),
                median(ratios)
            );
        }
        println!();

        self.say("memory with nothing to do");
        let all = self.workspace("idle", "[]\n", true, 2)?;
        // The first one compiles.
        let _: IdleFigures = self.child(&self.of(&all, "idle"))?;
        let idle: IdleFigures = self.child(&self.of(&all, "idle"))?;
        println!("| idle host | plugins loaded | memory |");
        println!("|---|--:|--:|");
        println!("| resident | {} | {:.1} MiB |", idle.plugins, idle.memory_kib as f64 / 1024.0);
        println!();

        self.say("calls of a no-op");
        let calls: CallFigures = self.child(&[
            "calls".as_ref(),
            "--workspace".as_ref(),
            one.as_os_str(),
            "--config-home".as_ref(),
            self.args.config_home.as_os_str(),
            "--executor".as_ref(),
            executor.as_os_str(),
        ])?;
        println!("| no-op `execute`, fresh pooled instance | host | bare engine | ratio |");
        println!("|---|--:|--:|--:|");
        println!("| median | {:.1} µs | {:.1} µs | {:.2} |", calls.host, calls.bare, calls.ratio);
        self.say("done");
        Ok(())
    }

    fn of<'a>(&'a self, workspace: &'a Path, verb: &'static str) -> [&'a std::ffi::OsStr; 7] {
        [
            verb.as_ref(),
            "--workspace".as_ref(),
            workspace.as_os_str(),
            "--config-home".as_ref(),
            self.args.config_home.as_os_str(),
            "--host".as_ref(),
            self.args.host.as_os_str(),
        ]
    }

    /// Milliseconds from here to the first task of the child.
    fn first_task(&self, args: &[&std::ffi::OsStr]) -> anyhow::Result<f64> {
        let begun = shared_clock();
        let first: FirstTask = self.child(args)?;
        Ok(first.at.saturating_sub(begun) as f64 / 1e6)
    }

    /// Where the newest package of a plugin has its component.
    fn component(&self, id: &str) -> anyhow::Result<PathBuf> {
        let operator = Operator::open(&self.args.config_home)?;
        let found = plugins::discover(&operator.package_folders(&[]));
        let package = found.into_iter().rfind(|package| package.id.as_str() == id);
        Ok(package.with_context(|| format!("no package `{id}`"))?.folder.join("component.wasm"))
    }
}

fn remove_database(path: &Path) -> anyhow::Result<()> {
    for more in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{more}", path.display()));
        if path.exists() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
