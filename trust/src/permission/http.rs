//! `http`: outgoing HTTP. No host offers it yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Rule, Star, fields, named};
use super::text::{HOST, covers_host, covers_path, is_host_and_port, is_method, is_path_prefix};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpPermission {
    /// `host:port`; `*.` in front covers exactly one label.
    pub hosts: Vec<String>,
    pub methods: Vec<String>,
    /// Prefixes.
    pub paths: Vec<String>,
}

const HOSTS: Entries =
    Entries { expected: HOST, fits: is_host_and_port, covers: covers_host, star: Star::Plain };
const METHODS: Entries = named("an upper-case method", is_method, Star::Plain);
const PATHS: Entries = Entries {
    expected: "a plain prefix that starts with `/`",
    fits: is_path_prefix,
    covers: covers_path,
    star: Star::Plain,
};

impl Domain for HttpPermission {
    const NAME: &'static str = "http";
    const PROVIDED: bool = false;

    fn interface(_import: Import<'_>) -> Option<&'static str> {
        None
    }

    fn opens(&self, _import: Import<'_>) -> bool {
        false
    }

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
        Err(PermissionExcess::entries("http", &self.hosts))
    }

    fn lines(&self) -> Vec<String> {
        let Self { hosts, methods, paths } = self;
        vec![format!("http: {} {} {}", methods.join(", "), hosts.join(", "), paths.join(", "))]
    }

    fields! { hosts: "http.hosts" => HOSTS, methods: "http.methods" => METHODS, paths: "http.paths" => PATHS }
}
