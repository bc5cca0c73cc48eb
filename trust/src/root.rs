//! The trust root: who may do what, in versions that each name the next ones' signers.
//!
//! In -> out: `root.dsse.json` and the hash that a person said, or the root before, or the stored state -> [`Root`].
//! Limits: 1 MiB, 256 keys a role, 1024 namespaces; texts of 256 bytes.
//! Invariant: a [`Root`] is authentic and holds together: version N+1 names the bytes of N and is signed by enough of
//! N's and of its own root keys; every threshold can be met; no key both publishes and certifies.
//! Not here: its text (`root/document.rs`), how keys are counted (`threshold.rs`).

pub mod document;

use std::collections::{BTreeMap, BTreeSet};

use crate::authority::{Certifier, Publisher};
use crate::digest::Sha256Digest;
use crate::dsse::{self, Envelope};
use crate::key::{KeyId, PublicKey, SignError, Signer};
use crate::name::PluginId;
use crate::period::Period;
use crate::permission::Side;
use crate::refusal::Refusal;
use crate::release::CLOCK_SKEW_SECONDS;
use crate::threshold::{Quorum, RoleKey, Shortfall, Signed, none_revoked};
use crate::time::UnixSeconds;
use document::{CertifierJobText, Job, NamespaceText, RootDocument};

pub const ROOT: &str = "root.dsse.json";
const NAMESPACES_MAX: usize = 1024;
const TEXT_BYTES_MAX: usize = 256;
/// No delegation lasts longer, whatever a root says.
const DELEGATION_SECONDS_MAX: i64 = 15 * 60;

/// A root that is authentic and holds together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    document: RootDocument,
    sha256: Sha256Digest,
    root: Quorum,
    certifier: Quorum,
    revoker: Quorum,
    freshness: Quorum,
    issuer: Option<Quorum>,
    publishers: Vec<Publisher>,
    certifiers: Vec<Certifier>,
}

/// The bytes of `root.dsse.json`.
///
/// # Errors
/// The signer's own.
pub fn sign(document: &RootDocument, signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    dsse::sign(document, signers)
}

/// The first root that a host trusts, because a person said its SHA-256. It need not be the first version: keys of the
/// version before, which are not known here, may have signed it too; they do not count, and the hash covers them.
///
/// # Errors
/// `RootOtherBytes` when they are not those bytes, those of an envelope, `RootUnknownKey`, `RootNotByItself`,
/// `RootNotYet`, `RootExpired`, and whatever does not hold together.
pub fn verify_first(bytes: &[u8], said: Sha256Digest, now: UnixSeconds) -> Result<Root, Refusal> {
    verify_chain(bytes, said, &[], now)
}

/// The last of several roots: a person said the SHA-256 of the first, `later` follow one after the other. Only the last
/// must be in force.
///
/// # Errors
/// Those of [`verify_first`] and [`verify_next`].
pub fn verify_chain(
    first: &[u8],
    said: Sha256Digest,
    later: &[&[u8]],
    now: UnixSeconds,
) -> Result<Root, Refusal> {
    let mut root = begin(first, said, now)?;
    for bytes in later {
        root = verify_next(&root, bytes, now)?;
    }
    root.check_in_force(now)?;
    Ok(root)
}

/// The first of several roots, of which a person said the SHA-256. It need not be in force any more: the last must be.
///
/// # Errors
/// Those of [`verify_first`] but `RootExpired`.
pub fn begin(bytes: &[u8], said: Sha256Digest, now: UnixSeconds) -> Result<Root, Refusal> {
    let envelope = Envelope::<RootDocument>::open(ROOT, bytes)?;
    if envelope.sha256() != said {
        return Err(Refusal::RootOtherBytes { found: envelope.sha256(), expected: said });
    }
    let root = Root::of(envelope.read()?, said)?;
    root.check_signed_by_itself(&envelope, None, now)?;
    Ok(root)
}

