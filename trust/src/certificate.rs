//! Certificates: what a certifier found, check by check.
//!
//! In -> out: results -> `certificates/<keyid>.dsse.json`; that file and the trusted certifiers -> a level.
//! Invariant: a certificate's own summary is ignored; the host applies its own list of required checks, and absent,
//! skipped, error and fail are four different things that all refuse.
//! Not here: running checks (`orch-certify`), deriving facts (`facts.rs`).

use serde::{Deserialize, Serialize};

use crate::authority::{Certifier, Level};
use crate::digest::Sha256Digest;
use crate::dsse::{self, Predicate, Statement};
use crate::facts::Facts;
use crate::inputs::Inputs;
use crate::key::{PublicKey, SignError, Signer};
use crate::manifest::{Manifest, Role};
use crate::name::PluginId;
use crate::package::PackageBytes;
use crate::refusal::Refusal;
use crate::release::{CLOCK_SKEW_SECONDS, Release};
use crate::signature::Signature;
use crate::threshold::NotInForce;
use crate::time::UnixSeconds;

/// How long a certificate of each level is valid.
pub const DEVELOPMENT_SECONDS: i64 = 3600;
pub const LOCAL_DAYS: i64 = 7;
pub const CERTIFIED_DAYS: i64 = 90;

/// How long a certificate of that level is valid at most, in seconds.
pub fn life_seconds(level: Level) -> i64 {
    match level {
        Level::Development => DEVELOPMENT_SECONDS,
        Level::Local => LOCAL_DAYS * UnixSeconds::DAY,
        Level::Certified => CERTIFIED_DAYS * UnixSeconds::DAY,
    }
}

/// The tool whose certificates count, and the oldest version of it.
const TOOL: &str = "orch-certify";
const TOOL_VERSION_MIN: semver::Version = semver::Version::new(0, 1, 0);

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Pass,
    Warn,
    Fail,
    Error,
    Skipped,
}

impl CheckStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

/// One check's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CheckResult {
    pub id: String,
    pub version: u32,
    pub tool: Tool,
    pub status: CheckStatus,
    /// How many things it looked at: files, sections, cases. Never 0 for a pass.
    pub looked_at: u64,
    /// What it has to say, code first; empty for a plain pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// How long it took. Evidence: not part of the result digest.
    pub duration_ms: u64,
    /// SHA-256 of everything it said, findings in full length included. Evidence: not part of the result digest.
    pub evidence_sha256: Sha256Digest,
}

/// What of a check's result every certifier with the same tools must find alike.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    id: &'a str,
    version: u32,
    tool: &'a Tool,
    status: CheckStatus,
    looked_at: u64,
    findings: &'a [String],
}

impl<'a> Outcome<'a> {
    fn of(result: &'a CheckResult) -> Self {
        let CheckResult {
            id,
            version,
            tool,
            status,
            looked_at,
            findings,
            duration_ms: _,
            evidence_sha256: _,
        } = result;
        Self { id, version: *version, tool, status: *status, looked_at: *looked_at, findings }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

/// What a certifier says of a package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Certificate {
    pub id: PluginId,
    pub version: semver::Version,
    pub level: Level,
    pub certifier: Tool,
    pub environment: Environment,
    /// What was looked at beside the package; a certificate of level `certified` has all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Inputs>,
    pub facts: Facts,
    pub checks: Vec<CheckResult>,
    pub measured: Measured,
    pub self_check: SelfCheck,
    /// SHA-256 over id, version, level, inputs, facts, checks and self-check: the same for every certifier that looked at
    /// the same things with the same tools.
    pub result_digest: Sha256Digest,
    pub started_at: UnixSeconds,
    pub finished_at: UnixSeconds,
    /// When the key signed: with the last check, or later, when another job holds the key.
    pub signed_at: UnixSeconds,
    pub valid_until: UnixSeconds,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    pub wasmtime: String,
    pub target: String,
}

/// The most of any one call. Evidence; enforced nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Measured {
    pub fuel_max: u64,
    pub memory_bytes_max: u64,
    pub host_calls_max: u64,
    /// Of the whole component, once.
    pub compile_ms: u64,
}

/// How many of its known-bad packages the tool refused in the same run, each by the check that is there for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SelfCheck {
    /// Over every file of every known-bad package.
    pub corpus_sha256: Sha256Digest,
    pub rejected: u64,
    pub of: u64,
}

impl SelfCheck {
    /// True if there were known-bad packages and every one of them was refused.
    pub fn is_complete(&self) -> bool {
        self.of > 0 && self.rejected == self.of
    }
}

