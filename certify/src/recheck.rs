//! Recheck: what a certificate would say differently if it were made today.
//!
//! In -> out: package, certifiers, how a group of checks is run -> [`Difference`]s.
//! Invariant: only certificates whose signature, files and plugin hold are compared; what only an engine or a
//! database can say is not run again, its age and tools are compared.
//! Not here: whether a host admits it (`orch-trust`'s `admission.rs`), calls of the plugin (`conformance.rs`).

use orch_trust::admission::Rules;
use orch_trust::authority::Certifier;
use orch_trust::certificate::{Certificate, CheckResult, CheckStatus, RequiredCheck, required_checks};
use orch_trust::delegation;
use orch_trust::dsse::{self, Statement};
use orch_trust::facts::Facts;
use orch_trust::key::KeyId;
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use orch_trust::time::UnixSeconds;

use crate::check::{Group, tool};
use crate::examine::{Unmet, unmet};
use crate::issue::WASMTIME;

/// One thing that would be different today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Stable name.
    pub code: &'static str,
    pub what: String,
    /// A package that is made of these bytes would not be certified today.
    pub refuses: bool,
}

/// What was compared.
#[derive(Clone, Debug)]
pub struct Recheck {
    /// The certificate's file in the package.
    pub file: String,
    pub certifier: KeyId,
    pub certificate: Certificate,
    pub differences: Vec<Difference>,
}

/// Who may have certified the package: whom the rules name, and under a trust root the jobs that its certifiers' word was
/// lent to.
///
/// # Errors
/// Those of the manifest and of [`delegation::verify`].
pub fn certifiers(
    package: &PackageBytes,
    rules: &Rules,
    now: UnixSeconds,
) -> Result<Vec<Certifier>, Refusal> {
    let mut certifiers = rules.certifiers().to_vec();
    if let Some(anchor) = &rules.anchor {
        let manifest = package.parse_manifest()?;
        certifiers.extend(delegation::verify(package, manifest, Some(anchor.root()), now)?.certifiers);
    }
    Ok(certifiers)
}

/// Compares each certificate of the package with today. `run_static`: the results of a group of static checks.
///
/// # Errors
/// The first certificate that does not hold for these files, by whom, for this plugin; `CertificateMissing`.
pub fn recheck(
    package: &PackageBytes,
    certifiers: &[Certifier],
    now: UnixSeconds,
    run_static: &dyn Fn(Group) -> Vec<CheckResult>,
) -> Result<Vec<Recheck>, Refusal> {
    let manifest = package.parse_manifest()?;
    package.check_integrity(manifest)?;
    let facts = Facts::derive(&package.component())?;
    let today: Vec<CheckResult> = STATIC.into_iter().flat_map(run_static).collect();
    let mut found = Vec::new();
    for (file, bytes) in package.certificates() {
        let (certifier, certificate) = read(package, manifest, certifiers, file, bytes)?;
        let mut differences = Vec::new();
        of_tools(&certificate, &mut differences);
        of_time(&certificate, certifiers, certifier, now, &mut differences);
        of_database(&certificate, now, &mut differences);
        if let Some(fact) = facts.difference(&certificate.facts) {
            differences.push(differs("facts-differ", format!("`{fact}` is derived otherwise today"), true));
        }
        of_checks(&certificate, manifest, &today, &mut differences);
        found.push(Recheck { file: file.to_owned(), certifier, certificate, differences });
    }
    match found.is_empty() {
        true => Err(Refusal::CertificateMissing { level: "local" }),
        false => Ok(found),
    }
}

/// Code of a check that did not come to an end today: nothing can be said.
pub const BROKEN: &str = "check-broken";

/// Groups that need nothing but the package.
const STATIC: [Group; 3] = [Group::Package, Group::Component, Group::Contents];

fn differs(code: &'static str, what: String, refuses: bool) -> Difference {
    Difference { code, what, refuses }
}