/// The root after `current`. It need not be in force any more: a host that was away takes one version after the other,
/// and [`Root::check_in_force`] is asked of the last.
///
/// # Errors
/// Those of an envelope, `RootNotByCurrent`, `RootVersion`, `RootPrevious`, `RootNotByItself`, `RootUnknownKey`,
/// `RootNotYet`, and whatever does not hold together.
pub fn verify_next(current: &Root, bytes: &[u8], now: UnixSeconds) -> Result<Root, Refusal> {
    let envelope = Envelope::<RootDocument>::open(ROOT, bytes)?;
    // 1. Enough of the keys that are trusted so far vouch for these bytes. Who else signed is in the payload.
    let ours = envelope.signers_among(|id| current.root.key(id).map(|key| key.key), |_| Ok(()))?;
    // What says when it was signed is not read yet, so the keys must be in force now.
    let signed: Vec<Signed> = ours.iter().map(|by| Signed { by: *by, at: now }).collect();
    let short = |Shortfall { counted, needed }| {
        let version = current.version();
        Refusal::RootNotByCurrent { version, counted, needed }
    };
    current.root.check(&signed, now, none_revoked).map_err(short)?;
    // 2. It is the one after, and not another one of that number.
    let document = envelope.read()?;
    if current.version().checked_add(1) != Some(document.version) {
        return Err(Refusal::RootVersion { found: document.version, current: current.version() });
    }
    if document.previous_sha256 != Some(current.sha256) {
        return Err(Refusal::RootPrevious { current: current.sha256 });
    }
    // 3. It holds together, and enough of its own keys signed it.
    let next = Root::of(document, envelope.sha256())?;
    next.check_signed_by_itself(&envelope, Some(current), now)?;
    Ok(next)
}

impl Root {
    /// The root that the stored state names. Its signatures were checked when it was taken; that these are the same
    /// bytes is what the state's own digest says.
    pub fn stored(bytes: &[u8], sha256: Sha256Digest) -> Result<Self, Refusal> {
        let envelope = Envelope::<RootDocument>::open(ROOT, bytes)?;
        if envelope.sha256() != sha256 {
            return Err(Refusal::RootOtherBytes { found: envelope.sha256(), expected: sha256 });
        }
        Self::of(envelope.read()?, sha256)
    }

    /// The root of a document, if it holds together.
    fn of(document: RootDocument, sha256: Sha256Digest) -> Result<Self, Refusal> {
        let malformed = |why: String| Refusal::RootMalformed { why };
        if document.version == 0 || (document.version == 1) != document.previous_sha256.is_none() {
            return Err(malformed("version 1 has no root before it, every other one has".to_owned()));
        }
        if document.expires <= document.issued {
            return Err(malformed("it expires before it is issued".to_owned()));
        }
        let keys = keys(&document)?;
        let roles = &document.roles;
        let quorum = |name: &str, threshold, independent, ids: &mut dyn Iterator<Item = KeyId>| {
            let key = |id| {
                let role = name.to_owned();
                keys.get(&id).cloned().ok_or(Refusal::RoleKeyUnknown { role, key: id })
            };
            Quorum::new(name, threshold, independent, ids.map(key).collect::<Result<_, _>>()?)
        };
        let plain =
            |name: &str, threshold, ids: &[KeyId]| quorum(name, threshold, false, &mut ids.iter().copied());
        let of_certifier = &roles.certifier;
        let certifier = quorum(
            "certifier",
            of_certifier.threshold,
            of_certifier.independent,
            &mut of_certifier.keys.iter().map(|key| key.keyid),
        )?;
        let level = |id: KeyId| of_certifier.keys.iter().find(|key| key.keyid == id).map(|key| key.level);
        let certifiers = (certifier.keys().iter())
            .filter_map(|key| Some(Certifier::of_role(key, level(key.key.id())?)))
            .collect();
        let issuer = match &roles.ci_issuer {
            None => None,
            Some(role) if role.max_lifetime.seconds() > DELEGATION_SECONDS_MAX => {
                return Err(malformed("`maxLifetime` of `ci-issuer` is more than `PT15M`".to_owned()));
            }
            Some(role) => Some(plain("ci-issuer", role.threshold, &role.keyids)?),
        };
        let mut publishers = Vec::new();
        check_namespaces(&document.namespaces)?;
        for namespace in &document.namespaces {
            let role = &namespace.publisher;
            let quorum = plain(&format!("publisher of {}", namespace.prefix), role.threshold, &role.keyids)?;
            publishers.extend(quorum.keys().iter().map(|key| Publisher::of_namespace(namespace, key)));
        }
        for entry in &of_certifier.jobs {
            check_job(&entry.job)?;
            check_text("owner", &entry.owner)?;
        }
        if let Some(both) = publishers.iter().find(|one| certifier.key(one.key.id()).is_some()) {
            return Err(Refusal::RootKeyTwoRoles { key: both.key.id() });
        }
        Ok(Self {
            root: plain("root", roles.root.threshold, &roles.root.keyids)?,
            revoker: plain("revoker", roles.revoker.threshold, &roles.revoker.keyids)?,
            freshness: plain("freshness", roles.freshness.threshold, &roles.freshness.keyids)?,
            certifier,
            issuer,
            publishers,
            certifiers,
            document,
            sha256,
        })
    }