impl Predicate for Certificate {
    const TYPE: &'static str = "urn:orch:plugin-certification:v1";
}

impl Certificate {
    /// The digest that `result_digest` must have.
    pub fn results(&self) -> Sha256Digest {
        // A struct, so that the order of fields is this one in every build.
        #[derive(Serialize)]
        struct Results<'a> {
            id: &'a PluginId,
            version: &'a semver::Version,
            level: Level,
            #[serde(skip_serializing_if = "Option::is_none")]
            inputs: Option<Inputs>,
            facts: &'a Facts,
            checks: Vec<Outcome<'a>>,
            self_check: &'a SelfCheck,
        }
        let Self { id, version, level, inputs, facts, checks, self_check, .. } = self;
        let (inputs, checks) = (inputs.as_ref().map(Inputs::alike), checks.iter().map(Outcome::of).collect());
        let results = Results { id, version, level: *level, inputs, facts, checks, self_check };
        Sha256Digest::of(&serde_json::to_vec(&results).unwrap_or_default())
    }

    /// Succeeds if it names everything that its level says was looked at.
    ///
    /// # Errors
    /// `CertificateInputs`, `AdvisoryDbTooOld`, `AdvisoryDbFromTheFuture`.
    pub fn check_inputs(&self) -> Result<(), Refusal> {
        match (self.level, &self.inputs) {
            (Level::Development | Level::Local, _) => Ok(()),
            (Level::Certified, Some(inputs)) => inputs.check(self.finished_at),
            (Level::Certified, None) => Inputs::default().check(self.finished_at),
        }
    }

    /// Succeeds if the sources that were looked at are those that the publisher released.
    ///
    /// # Errors
    /// `SourceOtherCommit`.
    pub fn check_source(&self, release: &Release) -> Result<(), Refusal> {
        let certified = self.inputs.as_ref().and_then(|inputs| inputs.source_commit.as_ref());
        let released = release.source.as_ref().map(|source| &source.commit);
        match certified {
            Some(certified) if released != Some(certified) => Err(Refusal::SourceOtherCommit {
                released: released.map_or("none", String::as_str).escape_default().take(100).collect(),
                certified: certified.escape_default().take(100).collect(),
            }),
            _ => Ok(()),
        }
    }
}

/// A check that a level demands, and the oldest version of it that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredCheck {
    pub id: String,
    pub version_min: u32,
    /// How many findings it may have and still count when its status is `warn`; 0: a warning refuses.
    pub warnings_max: u64,
}

/// Why the result of a required check does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    Version,
    Status,
    Empty,
    Warnings,
}

impl RequiredCheck {
    /// Succeeds if that result of this check counts.
    pub fn accept(&self, result: &CheckResult) -> Result<(), Shortfall> {
        if result.version < self.version_min {
            return Err(Shortfall::Version);
        }
        match result.status {
            CheckStatus::Pass => {}
            CheckStatus::Warn if self.warnings_max == 0 => return Err(Shortfall::Status),
            CheckStatus::Warn if result.findings.len() as u64 > self.warnings_max => {
                return Err(Shortfall::Warnings);
            }
            CheckStatus::Warn => {}
            CheckStatus::Fail | CheckStatus::Error | CheckStatus::Skipped => return Err(Shortfall::Status),
        }
        match result.looked_at {
            0 => Err(Shortfall::Empty),
            _ => Ok(()),
        }
    }
}

/// Checks of the package by itself, and how many warnings each may have.
const STATIC_CHECKS: [(&str, u64); 14] = [
    ("manifest", 0),
    ("names", 2),
    ("file-set", 0),
    ("component", 0),
    ("imports", 0),
    ("exports", 0),
    ("memory", 0),
    ("start-functions", 2),
    ("complexity", 0),
    ("custom-sections", 0),
    ("dependency-list", 0),
    ("sbom", 0),
    ("secrets", 8),
    ("dangerous-content", 1),
];
/// Checks against the release before, and how many warnings each may have.
const RELEASE_CHECKS: [(&str, u64); 1] = [("api-compatibility", 16)];
/// Of a plugin that is called in ways of our own, and how many warnings each may have. `determinism` has none: what
/// differs in a certifier's fixed surroundings would make certifiers disagree, and the host repeat runs in vain.
const BEHAVIOUR_CHECKS: [(&str, u64); 5] =
    [("fuzz", 6), ("permission-probe", 0), ("determinism", 0), ("resource-profile", 0), ("isolation", 0)];
