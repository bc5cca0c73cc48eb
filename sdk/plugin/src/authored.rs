//! `plugin.json` judged in its author's words: by its own name, before anything is built.
//!
//! In -> out: the authored object -> the first thing that is wrong with it, with its place; the schema for editors.
//! Invariant: the rules are those of the manifest (`orch-host`'s `manifest_schema.rs`); only the part on files, which packing
//! writes, is taken as good.
//! Not here: packing (`pack.rs`).

use orch_host::manifest_schema;
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::schema;
use orch_trust::refusal::Refusal;
use serde_json::{Map, Value, json};

use crate::advice::{advice, resolved};

/// Where a new project has the schema of its `plugin.json`.
pub const SCHEMA_FILE: &str = "orch/plugin.schema.json";
/// How far apart a key and the one that is meant may be, in edits.
const EDITS_MAX: usize = 3;

/// The schema of `plugin.json`: the manifest's, without what packing writes and with a word for editors.
pub fn schema_for_editors() -> Value {
    let mut schema = schema();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "integrity");
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.remove("integrity");
        properties.insert("$schema".to_owned(), json!({ "type": "string" }));
    }
    if let Some(whole) = schema.as_object_mut() {
        whole.insert("title".to_owned(), "plugin.json of an Orch plugin".into());
    }
    schema
}

/// What the manifest's schema has against what its author wrote.
pub(crate) struct Misfit {
    /// Keys from the top, like `/limits/wallMs`; `/` is the whole.
    pub(crate) place: String,
    pub(crate) message: String,
    /// A key that is there and that nothing reads, and the one that may be meant.
    pub(crate) unknown: Option<(String, Option<String>)>,
    /// What to write there.
    pub(crate) advice: Option<String>,
}

impl Misfit {
    /// What its author can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match &self.unknown {
            Some((found, None)) => Some(format!("take `{found}` out: nothing reads it")),
            Some((found, Some(meant))) => Some(format!("is `{meant}` meant by `{found}`?")),
            None => self.advice.clone(),
        }
    }
}

/// Succeeds if the manifest's schema takes it, its files aside.
///
/// # Errors
/// What it has against it, or another refusal.
pub(crate) fn check(authored: &Map<String, Value>) -> Result<(), Result<Misfit, Refusal>> {
    let mut whole = authored.clone();
    let file = |path: &str, role: &str| json!({ "path": path, "role": role, "size": 1, "sha256": Sha256Digest::of(b"").to_string() });
    let files = json!({ "files": [file("component.wasm", "component"), file("sbom.cdx.json", "sbom")] });
    whole.insert("integrity".to_owned(), files);
    let whole = Value::Object(whole);
    let Err(refusal) = manifest_schema::check(&whole) else { return Ok(()) };
    let schema = schema();
    match refusal {
        // A key that nothing reads says more than the one that is missing for it.
        Refusal::ManifestSchema { pointer, message } => {
            Err(Ok(match unknown_key(&whole, &schema, &schema, "") {
                Some((place, found, meant)) => Misfit {
                    place: named(&place),
                    message: format!("`{found}` is no key of it"),
                    unknown: Some((found, meant)),
                    advice: None,
                },
                None => {
                    let advice = advice(&whole, &schema, &pointer);
                    Misfit { place: named(&pointer), message, unknown: None, advice }
                }
            }))
        }
        other => Err(Err(other)),
    }
}

pub(crate) fn named(pointer: &str) -> String {
    if pointer.is_empty() { "/".to_owned() } else { pointer.to_owned() }
}

/// The first key that an object may not have: its place, itself, and the key that is near it.
pub(crate) fn unknown_key(
    value: &Value,
    schema: &Value,
    whole: &Value,
    place: &str,
) -> Option<(String, String, Option<String>)> {
    let schema = resolved(schema, whole);
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        let inner = |(index, value)| unknown_key(value, items, whole, &format!("{place}/{index}"));
        return list.iter().enumerate().find_map(inner);
    }
    let (object, properties) = (value.as_object()?, schema.get("properties")?.as_object()?);
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    for (key, value) in object {
        match properties.get(key) {
            Some(schema) => {
                let inner = unknown_key(value, schema, whole, &format!("{place}/{key}"));
                if inner.is_some() {
                    return inner;
                }
            }
            None if closed => {
                let distance =
                    |known: &&String| strsim::osa_distance(&known.to_lowercase(), &key.to_lowercase());
                let known = properties.keys().filter(|known| !object.contains_key(*known));
                let near = known.min_by_key(distance);
                let is_near = |known: &&String| distance(known) <= EDITS_MAX || same_start(known, key);
                return Some((place.to_owned(), key.clone(), near.filter(is_near).cloned()));
            }
            None => {}
        }
    }
    None
}

/// `wallMs` and `wallSeconds`: another unit of the same thing.
fn same_start(known: &str, found: &str) -> bool {
    let start = |text: &str| {
        text.split(|letter: char| letter.is_ascii_uppercase()).next().unwrap_or_default().to_owned()
    };
    start(known) == start(found)
}

