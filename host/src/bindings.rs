//! What the WIT folders say, as Rust: capabilities that plugins import, roles that they export.
//!
//! In -> out: `wit/` -> one module for the capabilities, one for each role; all share `orch:types`.
//! Invariant: generated, nothing by hand; every import may end the call, none is called on a blocked thread.
//! Not here: what the functions do (`capability/`), how roles are called (`role/`); `wasi:*` is the engine's own.

/// Everything that a plugin of any role may import.
mod capabilities {
    wasmtime::component::bindgen!({
        world: "orch:worlds/capabilities@0.1.0",
        path: [
            "../wit/types/0.1.0",
            "../wit/log/0.1.0",
            "../wit/settings/0.1.0",
            "../wit/kv/0.1.0",
            "../wit/tasks/0.1.0",
            "../wit/files/0.1.0",
            "../wit/process/0.1.0",
            "../wit/findings/0.1.0",
            "../wit/metrics/0.1.0",
            "../wit/planner/0.1.0",
            "../wit/executor/0.1.0",
            "../wit/reflector/0.1.0",
            "../wit/auditor/0.1.0",
            "../wit/verifier/0.1.0",
            "../wit/wasi/io/0.2.12",
            "../wit/wasi/clocks/0.2.12",
            "../wit/wasi/random/0.2.12",
            "../wit/wasi/http/0.2.12",
            "../wit/worlds/0.1.0",
        ],
        imports: { default: async | trappable },
        with: {
            "orch:kv/kv.bucket": crate::capability::kv::Bucket,
            "wasi": wasmtime_wasi::p2::bindings,
        },
    });
}

pub use capabilities::orch::{files, findings, kv, log, metrics, process, settings, tasks, types};

/// Exports of a planner.
pub mod planner {
    wasmtime::component::bindgen!({
        inline: "package orch:host-planner; world planner { export orch:planner/planner@0.1.0; }",
        path: ["../wit/types/0.1.0", "../wit/planner/0.1.0"],
        exports: { default: async },
        with: { "orch:types/types": crate::bindings::types::types },
    });
}

/// Exports of an executor.
pub mod executor {
    wasmtime::component::bindgen!({
        inline: "package orch:host-executor; world executor { export orch:executor/executor@0.1.0; }",
        path: ["../wit/types/0.1.0", "../wit/executor/0.1.0"],
        exports: { default: async },
        with: { "orch:types/types": crate::bindings::types::types },
    });
}

/// Exports of a reflector.
pub mod reflector {
    wasmtime::component::bindgen!({
        inline: "package orch:host-reflector; world reflector { export orch:reflector/reflector@0.1.0; }",
        path: ["../wit/types/0.1.0", "../wit/reflector/0.1.0"],
        exports: { default: async },
        with: { "orch:types/types": crate::bindings::types::types },
    });
}

/// Exports of an auditor.
pub mod auditor {
    wasmtime::component::bindgen!({
        inline: "package orch:host-auditor; world auditor { export orch:auditor/auditor@0.1.0; }",
        path: ["../wit/types/0.1.0", "../wit/auditor/0.1.0"],
        exports: { default: async },
        with: { "orch:types/types": crate::bindings::types::types },
    });
}

/// Exports of a verifier.
pub mod verifier {
    wasmtime::component::bindgen!({
        inline: "package orch:host-verifier; world verifier { export orch:verifier/verifier@0.1.0; }",
        path: ["../wit/types/0.1.0", "../wit/verifier/0.1.0"],
        exports: { default: async },
        with: { "orch:types/types": crate::bindings::types::types },
    });
}
