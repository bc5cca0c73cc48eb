//! Check `complexity`: no part is of a size that no plugin needs and that makes every host pay.
//!
//! In -> out: component -> result. Looks at every module, component and function body.
//! Limits: [`PART`] for one module or component, [`FUNCTION`] for one function, the constants for the whole. Modules of a
//! known engine are what they are, and its snapshot has limits of its own (`orch-trust`'s `engines.rs`).
//! Invariant: what is counted is in the bytes, so every certifier counts the same.
//! Not here: how long it compiles (the child's limits, `confine.rs`), what the engine's validator bounds by itself.

use orch_trust::certificate::CheckResult;
use orch_trust::engines::{SNAPSHOT_EXPORTS_MAX, SNAPSHOT_SEGMENTS_MAX, Standing};
use orch_trust::refusal::Refusal;
use wasmparser::{BinaryReaderError, FunctionBody, Operator};

use super::parts::{Part, parts};
use super::{Subject, failed, finding, judged, memory, skipped};

const ID: &str = "complexity";
const COMPONENT_BYTES_MAX: u64 = 32 << 20;
const FUNCTIONS_MAX: u64 = 100_000;
const DEFINITIONS_MAX: u64 = 20_000;

/// Ceilings for one module or component.
struct PartBudget {
    types: u64,
    imports: u64,
    exports: u64,
    globals: u64,
    elements: u64,
    segments: u64,
}

const PART: PartBudget = PartBudget {
    types: 10_000,
    imports: 1_000,
    exports: 1_000,
    globals: 4_000,
    elements: 4_000,
    segments: 4_000,
};

const SNAPSHOT: PartBudget =
    PartBudget { exports: SNAPSHOT_EXPORTS_MAX, segments: SNAPSHOT_SEGMENTS_MAX, ..PART };

/// What one function is made of; the ceilings of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Function {
    bytes: u64,
    /// Declared beside the parameters.
    locals: u64,
    /// Blocks open at once.
    nesting: u64,
    /// Targets of its jump tables, all together.
    targets: u64,
    /// Locals times branches: what a compiler must remember at most, and what makes it slow.
    weight: u64,
}

/// Far above what compilers make of a person's code, and so that one function compiles within the child's memory: its
/// weight costs the engine about 250 bytes each.
const FUNCTION: Function =
    Function { bytes: 256 << 10, locals: 4_000, nesting: 1_000, targets: 4_000, weight: 2_000_000 };

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    match &subject.facts {
        Err(refusal @ Refusal::StructureTooLarge { .. }) if !memory::is_about(refusal) => {
            return failed(ID, 1, vec![finding(refusal)]);
        }
        Err(refusal) => return skipped(ID, &format!("no facts: {}", refusal.code())),
        Ok(_) => {}
    }
    let bytes = subject.package.component();
    let parts = parts(&bytes);
    let functions = parts.iter().map(|part| part.bodies.len() as u64).sum::<u64>();
    let definitions = parts.iter().map(|part| part.counts.definitions).sum::<u64>();
    let mut findings = Vec::new();
    over("the component", "bytes", bytes.len() as u64, COMPONENT_BYTES_MAX, &mut findings);
    over("the component", "functions", functions, FUNCTIONS_MAX, &mut findings);
    over("the component", "definitions", definitions, DEFINITIONS_MAX, &mut findings);
    for part in parts.iter().filter(|part| part.standing != Some(Standing::Listed)) {
        let budget = if part.standing == Some(Standing::Snapshot) { SNAPSHOT } else { PART };
        let (counts, segments) = (part.counts, part.data.len() as u64);
        over(&part.name, "types", counts.types, budget.types, &mut findings);
        over(&part.name, "imports", counts.imports, budget.imports, &mut findings);
        over(&part.name, "exports", counts.exports, budget.exports, &mut findings);
        over(&part.name, "globals", counts.globals, budget.globals, &mut findings);
        over(&part.name, "element segments", counts.elements, budget.elements, &mut findings);
        over(&part.name, "data segments", segments, budget.segments, &mut findings);
        functions_of(part, &mut findings);
    }
    judged(ID, parts.len() as u64 + functions, findings)
}

/// The largest of everything in any function of this part.
fn functions_of(part: &Part<'_>, findings: &mut Vec<String>) {
    let mut most = Function::default();
    for body in &part.bodies {
        match measure(body) {
            Ok(found) => {
                most = Function {
                    bytes: most.bytes.max(found.bytes),
                    locals: most.locals.max(found.locals),
                    nesting: most.nesting.max(found.nesting),
                    targets: most.targets.max(found.targets),
                    weight: most.weight.max(found.weight),
                }
            }
            Err(error) => {
                findings.push(format!("function-unreadable: in {}: {}", part.name, error.message()))
            }
        }
    }
    let place = format!("a function of {}", part.name);
    over(&place, "bytes", most.bytes, FUNCTION.bytes, findings);
    over(&place, "locals", most.locals, FUNCTION.locals, findings);
    over(&place, "levels of nesting", most.nesting, FUNCTION.nesting, findings);
    over(&place, "targets of jump tables", most.targets, FUNCTION.targets, findings);
    over(&place, "locals times branches", most.weight, FUNCTION.weight, findings);
}

fn measure(body: &FunctionBody<'_>) -> Result<Function, BinaryReaderError> {
    let mut found = Function { bytes: body.as_bytes().len() as u64, ..Function::default() };
    // A body over its limit is refused by its size; nobody needs to read on.
    if found.bytes > FUNCTION.bytes {
        return Ok(found);
    }
    for local in body.get_locals_reader()? {
        found.locals = found.locals.saturating_add(u64::from(local?.0));
    }
    let (mut open, mut branches) = (0u64, 0u64);
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                open += 1;
                branches += 1;
                found.nesting = found.nesting.max(open);
            }
            Operator::End => open = open.saturating_sub(1),
            Operator::Br { .. } | Operator::BrIf { .. } => branches += 1,
            Operator::BrTable { targets } => found.targets += u64::from(targets.len()),
            _ => {}
        }
    }
    found.weight = found.locals.saturating_mul(branches + found.targets);
    Ok(found)
}

fn over(place: &str, what: &str, found: u64, limit: u64, findings: &mut Vec<String>) {
    if found > limit {
        findings.push(format!("complexity-over: {place} has {found} {what}, limit is {limit}"));
    }
}
