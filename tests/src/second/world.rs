//! A trust root with its lists, and what a host has seen: the part of a case that only some have.
//!
//! In -> out: keys -> [`World::good`]; with bends -> the files of it.
//! Not here: packages (`draft.rs`), what is done to it (`attacks/`).

use orch_trust::authority::Level;
use orch_trust::digest::Sha256Digest;
use orch_trust::freshness::{FreshnessDocument, Pinned};
use orch_trust::manifest::Role;
use orch_trust::period::Period;
use orch_trust::permission::Permissions;
use orch_trust::revocation::RevocationsDocument;
use orch_trust::root::document::{
    Algorithm, CertifierJobText, CertifierRoleText, CertifierText, Custody, FreshnessRoleText,
    IssuerRoleText, Job, KeyText, NamespaceText, RoleText, RolesText, RootDocument,
};
use orch_trust::time::UnixSeconds;

use super::case::{Bytes, Seen, SeenRelease, Update};
use super::sealed::{
    CERTIFIER, DAY, FRESHNESS, ISSUER, Keys, NOW, OTHER_CERTIFIER, OTHER_PUBLISHER, PUBLISHER, Place,
    REVOKER, ROOTS, Sealer,
};

type Follow = Box<dyn FnOnce(&mut RootDocument)>;
/// Freshness document, list, when, and whether the pin is that of another list.
type Earlier = (FreshnessDocument, RevocationsDocument, UnixSeconds, bool);

/// Root, lists and memory of a host.
pub struct World {
    pub keys: Keys,
    pub root: RootDocument,
    pub root_by: Vec<u8>,
    /// What each next root changes, and who signs it.
    pub next: Vec<(Follow, Vec<u8>)>,
    pub taken: UnixSeconds,
    pub freshness: FreshnessDocument,
    pub freshness_by: Vec<u8>,
    pub list: RevocationsDocument,
    pub list_by: Vec<u8>,
    pub before: Vec<Earlier>,
    pub seen: Vec<SeenRelease>,
    /// The first root lies on the disk although a later one was taken.
    pub stale_file: bool,
    /// Another root lies there.
    pub file: Option<Bytes>,
    pub no_freshness: bool,
    pub no_list: bool,
    /// The freshness document names this list and not the one that is there.
    pub pin: Option<Pinned>,
}

pub fn job() -> Job {
    Job { repository: "https://git.example/acme".into(), workflow: "release.yml@refs/heads/main".into() }
}

pub fn certifying_job() -> Job {
    Job { repository: "https://git.example/lab".into(), workflow: "certify.yml@refs/heads/main".into() }
}

impl World {
    pub fn role(&self, threshold: u32, seeds: &[u8]) -> RoleText {
        self.keys.role(threshold, seeds)
    }

