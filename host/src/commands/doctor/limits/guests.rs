//! Hostile guests: one for each limit of a call, and how its call must end.
//!
//! In -> out: [`GUESTS`], an engine of runs -> [`Seen`] of each call.
//! Shape: two components, made from the text beside them (`hostile.wat`, `starts.wat`; a test holds them equal), compiled as
//! what they are: candidates, which meet fakes only and no run takes.
//! Not here: limits of commands (`programs.rs`), what is shown (`limits.rs`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orch_task::{Kind, Task, TaskId};
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::manifest::Limits;
use orch_trust::package::PackageBytes;
use serde_json::json;

use crate::capability::trial::{Fakes, Mood};
use crate::engine::{Compiled, Engine};
use crate::role::executor::{Execute, Executor};

/// By the number that says so to it.
const HOSTILE: &[u8] = include_bytes!("hostile.wasm");
/// Before anybody says anything to it.
const STARTS: &[u8] = include_bytes!("starts.wasm");

/// What all of them have but for what a row says; none is a limit that they pass by chance.
const USUAL: Limits = Limits {
    memory_mib: 4,
    busy_ms: 5_000,
    wall_ms: 5_000,
    output_kib: 64,
    host_calls: 100_000,
    log_kib: 64,
};

/// One hostile guest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    /// The limit, as people know it.
    pub(super) limit: &'static str,
    pub(super) does: &'static str,
    /// As which attempt it does so; none: as it starts.
    number: Option<u32>,
    /// What it is tried with, where that is not a constant of the host.
    pub(super) tried: Tried,
    pub(super) ends: Ends,
}

/// The limit of a manifest that a guest is tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// `memoryMiB`
    Memory(u32),
    /// `busyMs`
    Busy(u32),
    /// `wallMs`
    Wall(u32),
    /// `outputKiB`
    Output(u32),
    /// `hostCalls`
    HostCalls(u32),
    /// `logKiB`
    Log(u32),
    /// The host's own, or of a grant.
    Fixed(&'static str),
}

