//! Isolation: nothing of one call is there in the next one, in an engine with a single place for all of them.
//!
//! In -> out: a scene -> `isolation`.
//! Limits: one ordinary call, eight others, and the ordinary one again, for each role.
//! Invariant: the engine is a run's but for its one place; each call has a folder of its own, so that only the engine
//! could carry anything over.
//! Not here: what memory and tables hold (`pool_probe.rs`), what lies outside of a grant (`watch.rs`).

use orch_host::capability::trial::Fakes;
use orch_host::engine::Engine;
use orch_host::role::AnyExported;
use orch_trust::certificate::CheckResult;
use orch_trust::evidence::{Candidate, Compilable};

use super::watch::CANARY;
use super::{Scene, pool_probe};
use crate::check::judged;
use crate::conformance::case::Case;
use crate::conformance::stage::{Setup, Stage};

const BETWEEN: usize = 8;
/// A plugin whose values lie under the same labels.
const ANOTHER: &str = "another/plugin";

pub(super) fn check(id: &str, scene: Scene<'_>) -> Result<CheckResult, String> {
    let engine = Engine::single().map_err(|error| error.to_string())?;
    let mut findings = pool_probe::look(&engine, &scene.folder.join("probe"), scene.runtime)?;
    let mut looked_at = pool_probe::LOOKS;
    let stage = stage(&scene, engine)?;
    for role in &stage.manifest().roles {
        let plugin = stage.link(*role).map_err(|error| error.to_string())?;
        let all = stage.cases(*role);
        let Some(plain) = all.first() else { continue };
        let order = std::iter::once(plain).chain(all.iter().rev().take(BETWEEN)).chain([plain]);
        let mut answers = Vec::new();
        for (number, case) in order.enumerate() {
            looked_at += 1;
            let folder = scene.folder.join(format!("{}-{number}", role.as_str()));
            let stage = stage.moved(&folder).map_err(|error| format!("workspace: {error}"))?;
            let (text, read) = one(&scene, &stage, &plugin, case);
            if read {
                findings.push(format!("kv-of-another: role `{}`, case `{}`", role.as_str(), case.name));
            }
            answers.push(text);
        }
        if answers.first() != answers.last() {
            findings.push(format!("state-survives: role `{}`, case `{}`", role.as_str(), plain.name));
        }
    }
    Ok(judged(id, looked_at, findings))
}

/// The package on an engine of a run; on the large one if it outgrows the pool.
fn stage(scene: &Scene<'_>, single: Engine) -> Result<Stage, String> {
    let engine = match single.fits(scene.stage.compiled.evidence().facts()) {
        true => single,
        false => Engine::large().map_err(|error| error.to_string())?,
    };
    let folder = scene.folder.join("project");
    std::fs::create_dir_all(&folder).map_err(|error| format!("workspace: {error}"))?;
    Stage::new(engine.with_fixed_clocks(), scene.package, &folder).map_err(|setup| match setup {
        Setup::Refused(why) | Setup::Broken(why) => why,
    })
}

/// What the call said, and whether it saw another plugin's values.
fn one(scene: &Scene<'_>, stage: &Stage, plugin: &AnyExported<Candidate>, case: &Case) -> (String, bool) {
    let fakes = stage.fakes(case.mood);
    fill(stage, &fakes);
    let seen = scene.runtime.block_on(stage.call(plugin, &fakes, case));
    let text = format!("{}\n{}", seen.text(), fakes.record());
    let own = stage.manifest().id.as_str();
    let read = text.contains(CANARY) || fakes.kv().asked().iter().any(|(plugin, _)| plugin != own);
    (text, read)
}

/// Values of another plugin under every label that this one may open.
fn fill(stage: &Stage, fakes: &Fakes) {
    let labels = stage.manifest().permissions.kv.as_ref().map(|kv| kv.labels.as_slice());
    for label in labels.unwrap_or_default() {
        for key in [CANARY, "a", "key", "state"] {
            fakes.kv().commit_of(ANOTHER, label, key, CANARY.as_bytes());
        }
    }
}
