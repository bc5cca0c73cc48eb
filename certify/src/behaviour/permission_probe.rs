//! The permission probe: the plugin with all that it asks for, then with each permission taken away in turn.
//!
//! In -> out: a scene -> `permission-probe`.
//! Limits: the first three cases of each role, 32 probes.
//! Invariant: without a permission that an import needs, linking is refused; with one that opens nothing, the plugin
//! answers or fails in words, and the fakes never see what is not granted.
//! Not here: what is beyond a grant (`watch.rs`).

use orch_host::engine::CallError;
use orch_trust::certificate::CheckResult;
use orch_trust::evidence::Compilable;
use orch_trust::interfaces::{ImportRule, import_rule};
use orch_trust::permission::{ANY, Permissions};

use super::{Scene, watch};
use crate::check::judged;
use crate::conformance::actor::{Actor, Seen};
use crate::conformance::case::Case;
use crate::conformance::cases;
use crate::conformance::stage::Stage;

const CASES: usize = 3;
const PROBES_MAX: usize = 32;

/// One grant to try: its name, and what it is.
type Probe = (String, Permissions);

pub(super) fn check(id: &str, scene: Scene<'_>) -> Result<CheckResult, String> {
    let broken = |error: std::io::Error| format!("workspace: {error}");
    let stage = scene.stage.moved(scene.folder).map_err(broken)?;
    watch::place_canaries(stage.workspace()).map_err(broken)?;
    let asked = stage.manifest().permissions.clone();
    let (mut looked_at, mut findings) = (0, Vec::new());
    let all = ("all".to_owned(), asked.clone());
    for probe in std::iter::once(all).chain(probes(&asked)).take(PROBES_MAX) {
        let (calls, found) = try_probe(&scene, &stage, &probe)?;
        looked_at += calls;
        findings.extend(found);
    }
    if !watch::canaries_live(stage.workspace()) {
        findings.push("probe-canary: what lies outside of the grant was changed".to_owned());
    }
    Ok(judged(id, looked_at, findings))
}

/// The grants to try: each permission gone, and each that names something naming nothing.
fn probes(asked: &Permissions) -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut without = |name: &str, change: &dyn Fn(&mut Permissions)| {
        let mut less = asked.clone();
        change(&mut less);
        if less != *asked && !probes.iter().any(|(_, known)| *known == less) {
            probes.push((format!("without {name}"), less));
        }
    };
    without("log", &|less| less.log = None);
    without("settings", &|less| less.settings = None);
    without("kv", &|less| less.kv = None);
    without("tasks", &|less| less.tasks = None);
    without("files", &|less| less.files = None);
    without("process", &|less| less.process = None);
    without("findings", &|less| less.findings = None);
    without("metrics", &|less| less.metrics = None);
    without("http", &|less| less.http = None);
    without("secrets", &|less| less.secrets = None);
    without("wasi", &|less| less.wasi = None);
    without("kv.labels", &|less| less.kv.iter_mut().for_each(|kv| kv.labels.clear()));
    without("kv.bytes", &|less| less.kv.iter_mut().for_each(|kv| kv.bytes = 0));
    without("tasks.read", &|less| less.tasks.iter_mut().for_each(|tasks| tasks.read = false));
    without("tasks.add", &|less| less.tasks.iter_mut().for_each(|tasks| tasks.add = 0));
    without("tasks.kinds", &|less| less.tasks.iter_mut().for_each(|tasks| tasks.kinds.clear()));
    without("files.read", &|less| less.files.iter_mut().for_each(|files| files.read.clear()));
    without("files.write", &|less| less.files.iter_mut().for_each(|files| files.write.clear()));
    without("process.programs", &|less| {
        less.process.iter_mut().for_each(|process| process.programs.clear());
    });
    without("process.env", &|less| less.process.iter_mut().for_each(|process| process.env.clear()));
    without("wasi.clocks", &|less| less.wasi.iter_mut().for_each(|wasi| wasi.clocks = false));
    without("wasi.random", &|less| less.wasi.iter_mut().for_each(|wasi| wasi.random = false));
    without("wasi.http_types", &|less| less.wasi.iter_mut().for_each(|wasi| wasi.http_types = false));
    probes
}

