//! Admission: the ordered trust checks on one package.
//!
//! In -> out: bytes read once, the operator's rules, the time -> [`Admitted`], or the first [`Refusal`].
//! Invariant: `admit` and `explain` are one implementation; a step that was not reached is `not run`, never `passed`;
//! nothing of a package is compiled before all steps passed.
//! Not here: reading packages and rules (`orch-host`), compiling (`orch-host`'s `engine`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agreement::{Wanted, agree};
use crate::anchor::Anchor;
use crate::approval::Approval;
use crate::authority::{Certifier, Level, Publisher};
use crate::certificate;
use crate::delegation;
#[cfg(feature = "dangerous")]
use crate::evidence::Unsigned;
use crate::evidence::{Admitted, Trust};
use crate::facts::Facts;
use crate::freshness::Verdict as Freshness;
use crate::grant::{Bounds, Grant};
use crate::key::KeyId;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::name::PluginId;
use crate::package::PackageBytes;
use crate::permission::Permissions;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::release::{self, Released};
use crate::revocation::judge::{Hit, Signature, Vouched};
use crate::standing::Standing;
use crate::time::UnixSeconds;

/// Everything that the operator says, and what the workspace takes away.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub publishers: Vec<Publisher>,
    pub certifiers: Vec<Certifier>,
    pub policy: Policy,
    pub approvals: BTreeMap<PluginId, Approval>,
    pub lock: Lock,
    pub narrow: BTreeMap<PluginId, Permissions>,
    /// What a trust root says. Once there is one, its publishers and certifiers are the only ones.
    pub anchor: Option<Arc<Anchor>>,
    /// This is a host of development: certificates of level `development` count.
    pub development: bool,
}

impl Rules {
    /// Who may publish.
    pub fn publishers(&self) -> &[Publisher] {
        self.anchor.as_ref().map_or(&self.publishers, |anchor| anchor.root().publishers())
    }

    /// Whose certificates count.
    pub fn certifiers(&self) -> &[Certifier] {
        self.anchor.as_ref().map_or(&self.certifiers, |anchor| anchor.root().certifiers())
    }

    /// How many certifiers must agree on what: the stricter of policy and root.
    pub fn wanted(&self) -> Wanted {
        if self.development {
            return Wanted { level: Level::Development, threshold: 1, independent: false };
        }
        let policy = self.policy.certificates;
        let role = self.anchor.as_ref().map(|anchor| anchor.root().certifier_role());
        Wanted {
            level: self.policy.minimum_level.0,
            threshold: policy.threshold.get().max(role.map_or(1, |role| role.threshold())),
            independent: policy.independent || role.is_some_and(|role| role.independent()),
        }
    }
}

/// A step of admission, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Manifest,
    Files,
    Release,
    Certificate,
    Facts,
    Revocation,
    Grant,
}

impl Step {
    pub const ALL: [Self; 7] = [
        Self::Manifest,
        Self::Files,
        Self::Release,
        Self::Certificate,
        Self::Facts,
        Self::Revocation,
        Self::Grant,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Files => "files",
            Self::Release => "release",
            Self::Certificate => "certificate",
            Self::Facts => "facts",
            Self::Revocation => "revocation",
            Self::Grant => "grant",
        }
    }
}

/// How one step ended.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    Passed,
    Failed(&'a Refusal),
    NotRun,
}

/// How far a package came.
#[derive(Debug)]
pub struct Steps {
    /// What could be read of it.
    pub manifest: Option<Manifest>,
    /// Who signed the release.
    pub publisher: Option<(String, KeyId)>,
    /// Until when the certificate holds.
    pub valid_until: Option<UnixSeconds>,
    /// What is known of revocations, and how new that is; none without a trust root.
    pub freshness: Option<Freshness>,
    /// What a revocation list says about it without keeping it from running.
    pub notes: Vec<Hit>,
    /// Steps that passed, in order.
    pub passed: Vec<Step>,
    /// What came out, or the step that failed.
    pub outcome: Result<Admitted, (Step, Refusal)>,
}