fn read(
    package: &PackageBytes,
    manifest: &Manifest,
    certifiers: &[Certifier],
    file: &str,
    bytes: &[u8],
) -> Result<(KeyId, Certificate), Refusal> {
    let key = |id| certifiers.iter().find(|certifier| certifier.id() == id).map(|certifier| certifier.key);
    let unknown = |key| Refusal::CertificateUnknownKey { file: file.to_owned(), key };
    let verified = dsse::verify::<Statement<Certificate>>(file, bytes, key, unknown)?;
    let [signer] = verified.signers() else {
        let (file, found) = (file.to_owned(), verified.signers().len());
        return Err(Refusal::EnvelopeSignatures { file, found, expected: "1".to_owned() });
    };
    let certifier = signer.id();
    let Statement { subject, predicate: certificate, .. } = verified.into_payload();
    package.check_subjects(&subject).map_err(|file| Refusal::CertificateOtherSubject { file })?;
    if certificate.id != manifest.id || certificate.version != manifest.version {
        return Err(Refusal::CertificateOtherPlugin {
            certified: format!("{} {}", certificate.id, certificate.version),
            found: format!("{} {}", manifest.id, manifest.version),
        });
    }
    Ok((certifier, certificate))
}

fn of_tools(certificate: &Certificate, differences: &mut Vec<Difference>) {
    let (then, today) = (&certificate.certifier, tool());
    if *then != today {
        let what =
            format!("made by {} {}, this is {} {}", then.name, then.version, today.name, today.version);
        differences.push(differs("tool-differs", what, false));
    }
    let then = &certificate.environment.wasmtime;
    if then != WASMTIME {
        let what = format!("run in wasmtime {then}, today it is {WASMTIME}");
        differences.push(differs("engine-differs", what, false));
    }
}

fn of_time(
    certificate: &Certificate,
    certifiers: &[Certifier],
    certifier: KeyId,
    now: UnixSeconds,
    differences: &mut Vec<Difference>,
) {
    if now > certificate.valid_until {
        let what = format!("ended at {}", certificate.valid_until);
        differences.push(differs("certificate-expired", what, true));
    }
    let key = certifiers.iter().find(|known| known.id() == certifier);
    if let Some(end) = key.and_then(|known| known.not_after).filter(|end| now > *end) {
        differences.push(differs("certificate-key-expired", format!("its key ended at {end}"), true));
    }
}

/// The package may be as good as it was: nobody knows before its packages are held against a newer database.
fn of_database(certificate: &Certificate, now: UnixSeconds, differences: &mut Vec<Difference>) {
    let database = certificate.inputs.as_ref().and_then(|inputs| inputs.advisory_db.as_ref());
    if let Some((database, refusal)) = database.and_then(|used| Some((used, used.check_age(now).err()?))) {
        let days = database.age_days(now);
        let what = format!("{refusal}; its newest advisory is {days} days old");
        differences.push(differs(refusal.code(), what, false));
    }
}

fn of_checks(
    certificate: &Certificate,
    manifest: &Manifest,
    today: &[CheckResult],
    differences: &mut Vec<Difference>,
) {
    let required = required_checks(certificate.level, &manifest.roles);
    for Unmet { check, found } in unmet(&required, &certificate.checks) {
        let what = format!("`{check}` is required today, in the certificate it is {found}");
        differences.push(differs("required-grown", what, true));
    }
    for result in today {
        let refuses = |wanted: &&RequiredCheck| wanted.id == result.id && wanted.accept(result).is_err();
        let refused = required.iter().any(|wanted| refuses(&wanted));
        let Some(then) = certificate.checks.iter().find(|then| then.id == result.id) else {
            if refused {
                let what = format!("`{}` is `{}` today", result.id, result.status.as_str());
                differences.push(differs("check-not-passed", what, true));
            }
            continue;
        };
        if result.status == CheckStatus::Error {
            let why = result.findings.first().map_or("", String::as_str);
            differences.push(differs(
                BROKEN,
                format!("`{}` did not come to an end: {why}", result.id),
                false,
            ));
            continue;
        }
        let words = |result: &CheckResult| {
            format!("`{}` version {}, looked at {}", result.status.as_str(), result.version, result.looked_at)
        };
        let same = then.status == result.status
            && then.version == result.version
            && then.looked_at == result.looked_at
            && then.findings == result.findings;
        if !same {
            let mut what = format!("`{}` was {}, today {}", result.id, words(then), words(result));
            if let Some(finding) = result.findings.iter().find(|finding| !then.findings.contains(finding)) {
                what.push_str(&format!(": {finding}"));
            }
            differences.push(differs("check-differs", what, refused));
        }
    }
}
