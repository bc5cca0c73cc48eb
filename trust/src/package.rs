//! A package's bytes, read once.
//!
//! In -> out: files by name -> [`PackageBytes`].
//! Limits: 64 MiB for the component, 4 MiB for the SBOM, 1 MiB for every other file, 16 certificates, 16 delegations.
//! Invariant: fixed names and nothing else; what was hashed here is what is compiled later; a manifest is parsed once.
//! Not here: reading folders (`orch-host`'s `package.rs`).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::digest::Sha256Digest;
use crate::dsse::{Subject, SubjectDigest};
use crate::manifest::Manifest;
use crate::refusal::Refusal;

pub const MANIFEST: &str = "manifest.json";
pub const COMPONENT: &str = "component.wasm";
pub const SBOM: &str = "sbom.cdx.json";
pub const RELEASE: &str = "release.dsse.json";
pub const CERTIFICATES: &str = "certificates";
pub const DELEGATIONS: &str = "delegations";
const ENVELOPE_END: &str = ".dsse.json";
/// Of certificates, and of delegations.
const ENVELOPES_MAX: usize = 16;

/// The largest that a file of that name may be, in bytes; none: no such file belongs into a package.
pub fn bytes_max(name: &str) -> Option<u64> {
    match name {
        COMPONENT => Some(64 << 20),
        SBOM => Some(4 << 20),
        MANIFEST => Some(crate::manifest::MANIFEST_BYTES_MAX),
        RELEASE | "LICENSE" | "README.md" => Some(1 << 20),
        other => (is_in(CERTIFICATES, other) || is_in(DELEGATIONS, other)).then_some(1 << 20),
    }
}

