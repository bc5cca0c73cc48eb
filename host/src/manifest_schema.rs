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
use serde_json::{Map, Value};

use crate::plugin_settings;

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
            let manifest = typed?;
            check_settings(manifest)?;
            Ok(manifest)
        }
    }
}

/// Succeeds if the schemas of the plugin's settings and of tasks can be asked and take their own defaults.
fn check_settings(manifest: &Manifest) -> Result<(), Refusal> {
    check_asked("settingsSchema", &manifest.settings_schema)?;
    check_asked("taskSchema", &manifest.task_schema)
}

fn check_asked(field: &str, schema: &Map<String, Value>) -> Result<(), Refusal> {
    let schema = Value::Object(schema.clone());
    let ask =
        jsonschema::draft202012::new(&schema).map(drop).map_err(|error| (String::new(), error.to_string()));
    let defaults = || {
        plugin_settings::check_defaults(&schema).map_err(|wrong| {
            let parts =
                wrong.path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")));
            (parts.collect(), wrong.what)
        })
    };
    ask.and_then(|()| defaults()).map_err(|(place, message): (String, String)| Refusal::ManifestSchema {
        pointer: format!("/{field}{place}"),
        message: message.chars().take(MESSAGE_CHARS_MAX).collect(),
    })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_default_that_the_plugins_own_schema_refuses_is_refused_with_its_place() {
        let file = |path: &str, role: &str| json!({ "path": path, "role": role, "size": 3, "sha256": "a".repeat(64) });
        let asked = |default: Value| {
            let manifest = json!({
                "schema": "urn:orch:plugin-manifest:v1", "id": "acme/x", "version": "1.0.0", "name": "x",
                "description": "", "license": "MIT", "roles": ["verifier"], "host": { "api": "*" },
                "permissions": { "settings": {} },
                "settingsSchema": { "type": "object", "properties": {
                    "a/b": { "type": "integer", "minimum": 1, "default": default } } },
                "limits": { "memoryMiB": 1, "busyMs": 1, "wallMs": 1, "outputKiB": 1, "hostCalls": 1, "logKiB": 0 },
                "integrity": { "files": [file("component.wasm", "component"), file("sbom.cdx.json", "sbom")] }
            });
            check_settings(&Manifest::parse(manifest.to_string().as_bytes()).unwrap())
        };
        assert!(asked(json!(1)).is_ok());
        for wrong in [json!(0), json!("1"), json!(null)] {
            let refusal = asked(wrong).unwrap_err();
            assert_eq!(refusal.code(), "manifest-schema");
            assert!(refusal.to_string().contains("`/settingsSchema/properties/a~1b/default`"), "{refusal}");
        }
    }
}
