//! What `cargo metadata` says of a project, and what becomes of it.

use std::path::Path;

use orch_plugin::dependencies::Dependencies;
use orch_plugin::{embedded, sbom};
use orch_trust::digest::Sha256Digest;
use wasmparser::{Parser, Payload};

/// Packages are sorted and known; the bill of materials and the list in the module name each of them.
pub(crate) fn metadata(bytes: &[u8]) -> bool {
    let Ok(found) = Dependencies::parse(bytes, Path::new("/project")) else { return false };
    let places = found.packages.len();
    assert!(
        found.root < places && found.packages.iter().all(|one| one.uses.iter().all(|used| *used < places))
    );
    assert!(found.packages.is_sorted_by_key(|one| (&one.name, &one.version, &one.source)));
    let bill = sbom::write(&found, Sha256Digest::of(b"component")).expect("a bill of materials is JSON");
    let bill: serde_json::Value = serde_json::from_slice(&bill).unwrap();
    assert_eq!(bill["components"].as_array().unwrap().len(), places - 1);
    let module = embedded::embed(b"\0asm\x01\0\0\0", &found).expect("the list is JSON");
    let sections = Parser::new(0).parse_all(&module).map(|payload| payload.expect("a module"));
    let names: Vec<String> = sections
        .filter_map(|payload| match payload {
            Payload::CustomSection(section) => Some(section.name().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(names, [embedded::SECTION]);
    true
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let text = r#"{"packages":[
        {"id":"plugin","name":"plugin","manifest_path":"/w/Cargo.toml","version":"1.0.0","source":null,"license":"MIT","targets":[{"kind":["cdylib"],"name":"plu-gin"}]},
        {"id":"lib","name":"lib","manifest_path":"/c/lib/Cargo.toml","version":"2.0.0-rc.1","source":"registry+https://github.com/rust-lang/crates.io-index","license":null,"targets":[{"kind":["lib"],"name":"lib"}]},
        {"id":"mac","name":"mac","manifest_path":"/c/mac/Cargo.toml","version":"0.1.0","source":"git+https://example.org/a?rev=1#abc","license":"MIT/Apache-2.0","targets":[{"kind":["proc-macro"],"name":"mac"}]}],
        "resolve":{"root":"plugin","nodes":[{"id":"plugin","deps":[{"pkg":"lib","dep_kinds":[{"kind":null}]},{"pkg":"mac","dep_kinds":[{"kind":null},{"kind":"build"}]}]},
        {"id":"lib","deps":[]},{"id":"mac","deps":[{"pkg":"lib","dep_kinds":[{"kind":"dev"}]}]}]},"target_directory":"/t","workspace_root":"/w"}"#;
    vec![("valid", text.as_bytes().to_vec())]
}
