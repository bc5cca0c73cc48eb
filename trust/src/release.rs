//! The release signature: a publisher vouches for exactly these files.
//!
//! In -> out: a package's files -> `release.dsse.json`; that file and the trusted publishers -> the publisher.
//! Invariant: as many signatures as the namespace asks for, one unless a root says more; subjects are the complete file
//! set but for the envelopes; id and version equal the manifest's.
//! Not here: the envelope (`dsse.rs`), who is a publisher (`authority.rs`).

use serde::{Deserialize, Serialize};

use crate::authority::Publisher;
use crate::dsse::{self, Predicate, Statement};
use crate::key::{KeyId, SignError, Signer};
use crate::manifest::{Manifest, Role};
use crate::name::PluginId;
use crate::package::{PackageBytes, RELEASE};
use crate::refusal::Refusal;
use crate::threshold::{NotInForce, Quorum, RoleKey, Signed, none_revoked};
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

/// True for an absolute address of sources, without a user's word in it: `https://...`, `git+https://...`, `ssh://...`.
pub fn is_source_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once("://") else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let known = ["https", "git+https", "ssh", "git+ssh"].contains(&scheme);
    let plain = uri.len() <= SOURCE_URI_BYTES_MAX && uri.bytes().all(|byte| byte.is_ascii_graphic());
    let user = host.rsplit_once('@').map_or("", |(user, _)| user);
    known && plain && host.len() > user.len() && !user.contains(':')
}

const SOURCE_URI_BYTES_MAX: usize = 2048;

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

/// A release that its namespace's publishers vouch for.
#[derive(Clone, Debug)]
pub struct Released {
    /// Who signed first.
    pub publisher: Publisher,
    /// Every key that signed.
    pub signers: Vec<KeyId>,
    pub release: Release,
}

/// Who vouches for this package, and what they say.
///
/// # Errors
/// `ReleaseMissing`, those of an envelope, `ReleaseUnknownKey`, `ReleaseOtherNamespace`, `ReleaseKeyExpired`,
/// `ReleaseKeyNotYet`, `DelegationWindow`, `ReleaseThreshold`, `ReleaseOtherSubject`, `ReleaseOtherPlugin`,
/// `ReleaseExpired`, `ReleaseNotYet`, `ReleaseRole`.
pub fn verify(
    package: &PackageBytes,
    manifest: &Manifest,
    publishers: &[Publisher],
    now: UnixSeconds,
) -> Result<Released, Refusal> {
    let bytes = package.release().ok_or(Refusal::ReleaseMissing)?;
    // A key may have several entries, each with its namespaces.
    let of_key = |id| publishers.iter().filter(move |publisher| publisher.key.id() == id);
    let verified = dsse::verify::<Statement<Release>>(
        RELEASE,
        bytes,
        |id| of_key(id).next().map(|publisher| publisher.key),
        |key| Refusal::ReleaseUnknownKey { key },
    )?;
    let signers: Vec<KeyId> = verified.signers().iter().map(|key| key.id()).collect();
    let Statement { subject, predicate, .. } = verified.into_payload();
    // 1. Publishers of this namespace, and as many of them as it takes. The longest prefix is the only one that counts.
    let longest = publishers.iter().filter_map(|publisher| publisher.reach(&manifest.id)).max();
    let owns = |publisher: &&Publisher| longest.is_some() && publisher.reach(&manifest.id) == longest;
    let mut owners: Vec<&Publisher> = Vec::new();
    for key in &signers {
        let publisher = of_key(*key).find(owns).ok_or_else(|| {
            let owner = of_key(*key).next().map(|publisher| publisher.owner.clone()).unwrap_or_default();
            Refusal::ReleaseOtherNamespace { key: *key, owner, id: manifest.id.clone() }
        })?;
        publisher.role_key().in_force(predicate.issued_at, now).map_err(|why| match why {
            NotInForce::NotYet { not_before } => Refusal::ReleaseKeyNotYet { key: *key, not_before },
            NotInForce::Ended { not_after } => Refusal::ReleaseKeyExpired { key: *key, not_after },
            NotInForce::SignedLate { signs_until } => Refusal::DelegationWindow { key: *key, signs_until },
        })?;
        owners.push(publisher);
    }
    let Some(publisher) = owners.first().copied() else {
        unreachable!("an envelope without signatures is not opened");
    };
    check_threshold(publisher, &owners, predicate.issued_at, now)?;
    // 2. For exactly these files of this plugin.
    package.check_subjects(&subject).map_err(|file| Refusal::ReleaseOtherSubject { file })?;
    if predicate.id != manifest.id || predicate.version != manifest.version {
        return Err(Refusal::ReleaseOtherPlugin {
            released: format!("{} {}", predicate.id, predicate.version),
            found: format!("{} {}", manifest.id, manifest.version),
        });
    }
    // 3. In time, and within what the namespace may be.
    if now > predicate.not_after {
        return Err(Refusal::ReleaseExpired { not_after: predicate.not_after });
    }
    if predicate.issued_at > now.plus(CLOCK_SKEW_SECONDS) {
        return Err(Refusal::ReleaseNotYet { issued_at: predicate.issued_at });
    }
    let bound = |role: &&Role| publisher.roles.as_ref().is_some_and(|roles| !roles.contains(role));
    if let Some(role) = manifest.roles.iter().find(bound) {
        return Err(Refusal::ReleaseRole { id: manifest.id.clone(), role: role.as_str() });
    }
    Ok(Released { publisher: publisher.clone(), signers, release: predicate })
}

/// Succeeds if there are exactly as many signers as the namespace asks for: one more would be a signature that nobody
/// needs, and that anybody with a key could add.
fn check_threshold(
    publisher: &Publisher,
    owners: &[&Publisher],
    issued_at: UnixSeconds,
    now: UnixSeconds,
) -> Result<(), Refusal> {
    let (needed, found) = (publisher.threshold.get(), owners.len());
    let too_few = |counted| Refusal::ReleaseThreshold { counted, needed };
    if found > needed as usize {
        let expected = needed.to_string();
        return Err(Refusal::EnvelopeSignatures { file: RELEASE.to_owned(), found, expected });
    }
    let keys: Vec<RoleKey> = owners.iter().map(|owner| owner.role_key()).collect();
    let counted = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    if counted < needed {
        return Err(too_few(counted));
    }
    let signed: Vec<Signed> = keys.iter().map(|key| Signed { by: key.key, at: issued_at }).collect();
    Quorum::new("publisher", needed, false, keys)?
        .check(&signed, now, none_revoked)
        .map_err(|short| too_few(short.counted))
}

/// How far another machine's clock may be ahead.
pub(crate) const CLOCK_SKEW_SECONDS: i64 = 300;
