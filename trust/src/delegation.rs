//! Delegations: a CI issuer lends the word of a publisher or certifier to a key that one job made.
//!
//! In -> out: `delegations/<keyid>.dsse.json` of a package, the root -> publishers and certifiers for this package only.
//! Limits: 16 a package, at most 15 minutes each.
//! Invariant: a delegated key counts for one manifest, in one purpose, for what it signed inside its window, and only
//! if the root names its job; it cannot delegate.
//! Not here: what the key then signs (`release.rs`, `certificate.rs`), making keys (`orch-certify`).

use serde::{Deserialize, Serialize};

use crate::authority::{Certifier, Publisher};
use crate::digest::Sha256Digest;
use crate::dsse::{self, Payload};
use crate::key::{KeyId, PublicKey, SignError, Signer};
use crate::manifest::Manifest;
use crate::package::{DELEGATIONS, PackageBytes};
use crate::refusal::Refusal;
use crate::revocation::judge::Signature;
use crate::root::Root;
use crate::root::document::Job;
use crate::threshold::{RoleKey, Shortfall, Signed, none_revoked};
use crate::time::UnixSeconds;

/// What a delegation says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelegationDocument {
    #[serde(rename = "_type")]
    pub kind: String,
    /// The key of the job: 32 bytes in base64.
    pub key: String,
    pub purpose: Purpose,
    pub job: Job,
    pub commit: String,
    /// SHA-256 of the one manifest that it is for.
    pub subject: Sha256Digest,
    pub issued: UnixSeconds,
    pub expires: UnixSeconds,
}

/// What a delegated key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    Release,
    Certificate,
}

impl Payload for DelegationDocument {
    const PAYLOAD_TYPE: &'static str = "application/vnd.orch.delegation+json";
    const KIND: &'static str = "delegation/v1";
}

/// The bytes of a delegation, for the file of [`file_name`].
///
/// # Errors
/// The signer's own.
pub fn sign(document: &DelegationDocument, signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    dsse::sign(document, signers)
}

/// Where the delegation to this key lies in a package.
pub fn file_name(key: KeyId) -> String {
    format!("{DELEGATIONS}/{}.dsse.json", key.short())
}

/// Everybody whom the delegations of one package add, for this package only.
#[derive(Clone, Debug, Default)]
pub struct Delegated {
    pub publishers: Vec<Publisher>,
    pub certifiers: Vec<Certifier>,
    /// By delegated key: who delegated, and when.
    issuers: Vec<(KeyId, Vec<Signature>)>,
}

impl Delegated {
    /// Who delegated to this key, and when; nobody, if it is no delegated key.
    pub(crate) fn issuers(&self, key: KeyId) -> Vec<Signature> {
        let of_key = self.issuers.iter().filter(|(delegated, _)| *delegated == key);
        of_key.flat_map(|(_, issuers)| issuers.iter().copied()).collect()
    }

    /// Succeeds if each delegated key signed something.
    ///
    /// # Errors
    /// `DelegationUnused`.
    pub(crate) fn check_used(&self, signers: &[KeyId]) -> Result<(), Refusal> {
        match self.issuers.iter().find(|(key, _)| !signers.contains(key)) {
            Some((key, _)) => Err(Refusal::DelegationUnused { key: *key }),
            None => Ok(()),
        }
    }
}

/// Verifies every delegation of the package. Without a root, or without issuers in it, there can be none.
///
/// # Errors
/// Those of an envelope, `DelegationUnknownIssuer`, `DelegationThreshold`, `DelegationKey`, `DelegationOtherFile`,
/// `DelegationOtherSubject`, `DelegationTooLong`, `DelegationNotYet`, `DelegationJob`.
pub fn verify(
    package: &PackageBytes,
    manifest: &Manifest,
    root: Option<&Root>,
    now: UnixSeconds,
) -> Result<Delegated, Refusal> {
    let mut delegated = Delegated::default();
    for (file, bytes) in package.delegations() {
        let role = root.and_then(Root::issuer_role);
        let verified = dsse::verify::<DelegationDocument>(
            file,
            bytes,
            |id| role.and_then(|role| role.key(id)).map(|key| key.key),
            |key| Refusal::DelegationUnknownIssuer { file: file.to_owned(), key },
        )?;
        let (Some(root), Some(role)) = (root, role) else {
            unreachable!("without issuers every signature of a delegation is by an unknown key");
        };
        let document = verified.payload();
        // 1. Enough issuers vouch for it.
        let signed: Vec<Signed> =
            verified.signers().iter().map(|by| Signed { by: *by, at: document.issued }).collect();
        role.check(&signed, now, none_revoked)
            .map_err(|Shortfall { counted, needed }| Refusal::DelegationThreshold { counted, needed })?;
        // 2. For a key, in the file of its name, and for this manifest.
        let key = PublicKey::from_base64(&document.key)
            .map_err(|source| Refusal::DelegationKey { file: file.to_owned(), source })?;
        if file != file_name(key.id()) {
            return Err(Refusal::DelegationOtherFile { file: file.to_owned(), key: key.id() });
        }
        if document.subject != package.manifest_digest() {
            return Err(Refusal::DelegationOtherSubject { file: file.to_owned() });
        }
        // 3. For a short time that has begun.
        let most = root.delegation_seconds_max();
        if document.expires <= document.issued || document.expires > document.issued.plus(most) {
            return Err(Refusal::DelegationTooLong { file: file.to_owned(), seconds_max: most });
        }
        // A key that begins later does not count yet, however little later.
        if document.issued > now {
            return Err(Refusal::DelegationNotYet { file: file.to_owned(), issued: document.issued });
        }
        // 4. For a job that the root names, in that purpose.
        let job = || Refusal::DelegationJob {
            file: file.to_owned(),
            repository: document.job.repository.escape_default().take(200).collect(),
            workflow: document.job.workflow.escape_default().take(200).collect(),
        };
        let (not_before, signs_until) = (Some(document.issued), Some(document.expires));
        let role_key = |owner: String| RoleKey { key, owner, not_before, not_after: None, signs_until };
        match document.purpose {
            Purpose::Release => {
                let namespace =
                    root.namespace(&manifest.id).filter(|entry| entry.jobs.contains(&document.job));
                let namespace = namespace.ok_or_else(job)?;
                let owner = document.job.repository.clone();
                delegated.publishers.push(Publisher::of_namespace(namespace, &role_key(owner)));
            }
            Purpose::Certificate => {
                let entry = root.certifier_job(&document.job).ok_or_else(job)?;
                delegated.certifiers.push(Certifier::of_role(&role_key(entry.owner.clone()), entry.level));
            }
        }
        let issuers = signed.iter().map(|one| Signature { key: one.by.id(), at: one.at }).collect();
        delegated.issuers.push((key.id(), issuers));
    }
    Ok(delegated)
}
