//! A workspace of the benchmark, opened as `orch-host run` opens it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use orch_host::config::operator::Operator;
use orch_host::config::workspace::WorkspaceConfig;
use orch_host::drive::branch::Beginning;
use orch_host::drive::choice::Wanted;
use orch_host::drive::desk::{Audit, Control, Durability, RunRules};
use orch_host::drive::task_file::Sheet;
use orch_host::exit::Fault;
use orch_host::holder::{Holder, Setup};
use orch_host::place::{self, Place};
use orch_host::plugins::{self, AdmittedPlugins};
use orch_host::session::Session;
use tokio::sync::watch;

const TASKS: &str = "tasks.yml";
/// What binds the plugins of the loop; the services and the rest are bound for the idle host only.
const LOOP: &str =
    "roles: {planner: demo/planner-priority, executors: {note: demo/executor-note}}\njobs: JOBS\n";
const ALL: &str = "\
roles:
  planner: demo/planner-priority
  executors: {note: demo/executor-note, shell: demo/executor-shell}
  reflectors: [demo/reflector-complexity]
  auditors: [demo/auditor-files]
  verifiers: [demo/verifier-command]
  services: {/status: demo/service-status}
settings:
  demo/verifier-command: {checks: [{name: look, category: test, command: [sh, -c, 'true']}]}
";

/// Writes the workspace's own files.
pub(crate) fn prepare(workspace: &Path, tasks: &str, all: bool, jobs: u32) -> anyhow::Result<()> {
    std::fs::create_dir_all(workspace)?;
    let config = if all { ALL.to_owned() } else { LOOP.replace("JOBS", &jobs.to_string()) };
    std::fs::write(workspace.join("config.yaml"), config)?;
    std::fs::write(workspace.join("tasks.yml"), tasks)?;
    Ok(())
}

/// What stands before a session.
pub(crate) struct Opened {
    pub(crate) place: Place,
    pub(crate) operator: Operator,
    pub(crate) config: WorkspaceConfig,
    pub(crate) admitted: AdmittedPlugins,
    control: watch::Sender<Control>,
}

pub(crate) fn fault(fault: Fault) -> anyhow::Error {
    fault.source.context(fault.code)
}

impl Opened {
    /// Every plugin that the workspace binds is admitted, as at every run.
    pub(crate) fn open(workspace: &Path, config_home: &Path) -> anyhow::Result<Self> {
        let place = Place::of(workspace, Path::new(".orch")).map_err(fault)?;
        let operator = place::operator(Some(config_home)).map_err(fault)?;
        let config = place.config().map_err(fault)?;
        let rules = operator.rules(&config, place.lock().map_err(fault)?);
        let admitted = plugins::admit_bound(&config, &operator.package_folders(&[]), &rules, place::now())?;
        Ok(Self { place, operator, config, admitted, control: watch::Sender::new(Control::GoOn) })
    }

    /// Services answer so many requests at once; 0 binds none.
    pub(crate) fn holder(
        &self,
        durability: Durability,
        host: PathBuf,
        requests: u32,
    ) -> anyhow::Result<Holder> {
        let rules = RunRules {
            jobs: self.config.jobs.unwrap_or(1),
            audit: Audit::End,
            durability,
            budget: self.config.budget.limit,
            budget_warn_at: 0.8,
            major_max: 0,
            medium_max: 0,
            medium_fails: false,
            backoff: self.config.retry,
            kill_after: Duration::from_secs(5),
            log_bytes_max: 1 << 20,
            beginning: Beginning::default(),
            notices: self.config.notify.clone(),
            tasks_auto: Vec::new(),
            asked: self.config.asked.clone(),
        };
        let setup = Setup {
            place: &self.place,
            operator: &self.operator,
            config: &self.config,
            admitted: &self.admitted,
            packages: &[],
            task_file: Path::new(TASKS),
            rules,
            program: host.clone(),
            supervisor: host,
            requests,
            wishes: None,
        };
        Holder::open(setup).map_err(fault)
    }

    pub(crate) fn session<'a>(&self, holder: &'a Holder) -> anyhow::Result<Session<'a>> {
        let sheet = Sheet::read(&self.place.workspace.join(TASKS)).context("tasks.yml")?;
        Session::open(holder, sheet, Wanted::default(), &self.control).map_err(fault)
    }
}
