//! The manifest: what a plugin says about itself and asks for.
//!
//! In -> out: bytes of `manifest.json` -> [`Manifest`].
//! Limits: 256 KiB; each of [`Limits`] has a ceiling; 32 files.
//! Invariant: it is read as its schema describes it (`manifest/written.rs`); here is what a schema cannot say.
//! Not here: whether anybody vouches for it (`admission.rs`), the validator of the schema (`orch-host`'s
//! `manifest_schema.rs`).

mod parts;
mod settings_schema;
mod written;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::PluginId;
use crate::permission::text::is_name;
use crate::permission::{PermissionForm, Permissions, Side};
use crate::refusal::Refusal;
use crate::strict_json::JsonError;
use crate::versions::HOST_VERSIONS;

pub use crate::role::Role;
pub use parts::{FileEntry, FileRole, HostRange, Integrity, Limits, MANIFEST_BYTES_MAX};
pub use settings_schema::{SETTINGS_SCHEMA_BYTES_MAX, SETTINGS_SCHEMAS_MAX};
use written::Written;
pub use written::schema;

/// The newest version of the interfaces that this host offers: the last of [`HOST_VERSIONS`].
pub const HOST_API: &str = "0.1.1";

/// What `manifest.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    pub schema: String,
    pub id: PluginId,
    pub version: semver::Version,
    /// For people.
    pub name: String,
    pub description: String,
    /// SPDX expression.
    pub license: String,
    /// `https://` addresses: where its sources are, where people read about it, what changed; empty if it does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repository: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub homepage: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub changelog: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    pub roles: Vec<Role>,
    /// Kinds of task that it executes.
    pub kinds: Vec<String>,
    /// Where attempts of its kinds edit, if the workspace does not say.
    #[serde(skip_serializing_if = "Isolation::is_any")]
    pub isolation: Isolation,
    /// Keys of a task that it reads as an executor, besides the host's own; `command` if it reads that and starts no program.
    #[serde(rename = "taskKeys", skip_serializing_if = "Vec::is_empty")]
    pub task_keys: Vec<String>,
    /// What these keys may say; empty: whatever is written.
    #[serde(rename = "taskSchema", skip_serializing_if = "serde_json::Map::is_empty")]
    pub task_schema: serde_json::Map<String, serde_json::Value>,
    /// What its settings may say; empty: whatever is written.
    #[serde(rename = "settingsSchema", skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings_schema: serde_json::Map<String, serde_json::Value>,
    pub host: HostRange,
    pub permissions: Permissions,
    pub limits: Limits,
    pub integrity: Integrity,
}

/// Where attempts edit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// As the run has it.
    #[default]
    Any,
    /// In the person's tree, whatever the run has.
    None,
    /// In a tree of their own; what is kept of it lies on the run's branch.
    Worktree,
}

impl Isolation {
    pub fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

impl Manifest {
    /// The manifest of these bytes.
    ///
    /// # Errors
    /// `FileTooLarge`, `ManifestJson`, `ManifestDuplicateKey`, `ManifestSchema`, `ManifestField`, `HostApi`,
    /// `ManifestPermission`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let manifest = Self::meant(Written::read(bytes)?)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// True if what `config.yaml` says as its settings comes to it: by its permission, or as its sessions are opened.
    pub fn reads_settings(&self) -> bool {
        self.permissions.settings.is_some() || self.roles.contains(&Role::Planner)
    }

    /// What the texts mean that have a grammar of their own.
    fn meant(written: Written) -> Result<Self, Refusal> {
        Ok(Self {
            id: meaning("/id", PluginId::parse(&written.id))?,
            version: meaning("/version", semver::Version::parse(&written.version))?,
            host: HostRange { api: meaning("/host/api", semver::VersionReq::parse(&written.host.api))? },
            schema: written.schema,
            name: written.name,
            description: written.description,
            license: written.license,
            repository: written.repository,
            homepage: written.homepage,
            changelog: written.changelog,
            keywords: written.keywords,
            roles: written.roles,
            kinds: written.kinds,
            isolation: written.isolation,
            task_keys: written.task_keys,
            task_schema: written.task_schema,
            settings_schema: written.settings_schema,
            permissions: written.permissions,
            limits: written.limits,
            integrity: written.integrity,
        })
    }

