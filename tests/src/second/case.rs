//! One case: a package, an operator, a time; and what the first verifier says to it.
//!
//! In -> out: [`Case`] -> a line of JSON for the second verifier, [`Answer`] of the first.
//! Invariant: everything that the answer depends on is in the line.
//! Not here: families (`family.rs`), how cases are made (`draft.rs`).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use orch_trust::admission::{Rules, explain};
use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::approval::Approval;
use orch_trust::authority::{Certifier, Level, Publisher};
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::{Compilable, Trust};
use orch_trust::key::{PublicKey, base64_encode};
use orch_trust::lock::{Lock, Pin};
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::permission::Permissions;
use orch_trust::policy::{Allowance, CertificatesPolicy, Deny, MinimumLevel, Policy};
use orch_trust::refusal::Refusal;
use orch_trust::release::Release;
use orch_trust::root::{verify_first, verify_next};
use orch_trust::state::TrustState;
use orch_trust::time::UnixSeconds;
use serde::{Deserialize, Serialize, Serializer};

use super::family::family;

/// Bytes, in base64 where they are shown to the second verifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&base64_encode(&self.0))
    }
}

/// A package, an operator and a time.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Of the catalogue; `good` for a package that is to be admitted.
    pub attack: &'static str,
    pub about: String,
    pub files: BTreeMap<String, Bytes>,
    pub rules: Operator,
    pub anchor: Option<Seen>,
    #[serde(serialize_with = "seconds")]
    pub now: UnixSeconds,
}

/// What the operator says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    pub publishers: Vec<Party>,
    pub certifiers: Vec<Party>,
    pub level: Level,
    pub threshold: u32,
    pub independent: bool,
    pub allow: Permissions,
    pub approval: Option<Approved>,
    pub deny: Denied,
    pub lock: Option<Pinned>,
}

