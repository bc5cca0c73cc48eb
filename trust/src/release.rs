//! The release signature: a publisher vouches for exactly these files.
//!
//! In -> out: a package's files -> `release.dsse.json`; that file and the trusted publishers -> the publisher.
//! Invariant: one signature; subjects are the complete file set but for the envelopes; id and version equal the
//! manifest's.
//! Not here: the envelope (`dsse.rs`), who is a publisher (`authority.rs`).

use serde::{Deserialize, Serialize};

use crate::authority::Publisher;
use crate::dsse::{self, Predicate, Statement};
use crate::key::{SignError, Signer};
use crate::manifest::Manifest;
use crate::name::PluginId;
use crate::package::{PackageBytes, RELEASE};
use crate::refusal::Refusal;
use crate::time::UnixSeconds;

/// What a publisher says of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Release {
    pub id: PluginId,
    pub version: semver::Version,
    /// Strictly increases with each release of a channel.
    pub release_counter: u64,
    pub channel: String,
    pub issued_at: UnixSeconds,
    pub not_after: UnixSeconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Where the sources are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub uri: String,
    pub commit: String,
}

impl Predicate for Release {
    const TYPE: &'static str = "urn:orch:plugin-release:v1";
}

/// The bytes of `release.dsse.json` for this package.
///
/// # Errors
/// The signer's own.
pub fn sign(package: &PackageBytes, release: Release, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    dsse::sign(&Statement::new(package.subjects(), release), &[signer])
}

/// The publisher that vouches for this package, and what it says.
pub fn verify<'a>(
    package: &PackageBytes,
    manifest: &Manifest,
    publishers: &'a [Publisher],
    now: UnixSeconds,
) -> Result<(&'a Publisher, Release), Refusal> {
    let bytes = package.release().ok_or(Refusal::ReleaseMissing)?;
    // A key may have several files, each with its namespaces.
    let of_key = |id| publishers.iter().filter(move |publisher| publisher.key.id() == id);
    let unknown = |key| Refusal::ReleaseUnknownKey { key };
    let verified = dsse::verify::<Release>(
        RELEASE,
        bytes,
        |id| of_key(id).next().map(|publisher| publisher.key),
        unknown,
    )?;
    let [key] = *verified.signers.as_slice() else {
        let (file, found) = (RELEASE.to_owned(), verified.signers.len());
        return Err(Refusal::EnvelopeSignatures { file, found, expected: "1" });
    };
    let Statement { subject, predicate, .. } = verified.statement;
    let publisher = of_key(key).find(|publisher| publisher.owns(&manifest.id));
    let publisher = publisher.ok_or_else(|| {
        let owner = of_key(key).next().map(|publisher| publisher.owner.clone()).unwrap_or_default();
        Refusal::ReleaseOtherNamespace { key, owner, id: manifest.id.clone() }
    })?;
    if let Some(not_after) = publisher.not_after.filter(|end| now > *end) {
        return Err(Refusal::ReleaseKeyExpired { key, not_after });
    }
    package.check_subjects(&subject).map_err(|file| Refusal::ReleaseOtherSubject { file })?;
    if predicate.id != manifest.id || predicate.version != manifest.version {
        return Err(Refusal::ReleaseOtherPlugin {
            released: format!("{} {}", predicate.id, predicate.version),
            found: format!("{} {}", manifest.id, manifest.version),
        });
    }
    if now > predicate.not_after {
        return Err(Refusal::ReleaseExpired { not_after: predicate.not_after });
    }
    if predicate.issued_at > now.plus(CLOCK_SKEW_SECONDS) {
        return Err(Refusal::ReleaseNotYet { issued_at: predicate.issued_at });
    }
    Ok((publisher, predicate))
}

/// How far another machine's clock may be ahead.
pub(crate) const CLOCK_SKEW_SECONDS: i64 = 300;
