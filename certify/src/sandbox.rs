//! Child processes for checks, as their parent sees them.
//!
//! In -> out: package, group -> one result for each of the group's checks.
//! Limits: wall time by group, 4 MiB of output.
//! Invariant: a child gets no key and an empty environment; one that crashed, ran out of time, was cut off or gave
//! anything but its group's results has the status `error` for each of them.
//! Not here: the child's own limits (`confine.rs`), what it runs (`check.rs`, `conformance.rs`).

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orch_host::package;
use orch_trust::certificate::{CheckResult, CheckStatus, Measured};
use orch_trust::digest::Sha256Digest;
use orch_trust::inputs::Inputs;
use orch_trust::package::{CERTIFICATES, PackageBytes};
use orch_trust::strict_json;
use serde::{Deserialize, Serialize};

use crate::check::{Beside, Group, GroupReport, unfinished};
use crate::outside::Outside;

const OUTPUT_BYTES_MAX: u64 = 4 << 20;
const TRACE_CHARACTERS_MAX: usize = 300;
const POLL: Duration = Duration::from_millis(5);
/// The verb under which the binary runs a group.
pub const VERB: &str = "check";

/// How children are started.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// The `orch-certify` binary itself.
    pub program: PathBuf,
    /// Until a child that only reads is ended.
    pub static_wall: Duration,
    /// Until a child that runs the plugin is ended.
    pub conformance_wall: Duration,
    /// Until a child that looks at sources is ended.
    pub outside_wall: Duration,
    /// Until a child that builds the plugin twice is ended.
    pub build_wall: Duration,
    /// What the children are told beside the package.
    pub beside: Beside,
    /// What is given to the groups that need it.
    pub outside: Outside,
}

/// A file that parent and child must see alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub name: String,
    pub sha256: Sha256Digest,
}

/// What the parent tells a child on its standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What the parent read; a child that reads anything else gives up.
    pub files: Vec<Seen>,
    /// An empty folder to work in.
    pub workspace: PathBuf,
    pub beside: Beside,
    #[serde(default)]
    pub outside: Outside,
}

impl Sandbox {
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            static_wall: Duration::from_secs(60),
            conformance_wall: Duration::from_secs(300),
            outside_wall: Duration::from_secs(300),
            build_wall: Duration::from_secs(1500),
            beside: Beside::default(),
            outside: Outside::default(),
        }
    }

    /// The group's report, its results in the order of its checks.
    pub fn run(&self, group: Group, folder: &Path, package: &PackageBytes, workspace: &Path) -> GroupReport {
        let order = Order {
            files: seen(package),
            workspace: workspace.to_owned(),
            beside: self.beside.clone(),
            outside: self.outside.clone(),
        };
        self.ask(group, folder, &order).unwrap_or_else(|why| {
            let results = group.checks().iter().map(|id| unfinished(id, &why)).collect();
            GroupReport {
                results,
                measured: Measured::default(),
                inputs: Inputs::default(),
                self_check: None,
            }
        })
    }

    fn ask(&self, group: Group, folder: &Path, order: &Order) -> Result<GroupReport, String> {
        let wall = match group {
            Group::Conformance(_) | Group::Behaviour | Group::SelfCheck => self.conformance_wall,
            Group::Dependencies => self.outside_wall,
            Group::Source => self.build_wall,
            Group::Package | Group::Component | Group::Contents | Group::Compatibility => self.static_wall,
        };
        let mut child = Command::new(&self.program)
            .args([VERB, &group.name()])
            .arg(folder)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("child-not-started: {error}"))?;
        let (output, trace) = (drain(child.stdout.take()), drain(child.stderr.take()));
        // A child that does not listen is found by its missing answer.
        if let (Some(mut input), Ok(bytes)) = (child.stdin.take(), serde_json::to_vec(order)) {
            let _ = input.write_all(&bytes);
        }
        let status = wait(&mut child, wall)?;
        let (output, trace) = (collect(output), collect(trace));
        if !status.success() {
            return Err(describe(status, &trace));
        }
        read_report(group, &output)
    }
}

/// Name and digest of every file but the certificates: other certifiers may put theirs there meanwhile.
fn seen(package: &PackageBytes) -> Vec<Seen> {
    let looked_at = package.list().filter(|(name, ..)| !name.starts_with(CERTIFICATES));
    looked_at.map(|(name, _, sha256)| Seen { name: name.to_owned(), sha256 }).collect()
}

/// The package in a child's folder, if it is the one that the parent read.
pub fn read_same(folder: &Path, order: &Order) -> anyhow::Result<PackageBytes> {
    let package = package::read(folder)?;
    match seen(&package) == order.files {
        true => Ok(package),
        false => anyhow::bail!("package changed while it was certified"),
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> Option<JoinHandle<Vec<u8>>> {
    pipe.map(|pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // Over the limit the pipe closes, which ends the child or leaves output that is no report.
            let _ = pipe.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
            bytes
        })
    })
}

fn collect(reader: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
}

fn wait(child: &mut Child, wall: Duration) -> Result<ExitStatus, String> {
    let deadline = Instant::now() + wall;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            stuck => {
                // Nothing is left of it before anything else happens.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match stuck {
                    Err(error) => format!("child-lost: {error}"),
                    Ok(_) => format!("child-timeout: not done within {} s", wall.as_secs_f32()),
                });
            }
        }
    }
}

fn describe(status: ExitStatus, trace: &[u8]) -> String {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    };
    let trace = String::from_utf8_lossy(trace);
    let trace: String = trace.trim().chars().take(TRACE_CHARACTERS_MAX).collect();
    match trace.is_empty() {
        true => format!("child-crashed: {how}"),
        false => format!("child-crashed: {how}: {trace}"),
    }
}

/// The report of a child, if it is whole, about the checks of its group, and no check passed that looked at nothing.
///
/// # Errors
/// What is wrong with it, code first.
pub fn read_report(group: Group, output: &[u8]) -> Result<GroupReport, String> {
    let report: GroupReport = strict_json::parse(output).map_err(|error| format!("child-output: {error}"))?;
    let ids: Vec<&str> = report.results.iter().map(|result| result.id.as_str()).collect();
    if ids != group.checks() {
        return Err("child-output: it is not about the checks of its group".to_owned());
    }
    let sound = |result: &CheckResult| result.status != CheckStatus::Pass || result.looked_at > 0;
    match report.results.iter().all(sound) {
        true => Ok(report),
        false => Err("child-output: a check passed that looked at nothing".to_owned()),
    }
}