impl Steps {
    /// How this step ended; one after the failed one was not run.
    pub fn verdict(&self, step: Step) -> Verdict<'_> {
        match &self.outcome {
            _ if self.passed.contains(&step) => Verdict::Passed,
            Err((failed, refusal)) if *failed == step => Verdict::Failed(refusal),
            _ => Verdict::NotRun,
        }
    }
}

/// The package as one that may run, or why not.
///
/// Search for this name to find every origin of an [`Admitted`].
pub fn admit(package: &PackageBytes, rules: &Rules, now: UnixSeconds) -> Result<Admitted, Refusal> {
    explain(package, rules, now).outcome.map_err(|(_, refusal)| refusal)
}

/// Every step of admission and how it ended.
pub fn explain(package: &PackageBytes, rules: &Rules, now: UnixSeconds) -> Steps {
    let mut walk = Walk {
        at: Step::Manifest,
        passed: Vec::new(),
        manifest: None,
        publisher: None,
        valid_until: None,
        freshness: None,
        notes: Vec::new(),
    };
    let outcome = walk.run(package, rules, now).map_err(|refusal| (walk.at, refusal));
    let Walk { passed, manifest, publisher, valid_until, freshness, notes, .. } = walk;
    Steps { manifest, publisher, valid_until, freshness, notes, passed, outcome }
}

/// What is known of a package so far, and the step that is being taken.
struct Walk {
    at: Step,
    passed: Vec<Step>,
    manifest: Option<Manifest>,
    publisher: Option<(String, KeyId)>,
    valid_until: Option<UnixSeconds>,
    freshness: Option<Freshness>,
    notes: Vec<Hit>,
}

impl Walk {
    /// The step before passed, this one begins.
    fn begin(&mut self, next: Step) {
        self.passed.push(self.at);
        self.at = next;
    }

    fn run(&mut self, package: &PackageBytes, rules: &Rules, now: UnixSeconds) -> Result<Admitted, Refusal> {
        let anchor = rules.anchor.as_deref();
        // 1. What it says of itself.
        let manifest = package.parse_manifest()?;
        self.manifest = Some(manifest.clone());
        // 2. The bytes are the bytes the manifest names, and no others are there.
        self.begin(Step::Files);
        package.check_integrity(manifest)?;
        // 3. Publishers of this namespace vouch for exactly these files, keys of one job among them.
        self.begin(Step::Release);
        let delegated = delegation::verify(package, manifest, anchor.map(Anchor::root), now)?;
        let publishers = [rules.publishers(), &delegated.publishers].concat();
        let released = release::verify(package, manifest, &publishers, now)?;
        let Released { publisher, signers, release } = &released;
        self.publisher = Some((publisher.owner.clone(), publisher.key.id()));
        // 4. Enough certifiers ran our required checks on exactly these files.
        self.begin(Step::Certificate);
        let certifiers = [rules.certifiers(), &delegated.certifiers].concat();
        let mut certificates = certificate::verify(package, manifest, &certifiers, now)?;
        for one in &mut certificates {
            if one.certificate.level == Level::Development && !rules.development {
                return Err(Refusal::CertificateDevelopment { key: one.key.id() });
            }
            one.certificate.check_source(release)?;
            one.delegated_by = delegated.issuers(one.key.id());
        }
        let vouching: Vec<KeyId> =
            certificates.iter().map(|one| one.key.id()).chain(signers.iter().copied()).collect();
        delegated.check_used(&vouching)?;
        let wanted = rules.wanted();
        let agreed = agree(&certificates, &certifiers, wanted, &[], now)?;
        self.valid_until = Some(agreed.valid_until);
        // 5. The facts still hold, derived again from the bytes, and fit the manifest.
        self.begin(Step::Facts);
        let facts = Facts::fitting(package, manifest)?;
        if let Some(fact) = facts.difference(&agreed.certificate.facts) {
            return Err(Refusal::FactsDisagree { fact });
        }
        // 6. Nobody took it back, as far as is known, and it is the one that is pinned, or no older than the last one.
        self.begin(Step::Revocation);
        self.freshness = anchor.map(|anchor| anchor.check(now)).transpose()?;
        let issuers = vouching.iter().flat_map(|key| delegated.issuers(*key)).map(|issuer| issuer.key);
        let behind: Vec<KeyId> = issuers.chain(vouching.iter().copied()).collect();
        check_denied(package, manifest, &behind, rules)?;
        let by_release = |key: &KeyId| [Signature { key: *key, at: release.issued_at }];
        let release_keys =
            signers.iter().flat_map(|key| by_release(key).into_iter().chain(delegated.issuers(*key)));
        let vouched = Vouched {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            files: package.list().map(|(_, _, digest)| digest).collect(),
            manifest: package.manifest_digest(),
            release_keys: release_keys.collect(),
            release: release.clone(),
            certificates,
            sbom: package.shared_sbom(),
        };
        let standing = Standing { vouched, certifiers, wanted, at: now };
        let weighed = standing.weigh(anchor.map(Anchor::revocations))?;
        self.valid_until = Some(weighed.valid_until);
        self.notes = weighed.notes;
        rules.lock.check(manifest, package)?;
        if let Some(anchor) = anchor.filter(|_| !rules.lock.plugins.contains_key(&manifest.id)) {
            anchor.state().check_release(release, package.manifest_digest())?;
        }
        // 7. The operator allows what is asked.
        self.begin(Step::Grant);
        let grant = grant(manifest, publisher.max_permissions.as_ref(), rules)?;
        self.passed.push(Step::Grant);
        let trust = match weighed.level {
            Level::Certified => Trust::Certified,
            Level::Local => Trust::CertifiedLocal,
            Level::Development => Trust::Development,
        };
        let known = (self.freshness, self.notes.clone());
        Ok(Admitted::new(package, manifest.clone(), facts, grant, trust, standing, known))
    }
}

