//! The known-bad packages, one for each check that can refuse.
//!
//! Invariant: every check of the required lists has one here or in `parts.rs`, or a reason in [`WITHOUT`]; each has one
//! defect.
//! Not here: how they are judged (`self_check.rs`).

use orch_trust::manifest::Role;
use serde_json::json;

use super::error::RecipeError;
use super::guest::{OPEN, SESSION, guest, length, listed};
use super::recipe::{Recipe, nothing};
use super::sample::{Sample, write};
use crate::check::Beside;

/// Required checks that no package can fail, and why.
#[cfg(test)]
pub(super) const WITHOUT: [(&str, &str); 3] = [
    ("self-check", "it looks at this tool, not at the package; its own test breaks a check instead"),
    (
        "determinism",
        "a guest sees no clock, chance or address that is not fixed, so that only a host that is not sound can make a \
         difference; its own test compares rounds that differ",
    ),
    ("isolation", "only a host can fail it; it fills and looks at a pool of its own each time"),
];

/// `err` without a word, for results that are a list or a text in `ok`.
const WORDLESS: &str = "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.const 4096)";
/// A list of one entry that is all zeros.
const ONE_OF_ZEROS: &str = "(i32.store (i32.const 4100) (i32.const 1024))
    (i32.store (i32.const 4104) (i32.const 1)) (i32.const 4096)";

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        check: "manifest",
        code: "manifest-schema",
        beside: nothing,
        make: |samples| samples.executor()?.with("/limits", json!({ "memoryMiB": "much" }))?.seal(),
    },
    Recipe {
        check: "names",
        code: "name-confusable",
        beside: nothing,
        make: |samples| samples.executor()?.with("/id", json!("0rch/known"))?.seal(),
    },
    Recipe {
        check: "file-set",
        code: "digest-mismatch",
        beside: nothing,
        make: |samples| samples.executor()?.seal_then("sbom.cdx.json", b"{ }"),
    },
    Recipe {
        check: "component",
        code: "component-invalid",
        beside: nothing,
        make: |samples| {
            // A function that promises a number and leaves nothing: structure holds, validation does not.
            let module = b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
            let mut component = samples.executor()?.component;
            component.push(1);
            component.push(module.len() as u8);
            component.extend_from_slice(module);
            samples.executor().map(|sample| sample.of(component))?.seal()
        },
    },
    Recipe {
        check: "imports",
        code: "import-undeclared",
        beside: nothing,
        make: |samples| {
            let import = r#"(import "orch:settings/settings@0.1.0" "read" (func (param i32)))"#;
            samples.executor()?.of(listed(Role::Executor, import, &[])?).seal()
        },
    },
    Recipe {
        check: "exports",
        code: "export-missing",
        beside: nothing,
        make: |samples| {
            samples.executor()?.with("/roles", json!(["planner"]))?.with("/kinds", json!([]))?.seal()
        },
    },
    Recipe {
        check: "memory",
        code: "memory-minimum",
        beside: nothing,
        make: |samples| {
            let component = listed(Role::Executor, "(memory $more 300)", &[])?;
            samples.executor()?.of(component).seal()
        },
    },
    Recipe {
        check: "start-functions",
        code: "start-function",
        beside: nothing,
        // One is a warning; this is more of them than may be.
        make: |samples| {
            let mut sample = samples.executor()?;
            for _ in 0..4 {
                sample.component = with_module(sample.component, "(func $s) (start $s)")?;
            }
            sample.seal()
        },
    },
    Recipe {
        check: "complexity",
        code: "complexity-over",
        beside: nothing,
        make: |samples| {
            let mut sample = samples.executor()?;
            let locals = " i32".repeat(5_000);
            sample.component = with_module(sample.component, &format!("(func (local{locals}))"))?;
            sample.seal()
        },
    },
    Recipe {
        check: "custom-sections",
        code: "section-twice",
        beside: nothing,
        make: |samples| {
            let mut sample = samples.executor()?;
            let section = b"\0\x0d\x0bdescription1";
            sample.component.extend_from_slice(section);
            sample.component.extend_from_slice(section);
            sample.seal()
        },
    },
    Recipe {
        check: "dependency-list",
        code: "list-missing",
        beside: nothing,
        make: |samples| samples.executor()?.of(guest(Role::Executor, "", &[])?).seal(),
    },
    Recipe {
        check: "sbom",
        code: "sbom-subject",
        beside: nothing,
        // Of another component.
        make: |samples| {
            let sample = samples.executor()?;
            let other = listed(Role::Executor, "(memory $more 1)", &[])?;
            let sbom = sample.sbom.clone();
            Sample { sbom, ..sample.of(other) }.seal()
        },
    },
    Recipe {
        check: "secrets",
        code: "secret-found",
        beside: nothing,
        make: |samples| {
            let data = r#"(data (i32.const 600) "{\22kind\22:\22orch-secret-key\22}")"#;
            samples.executor()?.of(listed(Role::Executor, data, &[])?).seal()
        },
    },
    Recipe {
        check: "dangerous-content",
        code: "embedded-file",
        beside: nothing,
        make: |samples| {
            let data = r#"(data (i32.const 600) "\7fELF\02\01\01\00\00\00\00\00\00\00\00\00\02\00\3e\00\01\00\00\00")"#;
            samples.executor()?.of(listed(Role::Executor, data, &[])?).seal()
        },
    },
    Recipe {
        check: "api-compatibility",
        code: "api-kind-lost",
        // The release before executed one kind more.
        beside: |samples, folder| {
            let before = samples.executor()?.with("/version", json!("1.0.0"))?;
            let before = before.with("/kinds", json!(["note", "gone"]))?.seal()?;
            let previous = write(&before, folder)?;
            Ok(Beside { previous: Some(previous), ..Beside::default() })
        },
        make: |samples| samples.executor()?.with("/version", json!("1.0.1"))?.seal(),
    },
    Recipe {
        check: "conformance/planner",
        code: "conformance-answer",
        beside: nothing,
        // The zeros of every answer: start an empty list, for ever.
        make: |_| Sample::new(Role::Planner, listed(Role::Planner, SESSION, &[OPEN])?).seal(),
    },
    Recipe {
        check: "conformance/executor",
        code: "conformance-failure",
        beside: nothing,
        make: |samples| samples.executor()?.of(listed(Role::Executor, "", &[("execute", WORDLESS)])?).seal(),
    },
    Recipe {
        check: "conformance/reflector",
        code: "conformance-failure",
        beside: nothing,
        make: |_| Sample::new(Role::Reflector, listed(Role::Reflector, "", &[("reflect", WORDLESS)])?).seal(),
    },
    Recipe {
        check: "conformance/auditor",
        code: "plugin-answer",
        beside: nothing,
        // A metric without a name.
        make: |_| Sample::new(Role::Auditor, listed(Role::Auditor, "", &[("analyze", ONE_OF_ZEROS)])?).seal(),
    },
    Recipe {
        check: "conformance/verifier",
        code: "conformance-failure",
        beside: nothing,
        make: |_| Sample::new(Role::Verifier, listed(Role::Verifier, "", &[("verify", WORDLESS)])?).seal(),
    },
    Recipe {
        check: "conformance/guard",
        code: "conformance-answer",
        beside: nothing,
        // Refuses, and says nothing.
        make: |_| {
            let refuse = "(i32.store8 (i32.const 4100) (i32.const 2)) (i32.const 4096)";
            Sample::new(Role::Guard, listed(Role::Guard, "", &[("judge", refuse)])?).seal()
        },
    },
    Recipe {
        check: "conformance/provider",
        code: "conformance-failure",
        beside: nothing,
        make: |_| Sample::new(Role::Provider, listed(Role::Provider, "", &[("send", WORDLESS)])?).seal(),
    },
    Recipe {
        check: "conformance/service",
        code: "plugin-answer",
        beside: nothing,
        // No response at all.
        make: |_| Sample::new(Role::Service, listed(Role::Service, "", &[("handle", "nop")])?).seal(),
    },
    Recipe {
        check: "fuzz",
        code: "conformance-failure",
        beside: nothing,
        make: |samples| samples.executor()?.of(listed(Role::Executor, "", &[("execute", WORDLESS)])?).seal(),
    },
    Recipe {
        check: "permission-probe",
        code: "probe-not-closed",
        beside: nothing,
        // Traps where its label is denied.
        make: |samples| {
            let head = r#"(import "orch:kv/kv@0.1.0" "[static]bucket.open" (func $open (param i32 i32 i32)))
                          (data (i32.const 600) "own")"#;
            let body = "(call $open (i32.const 600) (i32.const 3) (i32.const 5120))
                        (if (i32.load8_u (i32.const 5120)) (then unreachable)) (i32.const 4096)";
            let sample = samples.executor()?.of(listed(Role::Executor, head, &[("execute", body)])?);
            sample.with("/permissions", json!({ "kv": { "labels": ["own"], "bytes": 1000 } }))?.seal()
        },
    },
    Recipe {
        check: "resource-profile",
        code: "limit-low",
        beside: nothing,
        // Answers with 13 of its 16 KiB.
        make: |samples| {
            let body = "(memory.fill (i32.const 8192) (i32.const 120) (i32.const 13312))
                (i32.store (i32.const 4104) (i32.const 13312)) (i32.store (i32.const 4100) (i32.const 8192))
                (i32.const 4096)";
            let sample = samples.executor()?.of(listed(Role::Executor, "", &[("execute", body)])?);
            sample.with("/limits/outputKiB", json!(16))?.seal()
        },
    },
];

/// The component with one more module of that text at its end.
fn with_module(mut component: Vec<u8>, text: &str) -> Result<Vec<u8>, RecipeError> {
    let module = wat::parse_str(format!("(module {text})")).map_err(RecipeError::Text)?;
    component.push(1);
    component.extend(length(module.len()));
    component.extend(module);
    Ok(component)
}