/// Things looked at, and what is wrong.
fn try_probe(scene: &Scene<'_>, stage: &Stage, probe: &Probe) -> Result<(u64, Vec<String>), String> {
    let (name, permissions) = probe;
    let limits = stage.manifest().limits;
    let narrow = stage.narrowed(permissions, limits).map_err(|excess| format!("{name}: {excess}"))?;
    let needed = needs_more(stage, permissions);
    let (mut looked_at, mut findings) = (0, Vec::new());
    for role in &stage.manifest().roles {
        let actor = match (Actor::link(&narrow, *role), needed) {
            (Ok(actor), false) => actor,
            (Err(CallError::Link { .. }), true) => {
                looked_at += 1;
                continue;
            }
            (Ok(_), true) => {
                looked_at += 1;
                findings.push(format!("probe-linked: {name}: linked, though an import needs it"));
                continue;
            }
            (Err(error), _) => {
                looked_at += 1;
                findings.push(format!("{}: {name}: {error}", error.code()));
                continue;
            }
        };
        for case in cases(stage, *role).into_iter().take(CASES) {
            looked_at += 1;
            let fakes = narrow.fakes(case.mood);
            let seen = scene.runtime.block_on(actor.call(&narrow, &fakes, &case));
            let plugin = stage.manifest().id.as_str();
            let beyond = watch::beyond(plugin, permissions, &fakes, &seen);
            findings.extend(
                beyond.into_iter().map(|what| format!("probe-beyond: {name}: {}: {what}", case.name)),
            );
            findings.extend(
                not_closed(&seen).map(|what| format!("probe-not-closed: {name}: {}: {what}", case.name)),
            );
            if permissions == &stage.manifest().permissions {
                let undeclared = undeclared(permissions, &case, &seen).into_iter();
                findings.extend(undeclared.map(|what| format!("probe-undeclared: {}: {what}", case.name)));
            }
        }
    }
    Ok((looked_at, findings))
}

/// True if an import needs what these permissions do not open.
fn needs_more(stage: &Stage, permissions: &Permissions) -> bool {
    let imports = &stage.compiled.evidence().facts().imports;
    imports.iter().any(|import| match import_rule(import) {
        ImportRule::Needs(need) => !need.is_in(permissions),
        ImportRule::Free | ImportRule::Unknown => false,
    })
}

/// An end that is neither an answer nor a failure in words nor an answer that the host refused.
fn not_closed(seen: &Seen) -> Option<String> {
    match &seen.answer {
        Ok(_) | Err(CallError::Failure { .. } | CallError::Answer { .. }) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// What the plugin asked for of its own accord and did not declare.
fn undeclared(permissions: &Permissions, case: &Case, seen: &Seen) -> Vec<String> {
    let call = format!("{:?}", case.call);
    let any_program =
        permissions.process.as_ref().is_some_and(|process| process.programs.iter().any(|name| name == ANY));
    let own = |line: &&String| {
        let named = line.split('`').nth(1).unwrap_or_default();
        // A task may name a program, and the operator names those of `*`.
        let told = line.starts_with("process: ") && (any_program || call.contains(named));
        !told
    };
    seen.denied.iter().filter(own).cloned().collect()
}

#[cfg(test)]
mod tests {
    use orch_trust::permission::{KvPermission, Plain, WasiPermission};

    use super::*;

    #[test]
    fn each_permission_is_taken_away_once() {
        let asked = Permissions {
            log: Some(Plain {}),
            kv: Some(KvPermission { labels: vec!["a".to_owned()], bytes: 7 }),
            wasi: Some(WasiPermission { clocks: true, ..WasiPermission::default() }),
            ..Permissions::default()
        };
        let names: Vec<String> = probes(&asked).into_iter().map(|(name, _)| name).collect();
        let expected = ["log", "kv", "wasi", "kv.labels", "kv.bytes", "wasi.clocks"];
        assert_eq!(names, expected.map(|name| format!("without {name}")));
        assert_eq!(probes(&Permissions::default()), []);
    }
}
