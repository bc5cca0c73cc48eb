//! A no-op's call on a fresh instance from the pool, beside the same with the engine alone.
//!
//! In -> out: a package's executor -> microseconds of a call of the host and of a bare one, in turns.
//! Not in it: the journal, the loop, threads: both are called from one thread, one call after the other.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use orch_host::capability::nothing::Nothing;
use orch_host::engine::Engine;
use orch_host::holder;
use orch_host::plugins::Workbench;
use orch_host::role::executor::Execute;
use orch_task::{Kind, Task, TaskId};
use orch_trust::manifest::Role;
use serde::{Deserialize, Serialize};

use crate::bare_engine;
use crate::figures::median;
use crate::place::{Opened, fault};

const BLOCKS: usize = 40;
const CALLS: u32 = 500;

#[derive(Args)]
pub(crate) struct CallsArgs {
    #[arg(long)]
    workspace: PathBuf,
    #[arg(long)]
    config_home: PathBuf,
    /// Native code of the executor
    #[arg(long)]
    executor: PathBuf,
}

/// Median microseconds of one call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CallFigures {
    pub(crate) host: f64,
    pub(crate) bare: f64,
    /// Median of the ratios of neighbouring blocks.
    pub(crate) ratio: f64,
}

pub(crate) fn measure(args: &CallsArgs) -> anyhow::Result<()> {
    let opened = Opened::open(&args.workspace, &args.config_home)?;
    let engine = Engine::run(2, 0)?;
    let cache = holder::native_cache(&opened.operator).map_err(fault)?;
    let mut executors = opened.config.roles.of(Role::Executor);
    let of_notes = executors.find(|executor| executor.key == "note").context("no executor of notes")?;
    let ours = Workbench::new(&engine, &cache, &opened.config, &opened.place.workspace, &opened.admitted)
        .bind(of_notes)?;
    let lent = Nothing::lent(opened.place.workspace.clone(), Duration::from_secs(10));
    let ask = Execute::of(Task::new(TaskId::parse("t1")?, Kind::parse("note")?), 1);

    let bare_engine = bare_engine::engine(10)?;
    let bare = bare_engine::executor(&bare_engine, &bare_engine::load(&bare_engine, &args.executor)?)?;
    let no_op = bare_engine::no_op();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut host_times, mut bare_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        for block in 0..BLOCKS {
            let clock = Instant::now();
            for _ in 0..CALLS {
                let report = ours.call(lent.clone(), &ask).await;
                anyhow::ensure!(report.result?.summary == "t1", "the no-op said something else");
            }
            let host = clock.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS);
            let clock = Instant::now();
            for _ in 0..CALLS {
                let said = bare_engine::execute(&bare_engine, &bare, &no_op).await?;
                anyhow::ensure!(said == "t1", "the no-op said something else");
            }
            let alone = clock.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS);
            // The first blocks warm the pools.
            if block >= 4 {
                host_times.push(host);
                bare_times.push(alone);
                ratios.push(host / alone);
            }
        }
        Ok(())
    })?;
    let figures = CallFigures { host: median(host_times), bare: median(bare_times), ratio: median(ratios) };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}