/// A key and whose it is; a publisher has namespaces, a certifier a profile.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Party {
    /// Base64, which need not be a usable key.
    pub key: String,
    pub owner: String,
    pub namespaces: Vec<String>,
    pub max_permissions: Option<Permissions>,
    pub profile: Level,
    pub not_before: Option<UnixSeconds>,
    pub not_after: Option<UnixSeconds>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Approved {
    pub id: String,
    pub permissions: Permissions,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Denied {
    pub digests: Vec<Sha256Digest>,
    pub keys: Vec<Sha256Digest>,
    pub ids: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Pinned {
    pub id: String,
    pub version: String,
    pub manifest: Sha256Digest,
    pub component: Sha256Digest,
}

/// A trust root and its lists, and what the host saw before.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Taken one after the other; `said` is the hash of the first.
    pub roots: Vec<Bytes>,
    pub said: Sha256Digest,
    #[serde(serialize_with = "seconds")]
    pub taken: UnixSeconds,
    /// Lists that came before, whether they could be taken or not.
    pub before: Vec<Update>,
    pub seen: Vec<SeenRelease>,
    /// The root that lies on the disk now.
    pub file: Bytes,
    pub freshness: Option<Bytes>,
    pub revocations: Option<Bytes>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Update {
    pub freshness: Bytes,
    pub revocations: Bytes,
    #[serde(serialize_with = "seconds")]
    pub at: UnixSeconds,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenRelease {
    pub id: String,
    pub channel: String,
    pub release_counter: u64,
    pub manifest: Sha256Digest,
}

fn seconds<S: Serializer>(time: &UnixSeconds, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(time.0)
}

/// What a verifier says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Answer {
    pub ok: bool,
    /// Of the refusal.
    pub family: Option<String>,
    /// Of what was admitted.
    pub level: Option<String>,
    /// The last second that enough certificates are valid in.
    pub until: Option<i64>,
}

/// Why the first verifier says no: a refusal, or a key of the operator that is none.
enum No {
    Refusal(Refusal),
    Key,
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl Case {
    /// What the second verifier reads.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap()
    }

    /// What the first verifier says, and its code.
    pub fn judge(&self) -> (Answer, &'static str) {
        let (family, code) = match self.admit() {
            Ok((level, until)) => {
                let answer =
                    Answer { ok: true, family: None, level: Some(level.to_owned()), until: Some(until.0) };
                return (answer, "admitted");
            }
            Err(No::Refusal(refusal)) => (family(refusal.code()), refusal.code()),
            Err(No::Key) => ("key", "key"),
        };
        (Answer { ok: false, family: Some(family.to_owned()), level: None, until: None }, code)
    }

    fn admit(&self) -> Result<(&'static str, UnixSeconds), No> {
        let mut rules = self.rules.read()?;
        if let Some(seen) = &self.anchor {
            rules.anchor = Some(Arc::new(seen.open(self.now)?));
        }
        let files = self.files.iter().map(|(name, bytes)| (name.clone(), Arc::from(bytes.0.as_slice())));
        let steps = explain(&PackageBytes::new(files.collect())?, &rules, self.now);
        let level = match steps.outcome.map_err(|(_, refusal)| refusal)?.trust() {
            Trust::Certified => "certified",
            Trust::CertifiedLocal => "local",
            other => panic!("admitted as {other:?}"),
        };
        Ok((level, steps.valid_until.unwrap()))
    }
}

impl Operator {
    fn read(&self) -> Result<Rules, No> {
        let key = |party: &Party| PublicKey::from_base64(&party.key).map_err(|_| No::Key);
        let publisher = |party: &Party| {
            Ok(Publisher {
                max_permissions: party.max_permissions.clone(),
                not_before: party.not_before,
                not_after: party.not_after,
                ..Publisher::new(key(party)?, party.owner.clone(), party.namespaces.clone())
            })
        };
        let certifier = |party: &Party| {
            Ok(Certifier {
                not_before: party.not_before,
                not_after: party.not_after,
                ..Certifier::new(key(party)?, party.owner.clone(), party.profile)
            })
        };
        let policy = Policy {
            minimum_level: MinimumLevel(self.level),
            certificates: CertificatesPolicy {
                threshold: NonZeroU32::new(self.threshold).unwrap(),
                independent: self.independent,
                renew: None,
            },
            default: Allowance { allow: self.allow.clone(), ..Allowance::default() },
            deny: Deny {
                digests: self.deny.digests.clone(),
                keys: self.deny.keys.clone(),
                ids: self.deny.ids.iter().map(|id| PluginId::parse(id).unwrap()).collect(),
            },
            ..Policy::default()
        };
        let approval = self.approval.iter().map(|approved| Approval {
            id: PluginId::parse(&approved.id).unwrap(),
            version: semver::Version::new(1, 0, 0),
            permissions: approved.permissions.clone(),
            at: UnixSeconds(0),
        });
        let pin = self.lock.iter().map(|pin| {
            let Pinned { id, version, manifest, component } = pin.clone();
            let version = semver::Version::parse(&version).unwrap();
            (
                PluginId::parse(&id).unwrap(),
                Pin { version, manifest, component, source: None, requirement: None },
            )
        });
        Ok(Rules {
            lock: Lock { version: 1, plugins: pin.collect() },
            publishers: self.publishers.iter().map(publisher).collect::<Result<_, No>>()?,
            certifiers: self.certifiers.iter().map(certifier).collect::<Result<_, No>>()?,
            policy,
            approvals: approval.map(|approval| (approval.id.clone(), approval)).collect(),
            ..Rules::default()
        })
    }
}

impl Seen {
    fn open(&self, now: UnixSeconds) -> Result<Anchor, Refusal> {
        let (first, next) = self.roots.split_first().unwrap();
        let mut root = verify_first(&first.0, self.said, self.taken)?;
        let mut state = TrustState::first(&root, self.taken);
        for bytes in next {
            let after = verify_next(&root, &bytes.0, self.taken)?;
            state = state.after_root(&root, &after, self.taken)?;
            root = after;
        }
        let taken = self.roots.last().unwrap();
        for Update { freshness, revocations, at } in &self.before {
            let files = AnchorFiles {
                root: &taken.0,
                freshness: Some(&freshness.0),
                revocations: Some(&revocations.0),
            };
            // What fails moves nothing.
            if let Ok((_, moved)) = Anchor::verify(files, &state, *at) {
                state = moved;
            }
        }
        for one in &self.seen {
            let release = Release {
                id: PluginId::parse(&one.id).unwrap(),
                version: semver::Version::new(1, 0, 0),
                release_counter: one.release_counter,
                channel: one.channel.clone(),
                issued_at: UnixSeconds(0),
                not_after: UnixSeconds(0),
                source: None,
            };
            state = state.after_release(&release, one.manifest).unwrap();
        }
        let bytes = |file: &Option<Bytes>| file.as_ref().map(|bytes| bytes.0.clone());
        let (freshness, revocations) = (bytes(&self.freshness), bytes(&self.revocations));
        let files = AnchorFiles {
            root: &self.file.0,
            freshness: freshness.as_deref(),
            revocations: revocations.as_deref(),
        };
        Ok(Anchor::verify(files, &state, now)?.0)
    }
}
