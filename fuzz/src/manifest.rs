//! `manifest.json`.

use orch_trust::manifest::{FileRole, Limits, Manifest, Role};
use orch_trust::permission::Side;

use crate::package::good;

/// What is taken is written and taken again as the same, is bounded, and is safe as a part of a path.
pub(crate) fn manifest(bytes: &[u8]) -> bool {
    let Ok(manifest) = Manifest::parse(bytes) else { return false };
    let again = serde_json::to_vec(&manifest).unwrap();
    assert_eq!(Manifest::parse(&again).expect("what was taken is taken again"), manifest);
    let (limits, most) = (&manifest.limits, Limits::CEILING);
    assert!((1..=most.memory_mib).contains(&limits.memory_mib));
    assert!((1..=most.busy_ms).contains(&limits.busy_ms));
    assert!((1..=most.wall_ms).contains(&limits.wall_ms));
    assert!((1..=most.output_kib).contains(&limits.output_kib));
    assert!((1..=most.host_calls).contains(&limits.host_calls) && limits.log_kib <= most.log_kib);
    manifest.permissions.check_form(Side::Asking).expect("permissions are well formed");
    for part in [manifest.id.namespace(), manifest.id.name(), &manifest.version.to_string()] {
        assert!(
            !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\\', '\0']),
            "{part}"
        );
    }
    assert_eq!(manifest.roles.contains(&Role::Executor), !manifest.kinds.is_empty());
    let components = manifest.integrity.files.iter().filter(|file| file.role == FileRole::Component);
    assert_eq!(components.map(|file| file.path.as_str()).collect::<Vec<_>>(), ["component.wasm"]);
    true
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let mut full: serde_json::Value = serde_json::from_slice(&good().files["manifest.json"]).unwrap();
    full["roles"] = serde_json::json!(["executor", "service"]);
    full["permissions"] = serde_json::from_str(crate::permission::EVERYTHING).unwrap();
    vec![
        ("valid-plain", good().files["manifest.json"].to_vec()),
        ("valid-full", full.to_string().into_bytes()),
    ]
}
