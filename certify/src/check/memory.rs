//! Check `memory`: it starts within its own limit, and has only plain memories and tables, one memory a module.
//!
//! In -> out: manifest and facts -> result. Looks at memories, tables, and at the sum of what they start with.
//! Limits: those of the facts, which bound memories, tables and elements of the whole component.
//! Off-spec: a missing maximum passes and is recorded as null in the facts; Rust's linker sets none, and the host
//! enforces the manifest's limit anyway.
//! Not here: globals and other counts (`complexity.rs`).

use orch_trust::certificate::CheckResult;
use orch_trust::refusal::Refusal;

use super::parts::parts;
use super::{Subject, failed, finding, judged};

const ID: &str = "memory";

/// True for what the facts refuse and this check is there for.
pub(super) fn is_about(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::MemoryKind { .. } | Refusal::TableKind { .. } => true,
        Refusal::StructureTooLarge { what, .. } => ["memories", "tables", "table elements"].contains(what),
        _ => false,
    }
}

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    if let Err(refusal) = &subject.facts
        && is_about(refusal)
    {
        return failed(ID, 1, vec![finding(refusal)]);
    }
    let (manifest, facts) = match subject.both(ID) {
        Ok(both) => both,
        Err(skipped) => return *skipped,
    };
    let bytes = subject.package.component();
    let several = parts(&bytes).into_iter().filter(|part| part.is_module && part.counts.memories > 1);
    let mut findings: Vec<String> =
        several.map(|part| format!("memory-several: {} has more than one memory", part.name)).collect();
    if let Err(refusal) = facts.check_memory(manifest) {
        findings.push(finding(&refusal));
    }
    judged(ID, facts.memories.len() as u64 + facts.tables + 1, findings)
}