    pub fn good(keys: Keys, maximum: Permissions) -> Self {
        let owners = [
            (PUBLISHER, "acme"),
            (OTHER_PUBLISHER, "acme too"),
            (CERTIFIER, "lab"),
            (OTHER_CERTIFIER, "institute"),
            (ROOTS[0], "ann"),
            (ROOTS[1], "bob"),
            (ROOTS[2], "cem"),
            (REVOKER, "ops"),
            (FRESHNESS, "ops"),
            (ISSUER, "ci"),
        ];
        let period = |text: &str| Period::parse(text).unwrap();
        let certifier = |seed| CertifierText { keyid: keys.id(seed), level: Level::Certified };
        let roles = RolesText {
            root: keys.role(2, &ROOTS),
            certifier: CertifierRoleText {
                threshold: 1,
                independent: false,
                keys: vec![certifier(CERTIFIER), certifier(OTHER_CERTIFIER)],
                jobs: vec![CertifierJobText {
                    job: certifying_job(),
                    owner: "lab's job".into(),
                    level: Level::Local,
                }],
            },
            revoker: keys.role(1, &[REVOKER]),
            freshness: FreshnessRoleText {
                threshold: 1,
                keyids: vec![keys.id(FRESHNESS)],
                max_age: period("P7D"),
                offline_grace: period("P30D"),
            },
            ci_issuer: Some(IssuerRoleText {
                threshold: 1,
                keyids: vec![keys.id(ISSUER)],
                max_lifetime: period("PT15M"),
            }),
        };
        let namespace = NamespaceText {
            prefix: "acme/".into(),
            publisher: keys.role(1, &[PUBLISHER]),
            terminating: true,
            roles: Role::ALL.to_vec(),
            max_permissions: maximum,
            jobs: vec![job()],
        };
        let root = RootDocument {
            kind: "trust-root/v1".into(),
            version: 1,
            previous_sha256: None,
            issued: NOW.plus(-10 * DAY),
            expires: NOW.plus(100 * DAY),
            keys: owners.into_iter().map(|(seed, owner)| (keys.id(seed), keys.text(seed, owner))).collect(),
            roles,
            namespaces: vec![namespace],
        };
        let freshness = FreshnessDocument {
            kind: "freshness/v1".into(),
            version: 5,
            issued: NOW.plus(-DAY),
            expires: NOW.plus(50 * DAY),
            revocations: Pinned { version: 3, sha256: Sha256Digest::of(b"") },
        };
        let list = RevocationsDocument {
            kind: "revocations/v1".into(),
            version: 3,
            issued: NOW.plus(-2 * DAY),
            expires: NOW.plus(90 * DAY),
            entries: vec![],
        };
        Self {
            keys,
            root,
            root_by: vec![ROOTS[0], ROOTS[1]],
            next: vec![],
            taken: NOW.plus(-DAY),
            freshness,
            freshness_by: vec![FRESHNESS],
            list,
            list_by: vec![REVOKER],
            before: vec![],
            seen: vec![],
            stale_file: false,
            file: None,
            no_freshness: false,
            no_list: false,
            pin: None,
        }
    }

    /// The files, bent as the sealer has it.
    pub fn build(self, sealer: &mut Sealer) -> Seen {
        let Self { root, root_by, next, freshness, freshness_by, list, list_by, .. } = self;
        let mut before = Vec::new();
        for (mut document, earlier, at, is_foreign) in self.before {
            let revocations = sealer.plain(&earlier, &list_by);
            let pinned = if is_foreign { b"another list".as_slice() } else { &revocations };
            document.revocations = Pinned { version: earlier.version, sha256: Sha256Digest::of(pinned) };
            let freshness = sealer.plain(&document, &freshness_by);
            before.push(Update { freshness: Bytes(freshness), revocations: Bytes(revocations), at });
        }
        let mut roots = vec![sealer.seal(Place::Root(0), &root, &root_by)];
        let (said, mut last) = (Sha256Digest::of(&roots[0]), root);
        for (place, (follow, by)) in next.into_iter().enumerate() {
            let previous_sha256 = roots.last().map(|bytes| Sha256Digest::of(bytes));
            last = RootDocument { version: last.version + 1, previous_sha256, issued: self.taken, ..last };
            follow(&mut last);
            roots.push(sealer.seal(Place::Root(place + 1), &last, &by));
        }
        let revocations = sealer.seal(Place::Revocations, &list, &list_by);
        let mut document = freshness;
        document.revocations =
            self.pin.unwrap_or(Pinned { version: list.version, sha256: Sha256Digest::of(&revocations) });
        let freshness = sealer.seal(Place::Freshness, &document, &freshness_by);
        let file = if self.stale_file { roots.first() } else { roots.last() };
        Seen {
            file: self.file.unwrap_or_else(|| Bytes(file.unwrap().clone())),
            roots: roots.into_iter().map(Bytes).collect(),
            said,
            taken: self.taken,
            before,
            seen: self.seen,
            freshness: (!self.no_freshness).then_some(Bytes(freshness)),
            revocations: (!self.no_list).then_some(Bytes(revocations)),
        }
    }
}

impl Keys {
    pub fn role(&self, threshold: u32, seeds: &[u8]) -> RoleText {
        RoleText { threshold, keyids: seeds.iter().map(|seed| self.id(*seed)).collect() }
    }

    pub fn text(&self, seed: u8, owner: &str) -> KeyText {
        KeyText {
            alg: Algorithm::Ed25519,
            public: self.key(seed).public().to_base64(),
            owner: owner.to_owned(),
            custody: Some(Custody::File),
            not_before: None,
            not_after: None,
        }
    }
}
