//! Two components of our own that look for what others left in memories and tables, and leave a pattern themselves.
//!
//! In -> out: an engine with one place -> what was found there.
//! Limits: two memories of 2 MiB, which grow by 1 MiB, and a table of 8,192 entries each.
//! Invariant: each looks before it writes, at every word but those of its own data and of its arguments; the memories
//! are as many as the engine's place holds, so that both get the ones of the call before.
//! Not here: the plugin under certification (`isolation.rs`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use orch_host::engine::Engine;
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::Role;
use orch_trust::package::{COMPONENT, MANIFEST, PackageBytes, SBOM};
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::conformance::stage::{Setup, Stage};
use crate::wit::role_world;

/// How many calls are made.
pub(super) const LOOKS: u64 = 4;
const MODULE: &str = include_str!("pool_probe.wat");

/// What was found in a memory or a table that should have been empty. `folder`: not there yet.
///
/// # Errors
/// Why the probes did not run.
pub(super) fn look(
    engine: &Engine,
    folder: &Path,
    runtime: &tokio::runtime::Runtime,
) -> Result<Vec<String>, String> {
    let (first, second) = (module(1024, 2048, ""), module(2048, 1024, ""));
    let first = stage(engine, &first, &folder.join("first"))?;
    let second = stage(engine, &second, &folder.join("second"))?;
    let mut findings = Vec::new();
    for (name, stage) in
        [("first", &first), ("second", &second), ("first again", &first), ("second again", &second)]
    {
        let found = call(stage, runtime)?;
        findings.extend(found.map(|what| format!("pool-not-empty: {name} probe: {what}")));
    }
    Ok(findings)
}

/// The text of a probe whose own data lies at `own`, and another's may have lain at `other`.
fn module(own: u32, other: u32, more: &str) -> String {
    let text = MODULE.replace("$OWN", &own.to_string()).replace("$OTHER", &other.to_string());
    text.replace(";; MORE", more)
}

fn stage(engine: &Engine, module: &str, folder: &Path) -> Result<Stage, String> {
    let said = |error: &dyn std::fmt::Display| format!("probe: {error}");
    let component = component(module)?;
    let package = package(&component).map_err(|refusal| said(&refusal))?;
    std::fs::create_dir_all(folder).map_err(|error| said(&error))?;
    Stage::new(engine.clone(), &package, folder).map_err(|setup| match setup {
        Setup::Refused(why) | Setup::Broken(why) => said(&why),
    })
}

fn component(module: &str) -> Result<Vec<u8>, String> {
    let said = |error: &dyn std::fmt::Display| format!("probe: {error}");
    let (resolve, world) = role_world(Role::Executor).map_err(|error| said(&error))?;
    let mut module = wat::parse_str(module).map_err(|error| said(&error))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| said(&error))?;
    let encoder = ComponentEncoder::default().module(&module).map_err(|error| said(&error))?;
    encoder.validate(true).encode().map_err(|error| said(&error))
}

fn package(component: &[u8]) -> Result<PackageBytes, orch_trust::refusal::Refusal> {
    let sbom: &[u8] = b"{}";
    let file = |path: &str, role: &str, bytes: &[u8]| {
        let sha256 = Sha256Digest::of(bytes).to_string();
        json!({ "path": path, "role": role, "size": bytes.len(), "sha256": sha256 })
    };
    let manifest = json!({
        "schema": "urn:orch:plugin-manifest:v1", "id": "certify/pool-probe", "version": "1.0.0",
        "name": "Pool probe", "description": "", "license": "MIT", "roles": ["executor"], "kinds": ["probe"],
        "host": { "api": ">=0.1.0, <0.2.0" },
        "limits": { "memoryMiB": 16, "busyMs": 10_000, "wallMs": 10_000, "outputKiB": 16, "hostCalls": 10, "logKiB": 0 },
        "integrity": { "files": [file(COMPONENT, "component", component), file(SBOM, "sbom", sbom)] }
    });
    let manifest = manifest.to_string();
    let files = [(MANIFEST, manifest.as_bytes()), (COMPONENT, component), (SBOM, sbom)];
    let files: BTreeMap<String, Arc<[u8]>> =
        files.into_iter().map(|(name, bytes)| (name.to_owned(), Arc::from(bytes))).collect();
    PackageBytes::new(files)
}

/// What the probe says that it found.
fn call(stage: &Stage, runtime: &tokio::runtime::Runtime) -> Result<Option<String>, String> {
    let plugin = stage.link(Role::Executor).map_err(|error| format!("probe: {error}"))?;
    let all = stage.cases(Role::Executor);
    let plain = all.first().ok_or("probe: no case")?;
    let seen = runtime.block_on(stage.call(&plugin, &stage.fakes(plain.mood), plain));
    Ok(seen.answer.err().map(|error| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::stage::runtime;

    #[track_caller]
    fn check(more: &str, expected: Option<&str>) {
        let home = tempfile::tempdir().unwrap();
        let engine = Engine::single().unwrap();
        let stage = stage(&engine, &module(1024, 2048, more), &home.path().join("x")).unwrap();
        let found = call(&stage, &runtime().unwrap()).unwrap();
        match expected {
            None => assert_eq!(found, None),
            Some(expected) => assert!(found.as_ref().unwrap().ends_with(expected), "{found:?}"),
        }
    }

    #[test]
    fn a_probe_sees_what_is_left_in_each_of_its_places() {
        check("", None);
        check(r#"(data (i32.const 65536) "x")"#, Some("memory"));
        check(r#"(data (i32.const 2097151) "x")"#, Some("memory"));
        check(r#"(data (memory $second) (i32.const 2097151) "x")"#, Some("second memory"));
        check(r#"(data (i32.const 2050) "x")"#, Some("data of another"));
        check("(elem (i32.const 8191) func $realloc)", Some("table"));
    }

    #[test]
    fn a_call_ends_when_its_fuel_is_used_up() {
        let home = tempfile::tempdir().unwrap();
        let engine = Engine::certification().unwrap();
        let stage = stage(&engine, &module(1024, 2048, ""), &home.path().join("x")).unwrap();
        assert_eq!(call(&stage, &runtime().unwrap()).unwrap(), None);
        let found = call(&stage.with_fuel(1000), &runtime().unwrap()).unwrap().unwrap();
        assert!(found.contains("limit `fuel`"), "{found}");
    }

    #[test]
    fn the_pool_of_a_run_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let found = look(&Engine::single().unwrap(), home.path(), &runtime().unwrap()).unwrap();
        assert_eq!(found, [""; 0]);
    }
}