/// Checks that need something from outside of the package, and how many warnings each may have.
const OUTSIDE_CHECKS: [(&str, u64); 6] = [
    ("dependency-match", 0),
    ("vulnerabilities", 5),
    ("licences", 0),
    ("dependency-review", 1),
    ("reproducible-build", 0),
    ("provenance", 0),
];

/// The host's own list: what must be in a certificate of that level for a plugin of those roles.
pub fn required_checks(level: Level, roles: &[Role]) -> Vec<RequiredCheck> {
    let required = |id: String| RequiredCheck { id, version_min: 1, warnings_max: 0 };
    let within = |(id, warnings_max): (&str, u64)| RequiredCheck { warnings_max, ..required(id.to_owned()) };
    let mut checks: Vec<RequiredCheck> = STATIC_CHECKS.into_iter().map(within).collect();
    if level == Level::Development {
        return checks;
    }
    checks.extend(roles.iter().map(|role| required(format!("conformance/{}", role.as_str()))));
    checks.extend(BEHAVIOUR_CHECKS.map(within));
    checks.push(required("self-check".to_owned()));
    if level == Level::Certified {
        checks.extend(RELEASE_CHECKS.into_iter().chain(OUTSIDE_CHECKS).map(within));
    }
    checks
}

/// Name and bytes of the certificate file for this package.
///
/// # Errors
/// The signer's own.
pub fn sign(
    package: &PackageBytes,
    certificate: Certificate,
    signer: &dyn Signer,
) -> Result<(String, Vec<u8>), SignError> {
    let name = format!("certificates/{}.dsse.json", signer.public().id().short());
    Ok((name, dsse::sign(&Statement::new(package.subjects(), certificate), &[signer])?))
}

/// A certificate that is sound by itself; how many of them it takes is another question (`agreement.rs`).
#[derive(Clone, Debug)]
pub struct Sound {
    pub key: PublicKey,
    /// Whose key that is.
    pub owner: String,
    pub certificate: Certificate,
    /// Who lent it a certifier's word, for a key of one job.
    pub delegated_by: Vec<Signature>,
}

impl Sound {
    /// Every signature that it rests on.
    pub(crate) fn signatures(&self) -> Vec<Signature> {
        let own = Signature { key: self.key.id(), at: self.certificate.signed_at };
        [&[own], self.delegated_by.as_slice()].concat()
    }
}

/// Every certificate of the package.
///
/// # Errors
/// The first fault of any of them: a file nobody can account for refuses the package.
pub fn verify(
    package: &PackageBytes,
    manifest: &Manifest,
    certifiers: &[Certifier],
    now: UnixSeconds,
) -> Result<Vec<Sound>, Refusal> {
    let one = |(file, bytes)| verify_one(package, manifest, certifiers, file, bytes, now);
    package.certificates().map(one).collect()
}

fn verify_one(
    package: &PackageBytes,
    manifest: &Manifest,
    certifiers: &[Certifier],
    file: &str,
    bytes: &[u8],
    now: UnixSeconds,
) -> Result<Sound, Refusal> {
    let by_id = |id| certifiers.iter().find(|certifier| certifier.id() == id);
    let unknown = |key| Refusal::CertificateUnknownKey { file: file.to_owned(), key };
    // 1. Signed by one certifier, in the file of its name.
    let verified = dsse::verify::<Statement<Certificate>>(
        file,
        bytes,
        |id| by_id(id).map(|certifier| certifier.key),
        unknown,
    )?;
    let [public] = *verified.signers() else {
        let (file, found) = (file.to_owned(), verified.signers().len());
        return Err(Refusal::EnvelopeSignatures { file, found, expected: "1".to_owned() });
    };
    let key = public.id();
    let certifier = by_id(key).ok_or_else(|| unknown(key))?;
    if file != format!("certificates/{}.dsse.json", key.short()) {
        return Err(Refusal::CertificateOtherFile { file: file.to_owned(), key });
    }
    let Statement { subject, predicate: certificate, .. } = verified.into_payload();
    certifier.role_key().in_force(certificate.signed_at, now).map_err(|why| match why {
        NotInForce::NotYet { not_before } => Refusal::CertificateKeyNotYet { key, not_before },
        NotInForce::Ended { not_after } => Refusal::CertificateKeyExpired { key, not_after },
        NotInForce::SignedLate { signs_until } => Refusal::DelegationWindow { key, signs_until },
    })?;
    // 2. Of exactly these files, for this plugin.
    package.check_subjects(&subject).map_err(|file| Refusal::CertificateOtherSubject { file })?;
    if certificate.id != manifest.id || certificate.version != manifest.version {
        return Err(Refusal::CertificateOtherPlugin {
            certified: format!("{} {}", certificate.id, certificate.version),
            found: format!("{} {}", manifest.id, manifest.version),
        });
    }
    // 3. In time, and of a level that this certifier may give.
    check_time(&certificate, now)?;
    if certificate.level > certifier.profile {
        let (found, profile) = (certificate.level.as_str(), certifier.profile.as_str());
        return Err(Refusal::CertificateLevel { found, profile });
    }
    // 4. Made by a tool that counts; every check of our own list, once, passed.
    check_tool(&certificate.certifier)?;
    check_results(&certificate, &manifest.roles)?;
    let SelfCheck { rejected, of, .. } = certificate.self_check;
    // Nothing of level `development` rests on how well its tool judges: it is the author's own, on the author's own host.
    if certificate.level > Level::Development && !certificate.self_check.is_complete() {
        return Err(Refusal::SelfCheck { rejected, of });
    }
    certificate.check_inputs()?;
    let found = certificate.results();
    if found != certificate.result_digest {
        return Err(Refusal::ResultDigest { found, stated: certificate.result_digest });
    }
    Ok(Sound { key: public, owner: certifier.owner.clone(), certificate, delegated_by: Vec::new() })
}

