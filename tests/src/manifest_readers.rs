//! The two readers of a manifest, held against each other: the typed one that every admission asks, and the schema.
//!
//! In -> out: bytes of a `manifest.json` -> what both say of them.
//! Invariant: it panics where they differ, or where one names a place that the manifest does not have.
//! Not here: which manifests (`tests/manifests.rs`, `tests/packages/main.rs`).

use orch_host::manifest_schema;
use orch_trust::manifest::{MANIFEST_BYTES_MAX, Manifest};
use orch_trust::refusal::Refusal;
use orch_trust::strict_json::{self, JsonError};
use serde_json::Value;

/// What both readers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// No strict JSON, or too large: no reader looks at fields.
    Unread,
    /// The schema does not take it.
    OtherShape,
    /// The schema takes it, and a rule that no schema can say does not.
    OtherMeaning,
    Taken,
}

/// What both readers say of these bytes.
pub fn agreed(bytes: &[u8]) -> Said {
    let shown = || String::from_utf8_lossy(bytes).chars().take(4000).collect::<String>();
    let typed = Manifest::parse(bytes);
    let value: Value = match strict_json::parse(bytes) {
        Ok(value) if bytes.len() as u64 <= MANIFEST_BYTES_MAX => value,
        _ => {
            assert!(!matches!(typed, Ok(_) | Err(Refusal::ManifestSchema { .. })), "{typed:?}: {}", shown());
            return Said::Unread;
        }
    };
    let has_place = |refusal: &Refusal| match refusal {
        Refusal::ManifestSchema { pointer, .. } => value.pointer(pointer).is_some(),
        Refusal::ManifestJson { source: JsonError::Meaning { pointer, .. } } => {
            value.pointer(pointer).is_some()
        }
        Refusal::ManifestJson { .. } => false,
        _ => true,
    };
    match (manifest_schema::check(&value), typed) {
        (Err(by_schema), Err(typed @ Refusal::ManifestSchema { .. })) => {
            assert!(has_place(&by_schema) && has_place(&typed), "{by_schema}; {typed}: {}", shown());
            Said::OtherShape
        }
        (Ok(()), Ok(_)) => Said::Taken,
        (Ok(()), Err(typed)) if !matches!(typed, Refusal::ManifestSchema { .. }) => {
            assert!(has_place(&typed), "{typed:?}: {}", shown());
            Said::OtherMeaning
        }
        (by_schema, typed) => panic!("schema: {by_schema:?}; typed reader: {typed:?}; {}", shown()),
    }
}
