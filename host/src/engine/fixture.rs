//! Small guests for tests, written in WebAssembly text and made into components as the guest toolchain does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::Candidate;
use orch_trust::package::PackageBytes;
use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Memory, an allocator that never frees, and what `body` adds.
pub(crate) fn module(imports: &str, body: &str) -> String {
    format!(
        r#"(module {imports}
            (memory (export "memory") 2)
            (global $top (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                (global.get $top)
                (global.set $top (i32.add (global.get $top) (local.get 3))))
            {body})"#
    )
}

/// An executor whose `execute` does this and then answers what lies at address 0: at first an empty summary.
pub(crate) fn executor(imports: &str, execute: &str) -> String {
    let name = "orch:executor/executor@0.1.0#execute";
    module(
        imports,
        &format!(
            r#"(func (export "{name}") (param i32) (result i32) (local $i i32) {execute} (i32.const 0))"#
        ),
    )
}

/// The component of a core module for a world of `wit/worlds.wit`.
pub(crate) fn component(world: &str, core: &str) -> Vec<u8> {
    let wit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let mut resolve = Resolve::default();
    let (worlds, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[worlds], Some(world)).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    // As compilers for WASI do, whose standard library imports what is inert.
    let inert = resolve.select_world(&[worlds], Some("inert")).unwrap();
    for world in [world, inert] {
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    }
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// A package that asks for these permissions and limits, as a candidate.
pub(crate) fn candidate(role: &str, core: &str, permissions: Value, limits: Value) -> Candidate {
    let component = component(role, core);
    let mut all = json!({
        "memoryMiB": 1, "busyMs": 1000, "wallMs": 5000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 16
    });
    all.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
    let sbom = b"{}".to_vec();
    let file = |path: &str, role: &str, bytes: &[u8]| json!({"path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes).to_string()});
    let manifest = json!({
        "schema": "urn:orch:plugin-manifest:v1",
        "id": "demo/guest",
        "version": "0.1.0",
        "name": "guest",
        "description": "for a test",
        "license": "MIT",
        "roles": [role],
        "kinds": if role == "executor" { vec!["shell"] } else { Vec::new() },
        "host": {"api": ">=0.1.0, <0.2.0"},
        "permissions": permissions,
        "limits": all,
        "integrity": {"files": [file("component.wasm", "component", &component), file("sbom.cdx.json", "sbom", &sbom)]},
    });
    let files = [
        ("manifest.json", serde_json::to_vec(&manifest).unwrap()),
        ("component.wasm", component),
        ("sbom.cdx.json", sbom),
    ];
    let files: BTreeMap<String, Arc<[u8]>> =
        files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.into())).collect();
    Candidate::examine(&PackageBytes::new(files).unwrap()).unwrap()
}
