//! Check `exports`: each role of the manifest is there, with the types of its world.
//!
//! In -> out: manifest and component -> result. Looks at one world for each role.
//! Not here: how the exports behave (`conformance/`), the worlds (`wit/`).

use orch_trust::certificate::CheckResult;
use orch_trust::interfaces::is_export_of;
use orch_trust::manifest::Role;

use super::{Subject, failed, finding, passed, skipped};
use crate::wit;

const ID: &str = "exports";

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    let (manifest, facts) = match subject.both_valid(ID) {
        Ok(both) => both,
        Err(skipped) => return *skipped,
    };
    let looked_at = manifest.roles.len() as u64;
    if let Err(refusal) = facts.check_exports(&manifest.roles) {
        return failed(ID, looked_at, vec![finding(&refusal)]);
    }
    let bytes = subject.package.component();
    if wit::check_imports(&bytes, &facts.imports).is_err() {
        return skipped(ID, "imports do not have their form");
    }
    let mut findings = Vec::new();
    for role in &manifest.roles {
        if let Err(error) = wit::check_role(&bytes, *role, facts) {
            findings.push(format!("export-shape: as `{}`: {error}", role.as_str()));
        }
    }
    if !findings.is_empty() {
        return failed(ID, looked_at, findings);
    }
    let undeclared =
        facts.exports.iter().filter(|export| !manifest.roles.iter().any(|role| is_export_of(*role, export)));
    let note = |export: &String| {
        let role = Role::ALL.into_iter().find(|role| is_export_of(*role, export));
        let what = role.map_or("no role", Role::as_str);
        format!("export-unused: `{}` ({what}) is exported and not declared", export.escape_default())
    };
    passed(ID, looked_at, undeclared.map(note).collect())
}
