//! Certificates: made from an examination, signed, put into the package, and used again while they hold.
//!
//! In -> out: [`Examination`] -> [`Certificate`] -> `certificates/<keyid>.dsse.json`.
//! Invariant: no certificate without a good verdict; the file appears whole or not at all.
//! Not here: what makes a verdict (`examine.rs`), statements of other jobs (`statement.rs`).

use std::path::{Path, PathBuf};

use orch_trust::authority::{Certifier, Level};
use orch_trust::certificate::{self, Certificate, Environment, SelfCheck, life_seconds};
use orch_trust::digest::Sha256Digest;
use orch_trust::facts::Facts;
use orch_trust::inputs::{AdvisoryDb, Inputs};
use orch_trust::key::Signer;
use orch_trust::package::PackageBytes;
use orch_trust::time::UnixSeconds;

use crate::check::tool;
use crate::error::CertifyError;
use crate::examine::{Examination, Unmet};

/// The engine that conformance ran in.
pub const WASMTIME: &str = orch_host::engine::version::WASMTIME_VERSION;

/// The certificate that a good examination earns.
///
/// # Errors
/// `Refused`: manifest or component do not hold, or what was looked at is not known. `StatementCheck`: a required check is not a pass.
pub fn assemble(
    package: &PackageBytes,
    examination: Examination,
    started_at: UnixSeconds,
    finished_at: UnixSeconds,
) -> Result<Certificate, CertifyError> {
    if let Some(Unmet { check, found }) = examination.unmet.into_iter().next() {
        return Err(CertifyError::StatementCheck { check, found });
    }
    let complete = examination.self_check.filter(SelfCheck::is_complete);
    let none = SelfCheck { corpus_sha256: Sha256Digest::of(&[]), rejected: 0, of: 0 };
    let self_check = match complete {
        Some(found) => found,
        // Its checks are too few for the known-bad packages to say anything, and its word counts for their author alone.
        None if examination.level == Level::Development => none,
        None => {
            let (check, found) = ("self-check".to_owned(), "without its count".to_owned());
            return Err(CertifyError::StatementCheck { check, found });
        }
    };
    let manifest = package.parse_manifest().map_err(CertifyError::Refused)?;
    let facts = Facts::derive(&package.component()).map_err(CertifyError::Refused)?;
    let mut certificate = Certificate {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        level: examination.level,
        certifier: tool(),
        environment: Environment {
            wasmtime: WASMTIME.to_owned(),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        },
        inputs: Some(examination.inputs).filter(|inputs| *inputs != Inputs::default()),
        facts,
        checks: examination.results,
        measured: examination.measured,
        self_check,
        result_digest: Sha256Digest::of(&[]),
        started_at,
        finished_at,
        signed_at: finished_at,
        valid_until: finished_at.plus(life_seconds(examination.level)),
    };
    certificate.result_digest = certificate.results();
    certificate.check_inputs().map_err(CertifyError::Refused)?;
    Ok(certificate)
}

/// Signs the certificate and puts it into the package's folder; gives its path.
///
/// # Errors
/// `Sign`, `Write`.
pub fn sign_into(
    folder: &Path,
    package: &PackageBytes,
    certificate: Certificate,
    signer: &dyn Signer,
) -> Result<PathBuf, CertifyError> {
    let (name, bytes) = certificate::sign(package, certificate, signer)?;
    orch_host::package::put(folder, &name, &bytes)
        .map_err(|source| CertifyError::Write { path: folder.join(&name), source })
}

/// This key's certificate, if it still says what a new one would and has more than half its life left. With another
/// database of advisories than the given one it says something else.
pub fn still_valid(
    package: &PackageBytes,
    level: Level,
    signer: &dyn Signer,
    database: Option<&AdvisoryDb>,
    now: UnixSeconds,
) -> Option<Certificate> {
    let manifest = package.parse_manifest().ok()?;
    let own = Certifier::new(signer.public(), String::new(), level);
    let sound = certificate::verify(package, manifest, &[own], now).ok()?;
    let found = sound.into_iter().next()?.certificate;
    let same = found.level == level
        && found.certifier == tool()
        && found.environment.wasmtime == WASMTIME
        && found.checks.iter().all(|check| check.tool == tool());
    let looked_at = found.inputs.as_ref().and_then(|inputs| inputs.advisory_db.as_ref());
    let same = same
        && database.is_none_or(|given| looked_at.is_some_and(|looked_at| looked_at.sha256 == given.sha256));
    let left = found.valid_until.0.saturating_sub(now.0);
    (same && left > life_seconds(level) / 2).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_name_the_engine_that_is_linked() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"\n")));
    }
}
