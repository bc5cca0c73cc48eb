//! Check `manifest`: strict JSON of the schema, every rule of the format kept.
//!
//! In -> out: bytes of `manifest.json` -> result. Looks at the top-level fields.
//! Not here: the format (`orch-trust`'s `manifest.rs`).

use orch_trust::certificate::CheckResult;

use super::{Subject, failed, finding, passed};

const ID: &str = "manifest";

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    let fields = || {
        let value: Option<serde_json::Value> = serde_json::from_slice(subject.package.manifest()).ok();
        value.and_then(|value| value.as_object().map(|object| object.len() as u64)).unwrap_or(0)
    };
    match &subject.manifest {
        Ok(_) => passed(ID, fields(), Vec::new()),
        Err(refusal) => failed(ID, fields(), vec![finding(refusal)]),
    }
}
