//! Languages besides Rust that a plugin may be written in.
//!
//! In -> out: a project's folder -> [`Language`], with what a project of it begins with.
//! Invariant: a project's language is told by its plugin's file; Rust by `Cargo.toml`, which comes first.
//! Not here: its toolchain (`language/tool.rs`), the world that it sees (`language/world.rs`), building
//! (`language/build.rs`).

mod alias;
pub mod build;
pub mod entry;
pub mod tool;
mod types;
pub mod world;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use orch_trust::manifest::Role;

use crate::carried::Embedded;

/// A language that is made into a component by an engine of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Python,
    JavaScript,
}

/// The template of a role: the plugin in Python and in JavaScript, and the files that both have. Its cases are those of Rust's.
macro_rules! template {
    ($role:literal, $($case:literal),+) => {
        (
            include_str!(concat!("../../languages/python/", $role, "/plugin.py")),
            include_str!(concat!("../../languages/javascript/", $role, "/plugin.js")),
            &[
                ("plugin.json", include_str!(concat!("../../languages/", $role, "/plugin.json"))),
                $((
                    concat!("cases/", $case, ".json"),
                    include_str!(concat!("../../templates/", $role, "/cases/", $case, ".json")),
                )),+
            ] as &[Embedded],
        )
    };
}

/// Why a project of another language is not made or built.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    #[error("a plugin in {} cannot use `{permission}`", language.shown())]
    Permission { language: Language, permission: &'static str },
    #[error("a plugin in {} has `wasi.clocks` and `wasi.random`, or neither; `plugin.json` asks for one of them", language.shown())]
    HalfWasi { language: Language },
    #[error("`{path}` is missing or cannot be written")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` says nothing that a build could go by: {message}")]
    Manifest { path: PathBuf, message: String },
    #[error("`{program}` is needed for plugins in {}, and cannot be run: {message}", language.shown())]
    Program { language: Language, program: &'static str, message: String },
    #[error("`{tool}` cannot be got: {message}")]
    Install { tool: &'static str, message: String },
    #[error("`{tool}` made no component of `{}`: {status}", project.display())]
    Failed { tool: &'static str, project: PathBuf, status: ExitStatus },
}

impl LanguageError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Permission { .. } => "language-permission",
            Self::HalfWasi { .. } => "language-half-wasi",
            Self::Io { .. } => "language-io",
            Self::Manifest { .. } => "language-manifest",
            Self::Program { .. } => "language-program",
            Self::Install { .. } => "language-install",
            Self::Failed { .. } => "language-failed",
        }
    }

    /// What the author can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Permission { .. } => {
                "take it out of `plugin.json`, or write the plugin in Rust".to_owned()
            }
            Self::HalfWasi { .. } => {
                r#"write `"wasi": { "clocks": true, "random": true }` under `permissions`, or take `wasi` out: its engine imports both or none"#.to_owned()
            }
            Self::Program { program: "python3", .. } => {
                "install Python 3.9 or later with pip (Debian: `python3-pip`)".to_owned()
            }
            Self::Program { .. } => "install Node.js 18 or later with npm (Debian: `nodejs`, `npm`)".to_owned(),
            Self::Install { .. } => {
                "it is fetched once, from the language's registry, and kept in `$XDG_CACHE_HOME/orch`; the lines above say what went wrong"
                    .to_owned()
            }
            Self::Failed { .. } => "the lines above are its own".to_owned(),
            Self::Io { .. } | Self::Manifest { .. } => return None,
        })
    }
}

impl Language {
    pub const ALL: [Self; 2] = [Self::Python, Self::JavaScript];

    /// The language of the project in that folder; none: Rust, or no project.
    pub fn of(project: &Path) -> Option<Self> {
        let is_there = |name: &str| project.join(name).is_file();
        if is_there("Cargo.toml") {
            return None;
        }
        Self::ALL.into_iter().find(|language| is_there(language.plugin_file()))
    }

