//! Check `component`: one valid binary component, and nothing after its end.
//!
//! In -> out: `component.wasm` -> result. Looks at every module and component in it, function bodies included.
//! Invariant: validated with the features of the engine that will run it, no more.
//! Not here: what it imports and exports.

use orch_trust::certificate::CheckResult;
use orch_trust::refusal::Refusal;
use wasmparser::{Parser, Payload};

use super::{Subject, failed, finding, memory, passed};

const ID: &str = "component";

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    // Sections, memories and sizes are other checks' business; the rest of what stops the facts is this one's.
    if let Err(refusal) = &subject.facts
        && !matches!(refusal, Refusal::CustomSection { .. } | Refusal::StructureTooLarge { .. })
        && !memory::is_about(refusal)
    {
        return failed(ID, 1, vec![finding(refusal)]);
    }
    match subject.validity() {
        Ok(()) => passed(ID, parts(&subject.package.component()), Vec::new()),
        Err(message) => failed(ID, 1, vec![format!("component-invalid: {message}")]),
    }
}

/// Modules and components of a valid binary, itself included.
fn parts(bytes: &[u8]) -> u64 {
    let parts = Parser::new(0).parse_all(bytes);
    parts.filter(|payload| matches!(payload, Ok(Payload::Version { .. }))).count() as u64
}