    /// Succeeds if enough of its own root keys signed it, and nobody whom neither this root nor the one before knows.
    /// Where there was one before and it is not here, nobody can tell who that is.
    fn check_signed_by_itself(
        &self,
        envelope: &Envelope<RootDocument>,
        before: Option<&Self>,
        now: UnixSeconds,
    ) -> Result<(), Refusal> {
        let known = |id| {
            let of_before = || before.and_then(|before| before.root.key(id));
            self.root.key(id).or_else(of_before).map(|key| key.key)
        };
        let is_before_known = before.is_some() || self.document.previous_sha256.is_none();
        let unknown = |key| match is_before_known {
            true => Err(Refusal::RootUnknownKey { key }),
            false => Ok(()),
        };
        let signers = envelope.signers_among(known, unknown)?;
        let issued = self.document.issued;
        if issued > now.plus(CLOCK_SKEW_SECONDS) {
            return Err(Refusal::RootNotYet { issued });
        }
        let signed: Vec<Signed> = signers.iter().map(|by| Signed { by: *by, at: issued }).collect();
        self.root.check(&signed, now, none_revoked).map_err(|Shortfall { counted, needed }| {
            Refusal::RootNotByItself { version: self.version(), counted, needed }
        })
    }

    /// Succeeds until its last second, that one included.
    ///
    /// # Errors
    /// `RootExpired`.
    pub fn check_in_force(&self, now: UnixSeconds) -> Result<(), Refusal> {
        match now > self.document.expires {
            true => Err(Refusal::RootExpired { expires: self.document.expires }),
            false => Ok(()),
        }
    }

    pub fn version(&self) -> u64 {
        self.document.version
    }

    /// Of its file.
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    pub fn issued(&self) -> UnixSeconds {
        self.document.issued
    }

    pub fn expires(&self) -> UnixSeconds {
        self.document.expires
    }

    /// As it is written down.
    pub fn document(&self) -> &RootDocument {
        &self.document
    }

    /// Who may publish what, one entry for each key of each namespace.
    pub fn publishers(&self) -> &[Publisher] {
        &self.publishers
    }

    pub fn certifiers(&self) -> &[Certifier] {
        &self.certifiers
    }

    /// How many certifiers must agree.
    pub fn certifier_role(&self) -> &Quorum {
        &self.certifier
    }

    pub fn root_role(&self) -> &Quorum {
        &self.root
    }

    pub fn revoker_role(&self) -> &Quorum {
        &self.revoker
    }

    pub fn freshness_role(&self) -> &Quorum {
        &self.freshness
    }

    pub fn issuer_role(&self) -> Option<&Quorum> {
        self.issuer.as_ref()
    }

