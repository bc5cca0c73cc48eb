//! Native code of the reference plugins in the operator's folder that every test copies: made once, not by each test.
//!
//! In -> out: packages, an operator's folder that admits them -> its `cache/`.
//! Invariant: the host itself keeps it, serving a workspace under a copy of that folder; nothing else of the copy stays.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::place::{PLUGINS, Place};
use crate::step;

/// A provider with its settings, and no secret, and a planner. One of each answers at a time, so the host serves once for each.
const BOUND: [(&str, &str, &str); 3] = [
    ("log", "priority", "narrow: {NARROWED}\n"),
    (
        "webhook",
        "wsjf",
        "  demo/provider-webhook-notify: {url: 'https://hooks.example.com/'}\n\
         narrow: {demo/provider-webhook-notify: {secrets: {use: []}}, NARROWED}\n",
    ),
    (
        "slack",
        "priority",
        "  demo/provider-slack-notify: {channels: {ops: C0123}}\n\
         narrow: {demo/provider-slack-notify: {secrets: {use: []}}, NARROWED}\n",
    ),
];

const CONFIG: &str = "\
roles:
  planner: demo/planner-PLANNER
  executors: {shell: demo/executor-shell, note: demo/executor-note, remote: demo/executor-remote, epic: demo/executor-intent, simulate: demo/simulator-production, agent: demo/executor-agent, index: demo/executor-index}
  reflectors: [demo/reflector-complexity, demo/reflector-plan]
  verifiers: [demo/verifier-command]
  auditors: [demo/auditor-files, demo/auditor-code-metrics]
  guards: {'*': demo/guard-protect}
  services: {/status: demo/service-status, /api: demo/service-orchestrator-api, /broker: demo/service-broker}
providers: {notify: demo/provider-PROVIDER-notify, llm: [demo/provider-openai, demo/provider-anthropic], embed: [demo/provider-openai, demo/provider-embed-hash], retrieve: demo/provider-retrieve}
settings:
  demo/executor-remote: {broker: 'https://broker.example.com/', prefix: any}
  demo/verifier-command: {checks: [{name: any, category: test, command: ['true']}]}
";

/// Those that are bound each time, without their secrets.
const NARROWED: &str = "demo/provider-openai: {secrets: {use: []}}, demo/provider-anthropic: {secrets: {use: []}}, demo/executor-remote: {secrets: {use: []}}";

/// Has the host keep native code of every plugin, anew.
pub(crate) fn keep(place: &Place, folder: &Path) -> anyhow::Result<()> {
    let (operator, workspace) = (folder.join("operator"), folder.join("workspace"));
    if folder.exists() {
        fs::remove_dir_all(folder).context("cannot remove what was there")?;
    }
    fs::create_dir_all(&workspace).context("cannot make a workspace")?;
    let mut copy = Command::new("cp");
    step::run("copy", copy.args(["-R", "-p"]).arg(&place.config).arg(&operator))?;
    let (kept, made) = (place.config.join("cache"), operator.join("cache"));
    for old in [&kept, &made].into_iter().filter(|cache| cache.exists()) {
        fs::remove_dir_all(old).context("cannot remove native code of before")?;
    }
    fs::write(operator.join("workspaces"), format!("{}\n", workspace.display()))
        .context("cannot be known")?;
    fs::write(workspace.join("tasks.yml"), "- {id: any, kind: note}\n").context("cannot write tasks")?;
    for (provider, planner, settings) in BOUND {
        let config = CONFIG.replace("PROVIDER", provider).replace("PLANNER", planner);
        let config = config + &settings.replace("NARROWED", NARROWED);
        fs::write(workspace.join("config.yaml"), config).context("cannot write `config.yaml`")?;
        serve(place, &operator, &workspace)?;
    }
    let found = fs::read_dir(&made).context("no native code")?.count();
    ensure!(found == PLUGINS.len(), "native code of {found} plugins was kept, expected {}", PLUGINS.len());
    fs::rename(&made, &kept).context("cannot move native code")?;
    fs::remove_dir_all(folder).context("cannot remove the copy")
}

/// Serves until it says where, which is after everything was compiled.
fn serve(place: &Place, operator: &Path, workspace: &Path) -> anyhow::Result<()> {
    let mut host = Command::new(place.binaries.join("orch-host"));
    host.args(["serve", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0", "--config-home"]);
    host.arg(operator).arg(workspace).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut host = host.spawn().context("cannot start the host")?;
    let mut said = String::new();
    let read = host.stdout.take().map(|out| BufReader::new(out).read_line(&mut said));
    host.kill().context("cannot end the host")?;
    host.wait().context("cannot wait for the host")?;
    ensure!(matches!(read, Some(Ok(1..))), "the host does not serve");
    Ok(())
}
