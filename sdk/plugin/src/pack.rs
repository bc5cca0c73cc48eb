//! From what was built to a package folder.
//!
//! In -> out: `plugin.json` and the built files -> `<out>/<namespace>/<name>/<version>/`.
//! Invariant: the manifest names exactly the files beside it; a package is there whole or not at all; signatures and
//! certificates of an earlier package of that version are gone, because they were for other bytes.
//! Not here: the release signature (`sign.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_host::manifest_schema;
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::manifest::Manifest;
use orch_trust::package::{COMPONENT, MANIFEST, PackageBytes, SBOM};
use orch_trust::refusal::Refusal;
use orch_trust::versions::{HOST_VERSIONS, Ours};
use semver::Version;
use serde_json::{Map, Value, json};

use crate::authored;

/// The manifest as its author writes it: without the part on files.
pub const AUTHORED: &str = "plugin.json";
/// Packed when they lie beside `plugin.json`: name in the project, name and role in the package.
const EXTRAS: [(&str, &str); 2] = [("LICENSE", "license"), ("README.md", "readme")];

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("cannot read or write `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is not JSON")]
    Json {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("`{path}` is no JSON object")]
    NotObject { path: PathBuf },
    #[error("`{path}` has `integrity`, which packing writes")]
    HasIntegrity { path: PathBuf },
    #[error("`{path}` has version `{found}`, what was built has `{expected}`")]
    OtherVersion { path: PathBuf, found: String, expected: String },
    #[error("`{path}` is not as its schema wants it at `{place}`: {message}")]
    Schema {
        path: PathBuf,
        /// Keys from the top, like `/limits/wallMs`; `/` is the whole.
        place: String,
        message: String,
        hint: Option<String>,
    },
    #[error("`{path}` does not make a manifest")]
    Refused {
        path: PathBuf,
        #[source]
        source: Box<Refusal>,
    },
    #[error("what was built does not fit `{path}`")]
    Unfit {
        path: PathBuf,
        #[source]
        source: Box<Refusal>,
    },
    #[error(
        "`host.api` of `{path}` allows hosts with {allowed}, and what was built uses `{name}`, which came with {since}"
    )]
    HostApi { path: PathBuf, allowed: String, name: String, since: String },
}

impl PackError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "pack-io",
            Self::Json { .. } => "pack-json",
            Self::NotObject { .. } => "pack-no-object",
            Self::HasIntegrity { .. } => "pack-integrity",
            Self::OtherVersion { .. } => "pack-other-version",
            Self::Schema { .. } => "manifest-schema",
            Self::HostApi { .. } => "pack-host-api",
            Self::Refused { source, .. } | Self::Unfit { source, .. } => source.code(),
        }
    }

    /// What the author can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OtherVersion { .. } => {
                Some(format!("say the same `version` in `Cargo.toml` and in `{AUTHORED}`"))
            }
            Self::Schema { hint, .. } => hint.clone(),
            Self::Json { .. } => {
                Some("look at that line: JSON has no comma behind the last entry, and no comments".to_owned())
            }
            Self::HasIntegrity { .. } => Some("take `integrity` out".to_owned()),
            Self::HostApi { since, .. } => Some(format!(
                "write `\"host\": {{ \"api\": \">={since}, <0.2.0\" }}`: older hosts then take an older version of the plugin"
            )),
            Self::Unfit { source, .. } if matches!(**source, Refusal::ExportMissing { .. }) => {
                let hint = "say the role that the plugin exports (`orch_sdk::export!`) in `roles`, or export the one that is said there";
                Some(hint.to_owned())
            }
            Self::Unfit { source, .. } => authored::line_for(source).or_else(|| source.hint()),
            Self::Refused { source, .. } => source.hint(),
            _ => None,
        }
    }
}

/// What to pack.
#[derive(Clone, Debug)]
pub struct PackRequest<'a> {
    /// Folder with `plugin.json`.
    pub project: &'a Path,
    /// Folder with `component.wasm` and `sbom.cdx.json`.
    pub built: &'a Path,
    /// Folder of packages.
    pub out: &'a Path,
}

/// A package that was not written yet.
pub struct Assembled {
    pub manifest: Manifest,
    pub package: PackageBytes,
    files: BTreeMap<String, Arc<[u8]>>,
    authored: PathBuf,
}

