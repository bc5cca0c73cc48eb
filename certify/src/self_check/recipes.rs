//! The known-bad packages, one for each check that can refuse.
//!
//! Invariant: every check of the required lists has one, or a reason in [`WITHOUT`]; each has one defect.
//! Not here: how they are judged (`self_check.rs`).

use orch_trust::manifest::Role;
use serde_json::json;

use super::guest::{OPEN, SESSION, guest};
use super::recipe::Recipe;
use super::sample::Sample;

/// Required checks that no package can fail, and why.
#[cfg(test)]
pub(super) const WITHOUT: [(&str, &str); 1] =
    [("self-check", "it looks at this tool, not at the package; its own test breaks a check instead")];

/// `err` without a word, for results that are a list or a text in `ok`.
const WORDLESS: &str = "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.const 4096)";
/// A list of one entry that is all zeros.
const ONE_OF_ZEROS: &str = "(i32.store (i32.const 4100) (i32.const 1024))
    (i32.store (i32.const 4104) (i32.const 1)) (i32.const 4096)";

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        check: "manifest",
        code: "manifest-schema",
        make: |samples| samples.executor()?.with("/limits", json!({ "memoryMiB": "much" }))?.seal(),
    },
    Recipe {
        check: "names",
        code: "name-confusable",
        make: |samples| samples.executor()?.with("/id", json!("0rch/known"))?.seal(),
    },
    Recipe {
        check: "file-set",
        code: "digest-mismatch",
        make: |samples| samples.executor()?.seal_then("sbom.cdx.json", b"{ }"),
    },
    Recipe {
        check: "component",
        code: "component-invalid",
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
        make: |samples| {
            let import = r#"(import "orch:settings/settings@0.1.0" "read" (func (param i32)))"#;
            samples.executor()?.of(guest(Role::Executor, import, &[])?).seal()
        },
    },
    Recipe {
        check: "exports",
        code: "export-missing",
        make: |samples| {
            samples.executor()?.with("/roles", json!(["planner"]))?.with("/kinds", json!([]))?.seal()
        },
    },
    Recipe {
        check: "memory",
        code: "memory-minimum",
        make: |samples| {
            let component = guest(Role::Executor, "(memory $more 300)", &[])?;
            samples.executor()?.of(component).seal()
        },
    },
    Recipe {
        check: "custom-sections",
        code: "section-twice",
        make: |samples| {
            let mut sample = samples.executor()?;
            let section = b"\0\x0d\x0bdescription1";
            sample.component.extend_from_slice(section);
            sample.component.extend_from_slice(section);
            sample.seal()
        },
    },
    Recipe {
        check: "conformance/planner",
        code: "conformance-answer",
        // The zeros of every answer: start an empty list, for ever.
        make: |_| Sample::new(Role::Planner, guest(Role::Planner, SESSION, &[OPEN])?).seal(),
    },
    Recipe {
        check: "conformance/executor",
        code: "conformance-failure",
        make: |samples| samples.executor()?.of(guest(Role::Executor, "", &[("execute", WORDLESS)])?).seal(),
    },
    Recipe {
        check: "conformance/reflector",
        code: "conformance-failure",
        make: |_| Sample::new(Role::Reflector, guest(Role::Reflector, "", &[("reflect", WORDLESS)])?).seal(),
    },
    Recipe {
        check: "conformance/auditor",
        code: "plugin-answer",
        // A metric without a name.
        make: |_| Sample::new(Role::Auditor, guest(Role::Auditor, "", &[("analyze", ONE_OF_ZEROS)])?).seal(),
    },
    Recipe {
        check: "conformance/verifier",
        code: "conformance-failure",
        make: |_| Sample::new(Role::Verifier, guest(Role::Verifier, "", &[("verify", WORDLESS)])?).seal(),
    },
    Recipe {
        check: "conformance/service",
        code: "plugin-answer",
        // No response at all.
        make: |_| Sample::new(Role::Service, guest(Role::Service, "", &[("handle", "nop")])?).seal(),
    },
];
