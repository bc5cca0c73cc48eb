//! The revocation list: what is taken back, and what happens to it.
//!
//! In -> out: `revocations.dsse.json`, the root, the freshness document -> [`Revocations`].
//! Limits: 4 MiB, 20,000 entries, texts of 256 bytes.
//! Invariant: a list that exists was signed by enough revokers and is the one that the freshness document names.
//! Not here: what of a package an entry means (`revocation/judge.rs`), older lists than the last one seen (`state.rs`), lists
//! that ended (`anchor.rs`, at each look).

pub mod judge;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::dsse::{self, Envelope, Payload};
use crate::freshness::Freshness;
use crate::key::{KeyId, SignError, Signer};
use crate::name::PluginId;
use crate::refusal::Refusal;
use crate::release::CLOCK_SKEW_SECONDS;
use crate::root::Root;
use crate::threshold::{Shortfall, Signed};
use crate::time::UnixSeconds;
use crate::version_range::VersionRange;

pub const REVOCATIONS: &str = "revocations.dsse.json";
const ENTRIES_MAX: usize = 20_000;
const TEXT_BYTES_MAX: usize = 256;

/// What `revocations.dsse.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationsDocument {
    #[serde(rename = "_type")]
    pub kind: String,
    pub version: u64,
    pub issued: UnixSeconds,
    pub expires: UnixSeconds,
    pub entries: Vec<Entry>,
}

impl Payload for RevocationsDocument {
    const PAYLOAD_TYPE: &'static str = "application/vnd.orch.revocations+json";
    const KIND: &'static str = "revocations/v1";
    const BYTES_MAX: u64 = 4 << 20;
}

impl RevocationsDocument {
    /// What an earlier list took back and this one does not, or does more mildly.
    pub fn gives_back<'a>(&self, earlier: &'a Self) -> Vec<&'a Entry> {
        let mut severest: BTreeMap<String, Action> = BTreeMap::new();
        for entry in &self.entries {
            let known = severest.entry(entry.what.to_string()).or_insert(entry.action);
            *known = entry.action.max(*known);
        }
        let is_less = |entry: &&Entry| {
            severest.get(&entry.what.to_string()).is_none_or(|action| *action < entry.action)
        };
        earlier.entries.iter().filter(is_less).collect()
    }
}

/// One thing that is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub what: What,
    pub action: Action,
    /// For people.
    pub reason: String,
}

/// How something is named that is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum What {
    /// Any file of a package.
    File {
        sha256: Sha256Digest,
    },
    Release {
        id: PluginId,
        versions: VersionRange,
    },
    /// What this key signed, issued or finished at that second or later does not count.
    Key {
        keyid: KeyId,
        invalid_after: UnixSeconds,
    },
    /// Certificates by these versions of a tool; with a check, those that it ran.
    Certifier {
        name: String,
        versions: VersionRange,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<String>,
    },
    /// Packages whose SBOM names a crate of these versions.
    Advisory {
        advisory: String,
        #[serde(rename = "crate")]
        krate: String,
        versions: VersionRange,
    },
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { sha256 } => write!(out, "file {sha256}"),
            Self::Release { id, versions } => write!(out, "release {id} {versions}"),
            Self::Key { keyid, invalid_after } => write!(out, "key {keyid} from {invalid_after} on"),
            Self::Certifier { name, versions, check: None } => write!(out, "certifier {name} {versions}"),
            Self::Certifier { name, versions, check: Some(id) } => {
                write!(out, "certifier {name} {versions} with check {id}")
            }
            Self::Advisory { advisory, krate, versions } => {
                write!(out, "advisory {advisory}, {krate} {versions}")
            }
        }
    }
}

/// What happens to what is taken back, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It runs, and every report says so.
    Warn,
    /// It is loaded again once it has a certificate that counts.
    Recertify,
    /// It is not loaded any more; what runs may end.
    BlockLoad,
    /// It is not loaded any more, and no further call of what runs begins.
    Kill,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Recertify => "recertify",
            Self::BlockLoad => "block-load",
            Self::Kill => "kill",
        }
    }
}

