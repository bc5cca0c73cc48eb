//! Admission: the ordered trust checks on one package.
//!
//! In -> out: bytes read once, the operator's rules, the time -> [`Admitted`], or the first [`Refusal`].
//! Invariant: `admit` and `explain` are one implementation; a step that was not reached is `not run`, never `passed`;
//! nothing of a package is compiled before all steps passed.
//! Not here: reading packages and rules (`orch-host`), compiling (`orch-host`'s `engine`).

use std::collections::BTreeMap;

use crate::approval::Approval;
use crate::authority::{Certifier, Level, Publisher};
use crate::certificate;
use crate::evidence::{Admitted, Trust};
use crate::facts::Facts;
use crate::grant::{Bounds, Grant};
use crate::key::KeyId;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::name::PluginId;
use crate::package::PackageBytes;
use crate::permission::Permissions;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::release;
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

/// How far a package came.
#[derive(Debug)]
pub struct Steps {
    /// What could be read of it.
    pub manifest: Option<Manifest>,
    /// Who signed the release.
    pub publisher: Option<(String, KeyId)>,
    /// Until when the certificate holds.
    pub valid_until: Option<UnixSeconds>,
    /// Steps that passed, in order.
    pub passed: Vec<Step>,
    /// The step that failed.
    pub outcome: Result<Admitted, (Step, Refusal)>,
}

/// The package as one that may run, or why not.
///
/// Search for this name to find every origin of an [`Admitted`].
pub fn admit(package: &PackageBytes, rules: &Rules, now: UnixSeconds) -> Result<Admitted, Refusal> {
    explain(package, rules, now).outcome.map_err(|(_, refusal)| refusal)
}

/// Every step of admission and how it ended.
pub fn explain(package: &PackageBytes, rules: &Rules, now: UnixSeconds) -> Steps {
    let mut steps = Steps {
        manifest: None,
        publisher: None,
        valid_until: None,
        passed: Vec::new(),
        outcome: Err((Step::Manifest, Refusal::FileMissing { file: "manifest.json".to_owned() })),
    };
    steps.outcome = walk(package, rules, now, &mut steps);
    steps
}

fn walk(
    package: &PackageBytes,
    rules: &Rules,
    now: UnixSeconds,
    steps: &mut Steps,
) -> Result<Admitted, (Step, Refusal)> {
    let at = |step: Step| move |refusal: Refusal| (step, refusal);
    // 1. What it says of itself.
    let manifest = Manifest::parse(package.manifest()).map_err(at(Step::Manifest))?;
    steps.manifest = Some(manifest.clone());
    steps.passed.push(Step::Manifest);
    // 2. The bytes are the bytes the manifest names, and no others are there.
    package.check_integrity(&manifest).map_err(at(Step::Files))?;
    steps.passed.push(Step::Files);
    // 3. A publisher of this namespace vouches for exactly these files.
    let (publisher, _release) =
        release::verify(package, &manifest, &rules.publishers, now).map_err(at(Step::Release))?;
    steps.publisher = Some((publisher.owner.clone(), publisher.key.id()));
    steps.passed.push(Step::Release);
    // 4. A certifier ran our required checks on exactly these files.
    let minimum = rules.policy.minimum_level.0;
    let certificate = certificate::verify(package, &manifest, &rules.certifiers, minimum, now)
        .map_err(at(Step::Certificate))?;
    steps.valid_until = Some(certificate.valid_until);
    steps.passed.push(Step::Certificate);
    // 5. The facts still hold, derived again from the bytes, and fit the manifest.
    let facts = check_facts(package, &manifest, &certificate.facts).map_err(at(Step::Facts))?;
    steps.passed.push(Step::Facts);
    // 6. Nobody took it back, and it is the one that is pinned.
    check_denied(package, &manifest, publisher, rules).map_err(at(Step::Revocation))?;
    rules.lock.check(&manifest, package).map_err(at(Step::Revocation))?;
    steps.passed.push(Step::Revocation);
    // 7. The operator allows what is asked.
    let bounds = Bounds {
        maximum: publisher.max_permissions.as_ref(),
        policy: &rules.policy,
        approval: rules.approvals.get(&manifest.id),
        narrow: rules.narrow.get(&manifest.id),
    };
    let grant = Grant::intersect(&manifest.id, &manifest.permissions, bounds).map_err(at(Step::Grant))?;
    steps.passed.push(Step::Grant);
    let trust = match certificate.level {
        Level::Certified => Trust::Certified,
        Level::Local => Trust::CertifiedLocal,
    };
    Ok(Admitted::new(package, manifest, facts, grant, trust))
}

fn check_facts(package: &PackageBytes, manifest: &Manifest, certified: &Facts) -> Result<Facts, Refusal> {
    let facts = Facts::derive(&package.component())?;
    if let Some(fact) = facts.difference(certified) {
        return Err(Refusal::FactsDisagree { fact });
    }
    facts.check_imports(manifest)?;
    facts.check_exports(&manifest.roles)?;
    facts.check_memory(manifest)?;
    Ok(facts)
}

fn check_denied(
    package: &PackageBytes,
    manifest: &Manifest,
    publisher: &Publisher,
    rules: &Rules,
) -> Result<(), Refusal> {
    let deny = &rules.policy.deny;
    if deny.ids.contains(&manifest.id) {
        return Err(Refusal::Denied { what: "plugin", which: manifest.id.to_string() });
    }
    if let Some((_, _, digest)) = package.list().find(|(_, _, digest)| deny.digests.contains(digest)) {
        return Err(Refusal::Denied { what: "digest", which: digest.to_string() });
    }
    let denied = |key: KeyId| deny.keys.iter().any(|denied| denied.to_string() == key.to_string());
    let certifiers = rules.certifiers.iter().map(Certifier::id).filter(|id| {
        package.certificates().any(|(file, _)| file == format!("certificates/{}.dsse.json", id.short()))
    });
    match certifiers.chain([publisher.key.id()]).find(|key| denied(*key)) {
        Some(key) => Err(Refusal::Denied { what: "key", which: key.to_string() }),
        None => Ok(()),
    }
}
