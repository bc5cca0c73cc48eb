//! Behaviour: a plugin called in ways of our own, in engines of its own and with fake capabilities.
//!
//! In -> out: package, an empty folder -> a result for each check of the group, and the most that any call used.
//! Limits: the manifest's, and 10 s of wall time for each call; how many calls is said in each file.
//! Invariant: what is asked depends on the package alone, so that every certifier asks the same; a panic or an abort
//! of the host ends the process, and with it every check here in `error`.
//! Not here: what each role must answer (`conformance/`), the process around it (`sandbox.rs`).

mod determinism;
mod fuzz;
mod isolation;
mod permission_probe;
mod pool_probe;
mod resource_profile;
mod seed;
mod watch;

use std::path::Path;

use orch_host::engine::{CallError, Engine};
use orch_host::role::AnyExported;
use orch_trust::certificate::{CheckResult, Measured};
use orch_trust::evidence::Candidate;
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;

use crate::check::{Group, failed, timed, unfinished};
use crate::conformance::stage::{self, Setup, Stage};

/// The plugin in one of its roles.
type Linked = (Role, AnyExported<Candidate>);

/// What one check works with.
struct Scene<'a> {
    stage: &'a Stage,
    /// Linked in each of the plugin's roles.
    linked: &'a [Linked],
    runtime: &'a tokio::runtime::Runtime,
    package: &'a PackageBytes,
    /// An empty folder of this check.
    folder: &'a Path,
    measured: &'a mut Measured,
}

/// Calls the plugin. `workspace`: empty. `last`: the check after which nothing more is to be known, if there is one.
pub fn run(package: &PackageBytes, workspace: &Path, last: Option<&str>) -> (Vec<CheckResult>, Measured) {
    let ids = Group::Behaviour.checks();
    let wanted = last.and_then(|last| ids.iter().position(|id| id == last));
    let checks = ids.iter().take(wanted.map_or(ids.len(), |place| place + 1));
    match prepare(package, workspace) {
        Ok((stage, linked, runtime)) => {
            let mut measured = stage.measured();
            let results = checks.map(|id| {
                let folder = workspace.join(id);
                let scene = Scene {
                    stage: &stage,
                    linked: &linked,
                    runtime: &runtime,
                    package,
                    folder: &folder,
                    measured: &mut measured,
                };
                timed(|| check(id, scene))
            });
            (results.collect(), measured)
        }
        Err(Setup::Refused(finding)) => {
            let refused = |id: &String| failed(id, 1, vec![finding.clone()]);
            (checks.map(refused).collect(), Measured::default())
        }
        Err(Setup::Broken(why)) => (checks.map(|id| unfinished(id, &why)).collect(), Measured::default()),
    }
}

type Prepared = (Stage, Vec<Linked>, tokio::runtime::Runtime);

fn prepare(package: &PackageBytes, workspace: &Path) -> Result<Prepared, Setup> {
    let engine = Engine::certification().map_err(|error| Setup::Broken(error.to_string()))?;
    let folder = workspace.join("project");
    std::fs::create_dir(&folder).map_err(|error| Setup::Broken(format!("workspace: {error}")))?;
    let stage = Stage::new(engine, package, &folder)?;
    let linked = link(&stage).map_err(|error| Setup::Refused(format!("{}: {error}", error.code())))?;
    let runtime = stage::runtime().map_err(|error| Setup::Broken(format!("runtime: {error}")))?;
    Ok((stage, linked, runtime))
}

/// The plugin in each of its roles.
fn link(stage: &Stage) -> Result<Vec<Linked>, CallError> {
    stage.manifest().roles.iter().map(|role| Ok((*role, stage.link(*role)?))).collect()
}

fn check(id: &str, scene: Scene<'_>) -> CheckResult {
    let result = match id {
        "fuzz" => fuzz::check(id, scene),
        "permission-probe" => permission_probe::check(id, scene),
        "determinism" => determinism::check(id, scene),
        "resource-profile" => resource_profile::check(id, scene),
        _ => isolation::check(id, scene),
    };
    result.unwrap_or_else(|why| unfinished(id, &why))
}