    /// As it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    /// As people write it.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
        }
    }

    /// The plugin itself, in its project.
    pub fn plugin_file(self) -> &'static str {
        match self {
            Self::Python => "plugin.py",
            Self::JavaScript => "plugin.js",
        }
    }

    /// The SDK, to be written into `orch/sdk`.
    pub fn sdk(self) -> &'static [Embedded] {
        match self {
            Self::Python => &[
                ("orch_sdk/__init__.py", include_str!("../../languages/python/sdk/orch_sdk/__init__.py")),
                ("orch_sdk/_machine.py", include_str!("../../languages/python/sdk/orch_sdk/_machine.py")),
                ("orch_sdk/_types.py", include_str!("../../languages/python/sdk/orch_sdk/_types.py")),
                ("orch_sdk/artifacts.py", include_str!("../../languages/python/sdk/orch_sdk/artifacts.py")),
                ("orch_sdk/call.py", include_str!("../../languages/python/sdk/orch_sdk/call.py")),
                ("orch_sdk/failure.py", include_str!("../../languages/python/sdk/orch_sdk/failure.py")),
                ("orch_sdk/files.py", include_str!("../../languages/python/sdk/orch_sdk/files.py")),
                ("orch_sdk/http.py", include_str!("../../languages/python/sdk/orch_sdk/http.py")),
                ("orch_sdk/kv.py", include_str!("../../languages/python/sdk/orch_sdk/kv.py")),
                ("orch_sdk/log.py", include_str!("../../languages/python/sdk/orch_sdk/log.py")),
                ("orch_sdk/secrets.py", include_str!("../../languages/python/sdk/orch_sdk/secrets.py")),
                ("orch_sdk/service.py", include_str!("../../languages/python/sdk/orch_sdk/service.py")),
                ("orch_sdk/settings.py", include_str!("../../languages/python/sdk/orch_sdk/settings.py")),
            ],
            Self::JavaScript => &[
                ("artifacts.js", include_str!("../../languages/javascript/sdk/artifacts.js")),
                ("call.js", include_str!("../../languages/javascript/sdk/call.js")),
                ("failure.js", include_str!("../../languages/javascript/sdk/failure.js")),
                ("files.js", include_str!("../../languages/javascript/sdk/files.js")),
                ("http.js", include_str!("../../languages/javascript/sdk/http.js")),
                ("index.js", include_str!("../../languages/javascript/sdk/index.js")),
                ("kv.js", include_str!("../../languages/javascript/sdk/kv.js")),
                ("machine.js", include_str!("../../languages/javascript/sdk/machine.js")),
                ("secrets.js", include_str!("../../languages/javascript/sdk/secrets.js")),
                ("service.js", include_str!("../../languages/javascript/sdk/service.js")),
                ("settings.js", include_str!("../../languages/javascript/sdk/settings.js")),
                ("text.js", include_str!("../../languages/javascript/sdk/text.js")),
            ],
        }
    }

    /// Files of every project, with what `project.rs` fills in.
    pub fn project(self) -> &'static [Embedded] {
        match self {
            Self::Python => &[
                ("README.md", include_str!("../../languages/python/README.md")),
                ("pyrightconfig.json", include_str!("../../languages/python/pyrightconfig.json")),
                (".gitignore", include_str!("../../languages/gitignore")),
            ],
            Self::JavaScript => &[
                ("README.md", include_str!("../../languages/javascript/README.md")),
                ("package.json", include_str!("../../languages/javascript/package.json")),
                ("jsconfig.json", include_str!("../../languages/javascript/jsconfig.json")),
                (".gitignore", include_str!("../../languages/gitignore")),
            ],
        }
    }

    /// The plugin that a project of that role begins with; of a provider one of notices.
    pub fn template(self, role: Role) -> Vec<Embedded> {
        let (python, javascript, rest) = match role {
            Role::Planner => template!("planner", "priority"),
            Role::Executor => template!("executor", "greets"),
            Role::Reflector => template!("reflector", "todo"),
            Role::Auditor => template!("auditor", "failed-task", "lines"),
            Role::Verifier => template!("verifier", "unfinished-merge"),
            Role::Guard => template!("guard", "deletes"),
            Role::Provider => template!("provider", "delivers"),
            Role::Service => template!("service", "elsewhere", "root"),
        };
        let plugin = match self {
            Self::Python => ("plugin.py", python),
            Self::JavaScript => ("plugin.js", javascript),
        };
        [&[plugin], rest].concat()
    }
}
