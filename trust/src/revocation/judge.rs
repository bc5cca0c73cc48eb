//! What of a package is taken back.
//!
//! In -> out: who vouched for a package and when, a revocation list -> every [`Hit`].
//! Invariant: one function for a load, an update and a plugin that runs. A signature before its key's date counts, one
//! at it or later does not. A component whose version cannot be compared is hit.
//! Not here: what remains when certificates are set aside (`agreement.rs`), the list (`revocation.rs`).

use std::fmt;
use std::sync::Arc;

use crate::certificate::Sound;
use crate::digest::Sha256Digest;
use crate::key::KeyId;
use crate::name::PluginId;
use crate::refusal::Refusal;
use crate::release::Release;
use crate::revocation::{Action, Revocations, What};
use crate::sbom;
pub use crate::signature::Signature;
use crate::version_range::VersionRange;

/// Who vouched for a package, and for what: all that a revocation can be about.
#[derive(Clone, Debug)]
pub struct Vouched {
    pub id: PluginId,
    pub version: semver::Version,
    /// Of every file.
    pub files: Vec<Sha256Digest>,
    pub manifest: Sha256Digest,
    pub release: Release,
    /// Keys that the release rests on: its signers, and whoever delegated to them.
    pub release_keys: Vec<Signature>,
    /// Every certificate that is sound by itself.
    pub certificates: Vec<Sound>,
    /// `sbom.cdx.json`.
    pub sbom: Arc<[u8]>,
}

/// What an entry of the list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole package.
    Package,
    /// The certificate of this key; others may remain.
    Certificate(KeyId),
}

/// One entry of the list that is about this package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub action: Action,
    pub scope: Scope,
    /// How the list names it: `release acme/x >=1.0.0`.
    pub what: String,
    pub reason: String,
}

impl fmt::Display for Hit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {}: {}", self.action.as_str(), self.what, self.reason)
    }
}

/// Every entry of the list that is about this package, the severest first.
///
/// # Errors
/// `SbomUnreadable`, if the list has an advisory and the package does not say what it is made of.
pub fn judge(vouched: &Vouched, list: &Revocations) -> Result<Vec<Hit>, Refusal> {
    let mut hits = Vec::new();
    let mut components = None;
    for entry in &list.document().entries {
        let mut hit = |scope: Scope, what: String| {
            hits.push(Hit { action: entry.action, scope, what, reason: entry.reason.clone() });
        };
        match &entry.what {
            What::File { sha256 } => {
                if vouched.files.contains(sha256) {
                    hit(Scope::Package, entry.what.to_string());
                }
            }
            What::Release { id, versions } => {
                if *id == vouched.id && versions.covers(&vouched.version) {
                    hit(Scope::Package, entry.what.to_string());
                }
            }
            What::Key { keyid, invalid_after } => {
                let gone = |signature: &Signature| signature.key == *keyid && signature.at >= *invalid_after;
                if vouched.release_keys.iter().any(gone) {
                    hit(Scope::Package, entry.what.to_string());
                }
                for sound in vouched.certificates.iter().filter(|sound| sound.signatures().iter().any(gone)) {
                    hit(Scope::Certificate(sound.key.id()), entry.what.to_string());
                }
            }
            What::Certifier { name, versions, check } => {
                for sound in &vouched.certificates {
                    let found = &sound.certificate;
                    let ran = |id: &String| found.checks.iter().any(|check| check.id == *id);
                    let covered = found.certifier.name == *name && covers(versions, &found.certifier.version);
                    if covered && check.as_ref().is_none_or(ran) {
                        hit(Scope::Certificate(sound.key.id()), entry.what.to_string());
                    }
                }
            }
            What::Advisory { advisory, krate, versions } => {
                let components = match &components {
                    Some(components) => components,
                    None => &*components.insert(sbom::components(&vouched.sbom)?),
                };
                let affected = |component: &&sbom::Component| {
                    component.name == *krate
                        && component.version.as_ref().is_none_or(|version| covers(versions, version))
                };
                if let Some(found) = components.iter().find(affected) {
                    let version = found.version.as_deref().unwrap_or("without a version");
                    hit(Scope::Package, format!("advisory {advisory}, {krate} {version}"));
                }
            }
        }
    }
    hits.sort_by_key(|hit| std::cmp::Reverse(hit.action));
    Ok(hits)
}

/// True if the version lies in the range, or is none that can be compared.
fn covers(range: &VersionRange, version: &str) -> bool {
    semver::Version::parse(version).map_or(true, |version| range.covers(&version))
}
