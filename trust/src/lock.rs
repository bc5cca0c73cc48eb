//! `orch.lock`: which bytes of each plugin a workspace runs with.
//!
//! In -> out: TOML <-> [`Lock`].
//! Invariant: a pin never confers approval; it can only refuse other bytes than those it names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::authority::{AuthorityError, malformed};
use crate::digest::Sha256Digest;
use crate::manifest::Manifest;
use crate::name::PluginId;
use crate::package::{MANIFEST, PackageBytes};
use crate::refusal::Refusal;

/// The pins of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub version: u32,
    #[serde(default)]
    pub plugins: BTreeMap<PluginId, Pin>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub version: semver::Version,
    pub manifest: Sha256Digest,
    pub component: Sha256Digest,
    /// Where it came from: an address, or a path, relative to the workspace if it is in it. It says where to look, never what
    /// to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which versions of that place an update may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<semver::VersionReq>,
}

/// Where a package came from, as a pin remembers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub source: Option<String>,
    pub requirement: Option<semver::VersionReq>,
}

impl Lock {
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        let lock: Self = toml::from_str(text).map_err(|error| malformed(&error))?;
        match lock.version {
            1 => Ok(lock),
            other => {
                Err(AuthorityError::Malformed { message: format!("lock version is {other}, expected 1") })
            }
        }
    }

    pub fn render(&self) -> String {
        let head = "# Which bytes of each plugin this workspace runs with. Written by orch-host.\n";
        format!("{head}{}", toml::to_string(&Self { version: 1, ..self.clone() }).unwrap_or_default())
    }

    /// Pins this package, wherever it came from.
    pub fn pin(&mut self, manifest: &Manifest, package: &PackageBytes) {
        self.pin_from(manifest, package, Origin::default());
    }

    /// Pins this package, which came from there.
    pub fn pin_from(&mut self, manifest: &Manifest, package: &PackageBytes, origin: Origin) {
        let digest = package.digest(MANIFEST).unwrap_or_else(|| Sha256Digest::of(&[]));
        let pin = Pin {
            version: manifest.version.clone(),
            manifest: digest,
            component: package.component_digest(),
            source: origin.source,
            requirement: origin.requirement,
        };
        self.plugins.insert(manifest.id.clone(), pin);
    }

    /// Succeeds if the package is the pinned one, or none is pinned.
    pub fn check(&self, manifest: &Manifest, package: &PackageBytes) -> Result<(), Refusal> {
        let Some(pin) = self.plugins.get(&manifest.id) else { return Ok(()) };
        let differs = |what, locked: String, found: String| match locked == found {
            true => Ok(()),
            false => Err(Refusal::LockMismatch { id: manifest.id.clone(), what, locked, found }),
        };
        differs("version", pin.version.to_string(), manifest.version.to_string())?;
        let found = package.digest(MANIFEST).unwrap_or_else(|| Sha256Digest::of(&[]));
        differs("manifest", pin.manifest.to_string(), found.to_string())?;
        differs("component", pin.component.to_string(), package.component_digest().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_reads_what_it_wrote_and_nothing_else() {
        let pin = Pin {
            version: semver::Version::new(1, 2, 3),
            manifest: Sha256Digest::of(b"m"),
            component: Sha256Digest::of(b"c"),
            source: None,
            requirement: None,
        };
        let from = Pin {
            source: Some("oci://registry.example/demo/y".to_owned()),
            requirement: Some(semver::VersionReq::parse("^1.2").unwrap()),
            ..pin.clone()
        };
        let plugins =
            [(PluginId::parse("demo/x").unwrap(), pin), (PluginId::parse("demo/y").unwrap(), from)].into();
        let lock = Lock { version: 1, plugins };
        assert_eq!(Lock::parse(&lock.render()).unwrap(), lock);
        assert_eq!(Lock::parse(&Lock::default().render()).unwrap().plugins, BTreeMap::new());
        let text = lock.render();
        for wrong in [
            text.replace("version = 1\n", "version = 2\n"),
            text.replace("version = 1\n", ""),
            text.replace("demo/x", "orch/x"),
            text.replace("1.2.3", "../.."),
            text.replace("^1.2", "newest"),
            format!("{text}\napproved = true\n"),
        ] {
            assert!(Lock::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
