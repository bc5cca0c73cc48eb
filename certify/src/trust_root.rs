//! The trust root as it is made: first version, next version, keys in and out, who must still sign.
//!
//! In -> out: public keys and roles -> [`RootDocument`]; document -> the next one; document and signers -> what is
//! missing.
//! Invariant: only a document that holds together is signed; a version that somebody signed is never changed.
//! Not here: what a root means (`orch-trust`'s `root.rs`), collecting signatures (`document.rs`).

use std::collections::BTreeSet;

use orch_trust::authority::Level;
use orch_trust::digest::Sha256Digest;
use orch_trust::key::{KeyId, PublicKey, SecretKey};
use orch_trust::refusal::Refusal;
use orch_trust::root::document::{
    Algorithm, CertifierText, IssuerRoleText, KeyText, NamespaceText, RoleText, RootDocument,
};
use orch_trust::root::{self, Root};
use orch_trust::time::UnixSeconds;

use crate::document::{Document, DocumentError};

/// What a key may be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Root,
    Certifier(Level),
    Revoker,
    Freshness,
    CiIssuer,
    /// Publishes under that prefix.
    Publisher(String),
}

/// A public key and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub key: PublicKey,
    pub owner: String,
}

/// Gives a key that part.
///
/// # Errors
/// `Edit`: it has that part already, or is somebody else's.
pub fn add_key(document: &mut RootDocument, part: &Part, owned: &Owned) -> Result<(), DocumentError> {
    let (id, edit) = (owned.key.id(), |message| DocumentError::Edit { message });
    let text = KeyText {
        alg: Algorithm::Ed25519,
        public: owned.key.to_base64(),
        owner: owned.owner.clone(),
        custody: None,
        not_before: None,
        not_after: None,
    };
    let known = document.keys.entry(id).or_insert(text);
    if known.owner != owned.owner {
        return Err(edit(format!("key `{id}` belongs to `{}`, not to `{}`", known.owner, owned.owner)));
    }
    let roles = &mut document.roles;
    let ids = match part {
        Part::Root => &mut roles.root.keyids,
        Part::Revoker => &mut roles.revoker.keyids,
        Part::Freshness => &mut roles.freshness.keyids,
        Part::CiIssuer => {
            let fresh = || -> Result<IssuerRoleText, DocumentError> {
                let max_lifetime =
                    orch_trust::period::Period::parse("PT15M").map_err(|error| edit(error.to_string()))?;
                Ok(IssuerRoleText { threshold: 1, keyids: Vec::new(), max_lifetime })
            };
            match &mut roles.ci_issuer {
                Some(role) => &mut role.keyids,
                none => &mut none.insert(fresh()?).keyids,
            }
        }
        Part::Certifier(level) => {
            if roles.certifier.keys.iter().any(|key| key.keyid == id) {
                return Err(edit(format!("key `{id}` has that part already")));
            }
            roles.certifier.keys.push(CertifierText { keyid: id, level: *level });
            return Ok(());
        }
        Part::Publisher(prefix) => {
            let known = document.namespaces.iter().position(|entry| entry.prefix == *prefix);
            let place = known.unwrap_or_else(|| {
                document.namespaces.push(NamespaceText {
                    prefix: prefix.clone(),
                    publisher: RoleText { threshold: 1, keyids: Vec::new() },
                    terminating: true,
                    roles: orch_trust::manifest::Role::ALL.to_vec(),
                    max_permissions: Default::default(),
                    jobs: Vec::new(),
                });
                document.namespaces.len() - 1
            });
            match document.namespaces.get_mut(place) {
                Some(entry) => &mut entry.publisher.keyids,
                None => return Err(edit(format!("there is no namespace `{prefix}`"))),
            }
        }
    };
    if ids.contains(&id) {
        return Err(edit(format!("key `{id}` has that part already")));
    }
    ids.push(id);
    Ok(())
}

/// Takes a key out of every part. Thresholds stay; a role that can no longer meet its own does not hold together.
///
/// # Errors
/// `Edit`: there is no such key.
pub fn remove_key(document: &mut RootDocument, id: KeyId) -> Result<(), DocumentError> {
    if document.keys.remove(&id).is_none() {
        return Err(DocumentError::Edit { message: format!("there is no key `{id}`") });
    }
    let roles = &mut document.roles;
    roles.certifier.keys.retain(|key| key.keyid != id);
    let lists = [&mut roles.root.keyids, &mut roles.revoker.keyids, &mut roles.freshness.keyids];
    let issuers = roles.ci_issuer.iter_mut().map(|role| &mut role.keyids);
    let publishers = document.namespaces.iter_mut().map(|entry| &mut entry.publisher.keyids);
    lists.into_iter().chain(issuers).chain(publishers).for_each(|ids| ids.retain(|other| *other != id));
    Ok(())
}