fn check_time(certificate: &Certificate, now: UnixSeconds) -> Result<(), Refusal> {
    let latest = certificate.finished_at.plus(life_seconds(certificate.level));
    if certificate.valid_until > latest {
        return Err(Refusal::CertificateTooLong { valid_until: certificate.valid_until, latest });
    }
    if now > certificate.valid_until {
        return Err(Refusal::CertificateExpired { valid_until: certificate.valid_until });
    }
    if certificate.signed_at > now.plus(CLOCK_SKEW_SECONDS) {
        return Err(Refusal::CertificateNotYet { signed_at: certificate.signed_at });
    }
    if certificate.signed_at < certificate.finished_at {
        let (signed_at, finished_at) = (certificate.signed_at, certificate.finished_at);
        return Err(Refusal::CertificateSignedEarly { signed_at, finished_at });
    }
    Ok(())
}

fn check_tool(tool: &Tool) -> Result<(), Refusal> {
    let version = semver::Version::parse(&tool.version).ok();
    match tool.name == TOOL && version.is_some_and(|version| version >= TOOL_VERSION_MIN) {
        true => Ok(()),
        false => {
            let found = format!("{} {}", tool.name, tool.version).escape_default().take(100).collect();
            Err(Refusal::CertificateTool { found, expected: "orch-certify 0.1.0" })
        }
    }
}

fn check_results(certificate: &Certificate, roles: &[Role]) -> Result<(), Refusal> {
    let checks = &certificate.checks;
    if let Some(twice) = checks
        .iter()
        .enumerate()
        .find(|(place, check)| checks.iter().take(*place).any(|before| before.id == check.id))
    {
        return Err(Refusal::CheckTwice { check: twice.1.id.clone() });
    }
    // A check beyond our list may be skipped; one that failed or broke off refuses, whoever asked for it.
    let bad = |check: &&CheckResult| matches!(check.status, CheckStatus::Fail | CheckStatus::Error);
    if let Some(check) = checks.iter().find(bad) {
        let status = check.status.as_str().to_owned();
        return Err(Refusal::CheckNotPassed { check: check.id.escape_default().take(100).collect(), status });
    }
    for required in required_checks(certificate.level, roles) {
        let Some(check) = checks.iter().find(|check| check.id == required.id) else {
            return Err(Refusal::CheckMissing { check: required.id });
        };
        let shortfall = match required.accept(check) {
            Ok(()) => continue,
            Err(shortfall) => shortfall,
        };
        let (check, status) = (required.id.clone(), check);
        return Err(match shortfall {
            Shortfall::Version => {
                Refusal::CheckVersion { check, found: status.version, minimum: required.version_min }
            }
            Shortfall::Status => Refusal::CheckNotPassed { check, status: status.status.as_str().to_owned() },
            Shortfall::Empty => Refusal::CheckEmpty { check },
            Shortfall::Warnings => Refusal::CheckWarnings {
                check,
                found: status.findings.len() as u64,
                limit: required.warnings_max,
            },
        });
    }
    Ok(())
}
