//! The trust root as it is written down.
//!
//! In -> out: [`RootDocument`] <-> the payload of `root.dsse.json`.
//! Invariant: unknown roles and fields are refused; what is not there was not asked for, and is not written.
//! Not here: what it means and whether it holds together (`root.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::dsse::Payload;
use crate::key::KeyId;
use crate::level::{Level, decided};
use crate::manifest::Role;
use crate::period::Period;
use crate::permission::Permissions;
use crate::time::UnixSeconds;

/// One version of the trust root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RootDocument {
    #[serde(rename = "_type")]
    pub kind: String,
    pub version: u64,
    /// SHA-256 of the file of the version before; the first version has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_sha256: Option<Sha256Digest>,
    pub issued: UnixSeconds,
    pub expires: UnixSeconds,
    pub keys: BTreeMap<KeyId, KeyText>,
    pub roles: RolesText,
    pub namespaces: Vec<NamespaceText>,
}

impl Payload for RootDocument {
    const PAYLOAD_TYPE: &'static str = "application/vnd.orch.trust-root+json";
    const KIND: &'static str = "trust-root/v1";
}

/// A public key and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyText {
    pub alg: Algorithm,
    /// 32 bytes in base64.
    pub public: String,
    pub owner: String,
    /// What holds the secret half, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custody: Option<Custody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixSeconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<UnixSeconds>,
}

/// There is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    Ed25519,
}

/// What holds a secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Custody {
    File,
    SshAgent,
    Pkcs11,
    Exec,
}

/// Who does what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RolesText {
    /// Signs the next root.
    pub root: RoleText,
    /// Signs certificates.
    pub certifier: CertifierRoleText,
    /// Signs the revocation list.
    pub revoker: RoleText,
    /// Says which revocation list is the newest.
    pub freshness: FreshnessRoleText,
    /// Lends a namespace's or certifier's word to a key of one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci_issuer: Option<IssuerRoleText>,
}

/// Some keys, and how many of them it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleText {
    pub threshold: u32,
    pub keyids: Vec<KeyId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifierRoleText {
    pub threshold: u32,
    /// Keys of different owners are counted, not keys.
    pub independent: bool,
    pub keys: Vec<CertifierText>,
    /// Jobs that certify with a delegated key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<CertifierJobText>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifierText {
    pub keyid: KeyId,
    /// The highest level that it may give.
    #[serde(deserialize_with = "decided")]
    pub level: Level,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifierJobText {
    pub job: Job,
    pub owner: String,
    #[serde(deserialize_with = "decided")]
    pub level: Level,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FreshnessRoleText {
    pub threshold: u32,
    pub keyids: Vec<KeyId>,
    /// How old a freshness document may be.
    pub max_age: Period,
    /// How much longer a host without a newer one may go on, and says so.
    pub offline_grace: Period,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IssuerRoleText {
    pub threshold: u32,
    pub keyids: Vec<KeyId>,
    /// The longest that a delegation may last.
    pub max_lifetime: Period,
}

/// A job of a CI system: exact texts, never patterns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// `https://git.example/acme/plugins`.
    pub repository: String,
    /// `.github/workflows/release.yml@refs/heads/main`.
    pub workflow: String,
}

/// Whose plugins a part of all names is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NamespaceText {
    /// `acme/`, or `acme/summarise/` for one plugin.
    pub prefix: String,
    pub publisher: RoleText,
    /// Always true: the longest prefix of an id is the only entry that counts, a shorter one is never asked instead.
    pub terminating: bool,
    pub roles: Vec<Role>,
    pub max_permissions: Permissions,
    /// Jobs that publish with a delegated key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
}
