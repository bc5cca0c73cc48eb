//! `process`: programs of the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Flag, Rule, Star, fields, named, own_interface};
use super::text::{is_program, is_variable};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessPermission {
    /// Names without `/`, resolved once along the host's `PATH`, or absolute paths. In a manifest `*` stands for
    /// "the programs that the operator names".
    pub programs: Vec<String>,
    /// Environment variables handed on, exact names.
    #[serde(default)]
    pub env: Vec<String>,
    /// Asked for and recorded; enforced only by an operating-system sandbox.
    #[serde(default)]
    pub network: bool,
}

const PROGRAMS: Entries = named("a name, an absolute path or `*`", is_program, Star::NamedByOperator);
const ENV: Entries = named("a variable's name", is_variable, Star::Plain);

impl Domain for ProcessPermission {
    own_interface!("process");

    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    fn effect(&self) -> Effect {
        Effect::Changing
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("process", &self.programs))
    }

    fn lines(&self) -> Vec<String> {
        let env = || format!("process: hand on {}", self.env.join(", "));
        let network = || "process: use the network (not enforced)".to_owned();
        std::iter::once(format!("process: RUN {}", self.programs.join(", ")))
            .chain((!self.env.is_empty()).then(env))
            .chain(self.network.then(network))
            .collect()
    }

    fields! {
        programs: "process.programs" => PROGRAMS,
        env: "process.env" => ENV,
        network: "process.network" => Flag,
    }
}
