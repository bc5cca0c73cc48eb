//! `files`: files inside the workspace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Rule, Star, fields, own_interface};
use super::text::{covers_glob, is_glob};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesPermission {
    /// Globs relative to the workspace: `*` and `?` inside one part, `**` alone in a part across parts.
    #[serde(default)]
    pub read: Vec<String>,
    #[serde(default)]
    pub write: Vec<String>,
}

const GLOBS: Entries = Entries {
    expected: "a glob inside the workspace, of names, `*`, `?` and `**`",
    fits: is_glob,
    covers: covers_glob,
    star: Star::Plain,
};

impl FilesPermission {
    /// What plugins of that role have of it: only an executor's attempt is kept, in doubt or gone. Other calls are made again
    /// whenever the host likes, or in trees that are thrown away.
    pub(super) fn in_role(self, role: Role) -> Self {
        match role {
            Role::Executor => self,
            _ => Self { write: Vec::new(), ..self },
        }
    }
}

impl Domain for FilesPermission {
    own_interface!("files");

    fn is_for(role: Role) -> bool {
        !matches!(role, Role::Planner | Role::Provider)
    }

    fn effect(&self) -> Effect {
        match self.write.is_empty() {
            true => Effect::None,
            false => Effect::Changing,
        }
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("files", self.read.iter().chain(&self.write)))
    }

    fn lines(&self) -> Vec<String> {
        let line = |verb: &str, globs: &[String]| {
            (!globs.is_empty()).then(|| format!("files: {verb} {}", globs.join(", ")))
        };
        [line("read", &self.read), line("WRITE", &self.write)].into_iter().flatten().collect()
    }

    fields! { read: "files.read" => GLOBS, write: "files.write" => GLOBS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executors_write() {
        let both = FilesPermission { read: vec!["a".to_owned()], write: vec!["b".to_owned()] };
        for role in Role::ALL {
            let found = both.clone().in_role(role);
            assert_eq!(found.read, both.read);
            assert_eq!(found.effect() == Effect::Changing, role == Role::Executor, "{role:?}");
        }
    }
}