fn grant(manifest: &Manifest, maximum: Option<&Permissions>, rules: &Rules) -> Result<Grant, Refusal> {
    let bounds = Bounds {
        maximum,
        policy: &rules.policy,
        approval: rules.approvals.get(&manifest.id),
        narrow: rules.narrow.get(&manifest.id),
    };
    Grant::intersect(&manifest.id, &manifest.permissions, bounds)
}

/// A package that nobody vouches for, as one that may run: neither release nor certificate is asked for, everything
/// else is, and what runs is marked `unsigned`.
///
/// # Errors
/// Those of [`admit`] but for release and certificate.
#[cfg(feature = "dangerous")]
pub fn admit_dangerous_unsigned(package: &PackageBytes, rules: &Rules) -> Result<Unsigned, Refusal> {
    let manifest = package.parse_manifest()?;
    package.check_integrity(manifest)?;
    let facts = Facts::fitting(package, manifest)?;
    check_denied(package, manifest, &[], rules)?;
    rules.lock.check(manifest, package)?;
    let grant = grant(manifest, None, rules)?;
    Ok(Unsigned::new(package, manifest.clone(), facts, grant))
}

fn check_denied(
    package: &PackageBytes,
    manifest: &Manifest,
    vouching: &[KeyId],
    rules: &Rules,
) -> Result<(), Refusal> {
    let deny = &rules.policy.deny;
    if deny.ids.contains(&manifest.id) {
        return Err(Refusal::Denied { what: "plugin", which: manifest.id.to_string() });
    }
    if let Some((_, _, digest)) = package.list().find(|(_, _, digest)| deny.digests.contains(digest)) {
        return Err(Refusal::Denied { what: "digest", which: digest.to_string() });
    }
    let denied = |key: &&KeyId| deny.keys.iter().any(|denied| denied.to_string() == key.to_string());
    match vouching.iter().find(denied) {
        Some(key) => Err(Refusal::Denied { what: "key", which: key.to_string() }),
        None => Ok(()),
    }
}
