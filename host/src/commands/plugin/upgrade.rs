//! What a version of a plugin changes against the one that was approved before.
//!
//! In -> out: operator's approval, manifest -> lines with `+` and `-`, or a refusal.
//! Invariant: an older version than the approved one is taken only when that is said.
//! Not here: what is asked and written (`plugin.rs`), what an approval covers (`orch-trust`'s `grant.rs`).

use orch_trust::manifest::Manifest;

use crate::config::operator::Operator;
use crate::console::{Console, escape};
use crate::exit::{Exit, Fault};

/// What an upgrade asks for more and less than what was approved before. Fails for a lower version, unless that is
/// said to be meant.
pub(super) fn show(
    operator: &Operator,
    manifest: &Manifest,
    allow_rollback: bool,
    console: Console,
) -> Result<(), Fault> {
    let Some(before) = operator.approvals.get(&manifest.id) else { return Ok(()) };
    let (id, version) = (&manifest.id, &manifest.version);
    if manifest.version < before.version {
        if !allow_rollback {
            let hint =
                "an older version may have a hole that the newer one closed; `--allow-rollback` takes it";
            let error =
                anyhow::anyhow!("`{id}` {version} is older than {}, which was approved", before.version);
            return Err(Fault::new(Exit::PluginRefused, "rollback", Some(hint.to_owned()), error));
        }
        console.warn(&format!("{id} goes back from {} to {version}", before.version));
    }
    for line in difference(&before.permissions.lines(), &manifest.permissions.lines()) {
        console.line(&format!("  {}", escape(&line)));
    }
    Ok(())
}

/// Lines that went, with `-`, and lines that came, with `+`.
fn difference(before: &[String], now: &[String]) -> Vec<String> {
    let only = |mark: char, of: &[String], other: &[String]| -> Vec<String> {
        of.iter().filter(|line| !other.contains(line)).map(|line| format!("{mark} {line}")).collect()
    };
    [only('-', before, now), only('+', now, before)].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_trust::evidence::Trust;
    use orch_trust::package::PackageBytes;

    use super::*;

    fn manifest(version: &str) -> Manifest {
        let text = serde_json::json!({
            "schema": "urn:orch:plugin-manifest:v1", "id": "acme/hello", "version": version, "name": "Hello",
            "description": "Says hello", "license": "MIT", "roles": ["reflector"],
            "integrity": { "files": [
                { "path": "component.wasm", "role": "component", "size": 1, "sha256": "0".repeat(64) },
                { "path": "sbom.cdx.json", "role": "sbom", "size": 1, "sha256": "0".repeat(64) } ] },
            "host": { "api": ">=0.1.0, <0.2.0" }, "permissions": { "log": {} },
            "limits": { "memoryMiB": 16, "busyMs": 500, "wallMs": 2000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 64 } });
        Manifest::parse(text.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_older_version_than_the_approved_one_is_taken_only_when_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("orch");
        let code = |version: &str, allow| {
            let operator = Operator::open(&home).unwrap();
            let shown = show(&operator, &manifest(version), allow, Console::detect());
            shown.err().map(|fault| fault.code)
        };
        assert_eq!(code("1.2.3", false), None, "nothing was approved before");
        let approval = super::super::approval_of(&manifest("1.2.3"));
        let named = |name: &str| (name.to_owned(), Arc::from(name.as_bytes()));
        let files = ["manifest.json", "component.wasm", "sbom.cdx.json"].map(named);
        let seen = PackageBytes::new(files.into()).unwrap();
        Operator::open(&home).unwrap().approve(&approval, &seen, Trust::CertifiedLocal).unwrap();
        for (version, expected) in
            [("1.2.3", None), ("1.10.0", None), ("1.2.2", Some("rollback")), ("1.2.3-rc.1", Some("rollback"))]
        {
            assert_eq!(code(version, false), expected, "{version}");
            assert_eq!(code(version, true), None, "{version}");
        }
    }

    #[test]
    fn an_upgrade_shows_what_it_asks_for_more_and_less() {
        let lines = |text: &[&str]| text.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
        let before = lines(&["log: write", "kv: notes"]);
        assert_eq!(
            difference(&before, &lines(&["log: write", "process: sh"])),
            ["- kv: notes", "+ process: sh"]
        );
        assert!(difference(&before, &before).is_empty());
    }
}
