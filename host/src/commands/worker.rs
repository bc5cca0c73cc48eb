//! `orch-host worker`: leases tasks of a broker and runs their commands here.
//!
//! In -> out: a broker's address, the operator's policy -> a worker that works until it is asked to end.
//! Invariant: without `[worker.allow]` in the operator's `policy.toml` nothing is asked and nothing runs; one process has the folder.
//! Not here: leases, results, waits (`worker.rs`), what runs (`worker/bench.rs`).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orch_trust::permission::{HttpPermission, ProcessPermission};
use rustix::fs::{FlockOperation, flock};

use super::run::own_executable;
use crate::caches::remove_all;
use crate::capability::HostEnvironment;
use crate::capability::files::Protected;
use crate::capability::process::ProcessGrant;
use crate::config::operator::{Operator, home_folder, state_home};
use crate::console::{Console, escape};
use crate::egress::{Door, SystemNames};
use crate::exit::{Exit, Fault, Outcome};
use crate::interrupt;
use crate::open_files;
use crate::place;
use crate::processes::Commands;
use crate::relay::{self, Relay};
use crate::sandbox::{OFF, Sandboxing};
use crate::secrets::source::{From as Source, SecretSource};
use crate::worker::bench::Bench;
use crate::worker::client::{Client, ClientError, is_id};
use crate::worker::{End, Worker};

/// Holds the token where no file was named.
pub const TOKEN_VARIABLE: &str = "ORCH_BROKER_TOKEN";
/// For the end of a worker that had the folder before.
const LET_GO: Duration = Duration::from_secs(2);
const TRY: Duration = Duration::from_millis(50);
/// Of the worker, in its folder.
const OWN: &str = ".orch-worker";
const POLICY: &str = "in the operator's `policy.toml`: [worker.allow] process = { programs = [\"sh\"] } and \
                      http = [{ hosts = [\"broker.example.com:443\"], methods = [\"GET\", \"POST\"], paths = [\"/\"] }]";

#[derive(clap::Args)]
pub struct WorkerArgs {
    /// Where each task gets a folder of its own, below `.orch-worker`
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The broker, with the path that it is mounted at
    #[arg(long, value_name = "URL")]
    broker: String,
    /// Tasks at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: u32,
    /// File with the token that the broker asks for, mode 600 [default: the variable ORCH_BROKER_TOKEN, if it is there]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What the broker calls this worker [default: worker-PID]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Seconds that a task is leased for; heartbeats renew them
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    lease: u32,
    /// Seconds that running commands have once the worker is asked to end
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    grace: u32,
}

