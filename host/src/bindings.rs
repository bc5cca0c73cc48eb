//! What the WIT folders say, as Rust: capabilities that plugins import, roles that they export.
//!
//! In -> out: `wit/` -> one module for the capabilities, one for each role; all share `orch:types`.
//! Of an interface whose versions go together (0.1.0, 0.1.1) the newest stands for all: the engine's linker gives it to whoever asks for
//! an older one. Of a role each line (0.1, 0.2) has a module.
//! Invariant: generated, nothing by hand; every import may end the call, none is called on a blocked thread.
//! Not here: what the functions do (`capability/`), how roles are called (`role/`); `wasi:*` is the engine's own.

/// Everything that a plugin of any role may import.
mod capabilities {
    wasmtime::component::bindgen!({
        world: "orch:worlds/capabilities@0.1.0",
        path: "../wit",
        imports: { default: async | trappable },
        with: {
            "orch:kv/kv.bucket": crate::capability::kv::backend::Bucket,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:random": wasmtime_wasi::p2::bindings::random,
        },
    });
}

pub use capabilities::orch::*;
// Of a package with several versions the generator's names have the version in them.
pub use capabilities::orch::metrics0_1_2 as metrics;

/// Exports of a role; the world that holds them is written out, since the macro takes nothing but literals.
macro_rules! exports {
    ($role:ident, $world:literal $(, $shapes:literal: $path:path)*) => {
        #[doc = concat!("Exports of the role `", stringify!($role), "`.")]
        pub mod $role {
            wasmtime::component::bindgen!({
                inline: $world,
                path: "../wit",
                exports: { default: async },
                with: { "orch:types/types": crate::bindings::types::types $(, $shapes: $path)* },
            });
        }
    };
}

exports!(planner, "package orch:host; world planner { export orch:planner/planner@0.1.0; }");
exports!(executor, "package orch:host; world executor { export orch:executor/executor@0.1.0; }");
exports!(reflector, "package orch:host; world reflector { export orch:reflector/reflector@0.2.0; }");
exports!(reflector_0_1, "package orch:host; world reflector { export orch:reflector/reflector@0.1.0; }");
exports!(auditor, "package orch:host; world auditor { export orch:auditor/auditor@0.1.0; }");
exports!(verifier, "package orch:host; world verifier { export orch:verifier/verifier@0.1.0; }");
exports!(guard, "package orch:host; world guard { export orch:guard/guard@0.1.0; }");
exports!(
    provider_notify,
    "package orch:host; world provider-notify { export orch:notify/provide@0.1.0; }",
    "orch:notify/shapes": crate::bindings::notify::shapes
);
exports!(
    provider_llm,
    "package orch:host; world provider-llm { export orch:llm/provide@0.1.0; }",
    "orch:llm/shapes": crate::bindings::llm::shapes
);
exports!(
    provider_retrieve,
    "package orch:host; world provider-retrieve { export orch:retrieve/provide@0.1.0; }",
    "orch:retrieve/shapes": crate::bindings::retrieve::shapes
);
exports!(
    provider_embed,
    "package orch:host; world provider-embed { export orch:embed/provide@0.1.0; }",
    "orch:embed/shapes": crate::bindings::embed::shapes,
    "orch:llm/shapes": crate::bindings::llm::shapes
);
