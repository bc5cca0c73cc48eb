//! Check `file-set`: the files are those that the manifest names, byte for byte, and no others.
//!
//! In -> out: the package -> result. Looks at every file but the envelopes.
//! Not here: links and special files, which `orch-host`'s `package.rs` does not read at all.

use orch_trust::certificate::CheckResult;

use super::{Subject, failed, finding, passed, skipped};

const ID: &str = "file-set";

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    let manifest = match &subject.manifest {
        Ok(manifest) => manifest,
        Err(refusal) => return skipped(ID, &format!("no manifest: {}", refusal.code())),
    };
    let files = subject.package.subjects().len() as u64;
    match subject.package.check_integrity(manifest) {
        Ok(()) => passed(ID, files, Vec::new()),
        Err(refusal) => failed(ID, files, vec![finding(&refusal)]),
    }
}