impl Assembled {
    /// Succeeds if a host would take the component with this manifest, were it signed and certified.
    ///
    /// # Errors
    /// `Unfit`: it imports what is not asked for, lacks a role's export, or is no component of ours. `HostApi`.
    pub fn check_fit(&self) -> Result<(), PackError> {
        let unfit = |source| PackError::Unfit { path: self.authored.clone(), source: Box::new(source) };
        let candidate = Candidate::examine(&self.package).map_err(unfit)?;
        let facts = candidate.facts();
        for name in facts.imports.iter().chain(&facts.exports) {
            let Some(since) = Ours::of(name).map(|ours| ours.since()) else { continue };
            let is_older = |version: &&Version| **version < since && self.manifest.host.api.matches(version);
            if let Some(allowed) = HOST_VERSIONS.iter().find(is_older) {
                let (path, allowed, name) = (self.authored.clone(), allowed.to_string(), name.clone());
                let since = since.to_string();
                return Err(PackError::HostApi { path, allowed, name, since });
            }
        }
        Ok(())
    }

    /// Writes the package's folder below `out`.
    pub fn write(self, out: &Path) -> Result<Packed, PackError> {
        let folder = out.join(self.manifest.id.as_str()).join(self.manifest.version.to_string());
        write_folder(&folder, &self.files)?;
        Ok(Packed { folder, manifest: self.manifest, package: self.package })
    }
}

/// A package, not yet signed.
pub struct Packed {
    pub folder: PathBuf,
    pub manifest: Manifest,
    /// What was written.
    pub package: PackageBytes,
}

/// Packs a plugin.
///
/// # Errors
/// `Refused`: the manifest breaks a rule, in the words of those who will check it. `OtherVersion`: it was changed
/// since the build.
pub fn pack(request: &PackRequest<'_>) -> Result<Packed, PackError> {
    assemble(request.project, request.built)?.write(request.out)
}

/// What the author wrote, as far as it can be judged before anything is built.
///
/// # Errors
/// `Io`, `Json`, `NotObject`, `HasIntegrity`, `Schema`.
pub fn check_authored(project: &Path) -> Result<(), PackError> {
    read_authored(&project.join(AUTHORED)).map(drop)
}

/// The authored manifest without what is for editors.
fn read_authored(path: &Path) -> Result<Map<String, Value>, PackError> {
    let mut manifest = read_object(path)?;
    if manifest.contains_key("integrity") {
        return Err(PackError::HasIntegrity { path: path.to_owned() });
    }
    if manifest.get("$schema").is_some_and(Value::is_string) {
        manifest.remove("$schema");
    }
    let path = path.to_owned();
    match authored::check(&manifest) {
        Ok(()) => Ok(manifest),
        Err(Ok(misfit)) => {
            let hint = misfit.hint();
            Err(PackError::Schema { path, place: misfit.place, message: misfit.message, hint })
        }
        Err(Err(refusal)) => Err(PackError::Refused { path, source: Box::new(refusal) }),
    }
}

/// The package of what was built, not yet written.
///
/// # Errors
/// Those of [`pack`].
pub fn assemble(project: &Path, built: &Path) -> Result<Assembled, PackError> {
    let request = PackRequest { project, built, out: Path::new("") };
    let authored = request.project.join(AUTHORED);
    let mut manifest = read_authored(&authored)?;
    check_version(&authored, &manifest, &request.built.join(SBOM))?;
    let mut files = BTreeMap::new();
    let mut entries = Vec::new();
    let built = [(COMPONENT, "component"), (SBOM, "sbom")].map(|(name, role)| (request.built, name, role));
    let extras = EXTRAS.iter().filter(|(name, _)| request.project.join(name).is_file());
    let extras = extras.map(|(name, role)| (request.project, *name, *role));
    for (folder, name, role) in built.into_iter().chain(extras) {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(io_at(&path))?;
        let sha256 = Sha256Digest::of(&bytes).to_string();
        entries.push(json!({ "path": name, "role": role, "size": bytes.len(), "sha256": sha256 }));
        files.insert(name.to_owned(), Arc::<[u8]>::from(bytes));
    }
    manifest.insert("integrity".to_owned(), json!({ "files": entries }));
    let mut bytes = serde_json::to_vec_pretty(&manifest)
        .map_err(|source| PackError::Json { path: authored.clone(), source })?;
    bytes.push(b'\n');
    files.insert(MANIFEST.to_owned(), bytes.into());
    // The rules are those of whoever loads it.
    let refused = |source| PackError::Refused { path: authored.clone(), source: Box::new(source) };
    let package = PackageBytes::new(files.clone()).map_err(refused)?;
    let manifest = manifest_schema::read(&package).map_err(refused)?.clone();
    package.check_integrity(&manifest).map_err(refused)?;
    Ok(Assembled { manifest, package, files, authored })
}

fn read_object(path: &Path) -> Result<Map<String, Value>, PackError> {
    let bytes = fs::read(path).map_err(io_at(path))?;
    let json = |source| PackError::Json { path: path.to_owned(), source };
    match serde_json::from_slice(&bytes).map_err(json)? {
        Value::Object(object) => Ok(object),
        _ => Err(PackError::NotObject { path: path.to_owned() }),
    }
}

