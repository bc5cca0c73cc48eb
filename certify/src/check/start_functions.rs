//! Check `start-functions`: nothing of the plugin runs before it is called, or it is known that it does.
//!
//! In -> out: component -> result. Looks at every module and component.
//! Invariant: a component's own start is refused. A module's is a warning: it runs while the store is made, within the
//! limits of the call, before any answer of the plugin; how many of those still count is the required list's business.
//! Not here: the limits that hold while it runs (`orch-host`'s `engine/limits.rs`).

use orch_trust::certificate::CheckResult;

use super::parts::parts;
use super::{Subject, failed, skipped, warned_if};

const ID: &str = "start-functions";

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    if let Err(refusal) = &subject.facts {
        return skipped(ID, &format!("no facts: {}", refusal.code()));
    }
    let bytes = subject.package.component();
    let parts = parts(&bytes);
    let starting =
        |is_module: bool| parts.iter().filter(move |part| part.has_start && part.is_module == is_module);
    let looked_at = parts.len() as u64;
    let refused: Vec<String> =
        starting(false).map(|part| format!("start-of-component: {} has a start", part.name)).collect();
    if !refused.is_empty() {
        return failed(ID, looked_at, refused);
    }
    let said = starting(true).map(|part| format!("start-function: {} runs code before any call", part.name));
    warned_if(ID, looked_at, said.collect())
}
