//! Files that new projects get, by their paths there.
//!
//! In -> out: [`Role`] -> texts of files.
//! Invariant: written by `cargo xtask bindings`, never by hand: every file of these folders, as this program was built
//! with it.
//! Not here: the files of every project, and what is said of a role in them (`template.rs`).

use orch_trust::manifest::Role;

/// A file by its path in the new project, with `/`.
pub type Embedded = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal,)+) => {
        &[$(($path, include_str!(concat!("../../../", $folder, "/", $path))),)+]
    };
}

/// The SDK's sources, to be written into `orch/sdk`.
pub const SDK: &[Embedded] = files!("sdk":
    "src/artifacts.rs",
    "src/bindings.rs",
    "src/bindings/auditor.rs",
    "src/bindings/capabilities.rs",
    "src/bindings/executor.rs",
    "src/bindings/guard.rs",
    "src/bindings/planner.rs",
    "src/bindings/provider_embed.rs",
    "src/bindings/provider_llm.rs",
    "src/bindings/provider_notify.rs",
    "src/bindings/provider_retrieve.rs",
    "src/bindings/reflector.rs",
    "src/bindings/service.rs",
    "src/bindings/verifier.rs",
    "src/clocks.rs",
    "src/control.rs",
    "src/diff.rs",
    "src/embed.rs",
    "src/error.rs",
    "src/export.rs",
    "src/failure.rs",
    "src/files.rs",
    "src/findings.rs",
    "src/git.rs",
    "src/host.rs",
    "src/http.rs",
    "src/http/answer.rs",
    "src/http/client.rs",
    "src/http/error.rs",
    "src/http/lines.rs",
    "src/http/redirect.rs",
    "src/http/service.rs",
    "src/http/url.rs",
    "src/kv.rs",
    "src/lib.rs",
    "src/llm.rs",
    "src/log.rs",
    "src/metrics.rs",
    "src/notify.rs",
    "src/panic.rs",
    "src/process.rs",
    "src/random.rs",
    "src/retrieve.rs",
    "src/role.rs",
    "src/role/auditor.rs",
    "src/role/executor.rs",
    "src/role/guard.rs",
    "src/role/planner.rs",
    "src/role/provider_embed.rs",
    "src/role/provider_llm.rs",
    "src/role/provider_notify.rs",
    "src/role/provider_retrieve.rs",
    "src/role/reflector.rs",
    "src/role/service.rs",
    "src/role/verifier.rs",
    "src/secrets.rs",
    "src/settings.rs",
    "src/tasks.rs",
    "src/testing.rs",
    "src/testing/glob.rs",
    "src/testing/interfaces.rs",
    "src/vectors.rs",
);

/// The interfaces, to be written into `orch/wit`.
pub const WIT: &[Embedded] = files!("wit":
    "LICENSE-wasi",
    "README.md",
    "deps/artifacts@0.1.0/artifacts.wit",
    "deps/auditor@0.1.0/auditor.wit",
    "deps/control@0.1.0/control.wit",
    "deps/diff@0.1.0/diff.wit",
    "deps/embed@0.1.0/embed.wit",
    "deps/executor@0.1.0/executor.wit",
    "deps/files@0.1.0/files.wit",
    "deps/findings@0.1.0/findings.wit",
    "deps/git@0.1.0/git.wit",
    "deps/guard@0.1.0/guard.wit",
    "deps/kv@0.1.0/kv.wit",
    "deps/llm@0.1.0/llm.wit",
    "deps/log@0.1.0/log.wit",
    "deps/metrics@0.1.0/metrics.wit",
    "deps/metrics@0.1.1/metrics.wit",
    "deps/metrics@0.1.2/metrics.wit",
    "deps/notify@0.1.0/notify.wit",
    "deps/planner@0.1.0/planner.wit",
    "deps/process@0.1.0/process.wit",
    "deps/reflector@0.1.0/reflector.wit",
    "deps/reflector@0.2.0/reflector.wit",
    "deps/retrieve@0.1.0/retrieve.wit",
    "deps/secrets@0.1.0/secrets.wit",
    "deps/settings@0.1.0/settings.wit",
    "deps/tasks@0.1.0/tasks.wit",
    "deps/types@0.1.0/types.wit",
    "deps/vectors@0.1.0/vectors.wit",
    "deps/verifier@0.1.0/verifier.wit",
    "deps/wasi-cli@0.2.12/cli.wit",
    "deps/wasi-clocks@0.2.12/clocks.wit",
    "deps/wasi-filesystem@0.2.12/filesystem.wit",
    "deps/wasi-http@0.2.12/http.wit",
    "deps/wasi-io@0.2.12/io.wit",
    "deps/wasi-random@0.2.12/random.wit",
    "deps/wasi-sockets@0.2.12/sockets.wit",
    "worlds.wit",
);

/// Files of one role, with `{{name}}` and `{{id}}` to be filled in.
pub fn role(role: Role) -> &'static [Embedded] {
    match role {
        Role::Planner => files!("sdk/templates/planner":
            "cases/priority.json",
            "plugin.json",
            "src/lib.rs",
        ),
        Role::Executor => files!("sdk/templates/executor":
            "cases/greets.json",
            "plugin.json",
            "src/lib.rs",
        ),
        Role::Reflector => files!("sdk/templates/reflector":
            "cases/todo.json",
            "plugin.json",
            "src/lib.rs",
        ),
        Role::Auditor => files!("sdk/templates/auditor":
            "cases/failed-task.json",
            "cases/lines.json",
            "plugin.json",
            "src/lib.rs",
        ),
        Role::Verifier => files!("sdk/templates/verifier":
            "cases/unfinished-merge.json",
            "plugin.json",
            "src/lib.rs",
        ),
        Role::Guard => files!("sdk/templates/guard":
            "cases/deletes.json",
            "plugin.json",
            "src/lib.rs",
        ),
        Role::Provider => files!("sdk/templates/provider":
            "cases/delivers.json",
            "plugin.json",
            "src/lib.rs",
        ),
        Role::Service => files!("sdk/templates/service":
            "cases/elsewhere.json",
            "cases/root.json",
            "plugin.json",
            "src/lib.rs",
        ),
    }
}

/// Files of the template `agent`, to be filled in.
pub const AGENT: &[Embedded] = files!("sdk/templates/agent":
    "cases/asks.json",
    "cases/busy.json",
    "plugin.json",
    "src/lib.rs",
);

/// Files of the template `models`, to be filled in.
pub const MODELS: &[Embedded] = files!("sdk/templates/models":
    "cases/answers.json",
    "cases/busy.json",
    "plugin.json",
    "src/lib.rs",
);

/// Files of the template `documents`, to be filled in.
pub const DOCUMENTS: &[Embedded] = files!("sdk/templates/documents":
    "cases/odd.json",
    "cases/sections.json",
    "plugin.json",
    "src/lib.rs",
);