/// What to write where the component imports what is not asked for, or is of another role.
pub(crate) fn line_for(refusal: &Refusal) -> Option<String> {
    let Refusal::ImportUndeclared { permission, .. } = refusal else { return None };
    let value = example(permission)?;
    Some(format!("write it under `permissions` of `plugin.json`: {value}, with what the plugin needs of it"))
}

/// A permission as a manifest writes it.
fn example(permission: &str) -> Option<&'static str> {
    Some(match permission {
        "log" => r#""log": {}"#,
        "settings" => r#""settings": {}"#,
        "kv" => r#""kv": { "labels": ["notes"], "bytes": 65536 }"#,
        "tasks" => r#""tasks": { "read": true }"#,
        "diff" => r#""diff": {}"#,
        "git" => r#""git": { "read": ["**"] }"#,
        "llm" => r#""llm": { "models": ["plan"], "tokens": 4096 }"#,
        "embed" => r#""embed": { "models": ["vectors"], "bytes": 1048576 }"#,
        "retrieve" => r#""retrieve": { "collections": ["code"] }"#,
        "vectors" => r#""vectors": { "read": ["code"] }"#,
        "files" => r#""files": { "read": ["**"] }"#,
        "process" => r#""process": { "programs": ["git"] }"#,
        "findings" => r#""findings": {}"#,
        "metrics" => r#""metrics": {}"#,
        "artifacts" => r#""artifacts": { "types": ["text/plain"], "count": 1, "bytes": 65536 }"#,
        "control" => r#""control": { "read": true }"#,
        "notify" => r#""notify": { "channels": ["ops"] }"#,
        "http" => r#""http": [{ "hosts": ["api.example.com:443"], "methods": ["GET"], "paths": ["/"] }]"#,
        "secrets" => r#""secrets": { "use": [{ "name": "token", "host": "api.example.com:443" }] }"#,
        "wasi.clocks" => r#""wasi": { "clocks": true }"#,
        "wasi.random" => r#""wasi": { "random": true }"#,
        "wasi.http_types" => r#""wasi": { "http_types": true }"#,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use orch_trust::permission::{DomainName, Permissions, Side};

    use super::*;

    fn authored() -> Value {
        json!({ "schema": "urn:orch:plugin-manifest:v1", "id": "acme/hello", "version": "0.1.0", "name": "Hello",
                "description": "Says hello", "license": "MIT", "roles": ["executor"], "kinds": ["hello"],
                "host": { "api": ">=0.1.0, <0.2.0" }, "permissions": { "log": {} },
                "limits": { "memoryMiB": 16, "busyMs": 500, "wallMs": 2000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 64 } })
    }

    #[track_caller]
    fn says(edit: impl FnOnce(&mut Value), place: &str, part: &str, meant: Option<&str>) {
        let mut authored = authored();
        edit(&mut authored);
        let Err(Ok(misfit)) = check(authored.as_object().unwrap()) else { panic!("{authored}") };
        assert_eq!(misfit.place, place);
        assert!(misfit.message.contains(part), "{}", misfit.message);
        assert_eq!(
            misfit.unknown.as_ref().and_then(|(_, meant)| meant.as_deref()),
            meant,
            "{}",
            misfit.message
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_what_may_be_meant() {
        assert!(check(authored().as_object().unwrap()).is_ok());
        let rename = |value: &mut Value, place: &str, from: &str, to: &str| {
            let object = value.pointer_mut(place).unwrap().as_object_mut().unwrap();
            let inner = object.remove(from).unwrap();
            object.insert(to.to_owned(), inner);
        };
        says(|it| rename(it, "", "license", "licence"), "/", "`licence` is no key of it", Some("license"));
        says(|it| rename(it, "/limits", "wallMs", "wallSeconds"), "/limits", "`wallSeconds`", Some("wallMs"));
        says(|it| it["permissions"]["flies"] = json!({}), "/permissions", "`flies`", Some("files"));
        says(
            |it| it["permissions"]["kv"] = json!({ "label": [], "bytes": 1 }),
            "/permissions/kv",
            "`label`",
            Some("labels"),
        );
        says(|it| it["colour"] = json!("red"), "/", "`colour`", None);
        says(|it| it["limits"]["wallMs"] = json!("2 s"), "/limits/wallMs", "integer", None);
    }

    #[test]
    fn every_permission_has_a_line_to_write() {
        let mut named: Vec<&str> = DomainName::ALL.iter().map(|domain| domain.as_str()).collect();
        named.retain(|name| *name != "wasi");
        for name in named.into_iter().chain(["wasi.clocks", "wasi.random", "wasi.http_types"]) {
            let line = example(name).unwrap_or_else(|| panic!("`{name}` has no line"));
            let permissions: Permissions = serde_json::from_str(&format!("{{{line}}}")).unwrap();
            permissions.check_form(Side::Asking).unwrap();
            assert_eq!(permissions.domains().len(), 1, "{line}");
        }
    }

    #[test]
    fn editors_get_the_rules_of_what_authors_write() {
        let schema = schema_for_editors();
        assert!(!schema["required"].as_array().unwrap().contains(&json!("integrity")));
        assert!(schema["required"].as_array().unwrap().contains(&json!("limits")));
        assert!(schema["properties"]["$schema"].is_object() && schema["properties"]["integrity"].is_null());
    }
}
