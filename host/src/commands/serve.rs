//! `orch-host serve`: answers HTTP requests with the workspace's services.
//!
//! In -> out: listening address, the workspace's bindings -> services that answer until somebody interrupts.
//! Invariant: services are admitted, granted and run like every other plugin.
//! Not here: requests (`serve/requests.rs`), the call itself (`role/service.rs`).

mod committed_tasks;
mod requests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_trust::manifest::Role;
use tokio::sync::Semaphore;

use crate::config::workspace::WorkspaceError;
use crate::console::Console;
use crate::drive::kv::KvOverlay;
use crate::engine::Engine;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place};
use crate::plugins::{self, Workbench};
use crate::run_log::RunLog;
use crate::session;

use requests::{Mounted, REQUESTS_MAX, listen};

#[derive(clap::Args)]
pub struct ServeArgs {
    /// The workspace
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// State folder, relative to the workspace
    #[arg(long, value_name = "DIR", default_value = ".orch")]
    memory: PathBuf,
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
}

pub fn run(args: &ServeArgs, home: Option<&Path>, console: Console) -> Outcome {
    let place = Place::of(&args.dir, &args.memory)?;
    let operator = place::operator(home)?;
    if !operator.knows_workspace(&place.workspace)? {
        return Err(WorkspaceError::Unknown { path: place.workspace.to_path_buf() }.into());
    }
    let config = place.config()?;
    let trust = operator.rules(&config, place.lock()?);
    let admitted = plugins::admit_bound(
        &config,
        &place::package_folders(&operator, &args.plugins)?,
        &trust,
        place::now(),
    )?;
    super::run::warn_of_notices(&operator, &admitted, console);
    super::run::announce(&admitted, console);
    operator.saw(admitted.unpinned(&trust.lock))?;
    let engine = Engine::run(REQUESTS_MAX as u32, 0)
        .map_err(|error| Fault::new(Exit::HostError, "engine", None, error))?;
    let cache = session::native_cache(&operator)?;
    let mut bench = Workbench::new(&engine, &cache, &config, &admitted.by_id);
    let mut services = Vec::new();
    for service in config.roles.of(Role::Service) {
        services.push((service.key.clone(), bench.bind(service)?));
    }
    let _recheck = session::recheck(&operator, &config, place.lock()?, &admitted, &bench.withdrawals())?;
    if services.is_empty() {
        let hint = "say `roles: {services: {/path: NAMESPACE/NAME}}` in `config.yaml`".to_owned();
        return Err(place::input("no-service", Some(hint), "the workspace binds no service".to_owned()));
    }
    // The longest path first, so that the most exact one answers.
    services.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    let guests = session::guest_runtime(2)?;
    let mounted = Arc::new(Mounted {
        kv: Arc::new(KvOverlay::open(&place.state)?),
        log: Arc::new(RunLog::new(place.workspace.join("logs"), "serve", super::run::log_bytes_max(&config))),
        place,
        services,
        slots: Semaphore::new(REQUESTS_MAX),
        guests: guests.handle().clone(),
    });
    let main =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    main.block_on(listen(args.listen, mounted, console))?;
    guests.shutdown_background();
    Ok(Exit::Done)
}