/// Keys with more than one part, and their parts.
pub fn several_parts(document: &RootDocument) -> Vec<(KeyId, Vec<String>)> {
    let roles = &document.roles;
    let certifiers: Vec<KeyId> = roles.certifier.keys.iter().map(|key| key.keyid).collect();
    let issuers = roles.ci_issuer.as_ref().map_or(&[][..], |role| &role.keyids);
    let own: [(&str, &[KeyId]); 5] = [
        ("root", &roles.root.keyids),
        ("certifier", &certifiers),
        ("revoker", &roles.revoker.keyids),
        ("freshness", &roles.freshness.keyids),
        ("ci-issuer", issuers),
    ];
    let is_publisher =
        |key: &KeyId| document.namespaces.iter().any(|entry| entry.publisher.keyids.contains(key));
    let parts = |key: &KeyId| -> Vec<String> {
        let of_roles = own.iter().filter(|(_, keys)| keys.contains(key)).map(|(name, _)| (*name).to_owned());
        of_roles.chain(is_publisher(key).then(|| "publisher".to_owned())).collect()
    };
    let all = document.keys.keys().map(|key| (*key, parts(key)));
    all.filter(|(_, parts)| parts.len() > 1).collect()
}

/// The version after that one, unsigned. `sha256`: of the file of the version before.
pub fn next(before: &RootDocument, sha256: Sha256Digest, now: UnixSeconds, days: i64) -> RootDocument {
    RootDocument {
        version: before.version.saturating_add(1),
        previous_sha256: Some(sha256),
        issued: now,
        expires: now.plus(days.saturating_mul(UnixSeconds::DAY)),
        ..before.clone()
    }
}

/// Succeeds if the document holds together, whoever signed it or not.
///
/// # Errors
/// `Refused`, with what does not hold.
pub fn check_form(document: &RootDocument, now: UnixSeconds) -> Result<(), DocumentError> {
    // A signature that counts for nobody: what is asked is everything that is looked at before signatures are counted.
    let nobody = SecretKey::from_seed(&[0; 32]);
    let bytes = root::sign(document, &[&nobody])?;
    match root::verify_first(&bytes, Sha256Digest::of(&bytes), now) {
        Ok(_)
        | Err(
            Refusal::RootUnknownKey { .. }
            | Refusal::RootNotByItself { .. }
            | Refusal::RootNotYet { .. }
            | Refusal::RootExpired { .. },
        ) => Ok(()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Succeeds if hosts take these bytes: at once, or those that have the version before.
///
/// # Errors
/// Those of [`root::verify_first`] and [`root::verify_next`].
pub fn taken(bytes: &[u8], previous: Option<&Root>, now: UnixSeconds) -> Result<(), Refusal> {
    match previous {
        Some(current) => root::verify_next(current, bytes, now)?.check_in_force(now),
        None => root::verify_first(bytes, Sha256Digest::of(bytes), now).map(drop),
    }
}

/// The public key of that id in the document.
pub fn key_of(document: &RootDocument, id: KeyId) -> Option<PublicKey> {
    let text = document.keys.get(&id)?;
    PublicKey::from_base64(&text.public).ok().filter(|key| key.id() == id)
}

/// The root key of that id, of this document or of the one before.
pub fn root_key(document: &RootDocument, before: Option<&RootDocument>, id: KeyId) -> Option<PublicKey> {
    let of = |document: &RootDocument| match document.roles.root.keyids.contains(&id) {
        true => key_of(document, id),
        false => None,
    };
    of(document).or_else(|| before.and_then(of))
}

/// How many signatures of one set of root keys there are, and who of them did not sign yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub version: u64,
    pub signed: Vec<KeyId>,
    pub missing: Vec<KeyId>,
    pub threshold: u32,
}

impl Standing {
    pub fn is_enough(&self) -> bool {
        u32::try_from(self.signed.len()).is_ok_and(|signed| signed >= self.threshold)
    }
}

/// How the signatures of a document stand with the root keys of `by`.
pub fn standing(document: &Document<RootDocument>, by: &RootDocument) -> Standing {
    let signers: BTreeSet<KeyId> = document.signers().collect();
    let (signed, missing) = by.roles.root.keyids.iter().partition(|key| signers.contains(key));
    Standing { version: by.version, signed, missing, threshold: by.roles.root.threshold }
}
