//! Components that outgrow the pool: certified as any other, and then they run as any other.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::path::Path;
use std::process::Command;

use orch_tests::{Workspace, binary, copy, packages};
use orch_trust::digest::Sha256Digest;
use serde_json::{Value, json};

/// A section of a component: one core module with nothing in it. The pool has room for eight modules.
const MODULE: [u8; 10] = [1, 8, 0, b'a', b's', b'm', 1, 0, 0, 0];
const MORE_MODULES: usize = 30;

/// Puts the modules behind the component, then signs and certifies the package with the project's own programs.
fn enlarge(package: &Path, keys: &Path) {
    let mut component = fs::read(package.join("component.wasm")).unwrap();
    component.extend(MODULE.repeat(MORE_MODULES));
    let mut manifest: Value =
        serde_json::from_slice(&fs::read(package.join("manifest.json")).unwrap()).unwrap();
    // The bill of materials names the component by its digest.
    let before = Sha256Digest::of(&fs::read(package.join("component.wasm")).unwrap()).to_string();
    let after = Sha256Digest::of(&component).to_string();
    let sbom =
        fs::read_to_string(package.join("sbom.cdx.json")).unwrap().replace(&before, &after).into_bytes();
    for (name, bytes) in [("component.wasm", component), ("sbom.cdx.json", sbom)] {
        for file in manifest["integrity"]["files"].as_array_mut().unwrap() {
            if file["path"] == name {
                file["size"] = json!(bytes.len());
                file["sha256"] = json!(Sha256Digest::of(&bytes));
            }
        }
        fs::write(package.join(name), bytes).unwrap();
    }
    fs::write(package.join("manifest.json"), manifest.to_string()).unwrap();
    fs::remove_dir_all(package.join("certificates")).unwrap();
    for (program, verb, key) in
        [("orch-plugin", "sign", "publisher.json"), ("orch-certify", "run", "certifier.json")]
    {
        let mut command = Command::new(binary(program));
        let output = command.arg(verb).arg(package).arg("--key").arg(keys.join(key)).output().unwrap();
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_outgrows_the_pool_is_certified_and_runs() {
    let workspace = Workspace::new("- {id: a, kind: note}\n- {id: b, kind: note, dependencies: [a]}\n");
    let mine = workspace.outside().join("packages");
    for plugin in ["demo/planner-priority", "demo/executor-note"] {
        copy(&packages().join(plugin), &mine.join(plugin));
        enlarge(&mine.join(plugin).join("0.1.0"), &workspace.operator().join("keys"));
    }
    let config = "roles:\n  planner: demo/planner-priority\n  executors: {note: demo/executor-note}\n";
    workspace.write("config.yaml", config);
    // The second time with the native code that the first one kept.
    for _ in 0..2 {
        workspace.write("tasks.yml", "- {id: a, kind: note}\n- {id: b, kind: note, dependencies: [a]}\n");
        workspace.run(&["--plugins", mine.to_str().unwrap()], 0);
        let statuses = workspace.statuses();
        assert!(statuses.values().all(|status| status == "done") && statuses.len() == 2, "{statuses:?}");
    }
}