/// What was built says its version in its bill of materials.
fn check_version(authored: &Path, manifest: &Map<String, Value>, sbom: &Path) -> Result<(), PackError> {
    let sbom = read_object(sbom)?;
    let built = sbom.get("metadata").and_then(|it| it.get("component")).and_then(|it| it.get("version"));
    let found = manifest.get("version");
    match built == found {
        true => Ok(()),
        false => Err(PackError::OtherVersion {
            path: authored.to_owned(),
            found: found.and_then(Value::as_str).unwrap_or_default().to_owned(),
            expected: built.and_then(Value::as_str).unwrap_or_default().to_owned(),
        }),
    }
}

/// Writes the files beside the place and moves them there.
fn write_folder(folder: &Path, files: &BTreeMap<String, Arc<[u8]>>) -> Result<(), PackError> {
    let Some(parent) = folder.parent() else { unreachable!("a version's folder is below the plugin's") };
    fs::create_dir_all(parent).map_err(io_at(parent))?;
    let fresh = tempfile::Builder::new().prefix(".packing-").tempdir_in(parent).map_err(io_at(parent))?;
    for (name, bytes) in files {
        let path = fresh.path().join(name);
        fs::write(&path, bytes).map_err(io_at(&path))?;
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(fresh.path(), open).map_err(io_at(fresh.path()))?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(folder)(error)),
        _ => {}
    }
    fs::rename(fresh.keep(), folder).map_err(io_at(folder))
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> PackError {
    let path = path.to_owned();
    move |source| PackError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authored() -> Value {
        json!({ "schema": "urn:orch:plugin-manifest:v1", "id": "acme/hello", "version": "0.1.0", "name": "Hello",
                "description": "Says hello", "license": "MIT", "roles": ["executor"], "kinds": ["hello"],
                "host": { "api": ">=0.1.0, <0.2.0" }, "permissions": { "log": {} },
                "limits": { "memoryMiB": 16, "busyMs": 500, "wallMs": 2000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 64 } })
    }

    /// Packs with the authored manifest edited; the folder holds project, built files and packages.
    fn packed(folder: &Path, edit: impl FnOnce(&mut Value)) -> Result<Packed, PackError> {
        let mut manifest = authored();
        edit(&mut manifest);
        fs::write(folder.join(AUTHORED), manifest.to_string()).unwrap();
        fs::write(folder.join("LICENSE"), "MIT").unwrap();
        fs::write(folder.join(COMPONENT), "component").unwrap();
        fs::write(
            folder.join(SBOM),
            json!({ "metadata": { "component": { "version": "0.1.0" } } }).to_string(),
        )
        .unwrap();
        pack(&PackRequest { project: folder, built: folder, out: &folder.join("packages") })
    }

    #[test]
    fn a_package_has_what_its_manifest_names() {
        let folder = tempfile::tempdir().unwrap();
        let first = packed(folder.path(), |_| {}).unwrap();
        assert_eq!(first.folder, folder.path().join("packages/acme/hello/0.1.0"));
        let names: Vec<_> = first.manifest.integrity.files.iter().map(|file| &*file.path).collect();
        assert_eq!(names, [COMPONENT, SBOM, "LICENSE"]);
        // What vouched for the bytes before does not vouch for the next.
        fs::write(first.folder.join("release.dsse.json"), "old").unwrap();
        let second = packed(folder.path(), |manifest| manifest["name"] = "Other".into()).unwrap();
        assert!(!second.folder.join("release.dsse.json").exists());
        assert_eq!(second.manifest.name, "Other");
        assert_eq!(fs::read_dir(second.folder.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_word_for_editors_is_no_part_of_the_package() {
        let folder = tempfile::tempdir().unwrap();
        let packed_one =
            packed(folder.path(), |it| it["$schema"] = "orch/plugin.schema.json".into()).unwrap();
        let manifest = fs::read_to_string(packed_one.folder.join(MANIFEST)).unwrap();
        assert!(!manifest.contains("$schema"), "{manifest}");
        assert!(packed(folder.path(), |it| it["$schema"] = 1.into()).is_err());
    }

    #[test]
    fn a_manifest_that_breaks_a_rule_makes_no_package() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |edit: fn(&mut Value)| packed(folder.path(), edit).err().unwrap();
        assert!(matches!(refused(|it| it["extra"] = 1.into()), PackError::Schema { .. }));
        assert!(matches!(refused(|it| it["id"] = "../x".into()), PackError::Schema { .. }));
        assert!(matches!(refused(|it| it["version"] = "0.2.0".into()), PackError::OtherVersion { .. }));
        assert!(matches!(refused(|it| it["integrity"] = json!({})), PackError::HasIntegrity { .. }));
        assert!(matches!(refused(|it| *it = json!([])), PackError::NotObject { .. }));
        assert!(!folder.path().join("packages").exists());
    }
}
