//! From the start of a process to its first task: the host, and a program that only has the engine.
//!
//! In -> out: a prepared workspace or native code -> the moment of the first task, by the clock that processes share.
//! The host reads and verifies its packages, checks the receipts of its native code, opens its store and its task
//! file; the bare program maps native code of the same components, makes the planner's session and calls.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use orch_host::drive::desk::Durability;
use orch_host::watch::Observer;
use orch_journal::RunState;
use orch_journal::event::Event;
use serde::{Deserialize, Serialize};

use crate::bare_engine::{self, wrong};
use crate::figures::{memory_kib, shared_clock};
use crate::place::{Opened, fault};

#[derive(Args)]
pub(crate) struct StartArgs {
    #[arg(long)]
    workspace: PathBuf,
    #[arg(long)]
    config_home: PathBuf,
    #[arg(long)]
    host: PathBuf,
}

#[derive(Args)]
pub(crate) struct BareStartArgs {
    /// Native code of the planner
    #[arg(long)]
    planner: PathBuf,
    /// Native code of the executor
    #[arg(long)]
    executor: PathBuf,
}

/// When the first task began, in nanoseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FirstTask {
    pub(crate) at: u64,
}

/// Resident memory, KiB.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdleFigures {
    pub(crate) memory_kib: u64,
    pub(crate) plugins: usize,
}

struct First(Arc<Mutex<Option<u64>>>);

impl Observer for First {
    fn recorded(&mut self, _place: u64, event: &Event, _state: &RunState) {
        if let Event::AttemptStarted { .. } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(shared_clock);
        }
    }
}

pub(crate) fn measure(args: &StartArgs) -> anyhow::Result<()> {
    let opened = Opened::open(&args.workspace, &args.config_home)?;
    let first = Arc::new(Mutex::new(None));
    let holder = opened.holder(Durability::Mixed, args.host.clone(), 0)?;
    let session = opened.session(&holder)?;
    session.observed_by(Box::new(First(first.clone()))).drive().map_err(fault)?;
    holder.close().map_err(fault)?;
    let at = first.lock().unwrap_or_else(PoisonError::into_inner).take();
    let at = at.ok_or_else(|| anyhow::anyhow!("no task was started"))?;
    println!("{}", serde_json::to_string(&FirstTask { at })?);
    Ok(())
}

pub(crate) fn measure_bare(args: &BareStartArgs) -> anyhow::Result<()> {
    let engine = bare_engine::engine(11)?;
    let planner = bare_engine::planner(&engine, &bare_engine::load(&engine, &args.planner)?)?;
    let executor = bare_engine::executor(&engine, &bare_engine::load(&engine, &args.executor)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let at = runtime.block_on(async {
        let mut store = bare_engine::store(&engine);
        let instance = planner.instantiate_async(&mut store).await.map_err(wrong)?;
        let session = instance.orch_planner_planner().session();
        let kinds = ["note".to_owned()];
        let opened = session.call_open(&mut store, "{}", &kinds).await.map_err(wrong)?;
        opened.map_err(|failure| anyhow::anyhow!(failure.message))?;
        let at = shared_clock();
        bare_engine::execute(&engine, &executor, &bare_engine::no_op()).await?;
        anyhow::Ok(at)
    })?;
    println!("{}", serde_json::to_string(&FirstTask { at })?);
    Ok(())
}

pub(crate) fn measure_idle(args: &StartArgs) -> anyhow::Result<()> {
    let opened = Opened::open(&args.workspace, &args.config_home)?;
    // As `serve` has it: all plugins, services too.
    let holder = opened.holder(Durability::Mixed, args.host.clone(), 8)?;
    let session = opened.session(&holder)?;
    // Threads that were just made settle.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let figures = IdleFigures { memory_kib: memory_kib("VmRSS")?, plugins: opened.admitted.by_id.len() };
    drop(session);
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}
