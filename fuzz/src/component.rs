//! Facts of a component, beside what the validator of the same grammar finds.

use orch_trust::facts::Facts;
use orch_trust::interfaces::missing;
use orch_trust::permission::Permissions;
use orch_trust::strict_json;
use wasmparser::{Validator, WasmFeatures};

use crate::permission::EVERYTHING;

/// Facts are read back as they are written; of a valid component the names are those that the validator knows.
pub(crate) fn component(bytes: &[u8]) -> bool {
    let Ok(facts) = Facts::derive(bytes) else { return false };
    assert_eq!(facts.size_bytes, bytes.len() as u64);
    assert!(facts.table_elements <= 200_000 && facts.memories.len() <= 64 && facts.imports.len() <= 256);
    let text = serde_json::to_vec(&facts).unwrap();
    let again: Facts = serde_json::from_slice(&text).unwrap();
    assert!(again == facts && facts.difference(&again).is_none());
    for names in [&facts.imports, &facts.exports, &facts.inner_imports, &facts.custom_sections] {
        assert!(names.is_sorted(), "{names:?}");
    }
    if let Ok(types) = Validator::new_with_features(WasmFeatures::all()).validate_all(bytes) {
        let types = types.as_ref();
        let known = |name: &String| types.component_item_for_import(name).is_some();
        assert!(facts.imports.iter().all(known), "{facts:?}");
        let known = |name: &String| types.component_item_for_export(name).is_some();
        assert!(facts.exports.iter().all(known), "{facts:?}");
    }
    // Whatever it imports is unknown, or opened by some permission.
    let everything: Permissions = strict_json::parse(EVERYTHING.as_bytes()).unwrap();
    assert_eq!(missing(&facts.imports, &everything), None);
    true
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let nested = r#"(component
        (import "orch:log/log@0.1.0" (instance $log))
        (import "wasi:clocks/wall-clock@0.2.12" (instance $clock))
        (component (import "orch:kv/kv@0.1.0" (instance)) (import "glue" (func))
            (core module (memory 2) (memory 1 5) (table 3 9 funcref) (func) (func (param i32)) (start 0)))
        (core module (@custom "producers" "\00") (@custom "target_features" "\00") (memory (export "memory") 1))
        (instance $me) (export "orch:planner/planner@0.1.0" (instance $me))
        (@custom "component-name" "x") (@custom ".dep-v0" "x"))"#;
    vec![("valid-plain", crate::package::component()), ("valid-nested", wat::parse_str(nested).unwrap())]
}
