//! Statements: what a job without a key found, for one with a key to sign.
//!
//! In -> out: [`Certificate`] -> statement file; statement file, package and time -> a certificate signed at that time.
//! Limits: 1 MiB; 24 hours.
//! Invariant: facts are derived again, every required check applies again, the tool is this one. What the checks said
//! is believed: the signer trusts the job that ran them.
//! Not here: running checks (`examine.rs`).

use std::path::Path;

use orch_host::regular_file::{self, Links, ReadError};
use orch_trust::certificate::{Certificate, SelfCheck, life_seconds, required_checks};
use orch_trust::dsse::{Predicate, Statement};
use orch_trust::facts::Facts;
use orch_trust::package::PackageBytes;
use orch_trust::strict_json;
use orch_trust::time::UnixSeconds;

use crate::check::tool;
use crate::error::CertifyError;
use crate::examine::{Unmet, unmet};
use crate::issue::WASMTIME;

const STATEMENT_BYTES_MAX: u64 = 1 << 20;
const AGE_SECONDS_MAX: i64 = UnixSeconds::DAY;
const CLOCK_SKEW_SECONDS: i64 = 300;

/// The bytes of a statement file.
pub fn render(package: &PackageBytes, certificate: Certificate) -> Vec<u8> {
    let statement = Statement::new(package.subjects(), certificate);
    let mut bytes = serde_json::to_vec_pretty(&statement).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The statement of a file.
///
/// # Errors
/// `StatementIo`, `StatementMalformed`.
pub fn read(path: &Path) -> Result<Statement<Certificate>, CertifyError> {
    let io = |source| CertifyError::StatementIo { path: path.to_owned(), source };
    let malformed = |message| CertifyError::StatementMalformed { path: path.to_owned(), message };
    let (bytes, _) =
        regular_file::read(path, Links::Followed, STATEMENT_BYTES_MAX).map_err(|error| match error {
            ReadError::TooLarge { .. } => malformed(format!("it is over {STATEMENT_BYTES_MAX} bytes")),
            error => io(error.into()),
        })?;
    let statement: Statement<Certificate> =
        strict_json::parse(&bytes).map_err(|error| malformed(error.to_string()))?;
    let plain = Statement::new(Vec::new(), statement.predicate.clone());
    match statement.kind == plain.kind && statement.predicate_type == Certificate::TYPE {
        true => Ok(statement),
        false => Err(malformed("its type is not that of a certification".to_owned())),
    }
}

/// The statement's certificate, if it may be signed for this package now; it says that it was signed now.
///
/// # Errors
/// `StatementOther…`, `StatementOld`, `StatementNotYet`, `StatementTooLong`, `StatementFacts`, `StatementDigest`,
/// `StatementCheck`, `Refused`.
pub fn check(
    statement: Statement<Certificate>,
    package: &PackageBytes,
    now: UnixSeconds,
) -> Result<Certificate, CertifyError> {
    let Statement { subject, predicate: mut certificate, .. } = statement;
    // 1. Of exactly these files, for this plugin.
    package.check_subjects(&subject).map_err(|file| CertifyError::StatementOtherSubject { file })?;
    let manifest = package.parse_manifest().map_err(CertifyError::Refused)?;
    package.check_integrity(manifest).map_err(CertifyError::Refused)?;
    if certificate.id != manifest.id || certificate.version != manifest.version {
        return Err(CertifyError::StatementOtherPlugin {
            stated: format!("{} {}", certificate.id, certificate.version),
            found: format!("{} {}", manifest.id, manifest.version),
        });
    }
    // 2. By this tool, lately.
    check_tool(&certificate)?;
    check_time(&certificate, now)?;
    // 3. The facts, derived again, and what they must fit.
    let facts = Facts::derive(&package.component()).map_err(CertifyError::Refused)?;
    if let Some(fact) = facts.difference(&certificate.facts) {
        return Err(CertifyError::StatementFacts { fact });
    }
    let fits = facts
        .check_imports(manifest)
        .and_then(|()| facts.check_exports(&manifest.roles))
        .and_then(|()| facts.check_memory(manifest));
    fits.map_err(CertifyError::Refused)?;
    // 4. Every check of the level, once, passed.
    if let Some(Unmet { check, found }) =
        unmet(&required_checks(certificate.level, &manifest.roles), &certificate.checks).into_iter().next()
    {
        return Err(CertifyError::StatementCheck { check, found });
    }
    if !certificate.self_check.is_complete() {
        let SelfCheck { rejected, of, .. } = certificate.self_check;
        let (check, found) = ("self-check".to_owned(), format!("{rejected} of {of}"));
        return Err(CertifyError::StatementCheck { check, found });
    }
    certificate.check_inputs().map_err(CertifyError::Refused)?;
    if certificate.results() != certificate.result_digest {
        return Err(CertifyError::StatementDigest);
    }
    // The clock of the job that ran the checks may be a little ahead.
    certificate.signed_at = now.max(certificate.finished_at);
    Ok(certificate)
}

fn check_tool(certificate: &Certificate) -> Result<(), CertifyError> {
    let own = tool();
    let mut tools = certificate.checks.iter().map(|check| &check.tool).chain([&certificate.certifier]);
    if let Some(other) = tools.find(|stated| **stated != own) {
        return Err(CertifyError::StatementOtherTool {
            stated: format!("{} {}", other.name, other.version),
            found: format!("{} {}", own.name, own.version),
        });
    }
    let stated = &certificate.environment.wasmtime;
    match stated == WASMTIME {
        true => Ok(()),
        false => Err(CertifyError::StatementOtherTool {
            stated: format!("wasmtime {stated}"),
            found: format!("wasmtime {WASMTIME}"),
        }),
    }
}

fn check_time(certificate: &Certificate, now: UnixSeconds) -> Result<(), CertifyError> {
    let finished_at = certificate.finished_at;
    if now > finished_at.plus(AGE_SECONDS_MAX) {
        return Err(CertifyError::StatementOld { finished_at });
    }
    if finished_at > now.plus(CLOCK_SKEW_SECONDS) {
        return Err(CertifyError::StatementNotYet { finished_at });
    }
    let (valid_until, latest) = (certificate.valid_until, finished_at.plus(life_seconds(certificate.level)));
    match valid_until > latest {
        true => Err(CertifyError::StatementTooLong { valid_until, latest }),
        false => Ok(()),
    }
}