/// How its call must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// With this code.
    Code(&'static str),
    /// It was told so, and says it.
    Told(&'static str),
    /// It goes on without most of its log.
    LogCut,
}

impl Ends {
    /// As people read it.
    pub(super) fn shown(self) -> String {
        match self {
            Self::Code(code) => code.to_owned(),
            Self::Told(word) => format!("told `{word}`"),
            Self::LogCut => "log cut".to_owned(),
        }
    }
}

impl Tried {
    fn limits(self) -> Limits {
        match self {
            Self::Memory(memory_mib) => Limits { memory_mib, ..USUAL },
            Self::Busy(busy_ms) => Limits { busy_ms, ..USUAL },
            Self::Wall(wall_ms) => Limits { wall_ms, ..USUAL },
            Self::Output(output_kib) => Limits { output_kib, ..USUAL },
            Self::HostCalls(host_calls) => Limits { host_calls, ..USUAL },
            Self::Log(log_kib) => Limits { log_kib, ..USUAL },
            Self::Fixed(_) => USUAL,
        }
    }

    /// As people read it.
    pub(super) fn shown(self) -> String {
        match self {
            Self::Memory(mib) => format!("{mib} MiB"),
            Self::Busy(ms) | Self::Wall(ms) => format!("{ms} ms"),
            Self::Output(kib) | Self::Log(kib) => format!("{kib} KiB"),
            Self::HostCalls(calls) => format!("{calls} calls"),
            Self::Fixed(what) => what.to_owned(),
        }
    }

    /// The time that may pass until it fires, where it is a time.
    #[cfg(test)]
    pub(super) fn time(self) -> Option<Duration> {
        match self {
            Self::Busy(ms) | Self::Wall(ms) => Some(Duration::from_millis(ms.into())),
            _ => None,
        }
    }
}

const fn row(
    limit: &'static str,
    does: &'static str,
    number: u32,
    tried: Tried,
    code: &'static str,
) -> Guest {
    Guest { limit, does, number: Some(number), tried, ends: Ends::Code(code) }
}

const fn told(limit: &'static str, does: &'static str, number: u32, tried: &'static str) -> Guest {
    Guest { limit, does, number: Some(number), tried: Tried::Fixed(tried), ends: Ends::Told("limit") }
}

/// Each limit of a call.
pub(super) const GUESTS: [Guest; 21] = [
    row("time in guest code", "loops for ever", 1, Tried::Busy(200), "limit-busy"),
    Guest {
        limit: "time in guest code",
        does: "works without end as it starts",
        number: None,
        tried: Tried::Busy(200),
        ends: Ends::Code("limit-busy"),
    },
    row("time of a call", "sleeps for ever", 16, Tried::Wall(1000), "limit-wall"),
    row("calls into the host", "calls the host for ever", 2, Tried::HostCalls(10_000), "limit-host-calls"),
    row("memory", "grows its memory for ever", 3, Tried::Memory(4), "limit-memory"),
    row("memory", "grows its second memory for ever", 4, Tried::Memory(4), "limit-memory"),
    row("tables", "grows a table for ever", 5, Tried::Fixed("20000 elements"), "limit-tables"),
    row("stack", "calls itself for ever", 6, Tried::Fixed("1 MiB"), "limit-stack"),
    row("answer", "answers with more than it may", 7, Tried::Output(4), "limit-output"),
    row("answer", "answers with a GiB that it has not", 8, Tried::Fixed("its memory"), "plugin-trap"),
    row("argument", "hands a GiB over", 9, Tried::Fixed("32 MiB"), "limit-argument"),
    row("handles", "takes handles for ever", 10, Tried::Fixed("1024 handles"), "limit-resources"),
    Guest {
        limit: "log",
        does: "logs for ever",
        number: Some(11),
        tried: Tried::Log(16),
        ends: Ends::LogCut,
    },
    told("tasks", "asks for tasks for ever", 12, "3 tasks granted"),
    told("findings", "reports findings for ever", 13, "1000 findings"),
    told("metrics", "records metrics for ever", 14, "1000 metrics"),
    told("kv", "keeps values for ever", 15, "1 MiB granted"),
    row("panic", "panics", 17, Tried::Fixed("-"), "plugin-trap"),
    row("form of an answer", "answers with what is none", 18, Tried::Fixed("-"), "plugin-trap"),
    row("re-entrancy", "calls the host while the host calls it", 19, Tried::Fixed("-"), "plugin-trap"),
    Guest {
        limit: "names of files",
        does: "writes to `..`, a NUL, `/`, and through a link out",
        number: Some(20),
        tried: Tried::Fixed("-"),
        ends: Ends::Told("refused"),
    },
];

/// What was seen of one call.
#[derive(Debug)]
pub(super) struct Seen {
    /// As the row says, or what came instead.
    pub(super) ended: Result<(), String>,
    pub(super) took: Duration,
    #[cfg(test)]
    pub(super) used: crate::call::Used,
}

/// Guests that were compiled, and the ground that they stand on.
pub(super) struct Trial {
    engine: Engine,
    hostile: Compiled<Candidate>,
    starts: Compiled<Candidate>,
}

impl Trial {
    /// Compiles both components in an engine of runs.
    pub(super) fn new() -> anyhow::Result<Self> {
        let engine = Engine::run(1, 0)?;
        let compiled = |component: &[u8]| anyhow::Ok(engine.compile(candidate(component)?)?);
        Ok(Self { hostile: compiled(HOSTILE)?, starts: compiled(STARTS)?, engine: engine.clone() })
    }

    /// One call of that guest. `workspace`: absolute, without links; the link `out` in it leads out of it.
    pub(super) async fn call(&self, guest: &Guest, workspace: &Path) -> anyhow::Result<Seen> {
        let compiled = if guest.number.is_some() { &self.hostile } else { &self.starts };
        let evidence = compiled.evidence();
        let limits = guest.tried.limits();
        let narrowed = compiled.narrowed(&evidence.manifest().permissions, limits)?;
        let executor = Executor::link(&self.engine, narrowed)?;
        let task = Task::new(TaskId::parse("t")?, Kind::shell());
        let execute = Execute::of(task, guest.number.unwrap_or_default());
        let fakes = Fakes::new(Vec::new(), Mood::Good);
        let wall = Duration::from_millis(limits.wall_ms.into());
        let context = fakes.context(workspace.to_owned(), "{}", wall);
        let begun = Instant::now();
        let report = executor.call(context, &execute).await;
        let took = begun.elapsed();
        let is_so = match (&report.result, guest.ends) {
            (Err(error), Ends::Code(code)) => error.code() == code,
            (Ok(done), Ends::Told(word)) => done.summary == word,
            (Ok(_), Ends::LogCut) => report.log_cut,
            _ => false,
        };
        let ended = match (&report.result, is_so) {
            (_, true) => Ok(()),
            (Ok(done), false) => Err(format!("it is done: `{}`", done.summary)),
            (Err(error), false) => Err(format!("{}: {error}", error.code())),
        };
        Ok(Seen {
            ended,
            took,
            #[cfg(test)]
            used: report.used,
        })
    }
}

/// A package that nobody vouches for, with every permission that the guests try; each meets a fake.
fn candidate(component: &[u8]) -> anyhow::Result<Candidate> {
    let sbom = b"{}";
    let file = |path: &str, role: &str, bytes: &[u8]| json!({"path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes).to_string()});
    let manifest = json!({
        "schema": "urn:orch:plugin-manifest:v1",
        "id": "doctor/hostile",
        "version": "0.1.0",
        "name": "hostile",
        "description": "goes beyond each limit",
        "license": "MIT",
        "roles": ["executor"],
        "kinds": ["shell"],
        "host": {"api": ">=0.1.0, <0.2.0"},
        "permissions": {
            "log": {}, "metrics": {}, "findings": {}, "wasi": {"clocks": true}, "files": {"write": ["**"]},
            "kv": {"labels": ["kv"], "bytes": 1 << 20}, "tasks": {"add": 3, "kinds": ["shell"]}
        },
        "limits": USUAL,
        "integrity": {"files": [file("component.wasm", "component", component), file("sbom.cdx.json", "sbom", sbom)]},
    });
    let files: [(&str, Arc<[u8]>); 3] = [
        ("manifest.json", serde_json::to_vec(&manifest)?.into()),
        ("component.wasm", component.into()),
        ("sbom.cdx.json", sbom.as_slice().into()),
    ];
    let files = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
    Ok(Candidate::examine(&PackageBytes::new(files.collect::<BTreeMap<_, _>>())?)?)
}

#[cfg(test)]
mod tests;
