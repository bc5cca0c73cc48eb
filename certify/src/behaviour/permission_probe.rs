//! The permission probe: the plugin with all that it asks for, then with each permission, and each field of one, taken
//! away in turn.
//!
//! In -> out: a scene -> `permission-probe`.
//! Limits: the first three cases of each role.
//! Invariant: without a permission that an import needs, linking is refused; with one that opens nothing, the plugin
//! answers or fails in words, and the fakes never see what is not granted.
//! Not here: what is beyond a grant (`watch.rs`).

use orch_host::engine::CallError;
use orch_trust::certificate::CheckResult;
use orch_trust::evidence::Compilable;
use orch_trust::interfaces::missing;
use orch_trust::permission::{ANY, Permissions};

use super::{Scene, watch};
use crate::check::judged;
use crate::conformance::call::Seen;
use crate::conformance::case::Case;
use crate::conformance::stage::Stage;

const CASES: usize = 3;

pub(super) fn check(id: &str, scene: Scene<'_>) -> Result<CheckResult, String> {
    let broken = |error: std::io::Error| format!("workspace: {error}");
    let stage = scene.stage.moved(scene.folder).map_err(broken)?;
    watch::place_canaries(stage.workspace()).map_err(broken)?;
    let asked = stage.manifest().permissions.clone();
    let (mut looked_at, mut findings) = (0, Vec::new());
    let without = |(path, less)| (format!("without {path}"), less);
    let all = ("all".to_owned(), asked.clone());
    for (name, permissions) in std::iter::once(all).chain(asked.less().into_iter().map(without)) {
        let (calls, found) = try_probe(&scene, &stage, &name, &permissions)?;
        looked_at += calls;
        findings.extend(found);
    }
    if !watch::canaries_live(stage.workspace()) {
        findings.push("probe-canary: what lies outside of the grant was changed".to_owned());
    }
    Ok(judged(id, looked_at, findings))
}

/// Things looked at, and what is wrong.
fn try_probe(
    scene: &Scene<'_>,
    stage: &Stage,
    name: &str,
    permissions: &Permissions,
) -> Result<(u64, Vec<String>), String> {
    let limits = stage.manifest().limits;
    let narrow = stage.narrowed(permissions, limits).map_err(|excess| format!("{name}: {excess}"))?;
    let imports = &stage.compiled.evidence().facts().imports;
    let needed = missing(imports, permissions).is_some();
    let (mut looked_at, mut findings) = (0, Vec::new());
    for role in &stage.manifest().roles {
        let plugin = match (narrow.link(*role), needed) {
            (Ok(plugin), false) => plugin,
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
        for case in stage.cases(*role).into_iter().take(CASES) {
            looked_at += 1;
            let fakes = narrow.fakes(case.mood);
            let seen = scene.runtime.block_on(narrow.call(&plugin, &fakes, &case));
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