/// True of `<folder>/<16 hex digits>.dsse.json`.
fn is_in(folder: &str, name: &str) -> bool {
    let rest = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    rest.and_then(|rest| rest.strip_suffix(ENVELOPE_END)).is_some_and(|stem| {
        stem.len() == 16 && stem.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// The complete files of one package.
#[derive(Clone)]
pub struct PackageBytes {
    files: BTreeMap<String, (Arc<[u8]>, Sha256Digest)>,
    /// Of these bytes, which never change; empty until it is wanted.
    parsed: OnceLock<Manifest>,
}

impl PackageBytes {
    /// The files by their path in the package, with `/`.
    pub fn new(files: BTreeMap<String, Arc<[u8]>>) -> Result<Self, Refusal> {
        let mut hashed = BTreeMap::new();
        for (file, bytes) in files {
            let shown = || file.escape_default().take(100).collect::<String>();
            let limit_bytes = bytes_max(&file).ok_or_else(|| Refusal::PackageFile { file: shown() })?;
            let found_bytes = bytes.len() as u64;
            if found_bytes > limit_bytes {
                return Err(Refusal::FileTooLarge { file, found_bytes, limit_bytes });
            }
            let digest = Sha256Digest::of(&bytes);
            hashed.insert(file, (bytes, digest));
        }
        for file in [MANIFEST, COMPONENT, SBOM] {
            if !hashed.contains_key(file) {
                return Err(Refusal::FileMissing { file: file.to_owned() });
            }
        }
        for folder in [CERTIFICATES, DELEGATIONS] {
            if hashed.keys().filter(|name| is_in(folder, name)).count() > ENVELOPES_MAX {
                return Err(Refusal::PackageFile { file: format!("{folder} (more than {ENVELOPES_MAX})") });
            }
        }
        Ok(Self { files: hashed, parsed: OnceLock::new() })
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|(bytes, _)| &**bytes)
    }

    pub fn manifest(&self) -> &[u8] {
        self.bytes(MANIFEST).unwrap_or_default()
    }

    /// What the manifest says: parsed when it is first wanted.
    ///
    /// # Errors
    /// Those of [`Manifest::parse`], each time.
    pub fn parse_manifest(&self) -> Result<&Manifest, Refusal> {
        if let Some(manifest) = self.parsed.get() {
            return Ok(manifest);
        }
        let manifest = Manifest::parse(self.manifest())?;
        Ok(self.parsed.get_or_init(|| manifest))
    }

    /// The component, shared.
    pub fn component(&self) -> Arc<[u8]> {
        self.files.get(COMPONENT).map_or_else(|| Arc::from([]), |(bytes, _)| bytes.clone())
    }

    pub fn component_digest(&self) -> Sha256Digest {
        self.digest(COMPONENT).unwrap_or_else(|| Sha256Digest::of(&[]))
    }

    pub fn sbom(&self) -> &[u8] {
        self.bytes(SBOM).unwrap_or_default()
    }

    /// The SBOM, shared.
    pub(crate) fn shared_sbom(&self) -> Arc<[u8]> {
        self.files.get(SBOM).map_or_else(|| Arc::from([]), |(bytes, _)| bytes.clone())
    }

    pub fn manifest_digest(&self) -> Sha256Digest {
        self.digest(MANIFEST).unwrap_or_else(|| Sha256Digest::of(&[]))
    }

    pub fn release(&self) -> Option<&[u8]> {
        self.bytes(RELEASE)
    }

    /// File name and bytes of each certificate, sorted.
    pub fn certificates(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.envelopes_in(CERTIFICATES)
    }

    /// File name and bytes of each delegation, sorted.
    pub fn delegations(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.envelopes_in(DELEGATIONS)
    }

    fn envelopes_in(&self, folder: &'static str) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .filter(move |(name, _)| is_in(folder, name))
            .map(|(name, (bytes, _))| (name.as_str(), &**bytes))
    }

    pub fn digest(&self, name: &str) -> Option<Sha256Digest> {
        self.files.get(name).map(|(_, digest)| *digest)
    }

    /// Name, size in bytes and digest of every file.
    pub fn list(&self) -> impl Iterator<Item = (&str, u64, Sha256Digest)> {
        self.files.iter().map(|(name, (bytes, digest))| (name.as_str(), bytes.len() as u64, *digest))
    }

    /// Name and bytes of every file.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, (bytes, _))| (name.as_str(), &**bytes))
    }

    /// Name and bytes of every file but component and envelopes.
    pub fn documents(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter().filter(|(name, _)| *name != COMPONENT && !Self::is_envelope(name));
        files.map(|(name, (bytes, _))| (name.as_str(), &**bytes))
    }

    /// True of signatures: files that may change while the package stays the same.
    pub fn is_envelope(name: &str) -> bool {
        name.ends_with(ENVELOPE_END)
    }

    /// Every file but the envelopes, as a statement names them.
    pub fn subjects(&self) -> Vec<Subject> {
        let files = self.files.iter().filter(|(name, _)| !Self::is_envelope(name));
        files
            .map(|(name, (_, digest))| Subject {
                name: name.clone(),
                digest: SubjectDigest { sha256: *digest },
            })
            .collect()
    }

    /// Succeeds if these subjects are exactly the files; else the name of one that differs.
    pub fn check_subjects(&self, subjects: &[Subject]) -> Result<(), String> {
        let expected = self.subjects();
        if let Some(different) = expected.iter().find(|file| !subjects.contains(file)) {
            return Err(different.name.clone());
        }
        match subjects.iter().find(|file| !expected.contains(file)) {
            Some(extra) => Err(extra.name.escape_default().take(100).collect()),
            None if subjects.len() != expected.len() => Err("a subject that is named twice".to_owned()),
            None => Ok(()),
        }
    }

    /// Succeeds if the files are exactly those that the manifest names, with their sizes and digests.
    pub fn check_integrity(&self, manifest: &Manifest) -> Result<(), Refusal> {
        for declared in &manifest.integrity.files {
            let Some((bytes, found)) = self.files.get(&declared.path) else {
                return Err(Refusal::FileMissing { file: declared.path.clone() });
            };
            if *found != declared.sha256 {
                return Err(Refusal::DigestMismatch {
                    file: declared.path.clone(),
                    found: *found,
                    declared: declared.sha256,
                });
            }
            if bytes.len() as u64 != declared.size {
                let (file, found_bytes) = (declared.path.clone(), bytes.len() as u64);
                return Err(Refusal::SizeMismatch { file, found_bytes, declared_bytes: declared.size });
            }
        }
        let declared = |name: &str| manifest.integrity.files.iter().filter(|file| file.path == name).count();
        for name in self.files.keys().filter(|name| *name != MANIFEST && !Self::is_envelope(name)) {
            if declared(name) != 1 {
                return Err(Refusal::FileUndeclared { file: name.clone() });
            }
        }
        Ok(())
    }
}
