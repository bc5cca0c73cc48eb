//! Sound packages, as recipes begin with them.
//!
//! In -> out: role, component -> parts that can be changed -> a package.
//! Invariant: unchanged, they pass every check; the manifest's integrity is made of the files at the end, so that a
//! recipe changes one thing only.
//! Not here: what is changed (`recipes.rs`).

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::Role;
use orch_trust::package::{COMPONENT, MANIFEST, PackageBytes, SBOM};
use serde_json::{Value, json};

use super::error::RecipeError;
use super::guest::listed;

/// Sound components, made once.
#[derive(Default)]
pub(super) struct Samples {
    executor: OnceCell<Vec<u8>>,
}

impl Samples {
    /// An executor that answers every task with an empty text.
    pub(super) fn executor(&self) -> Result<Sample, RecipeError> {
        let component = match self.executor.get() {
            Some(component) => component.clone(),
            None => {
                let made = listed(Role::Executor, "", &[])?;
                self.executor.get_or_init(|| made).clone()
            }
        };
        Ok(Sample::new(Role::Executor, component))
    }
}

/// The parts of a package.
pub(super) struct Sample {
    pub(super) manifest: Value,
    pub(super) component: Vec<u8>,
    pub(super) sbom: Vec<u8>,
}

impl Sample {
    /// Sound, if the component is.
    pub(super) fn new(role: Role, component: Vec<u8>) -> Self {
        let kinds: &[&str] = if role == Role::Executor { &["note"] } else { &[] };
        let permissions = match role {
            Role::Service => json!({ "wasi": { "http_types": true } }),
            _ => json!({}),
        };
        let manifest = json!({
            "schema": "urn:orch:plugin-manifest:v1", "id": "sample/known", "version": "1.0.0", "name": "Sample",
            "description": "A sample of the self-check", "license": "MIT", "roles": [role.as_str()],
            "kinds": kinds, "host": { "api": ">=0.1.1, <0.2.0" }, "permissions": permissions,
            "limits": { "memoryMiB": 16, "busyMs": 2000, "wallMs": 5000, "outputKiB": 256, "hostCalls": 10000,
                        "logKiB": 64 },
        });
        let sbom = bill(&component);
        Self { manifest, component, sbom }
    }

    /// With another value at that JSON pointer of the manifest.
    pub(super) fn with(mut self, pointer: &'static str, value: Value) -> Result<Self, RecipeError> {
        match self.manifest.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => return Err(RecipeError::Missing { what: pointer }),
        }
        Ok(self)
    }

    /// With another component and the bill that belongs to it.
    pub(super) fn of(self, component: Vec<u8>) -> Self {
        let sbom = bill(&component);
        Self { component, sbom, ..self }
    }

    /// The package, whose manifest names these files.
    pub(super) fn seal(self) -> Result<PackageBytes, RecipeError> {
        PackageBytes::new(self.files()).map_err(RecipeError::Package)
    }

    /// The package with one file changed or added after the manifest was made.
    pub(super) fn seal_then(self, name: &str, bytes: &[u8]) -> Result<PackageBytes, RecipeError> {
        let mut files = self.files();
        files.insert(name.to_owned(), bytes.into());
        PackageBytes::new(files).map_err(RecipeError::Package)
    }

    fn files(self) -> BTreeMap<String, Arc<[u8]>> {
        let Self { mut manifest, component, sbom } = self;
        let file = |path: &str, role: &str, bytes: &[u8]| json!({ "path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes) });
        let list = [file(COMPONENT, "component", &component), file(SBOM, "sbom", &sbom)];
        if let Some(fields) = manifest.as_object_mut() {
            fields.insert("integrity".to_owned(), json!({ "files": list }));
        }
        let files = [(MANIFEST, manifest.to_string().into_bytes()), (COMPONENT, component), (SBOM, sbom)];
        files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.into())).collect()
    }
}

/// The bill of a component whose only package is its own.
fn bill(component: &[u8]) -> Vec<u8> {
    let digest = Sha256Digest::of(component);
    let bill = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": "local:known@1.0.0", "name": "known", "version": "1.0.0",
            "hashes": [{ "alg": "SHA-256", "content": digest }] } },
        "components": [],
        "dependencies": [{ "ref": "local:known@1.0.0", "dependsOn": [] }],
    });
    bill.to_string().into_bytes()
}

/// Puts the package into a folder of its own inside that one; gives its path.
pub(super) fn write(package: &PackageBytes, folder: &Path) -> Result<PathBuf, RecipeError> {
    let own = folder.join("package");
    std::fs::create_dir(&own).map_err(RecipeError::Write)?;
    let (manifest, component, sbom) = (package.manifest(), package.component(), package.sbom());
    for (name, bytes) in [(MANIFEST, manifest), (COMPONENT, &component), (SBOM, sbom)] {
        std::fs::write(own.join(name), bytes).map_err(RecipeError::Write)?;
    }
    Ok(own)
}
