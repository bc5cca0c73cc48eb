//! `secrets`: opaque secrets, filled in at egress. No host offers it yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Rule, Star, fields, named};
use super::text::{HOST, NAME, is_host_and_port, is_name};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsPermission {
    #[serde(rename = "use")]
    pub uses: Vec<SecretUse>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretUse {
    pub name: String,
    pub host: String,
}

impl std::fmt::Display for SecretUse {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} for {}", self.name, self.host)
    }
}

/// Each secret for exactly its host.
struct Uses;

impl Rule<Vec<SecretUse>> for Uses {
    fn check_form(
        &self,
        _path: &'static str,
        uses: &Vec<SecretUse>,
        side: Side,
    ) -> Result<(), PermissionForm> {
        let names = uses.iter().map(|one| one.name.clone()).collect();
        let hosts = uses.iter().map(|one| one.host.clone()).collect();
        entries(NAME, is_name).check_form("secrets.use.name", &names, side)?;
        entries(HOST, is_host_and_port).check_form("secrets.use.host", &hosts, side)
    }

    fn check_within(
        &self,
        path: &'static str,
        uses: &Vec<SecretUse>,
        outer: &Vec<SecretUse>,
    ) -> Result<(), PermissionExcess> {
        match uses.iter().find(|one| !outer.contains(one)) {
            Some(one) => Err(PermissionExcess::new(path, one, format!("[{}]", shown(outer).join(", ")))),
            None => Ok(()),
        }
    }

    fn narrow(&self, uses: &mut Vec<SecretUse>, to: &Vec<SecretUse>) {
        uses.retain(|one| to.contains(one));
    }

    fn name_programs(
        &self,
        _uses: &mut Vec<SecretUse>,
        _operators: &Vec<SecretUse>,
        _maximum: Option<&Vec<SecretUse>>,
    ) {
    }
}

const fn entries(expected: &'static str, fits: fn(&str) -> bool) -> Entries {
    named(expected, fits, Star::Plain)
}

fn shown(uses: &[SecretUse]) -> Vec<String> {
    uses.iter().map(SecretUse::to_string).collect()
}

impl Domain for SecretsPermission {
    const NAME: &'static str = "secrets";
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
        Err(PermissionExcess::entries("secrets", &shown(&self.uses)))
    }

    fn lines(&self) -> Vec<String> {
        self.uses.iter().map(|one| format!("secrets: use {} for {}", one.name, one.host)).collect()
    }

    fields! { uses: "secrets.use" => Uses }
}
