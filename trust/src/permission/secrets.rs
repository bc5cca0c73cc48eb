//! `secrets`: secrets that a plugin uses and never sees, each for one host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Rule, Star, fields, named, own_interface};
use super::text::{HOST, NAME, covers_host, is_host_and_port, is_name};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsPermission {
    /// Which secrets, each for the one host that gets it.
    #[serde(rename = "use")]
    pub uses: Vec<SecretUse>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretUse {
    /// As the operator's `secrets.toml` calls it, 1..=64 of `[a-z0-9-]`.
    pub name: String,
    /// `host:port`; `*.` in front covers exactly one label.
    pub host: String,
}

impl SecretUse {
    /// True if the secret may go to that host, with its port: `api.example.com:443`.
    pub fn is_for(&self, host: &str) -> bool {
        covers_host(&self.host, host)
    }
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
    own_interface!("secrets");

    /// Whose answer is recorded and played again has no words of one call.
    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    /// A word changes nothing: the request that carries it does, and that is `http`'s.
    fn effect(&self) -> Effect {
        Effect::None
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

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(name: &str, host: &str) -> SecretsPermission {
        SecretsPermission { uses: vec![SecretUse { name: name.to_owned(), host: host.to_owned() }] }
    }

    #[test]
    fn a_secret_is_for_its_host_and_port_and_no_other() {
        let one = |host: &str| SecretUse { name: "token".to_owned(), host: host.to_owned() };
        let exact = one("api.example.com:443");
        assert!(exact.is_for("api.example.com:443") && exact.is_for("API.Example.com:443"));
        for other in [
            "api.example.com:8443",
            "api.example.com",
            "api.example.com.:443",
            "evil-api.example.com:443",
            "api.example.com:443.evil.org:443",
            "",
        ] {
            assert!(!exact.is_for(other), "{other}");
        }
        let below = one("*.example.com:443");
        assert!(below.is_for("api.example.com:443"));
        assert!(!below.is_for("example.com:443") && !below.is_for("a.b.example.com:443"));
    }

    #[test]
    fn name_and_host_are_one_thing() {
        let both = SecretsPermission {
            uses: vec![
                SecretUse { name: "a".to_owned(), host: "a.example:443".to_owned() },
                SecretUse { name: "b".to_owned(), host: "b.example:443".to_owned() },
            ],
        };
        assert!(uses("a", "a.example:443").check_within(&both).is_ok());
        assert!(uses("a", "b.example:443").check_within(&both).is_err());
        assert!(uses("a", "a.example:443").check_within(&uses("a", "*.example:443")).is_err());
    }

    #[test]
    fn a_word_is_no_effect_and_planners_get_none() {
        assert_eq!(uses("a", "a.example:443").effect(), Effect::None);
        assert!(Role::ALL.iter().all(|role| SecretsPermission::is_for(*role) == (*role != Role::Planner)));
    }
}
