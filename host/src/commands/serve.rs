//! `orch-host serve`: holds a workspace, answers HTTP requests with its services, and runs when somebody asks for it.
//!
//! In -> out: listening addresses, the workspace's bindings -> a host that answers until it is asked to end.
//! Invariant: services are admitted, granted and run like every other plugin.
//! Not here: what is answered (`serve/`), runs (`session.rs`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use orch_trust::manifest::Role;
use tokio::sync::mpsc;

use super::plugin::renew;
use super::run::{
    RUNNING_PROGRAM, announce, own_executable, rules_of, warn_of_missing_runs, warn_of_notices,
};
use crate::config::tokens::Tokens;
use crate::config::workspace::WorkspaceError;
use crate::console::{Console, escape};
use crate::exit::{Exit, Outcome};
use crate::holder::{self, Holder, Setup};
use crate::interrupt;
use crate::place::{self, Place};
use crate::plugins;
use crate::serve::front::{Front, FrontSetup};
use crate::serve::{CALLS_MAX, Mounts, Serving};

/// So many wishes wait; more wait at whoever has them.
const WISHES_MAX: usize = 64;
/// Where the host itself answers.
const OWN_PATHS: [&str; 1] = ["/v1"];

#[derive(clap::Args)]
pub struct ServeArgs {
    /// The workspace
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Task file, relative to the workspace
    #[arg(long, value_name = "FILE", default_value = "tasks.yml")]
    tasks: PathBuf,
    /// State folder, relative to the workspace
    #[arg(long, value_name = "DIR", default_value = ".orch")]
    memory: PathBuf,
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    /// Where services and the control API answer; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Where `/health` and `/metrics` answer
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9101")]
    operators: SocketAddr,
    /// A name that requests may be for, besides addresses and `localhost`; may be said again
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Begin a run at once, and go on with it whenever there is something to do
    #[arg(long)]
    run: bool,
}

pub fn run(args: &ServeArgs, home: Option<&Path>, console: Console) -> Outcome {
    let place = Place::of(&args.dir, &args.memory)?;
    let operator = place::operator(home)?;
    operator.check_ordinary()?;
    if !operator.knows_workspace(&place.workspace)? {
        return Err(WorkspaceError::Unknown { path: place.workspace.to_path_buf() }.into());
    }
    place.check_machine(&operator)?;
    place.check_logs()?;
    let task_file = place.task_file(&args.tasks)?;
    let config = place.config()?;
    for service in config.roles.of(Role::Service) {
        let is_below = |own: &str| {
            service.key.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if let Some(own) = OWN_PATHS.iter().find(|own| is_below(own)) {
            let what = format!("`config.yaml` mounts `{}` at `{}`", service.id, escape(&service.key));
            let hint = format!("below `{own}` the host itself answers; take another path");
            return Err(place::input("mount-taken", Some(hint), what));
        }
    }
    let trust = operator.rules(&config, place.lock()?);
    let folders = place::package_folders(&operator, &args.plugins)?;
    renew::by_itself(&operator, &config, &folders, &trust, console)?;
    let admitted = plugins::admit_bound(&config, &folders, &trust, place::now())?;
    admitted.check_secrets(&operator.secrets)?;
    admitted.check_env(&config, &place.workspace)?;
    warn_of_notices(&operator, &admitted, console);
    announce(&admitted, console);
    operator.saw(admitted.unpinned(&trust.lock))?;
    warn_of_missing_runs(&place, &operator, console)?;

    let control = interrupt::listen(console, None)?;
    let rules = rules_of(&config, &operator, &admitted);
    let (jobs, log_bytes_max) = (rules.jobs, rules.log_bytes_max);
    let (wish, wishes) = mpsc::channel(WISHES_MAX);
    let mut holder = Holder::open(Setup {
        place: &place,
        operator: &operator,
        config: &config,
        admitted: &admitted,
        packages: &args.plugins,
        task_file: &task_file,
        rules,
        program: own_executable()?,
        supervisor: RUNNING_PROGRAM.into(),
        requests: CALLS_MAX,
        wishes: Some(wish),
    })?;
    let services = std::mem::take(&mut holder.services);
    // Their own threads: who asks takes no time from attempts that wait.
    let guests = holder::guest_runtime(2)?;
    let public = operator.policy.serve.public.clone();
    let is_public = |id: &str, changes: bool| !changes || public.iter().any(|one| one.as_str() == id);
    let mounts =
        Mounts::of(&holder, services, |bound| is_public(&bound.id, bound.changes), guests.handle().clone());
    let lines: Vec<String> = mounts
        .list()
        .map(|(id, path, token)| {
            let token = if token { "  (token)" } else { "" };
            format!("{path}  {id}{token}")
        })
        .collect();
    let front = Front::begin(
        FrontSetup {
            services: args.listen,
            operators: args.operators,
            names: args.host.clone(),
            jobs,
            log_bytes_max,
        },
        mounts,
        holder.api.clone(),
        Tokens::of(&operator),
    )?;
    let serving = Serving {
        holder: &holder,
        wishes,
        control: control.subscribe(),
        console,
        front: front.handle(),
        own_files: holder.own_files.clone(),
    };
    serving.begin()?;
    for line in lines {
        console.line(&format!("http://{}{line}", front.services_at));
    }
    console.line(&format!("http://{}/v1  control API (token)", front.services_at));
    console.line(&format!("http://{}/metrics", front.operators_at));
    let ended = serving.until_the_end(args.run);
    drop(front);
    guests.shutdown_background();
    let closed = holder.close();
    ended?;
    closed?;
    Ok(Exit::Done)
}
