//! `secrets`: secrets that a plugin uses and never sees, each for one host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Rule, Star, fields, named, own_interface};
use super::text::{HOST, NAME, covers_host_or_any, is_host_and_port_or_any, is_name};
use super::{ANY, Domain, Effect, PermissionExcess, PermissionForm, Side};
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
    /// `host:port`; `*.` in front covers exactly one label. In a manifest `*` stands for the hosts for which the operator
    /// allows it.
    pub host: String,
}

impl SecretUse {
    /// True if the secret may go to that host, with its port: `api.example.com:443`.
    pub fn is_for(&self, host: &str) -> bool {
        // `*` is in no grant but a candidate's that meets fakes, whose requests go nowhere.
        covers_host_or_any(&self.host, host)
    }

    fn covers(&self, inner: &Self) -> bool {
        self.name == inner.name && (self.host == inner.host || self.host == ANY)
    }
}

impl std::fmt::Display for SecretUse {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} for {}", self.name, self.host)
    }
}

impl SecretsPermission {
    /// With these hosts where `*` stands for what an operator names.
    pub(super) fn at(&self, hosts: &[String]) -> Self {
        let at = |one: &SecretUse| match one.host == ANY {
            true => {
                hosts.iter().map(|host| SecretUse { name: one.name.clone(), host: host.clone() }).collect()
            }
            false => vec![one.clone()],
        };
        Self { uses: self.uses.iter().flat_map(at).collect() }
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
        named(NAME, is_name, Star::Plain).check_form("secrets.use.name", &names, side)?;
        named(HOST, is_host_and_port_or_any, Star::NamedByOperator).check_form(
            "secrets.use.host",
            &hosts,
            side,
        )
    }

    fn check_within(
        &self,
        path: &'static str,
        uses: &Vec<SecretUse>,
        outer: &Vec<SecretUse>,
    ) -> Result<(), PermissionExcess> {
        match uses.iter().find(|one| !outer.iter().any(|outer| outer.covers(one))) {
            Some(one) => Err(PermissionExcess::new(path, one, format!("[{}]", shown(outer).join(", ")))),
            None => Ok(()),
        }
    }

    fn narrow(&self, uses: &mut Vec<SecretUse>, to: &Vec<SecretUse>) {
        uses.retain(|one| to.iter().any(|to| to.covers(one)));
    }

    /// What nobody named stays `*`, and goes beyond what is allowed.
    fn name_programs(
        &self,
        uses: &mut Vec<SecretUse>,
        operators: &Vec<SecretUse>,
        maximum: Option<&Vec<SecretUse>>,
    ) {
        let mut named: Vec<SecretUse> = Vec::new();
        for one in uses.drain(..) {
            let within = |found: &&SecretUse| {
                one.covers(found)
                    && maximum.is_none_or(|maximum| maximum.iter().any(|outer| outer.covers(found)))
            };
            let mut found: Vec<_> = match one.host == ANY {
                true => operators.iter().filter(within).cloned().collect(),
                false => Vec::new(),
            };
            if found.is_empty() {
                found.push(one);
            }
            for one in found {
                if !named.contains(&one) {
                    named.push(one);
                }
            }
        }
        *uses = named;
    }
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