    /// How old a freshness document may be, and how much longer a host may go on.
    pub fn freshness_periods(&self) -> (Period, Period) {
        let role = &self.document.roles.freshness;
        (role.max_age, role.offline_grace)
    }

    /// The longest that a delegation may last, in seconds.
    pub(crate) fn delegation_seconds_max(&self) -> i64 {
        self.document.roles.ci_issuer.as_ref().map_or(0, |role| role.max_lifetime.seconds())
    }

    /// The entry that counts for a plugin: that of the longest prefix.
    pub(crate) fn namespace(&self, id: &PluginId) -> Option<&NamespaceText> {
        let whole = format!("{id}/");
        let fits = |entry: &&NamespaceText| whole.starts_with(&entry.prefix);
        self.document.namespaces.iter().filter(fits).max_by_key(|entry| entry.prefix.len())
    }

    /// The certifier that this job may stand for.
    pub(crate) fn certifier_job(&self, job: &Job) -> Option<&CertifierJobText> {
        self.document.roles.certifier.jobs.iter().find(|entry| entry.job == *job)
    }
}

/// Every key under the id that it must have.
fn keys(document: &RootDocument) -> Result<BTreeMap<KeyId, RoleKey>, Refusal> {
    let mut keys = BTreeMap::new();
    for (id, text) in &document.keys {
        let key = PublicKey::from_base64(&text.public)
            .map_err(|source| Refusal::RootKeyMalformed { key: *id, source })?;
        if key.id() != *id {
            return Err(Refusal::RootKeyId { said: *id, found: key.id() });
        }
        check_text("owner", &text.owner)?;
        let (owner, not_before, not_after) = (text.owner.clone(), text.not_before, text.not_after);
        keys.insert(*id, RoleKey { key, owner, not_before, not_after, signs_until: None });
    }
    Ok(keys)
}

fn check_namespaces(namespaces: &[NamespaceText]) -> Result<(), Refusal> {
    let malformed = |why: String| Refusal::RootMalformed { why };
    if namespaces.len() > NAMESPACES_MAX {
        return Err(malformed(format!("it has {} namespaces, limit is {NAMESPACES_MAX}", namespaces.len())));
    }
    let mut prefixes = BTreeSet::new();
    for entry in namespaces {
        let prefix: String = entry.prefix.escape_default().take(140).collect();
        if !is_prefix(&entry.prefix) {
            return Err(malformed(format!("`{prefix}` is no prefix like `acme/` or `acme/summarise/`")));
        }
        if !prefixes.insert(&entry.prefix) {
            return Err(malformed(format!("it has `{prefix}` twice")));
        }
        if !entry.terminating {
            let why = "is not `terminating`: a shorter prefix would count where it refuses";
            return Err(malformed(format!("`{prefix}` {why}")));
        }
        let wrong = |error| malformed(format!("`maxPermissions` of `{prefix}`: {error}"));
        entry.max_permissions.check_form(Side::Bounding).map_err(wrong)?;
        for job in &entry.jobs {
            check_job(job)?;
        }
    }
    Ok(())
}

/// True of a namespace or a whole id, with `/` at its end.
fn is_prefix(text: &str) -> bool {
    match text.strip_suffix('/') {
        Some(id) if id.contains('/') => PluginId::parse(id).is_ok(),
        Some(namespace) => PluginId::parse(&format!("{namespace}/x")).is_ok(),
        None => false,
    }
}

fn check_job(job: &Job) -> Result<(), Refusal> {
    check_text("repository", &job.repository)?;
    check_text("workflow", &job.workflow)
}

/// Succeeds for a short text that is not empty, of one line, and without space around it.
fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    let plain = (1..=TEXT_BYTES_MAX).contains(&text.len())
        && !text.chars().any(char::is_control)
        && text.trim() == text;
    match plain {
        true => Ok(()),
        false => {
            let found: String = text.escape_default().take(100).collect();
            Err(Refusal::RootMalformed { why: format!("`{field}` is `{found}`") })
        }
    }
}
