//! Check `memory`: it starts within its own limit and has only plain memories.
//!
//! In -> out: manifest and facts -> result. Looks at memories and at the sum of what they start with.
//! Off-spec: a missing maximum passes and is recorded as null in the facts; Rust's linker sets none, and the host
//! enforces the manifest's limit anyway.
//! Not here: tables and counts, which the facts bound.

use orch_trust::certificate::CheckResult;
use orch_trust::refusal::Refusal;

use super::{Subject, failed, finding, passed};

const ID: &str = "memory";

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    if let Err(refusal @ Refusal::MemoryKind { .. }) = &subject.facts {
        return failed(ID, 1, vec![finding(refusal)]);
    }
    let (manifest, facts) = match subject.both(ID) {
        Ok(both) => both,
        Err(skipped) => return *skipped,
    };
    let looked_at = facts.memories.len() as u64 + 1;
    match facts.check_memory(manifest) {
        Ok(()) => passed(ID, looked_at, Vec::new()),
        Err(refusal) => failed(ID, looked_at, vec![finding(&refusal)]),
    }
}