    /// What a schema cannot say.
    fn check(&self) -> Result<(), Refusal> {
        let wrong = |field: &'static str, found: String, expected: &'static str| {
            Err(Refusal::ManifestField { field, found, expected })
        };
        for (field, found) in
            [("repository", &self.repository), ("homepage", &self.homepage), ("changelog", &self.changelog)]
        {
            if !found.is_empty() && !is_address(found) {
                return wrong(
                    field,
                    found.escape_default().to_string(),
                    "an address like `https://example.org/x`",
                );
            }
        }
        if let Some(found) = self.keywords.iter().find(|word| !is_name(word)) {
            return wrong("keywords", found.escape_default().to_string(), "1 to 64 of `[a-z0-9-]`");
        }
        let mut roles = self.roles.clone();
        roles.sort_unstable();
        roles.dedup();
        if roles.len() != self.roles.len() {
            return wrong("roles", format!("{:?}", self.roles), "each role once");
        }
        if self.roles.contains(&Role::Provider) && self.roles.len() > 1 {
            let found = self.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
            return wrong("roles", found, "`provider` alone: one grant would serve both");
        }
        let executes = self.roles.contains(&Role::Executor);
        if executes == self.kinds.is_empty() {
            return wrong("kinds", format!("{:?}", self.kinds), "kinds exactly when the role is executor");
        }
        if let Some(found) = self.kinds.iter().find(|kind| !is_name(kind)) {
            return wrong("kinds", found.escape_default().to_string(), "1 to 64 of `[a-z0-9-]`");
        }
        let writes = self.permissions.files.as_ref().map_or(&[][..], |files| &files.write);
        if !executes && !writes.is_empty() {
            // What every other role writes would be gone, or be done again.
            return wrong("permissions.files.write", writes.join(", "), "none unless the role is executor");
        }
        if !executes && !self.isolation.is_any() {
            let found = format!("{:?}", self.isolation).to_lowercase();
            return wrong("isolation", found, "`any` unless the role is executor");
        }
        if !executes && !self.task_keys.is_empty() {
            return wrong("taskKeys", format!("{:?}", self.task_keys), "none unless the role is executor");
        }
        if let Some(found) = self.task_keys.iter().find(|key| !is_task_key(key)) {
            return wrong("taskKeys", found.escape_default().to_string(), "1 to 64 of `[A-Za-z0-9_-]`");
        }
        if !self.reads_settings() && !self.settings_schema.is_empty() {
            return wrong("settingsSchema", "a schema".to_owned(), "none without the permission `settings`");
        }
        for (field, schema) in [("settingsSchema", &self.settings_schema), ("taskSchema", &self.task_schema)]
        {
            if let Err(settings_schema::Fault { found, expected }) = settings_schema::check(schema) {
                return wrong(field, found, expected);
            }
        }
        let of_tasks = self.task_schema.get("properties").and_then(serde_json::Value::as_object);
        let is_unread = |key: &&String| !self.task_keys.contains(key);
        if let Some(key) = of_tasks.and_then(|keys| keys.keys().find(is_unread)) {
            return wrong("taskSchema", key.escape_default().to_string(), "keys that `taskKeys` has");
        }
        if self.task_keys.is_empty() && !self.task_schema.is_empty() {
            return wrong("taskSchema", "a schema".to_owned(), "none without `taskKeys`");
        }
        if !self.version.build.is_empty() {
            return wrong("version", self.version.to_string(), "a version without build metadata");
        }
        // What a host of an older version offers, this one does too.
        if !HOST_VERSIONS.iter().any(|version| self.host.api.matches(version)) {
            return Err(Refusal::HostApi { wanted: self.host.api.to_string(), found: HOST_API });
        }
        self.permissions
            .check_form(Side::Bounding)
            .map_err(|source| Refusal::ManifestPermission { source })?;
        if let Err(PermissionForm { path, found, expected }) = self.permissions.check_form(Side::Asking) {
            return wrong(path, found, expected);
        }
        let count = |role: FileRole| self.integrity.files.iter().filter(|file| file.role == role).count();
        if count(FileRole::Component) != 1 || count(FileRole::Sbom) != 1 {
            return wrong("integrity.files", "another number".to_owned(), "one component and one sbom");
        }
        for file in &self.integrity.files {
            let expected = match file.role {
                FileRole::Component => "component.wasm",
                FileRole::Sbom => "sbom.cdx.json",
                FileRole::License => "LICENSE",
                FileRole::Readme => "README.md",
            };
            if file.path != expected {
                return wrong("integrity.files", file.path.escape_default().to_string(), expected);
            }
        }
        Ok(())
    }
}

/// An address that a person may open: TLS, plain characters, a host, no name or password.
fn is_address(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'`' | b'@');
    let host = text.strip_prefix("https://").and_then(|rest| rest.split('/').next());
    host.is_some_and(|host| !host.is_empty()) && text.bytes().all(plain)
}

