//! The JSON Schema of `manifest.json`, for the tools that explain a package or vouch for it.
//!
//! In -> out: a package -> its manifest, or what the schema says against it; JSON -> whether it matches. Compiled when
//! it is first asked.
//! Invariant: it takes what the typed reader takes, a test says so (`tests/tests/manifests.rs`); no run asks it.
//! Not here: the schema and the typed reader, which every admission asks (`orch-trust`'s `manifest.rs`).

use std::sync::LazyLock;

use jsonschema::Validator;
use orch_trust::manifest::{Manifest, schema};
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use serde_json::Value;

const MESSAGE_CHARS_MAX: usize = 300;

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| match jsonschema::draft202012::new(&schema()) {
    Ok(validator) => validator,
    Err(_) => unreachable!("the generated schema compiles, a test says so"),
});

/// The manifest of a package, read by both readers.
///
/// # Errors
/// Those of [`Manifest::parse`]; `ManifestSchema` says what the schema expected, and where.
pub fn read(package: &PackageBytes) -> Result<&Manifest, Refusal> {
    match package.parse_manifest() {
        Err(refusal) if !matches!(refusal, Refusal::ManifestSchema { .. }) => Err(refusal),
        typed => {
            let value = serde_json::from_slice(package.manifest());
            value.map_or(Ok(()), |value| check(&value))?;
            typed
        }
    }
}

/// Succeeds if the schema takes this JSON.
///
/// # Errors
/// `ManifestSchema` with the first thing that the schema has against it.
pub fn check(value: &Value) -> Result<(), Refusal> {
    let Some(error) = VALIDATOR.iter_errors(value).next() else { return Ok(()) };
    let pointer = error.instance_path().to_string();
    let message = error.to_string().chars().take(MESSAGE_CHARS_MAX).collect();
    Err(Refusal::ManifestSchema { pointer, message })
}
