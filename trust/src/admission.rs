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
#[cfg(feature = "dangerous")]
use crate::evidence::Unsigned;
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
    let mut walk =
        Walk { at: Step::Manifest, passed: Vec::new(), manifest: None, publisher: None, valid_until: None };
    let outcome = walk.run(package, rules, now).map_err(|refusal| (walk.at, refusal));
    let Walk { passed, manifest, publisher, valid_until, .. } = walk;
    Steps { manifest, publisher, valid_until, passed, outcome }
}

/// What is known of a package so far, and the step that is being taken.
struct Walk {
    at: Step,
    passed: Vec<Step>,
    manifest: Option<Manifest>,
    publisher: Option<(String, KeyId)>,
    valid_until: Option<UnixSeconds>,
}

impl Walk {
    /// The step before passed, this one begins.
    fn begin(&mut self, next: Step) {
        self.passed.push(self.at);
        self.at = next;
    }

    fn run(&mut self, package: &PackageBytes, rules: &Rules, now: UnixSeconds) -> Result<Admitted, Refusal> {
        // 1. What it says of itself.
        let manifest = Manifest::parse(package.manifest())?;
        self.manifest = Some(manifest.clone());
        // 2. The bytes are the bytes the manifest names, and no others are there.
        self.begin(Step::Files);
        package.check_integrity(&manifest)?;
        // 3. A publisher of this namespace vouches for exactly these files.
        self.begin(Step::Release);
        let (publisher, _release) = release::verify(package, &manifest, &rules.publishers, now)?;
        self.publisher = Some((publisher.owner.clone(), publisher.key.id()));
        // 4. A certifier ran our required checks on exactly these files.
        self.begin(Step::Certificate);
        let minimum = rules.policy.minimum_level.0;
        let certificate = certificate::verify(package, &manifest, &rules.certifiers, minimum, now)?;
        self.valid_until = Some(certificate.valid_until);
        // 5. The facts still hold, derived again from the bytes, and fit the manifest.
        self.begin(Step::Facts);
        let facts = Facts::fitting(package, &manifest)?;
        if let Some(fact) = facts.difference(&certificate.facts) {
            return Err(Refusal::FactsDisagree { fact });
        }
        // 6. Nobody took it back, and it is the one that is pinned.
        self.begin(Step::Revocation);
        check_denied(package, &manifest, Some(publisher), rules)?;
        rules.lock.check(&manifest, package)?;
        // 7. The operator allows what is asked.
        self.begin(Step::Grant);
        let grant = grant(&manifest, publisher.max_permissions.as_ref(), rules)?;
        self.passed.push(Step::Grant);
        let trust = match certificate.level {
            Level::Certified => Trust::Certified,
            Level::Local => Trust::CertifiedLocal,
        };
        Ok(Admitted::new(package, manifest, facts, grant, trust))
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
    let manifest = Manifest::parse(package.manifest())?;
    package.check_integrity(&manifest)?;
    let facts = Facts::fitting(package, &manifest)?;
    check_denied(package, &manifest, None, rules)?;
    rules.lock.check(&manifest, package)?;
    let grant = grant(&manifest, None, rules)?;
    Ok(Unsigned::new(package, manifest, facts, grant))
}

fn check_denied(
    package: &PackageBytes,
    manifest: &Manifest,
    publisher: Option<&Publisher>,
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
    match certifiers.chain(publisher.map(|publisher| publisher.key.id())).find(|key| denied(*key)) {
        Some(key) => Err(Refusal::Denied { what: "key", which: key.to_string() }),
        None => Ok(()),
    }
}