fn is_task_key(text: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn meaning<T>(pointer: &str, read: Result<T, impl ToString>) -> Result<T, Refusal> {
    read.map_err(|error| {
        let (pointer, message) = (pointer.to_owned(), error.to_string());
        Refusal::ManifestJson { source: JsonError::Meaning { pointer, message } }
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> serde_json::Value {
        serde_json::json!({
            "schema": written::SCHEMA, "id": "acme/summarise", "version": "1.4.2", "name": "Summarise",
            "description": "Summarises a file", "license": "MIT", "roles": ["executor"], "kinds": ["summarise"],
            "host": { "api": ">=0.1.0, <0.2.0" }, "permissions": { "log": {} },
            "limits": { "memoryMiB": 64, "busyMs": 500, "wallMs": 2000, "outputKiB": 256, "hostCalls": 10000, "logKiB": 64 },
            "integrity": { "files": [
                { "path": "component.wasm", "role": "component", "size": 3, "sha256": "a".repeat(64) },
                { "path": "sbom.cdx.json", "role": "sbom", "size": 2, "sha256": "b".repeat(64) } ] }
        })
    }

    fn code(edit: impl FnOnce(&mut serde_json::Value)) -> Option<&'static str> {
        let mut value = example();
        edit(&mut value);
        Manifest::parse(value.to_string().as_bytes()).err().map(|refusal| refusal.code())
    }

    #[test]
    fn limits_meet_field_by_field() {
        let low = Limits { memory_mib: 1, busy_ms: 2, wall_ms: 3, output_kib: 4, host_calls: 5, log_kib: 6 };
        assert_eq!(low.at_most(Limits::CEILING), low);
        assert_eq!(Limits::CEILING.at_most(low), low);
        let mixed = Limits { memory_mib: 9, host_calls: 9, ..low };
        assert_eq!(
            mixed.at_most(Limits { busy_ms: 0, host_calls: 1, ..mixed }),
            Limits { busy_ms: 0, host_calls: 1, ..mixed }
        );
    }

    #[test]
    fn reads_a_manifest_and_writes_it_back() {
        let manifest = Manifest::parse(example().to_string().as_bytes()).unwrap();
        assert_eq!(manifest.id.as_str(), "acme/summarise");
        let again = Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap();
        assert_eq!(manifest, again);
    }

    #[test]
    fn refuses_what_the_schema_or_the_rules_do_not_know() {
        assert_eq!(code(|_| {}), None);
        assert_eq!(code(|value| value["extra"] = 1.into()), Some("manifest-schema"));
        for field in ["repository", "homepage", "changelog"] {
            for good in ["", "https://example.org", "https://git.example.org:8443/acme/x?y=z#part"] {
                assert_eq!(code(|value| value[field] = good.into()), None, "{good}");
            }
            for wrong in [
                "http://example.org/",
                "https://",
                "https:///x",
                "https://me:word@example.org/",
                "https://example.org/ x",
                "https://example.org/\u{1b}[2K",
                "https://example.org/ä",
                "javascript:alert(1)",
                "example.org",
            ] {
                assert_eq!(code(|value| value[field] = wrong.into()), Some("manifest-field"), "{wrong}");
            }
            let long = format!("https://example.org/{}", "x".repeat(481));
            assert_eq!(code(|value| value[field] = long.into()), Some("manifest-schema"));
            assert_eq!(code(|value| value[field] = serde_json::Value::Null), Some("manifest-schema"));
        }
        assert_eq!(code(|value| value["keywords"] = serde_json::json!(["notes", "to-do"])), None);
        assert_eq!(code(|value| value["keywords"] = serde_json::json!(["Notes"])), Some("manifest-field"));
        assert_eq!(
            code(|value| value["keywords"] = serde_json::json!(vec!["x"; 17])),
            Some("manifest-schema")
        );
        assert_eq!(
            code(|value| value["permissions"]["shell"] = serde_json::json!({})),
            Some("manifest-schema")
        );
        assert_eq!(code(|value| value["permissions"]["log"]["level"] = 1.into()), Some("manifest-schema"));
        assert_eq!(code(|value| value["limits"]["memoryMiB"] = 257.into()), Some("manifest-schema"));
        assert_eq!(code(|value| value["limits"]["busyMs"] = 0.into()), Some("manifest-schema"));
        assert_eq!(code(|value| value["schema"] = "v2".into()), Some("manifest-schema"));
        assert_eq!(code(|value| value["id"] = "acme".into()), Some("manifest-schema"));
        assert_eq!(code(|value| value["id"] = "orch/x".into()), Some("manifest-json"));
        assert_eq!(code(|value| value["version"] = "../..".into()), Some("manifest-json"));
        assert_eq!(code(|value| value["kinds"] = serde_json::json!([])), Some("manifest-field"));
        for (isolation, expected) in
            [("any", None), ("none", None), ("worktree", None), ("tree", Some("manifest-schema"))]
        {
            assert_eq!(code(|value| value["isolation"] = isolation.into()), expected, "{isolation}");
        }
        let of_verifier = code(|value| {
            value["isolation"] = "worktree".into();
            value["roles"] = serde_json::json!(["verifier"]);
            value["kinds"] = serde_json::json!([]);
        });
        assert_eq!(of_verifier, Some("manifest-field"));
        let would_write = |role: &str| {
            code(|value| {
                value["permissions"]["files"] = serde_json::json!({ "write": ["out/**"] });
                if role != "executor" {
                    value["roles"] = serde_json::json!([role]);
                    value["kinds"] = serde_json::json!([]);
                }
            })
        };
        assert_eq!(would_write("executor"), None);
        for role in ["verifier", "auditor", "reflector", "guard", "service"] {
            assert_eq!(would_write(role), Some("manifest-field"), "{role}");
        }
        for roles in [["executor", "executor"], ["executor", "provider"]] {
            let wrong = code(|value| value["roles"] = serde_json::json!(roles));
            assert_eq!(wrong, Some("manifest-field"), "{roles:?}");
        }
        assert_eq!(code(|value| value["host"]["api"] = ">=0.2.0".into()), Some("host-api"));
        assert_eq!(code(|value| value["taskKeys"] = serde_json::json!(["model", "Retry_on-2"])), None);
        assert_eq!(code(|value| value["taskKeys"] = serde_json::json!(["x", "x"])), None);
        let with_keys = |schema: serde_json::Value| {
            code(|value| {
                value["taskKeys"] = serde_json::json!(["model"]);
                value["taskSchema"] = schema;
            })
        };
        let model = serde_json::json!({ "type": "object", "properties": { "model": { "type": "string" } } });
        assert_eq!(with_keys(model.clone()), None);
        assert_eq!(code(|value| value["taskSchema"] = model), Some("manifest-field"), "no key is read");
        for wrong in [
            serde_json::json!({ "type": "object", "properties": { "modle": {} } }),
            serde_json::json!({ "type": "object", "pattern": "x" }),
            serde_json::json!({ "type": "string" }),
        ] {
            assert_eq!(with_keys(wrong.clone()), Some("manifest-field"), "{wrong}");
        }
        for wrong in ["", "a b", "\u{e9}"] {
            let expected = Some("manifest-field");
            assert_eq!(code(|value| value["taskKeys"] = serde_json::json!([wrong])), expected, "{wrong:?}");
        }
        assert_eq!(
            code(|value| value["taskKeys"] = serde_json::json!(vec!["x"; 65])),
            Some("manifest-schema")
        );
        let with_schema = |permission: &str, schema: serde_json::Value| {
            code(|value| {
                value["permissions"][permission] = serde_json::json!({});
                value["settingsSchema"] = schema;
            })
        };
        let schema = || serde_json::json!({ "type": "object", "properties": { "a": { "minimum": 1 } } });
        assert_eq!(with_schema("settings", schema()), None);
        assert_eq!(with_schema("log", schema()), Some("manifest-field"), "it could not read them");
        assert_eq!(
            with_schema("settings", serde_json::json!({ "$ref": "http://x" })),
            Some("manifest-field")
        );
        assert_eq!(with_schema("settings", serde_json::json!([])), Some("manifest-schema"));
        assert_eq!(
            code(|value| value["permissions"]["files"] = serde_json::json!({"read": ["../x"]})),
            Some("manifest-permission")
        );
        assert_eq!(
            code(|value| value["integrity"]["files"][0]["path"] = "x.wasm".into()),
            Some("manifest-field")
        );
        let twice = example().to_string().replacen("\"name\"", "\"name\":\"x\",\"n\\u0061me\"", 1);
        assert_eq!(Manifest::parse(twice.as_bytes()).unwrap_err().code(), "manifest-duplicate-key");
    }

    #[test]
    fn each_limit_ends_at_its_ceiling() {
        let ceiling = serde_json::to_value(Limits::CEILING).unwrap();
        assert_eq!(code(|value| value["limits"] = ceiling.clone()), None);
        for (name, most) in ceiling.as_object().unwrap() {
            let above = most.as_u64().unwrap() + 1;
            assert_eq!(code(|value| value["limits"][name] = above.into()), Some("manifest-schema"), "{name}");
            assert_eq!(code(|value| value["limits"][name] = (-1).into()), Some("manifest-schema"), "{name}");
            assert_eq!(
                code(|value| drop(value["limits"].as_object_mut().unwrap().remove(name))),
                Some("manifest-schema"),
                "{name}"
            );
        }
    }

    #[test]
    fn json_that_others_might_read_otherwise_is_refused() {
        let text = example().to_string();
        let code = |bytes: &[u8]| Manifest::parse(bytes).unwrap_err().code();
        assert_eq!(code(format!("\u{feff}{text}").as_bytes()), "manifest-json");
        assert_eq!(code(format!("{text}{text}").as_bytes()), "manifest-json");
        assert_eq!(code(text.replace("64", "64.0").as_bytes()), "manifest-json");
        assert_eq!(code(text.replace("Summarise", "\\ud800").as_bytes()), "manifest-json");
        assert_eq!(code(b""), "manifest-json");
        let padded = |size: usize| format!("{text}{}", " ".repeat(size - text.len())).into_bytes();
        let most = MANIFEST_BYTES_MAX as usize;
        assert!(Manifest::parse(&padded(most)).is_ok());
        assert_eq!(code(&padded(most + 1)), "file-too-large");
    }
}
