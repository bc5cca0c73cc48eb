//! Check `imports`: only interfaces that hosts offer, in their form, each asked for in the manifest.
//!
//! In -> out: manifest and component -> result. Looks at the imports of every component, nested ones too, and at the
//! component as a whole.
//! Invariant: imports by URL, hash or lock are refused at any depth.
//! Not here: which permission opens what (`orch-trust`'s `permission`).

use orch_trust::certificate::CheckResult;
use orch_trust::facts::Facts;
use orch_trust::interfaces::Import;
use orch_trust::manifest::{Manifest, Role};
use wasmparser::{Parser, Payload};

use super::{Subject, failed, finding, passed};
use crate::wit;

const ID: &str = "imports";
const FOREIGN: [&str; 5] = ["url=", "relative-url=", "integrity=", "locked-dep=", "unlocked-dep="];

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    let (manifest, facts) = match subject.both_valid(ID) {
        Ok(both) => both,
        Err(skipped) => return *skipped,
    };
    let bytes = subject.package.component();
    let (looked_at, mut findings) = foreign_imports(&bytes);
    if let Err(refusal) = facts.check_imports(manifest) {
        findings.push(finding(&refusal));
    }
    if findings.is_empty()
        && let Err(error) = wit::check_imports(&bytes, &facts.imports)
    {
        findings.push(format!("import-shape: {error}"));
    }
    match findings.is_empty() {
        true => passed(ID, looked_at + 1, unused(manifest, facts)),
        false => failed(ID, looked_at + 1, findings),
    }
}

/// How many imports there are at any depth, and those that name a place instead of an interface.
fn foreign_imports(bytes: &[u8]) -> (u64, Vec<String>) {
    let (mut count, mut findings) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        if let Payload::ComponentImportSection(section) = payload {
            for import in section.into_iter().map_while(Result::ok) {
                count += 1;
                let name = import.name.name;
                if FOREIGN.iter().any(|form| name.starts_with(form)) {
                    findings.push(format!("import-foreign: `{}` names a place", name.escape_default()));
                }
            }
        }
    }
    (count, findings)
}

/// Permissions that the manifest asks for and no import needs.
fn unused(manifest: &Manifest, facts: &Facts) -> Vec<String> {
    let imports: Vec<Import<'_>> = facts.imports.iter().map(|name| Import(name)).collect();
    // What a reflector or auditor answers with are tasks, by the permission and without an import.
    let answers_tasks = manifest.roles.iter().any(|role| matches!(role, Role::Reflector | Role::Auditor));
    let unused = manifest.permissions.unused(&imports).into_iter();
    let unused = unused.filter(|name| !(answers_tasks && name.split('.').next() == Some("tasks")));
    unused.map(|name| format!("permission-unused: nothing imports what `{name}` opens")).collect()
}
