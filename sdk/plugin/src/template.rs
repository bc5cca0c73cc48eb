//! What is in every new project, and what its README says of a role.
//!
//! In -> out: [`Role`] -> words to be filled in.
//! Not here: the SDK, the interfaces and each role's own files (`carried.rs`), writing them (`project.rs`).

use orch_host::role::{Form, form};
use orch_trust::manifest::Role;

use crate::carried::{self, Embedded};

/// Files of every project, with `{{name}}`, `{{id}}`, `{{namespace}}`, `{{role}}`, `{{edit}}` and `{{bind}}` to be
/// filled in.
pub const PROJECT: [Embedded; 3] = [
    ("Cargo.toml", include_str!("../../templates/project/Cargo.toml")),
    ("README.md", include_str!("../../templates/project/README.md")),
    (".gitignore", include_str!("../../templates/project/gitignore")),
];

/// What a project begins with: the template of a role, or one of what many write in a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    Role(Role),
    /// An executor that lets a model work.
    Agent,
    /// A provider of models.
    Models,
    /// An executor that reads documents of one kind.
    Documents,
}

impl Template {
    /// Those of no role alone.
    pub const MORE: [Self; 3] = [Self::Agent, Self::Models, Self::Documents];

    /// As it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role(role) => role.as_str(),
            Self::Agent => "agent",
            Self::Models => "models",
            Self::Documents => "documents",
        }
    }

    /// What the plugin exports.
    pub fn role(self) -> Role {
        match self {
            Self::Role(role) => role,
            Self::Agent | Self::Documents => Role::Executor,
            Self::Models => Role::Provider,
        }
    }

    /// Its files, to be filled in.
    pub fn files(self) -> &'static [Embedded] {
        match self {
            Self::Role(role) => carried::role(role),
            Self::Agent => carried::AGENT,
            Self::Models => carried::MODELS,
            Self::Documents => carried::DOCUMENTS,
        }
    }

    /// What to change first, and what then is different: one sentence for the project's README.
    pub fn edit(self) -> &'static str {
        match self {
            Self::Role(role) => edit(role),
            Self::Agent => {
                "Change `order`, and the model works by other words; `use_tool` has what it may do. Which model `{{name}}` is the workspace's \
                 `models.yaml` says, who may ask it the operator's policy."
            }
            Self::Models => {
                "Change `question`, and the server is asked in another way. The operator's `models.toml` names its models and says where they are."
            }
            Self::Documents => {
                "Change `takes` and `sections`, and other files become other passages. Bind `demo/provider-retrieve`, allowed to read the collection \
                 `documents`, and plugins with `retrieve` find them; `orch-host search --collection documents` does for people."
            }
        }
    }

    /// The lines of a workspace's `config.yaml` that bind it, with `{{name}}` and `{{id}}` to be filled in.
    pub fn bind(self) -> String {
        match self {
            Self::Models => "providers:\n  llm: {{id}}".to_owned(),
            Self::Role(_) | Self::Agent | Self::Documents => bind(self.role()),
        }
    }
}

/// What to change first, and what then is different: one sentence for the project's README.
pub fn edit(role: Role) -> &'static str {
    match role {
        Role::Planner => "Change `before`, and the journal has the attempts in another order.",
        Role::Executor => "Change `greet`, and the journal has another summary for each task of its kind.",
        Role::Reflector => "Change `MARK`, and the journal has other tasks added before the first attempt.",
        Role::Auditor => "Change `note`, and the journal has other tasks added after a failure.",
        Role::Verifier => "Change `marks`, and the journal has other findings.",
        Role::Guard => "Change `deletes`, and the journal has other tasks that fail before they start.",
        Role::Provider => {
            "Change `line`, and the run's log has other lines for the notices that others send."
        }
        Role::Service => {
            "Change `answer`, and clients get another answer; services leave no trace in a run's journal."
        }
    }
}

/// The lines of a workspace's `config.yaml` that bind it, with `{{name}}` and `{{id}}` to be filled in.
pub fn bind(role: Role) -> String {
    let line = match form(role) {
        Form::One(name) => format!("{name}: {{{{id}}}}"),
        Form::List(name) => format!("{name}: [{{{{id}}}}]"),
        // A new executor's kind is its name.
        Form::Keyed { name, by: "kind", .. } => format!("{name}: {{{{{{name}}}}: {{{{id}}}}}}"),
        Form::Keyed { name, .. } => format!("{name}: {{/: {{{{id}}}}}}"),
        // The template of a provider is one of notices.
        Form::Beside { name, .. } => return format!("{name}:\n  notify: {{{{id}}}}"),
    };
    format!("roles:\n  {line}")
}

/// The SDK's manifest in a project; its sources are carried beside it.
pub const SDK_MANIFEST: Embedded = ("Cargo.toml", include_str!("../../templates/sdk/Cargo.toml"));

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_form_of_binding_has_its_line() {
        let lines = [
            (Role::Planner, "roles:\n  planner: {{id}}"),
            (Role::Executor, "roles:\n  executors: {{{name}}: {{id}}}"),
            (Role::Verifier, "roles:\n  verifiers: [{{id}}]"),
            (Role::Provider, "providers:\n  notify: {{id}}"),
            (Role::Service, "roles:\n  services: {/: {{id}}}"),
        ];
        for (role, line) in lines {
            assert_eq!(bind(role), line);
        }
    }

    #[test]
    fn the_carried_sdk_uses_the_same_runtime() {
        let runtime =
            |text: &str| text.lines().find(|line| line.starts_with("wit-bindgen = ")).unwrap().to_owned();
        let own = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
        assert_eq!(runtime(SDK_MANIFEST.1), runtime(&own));
    }

    #[test]
    fn the_word_that_an_author_is_told_to_change_is_there() {
        for of in Role::ALL.map(Template::Role).into_iter().chain(Template::MORE) {
            let word = of.edit().split('`').nth(1).unwrap();
            let (_, source) = of.files().iter().find(|(path, _)| *path == "src/lib.rs").unwrap();
            assert!(
                source.contains(&format!("fn {word}")) || source.contains(&format!("const {word}")),
                "{word}"
            );
        }
    }
}