pub fn run(args: &WorkerArgs, home: Option<&Path>, console: Console) -> Outcome {
    let operator = place::operator(home)?;
    operator.check_ordinary()?;
    let (process, http) = allowed(&operator)?;
    let name = args.name.clone().unwrap_or_else(|| format!("worker-{}", std::process::id()));
    if !is_id(&name) {
        let what = format!("`--name {}`: expected 1 to 64 letters, digits, `.`, `_`, `-`", escape(&name));
        return Err(place::input("worker-name", None, what));
    }
    let token = token(args.token_file.as_deref())?;
    let door = Door::new(&operator.policy.egress, &operator.home, Arc::new(SystemNames));
    let door = Arc::new(door.map_err(|error| Fault::new(Exit::HostError, "egress", None, error))?);
    let client = Client::new(
        &args.broker,
        (&name, args.lease),
        token.as_deref().map(Vec::as_slice),
        http,
        door.clone(),
    );
    let client = client.map_err(not_asked)?;
    let (root, _held) = folder(&args.dir)?;

    let control = interrupt::listen(console, None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(anyhow::Error::from)?;
    orch_supervisor::adopt().map_err(anyhow::Error::from)?;
    let (policy, supervisor) = (&operator.policy.sandbox, own_executable()?);
    let states = state_home().unwrap_or_else(|| operator.home.join("state"));
    let own = [operator.home.clone(), states.join("orch")];
    let mut sandboxing =
        Sandboxing::of(policy, home_folder().as_deref(), &root, Arc::new(Protected::default()), own);
    let commands = Commands::new(supervisor.clone(), args.jobs as usize);
    let lacking = runtime.block_on(sandboxing.try_out(&commands, &supervisor, policy.mode))?;
    lacking.iter().for_each(|lacking| console.warn(lacking));
    if !sandboxing.is_on() {
        console.warn(OFF);
    }
    let connections = open_files::connections_of_a_command(args.jobs);
    let bench = Bench {
        commands,
        sandboxing,
        relay: Arc::new(Relay::new(door, policy, relay::Times::default(), connections)),
        granted: ProcessGrant::new(process, &HostEnvironment::of_this_process()),
        root: root.clone(),
    };
    let grace = Duration::from_secs(args.grace.into());
    let worker = Worker { client, bench, jobs: args.jobs, grace, console };
    console.line(&format!("worker {name}: {} at once, of {}", args.jobs, escape(&args.broker)));
    let end = runtime.block_on(worker.work(control.subscribe()));
    remove_all(&root).map_err(|error| place::io(&root, "remove", error))?;
    match end {
        End::Done => Ok(Exit::Done),
        End::Cut(tasks) => {
            console.warn(&format!(
                "{tasks} tasks were cut: the broker hands them out again, those that could not be given back when their leases lapsed"
            ));
            Ok(Exit::Interrupted)
        }
        End::Refused(why) => {
            let error = anyhow::anyhow!("the broker refuses this worker: {}", escape(&why));
            let hint = "the token needs the scope `run` (`orch-host token add`), and the URL the path that the broker is mounted at";
            Err(Fault::new(Exit::HostError, "broker-refused", Some(hint.to_owned()), error))
        }
    }
}

/// What the operator lets a worker run, and ask.
fn allowed(operator: &Operator) -> Result<(&ProcessPermission, &HttpPermission), Fault> {
    let allow = &operator.policy.worker.allow;
    let missing = |key: &str| {
        let what =
            format!("the operator's policy has no `{key}` in `[worker.allow]`: this host is no worker");
        Fault::new(Exit::Usage, "worker-not-allowed", Some(POLICY.to_owned()), anyhow::Error::msg(what))
    };
    let process = allow.process.as_ref().ok_or_else(|| missing("process"))?;
    let http = allow.http.as_ref().ok_or_else(|| missing("http"))?;
    Ok((process, http))
}

fn not_asked(error: ClientError) -> Fault {
    let (code, hint) = match &error {
        ClientError::NotAllowed { rule, .. } => (
            "worker-not-allowed",
            Some(format!("`http` of `[worker.allow]` in `policy.toml` needs the rule {rule}")),
        ),
        ClientError::Address(_) => ("broker-address", None),
        ClientError::Token => ("broker-token", None),
    };
    Fault::new(Exit::Usage, code, hint, error)
}

/// What the broker asks for; none if nothing says one.
fn token(file: Option<&Path>) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, Fault> {
    let from = match file {
        Some(file) => {
            Source::File(std::path::absolute(file).map_err(|error| place::io(file, "find", error))?)
        }
        None if std::env::var_os(TOKEN_VARIABLE).is_none() => return Ok(None),
        None => Source::Env(TOKEN_VARIABLE.to_owned()),
    };
    let source = SecretSource { from, encoding: crate::capability::secrets::value::SecretEncoding::Plain };
    let read = source
        .read()
        .map_err(|error| place::input("broker-token", None, format!("the broker's token {error}")))?;
    Ok(Some(zeroize::Zeroizing::new(read.bytes().to_vec())))
}

/// The folder of this worker's tasks, empty, and what holds it.
fn folder(dir: &Path) -> Result<(PathBuf, File), Fault> {
    let found = dir.canonicalize().map_err(|error| place::unreadable(dir, error))?;
    let own = found.join(OWN);
    let root = own.join("tasks");
    let made = |error| place::io(&own, "make", error);
    orch_folder(&own).map_err(made)?;
    let lock = own.join("lock");
    let held = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
    let held = held.map_err(|error| place::io(&lock, "open", error))?;
    if !is_taken(&held) {
        let what = format!("another worker works in `{}`", found.display());
        let hint = "give each worker a folder of its own, or more `--jobs` to one".to_owned();
        return Err(Fault::new(Exit::StoreHeld, "worker-held", Some(hint), anyhow::Error::msg(what)));
    }
    // What a worker left that was killed.
    remove_all(&root).map_err(|error| place::io(&root, "remove", error))?;
    orch_folder(&root).map_err(made)?;
    Ok((root, held))
}

/// True once the lock is this process's. One that was killed lets go of it in a moment.
fn is_taken(lock: &File) -> bool {
    let tries = u32::try_from(LET_GO.as_millis() / TRY.as_millis()).unwrap_or(1);
    (0..tries).any(|nth| {
        if nth > 0 {
            std::thread::sleep(TRY);
        }
        flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

/// A folder for its owner alone; one that is there is no link.
fn orch_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error)
            if error.kind() == std::io::ErrorKind::AlreadyExists && path.symlink_metadata()?.is_dir() =>
        {
            Ok(())
        }
        other => other,
    }
}