/// The bytes of `revocations.dsse.json`.
///
/// # Errors
/// The signer's own.
pub fn sign(document: &RevocationsDocument, signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    dsse::sign(document, signers)
}

/// What a list says, of which nobody looked whether it counts.
///
/// # Errors
/// Those of an envelope.
pub fn read_unverified(bytes: &[u8]) -> Result<RevocationsDocument, Refusal> {
    Envelope::<RevocationsDocument>::open(REVOCATIONS, bytes)?.read()
}

/// A list that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    document: RevocationsDocument,
    sha256: Sha256Digest,
}

impl Revocations {
    /// The list, if enough revokers signed it and the freshness document names it.
    ///
    /// # Errors
    /// Those of an envelope, `RevocationsUnknownKey`, `RevocationsThreshold`, `RevocationsNotPinned`,
    /// `RevocationsNotYet`, `RevocationsMalformed`.
    pub fn verify(
        bytes: &[u8],
        root: &Root,
        freshness: &Freshness,
        now: UnixSeconds,
    ) -> Result<Self, Refusal> {
        let role = root.revoker_role();
        let verified = dsse::verify::<RevocationsDocument>(
            REVOCATIONS,
            bytes,
            |id| role.key(id).map(|key| key.key),
            |key| Refusal::RevocationsUnknownKey { key },
        )?;
        let signers = verified.signers().to_vec();
        let list = Self { sha256: verified.sha256(), document: verified.into_payload() };
        let RevocationsDocument { version, issued, .. } = list.document;
        // A list may take back a revoker's key; what that key signed since does not count, this list included.
        let signed: Vec<Signed> = signers.into_iter().map(|by| Signed { by, at: issued }).collect();
        role.check(&signed, now, |key, at| list.revokes_key(key, at))
            .map_err(|Shortfall { counted, needed }| Refusal::RevocationsThreshold { counted, needed })?;
        let pinned = freshness.document().revocations;
        if (version, list.sha256) != (pinned.version, pinned.sha256) {
            return Err(Refusal::RevocationsNotPinned { found: version, pinned: pinned.version });
        }
        if issued > now.plus(CLOCK_SKEW_SECONDS) {
            return Err(Refusal::RevocationsNotYet { issued });
        }
        list.check_entries()?;
        Ok(list)
    }

    fn check_entries(&self) -> Result<(), Refusal> {
        let malformed = |why: String| Refusal::RevocationsMalformed { why };
        let entries = &self.document.entries;
        if entries.len() > ENTRIES_MAX {
            return Err(malformed(format!("it has {} entries, limit is {ENTRIES_MAX}", entries.len())));
        }
        for (place, entry) in entries.iter().enumerate() {
            let texts: Vec<&String> = match &entry.what {
                What::File { .. } | What::Release { .. } | What::Key { .. } => vec![&entry.reason],
                What::Certifier { name, check, .. } => {
                    [&entry.reason, name].into_iter().chain(check).collect()
                }
                What::Advisory { advisory, krate, .. } => vec![&entry.reason, advisory, krate],
            };
            let plain = |text: &&String| {
                (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
            };
            if let Some(found) = texts.into_iter().find(|text| !plain(text)) {
                let found: String = found.escape_default().take(100).collect();
                return Err(malformed(format!("entry {place} has the text `{found}`")));
            }
        }
        Ok(())
    }

    /// True if a signature of that key and time is taken back.
    pub fn revokes_key(&self, key: KeyId, signed_at: UnixSeconds) -> bool {
        self.document.entries.iter().any(|entry| match entry.what {
            What::Key { keyid, invalid_after } => {
                entry.action != Action::Warn && keyid == key && signed_at >= invalid_after
            }
            _ => false,
        })
    }

    pub fn document(&self) -> &RevocationsDocument {
        &self.document
    }

    pub fn version(&self) -> u64 {
        self.document.version
    }

    /// Of its file.
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }
}
