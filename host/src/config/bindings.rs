//! Bindings: which plugin acts in which role, from `roles:` of `config.yaml`.
//!
//! In -> out: `roles:` -> a list of role, key, id.
//! Invariant: names and forms come from the roles themselves ([`Form`]); an unknown name and another form are refused.
//! Not here: whether there is such a plugin and it has that role (`plugins.rs`).

use std::collections::BTreeMap;
use std::fmt;

use orch_trust::manifest::Role;
use orch_trust::permission::DomainName;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::role::{Binding, Form, form};

/// All of them, in the order of the roles, then in that of the file (of a mapping: sorted).
#[derive(Clone, Debug, Default)]
pub struct Bindings(Vec<Binding>);

/// What may stand behind a role's name.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Written {
    Nothing(()),
    One(String),
    List(Vec<String>),
    Keyed(BTreeMap<String, Ids>),
}

/// One plugin or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Ids {
    One(String),
    Many(Vec<String>),
}

/// A role by its name under `roles:`.
struct Named(Role);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let beneath = || Role::ALL.into_iter().filter(|role| form(*role).is_beneath_roles());
        let role = beneath().find(|role| form(*role).name() == name);
        role.map(Self).ok_or_else(|| {
            let names: Vec<&str> = beneath().map(|role| form(role).name()).collect();
            let (unknown, names) = (name.escape_default(), names.join(", "));
            D::Error::custom(format!("`roles` has no `{unknown}`, but {names}"))
        })
    }
}

struct RolesVisitor;

impl<'de> Visitor<'de> for RolesVisitor {
    type Value = Bindings;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a mapping from roles to plugins")
    }

    /// `roles:` with nothing behind it.
    fn visit_unit<E: Error>(self) -> Result<Bindings, E> {
        Ok(Bindings::default())
    }

    fn visit_none<E: Error>(self) -> Result<Bindings, E> {
        self.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut roles: A) -> Result<Bindings, A::Error> {
        let mut bindings = Vec::new();
        while let Some(Named(role)) = roles.next_key()? {
            let form = form(role);
            let wrong = || A::Error::custom(format!("`roles.{}` is no {}", form.name(), form.expected()));
            bindings.extend(read(role, form, roles.next_value()?).ok_or_else(wrong)?);
        }
        bindings.sort_by_key(|binding| binding.role);
        Ok(Bindings(bindings))
    }
}

impl<'de> Deserialize<'de> for Bindings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RolesVisitor)
    }
}

/// What is bound in that role; `None`: it is written in another form.
fn read(role: Role, form: Form, written: Written) -> Option<Vec<Binding>> {
    let bound = |key: &str, id: String| Binding { role, key: key.to_owned(), id };
    Some(match (form, written) {
        (_, Written::Nothing(())) => Vec::new(),
        (Form::One(_), Written::One(id)) => vec![bound("", id)],
        (Form::List(_), Written::List(ids)) => ids.into_iter().map(|id| bound("", id)).collect(),
        (Form::Beside { .. }, _) => return None,
        (Form::Keyed { many, .. }, Written::Keyed(keyed)) => {
            let mut bindings = Vec::new();
            for (key, ids) in keyed {
                match ids {
                    Ids::One(id) => bindings.push(bound(&key, id)),
                    Ids::Many(ids) if many => bindings.extend(ids.into_iter().map(|id| bound(&key, id))),
                    Ids::Many(_) => return None,
                }
            }
            bindings
        }
        _ => return None,
    })
}

/// One operator's models are of several companies.
fn may_be_several(domain: DomainName) -> bool {
    matches!(domain, DomainName::Llm | DomainName::Embed)
}

impl Bindings {
    /// With the plugins that answer for others, by interface; else the key that is none, or that has several and may not. Models
    /// may be of several.
    pub fn with_providers(mut self, providers: &BTreeMap<String, Ids>) -> Result<Self, String> {
        for (key, ids) in providers {
            let mut provided = DomainName::ALL.iter().filter(|domain| domain.is_provided());
            let Some(domain) = provided.find(|domain| domain.as_str() == key) else {
                return Err(key.clone());
            };
            let ids = match ids {
                Ids::One(id) => std::slice::from_ref(id),
                Ids::Many(ids) if may_be_several(*domain) && !ids.is_empty() => ids,
                Ids::Many(_) => return Err(key.clone()),
            };
            let bound = |id: &String| Binding { role: Role::Provider, key: key.clone(), id: id.clone() };
            self.0.extend(ids.iter().map(bound));
        }
        self.0.sort_by_key(|binding| binding.role);
        Ok(self)
    }

    pub fn all(&self) -> &[Binding] {
        &self.0
    }

    /// Those of one role, in order.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Binding> {
        self.0.iter().filter(move |binding| binding.role == role)
    }

    /// The id of the plugin that is bound in that role by that key.
    pub fn by_key(&self, role: Role, key: &str) -> Option<&str> {
        self.of(role).find(|binding| binding.key == key).map(|binding| binding.id.as_str())
    }

    /// Every plugin id that is bound, each once, sorted.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.0.iter().map(|binding| binding.id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Bindings, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn each_role_is_bound_in_its_own_form() {
        let bindings = read(
            r#"{"planner": "a/p", "executors": {"shell": "a/e", "note": "a/e"}, "verifiers": ["a/v", "a/w"],
                "services": {"/x": "a/s"}, "auditors": null}"#,
        );
        let bindings = bindings.unwrap();
        let shown: Vec<_> =
            bindings.all().iter().map(|one| (one.role.as_str(), one.key.as_str(), one.id.as_str())).collect();
        let expected = [
            ("planner", "", "a/p"),
            ("executor", "note", "a/e"),
            ("executor", "shell", "a/e"),
            ("verifier", "", "a/v"),
            ("verifier", "", "a/w"),
            ("service", "/x", "a/s"),
        ];
        assert_eq!(shown, expected);
        assert_eq!(bindings.ids(), ["a/e", "a/p", "a/s", "a/v", "a/w"]);
        assert_eq!(bindings.by_key(Role::Executor, "note"), Some("a/e"));
        assert_eq!(bindings.by_key(Role::Executor, "other"), None);
        for role in Role::ALL.into_iter().filter(|role| form(*role).is_beneath_roles()) {
            let nothing = format!(r#"{{"{}": null}}"#, form(role).name());
            assert!(read(&nothing).unwrap().all().is_empty(), "{nothing}");
        }
    }

    #[test]
    fn providers_are_bound_by_the_interface_that_they_answer() {
        let bound = |key: &str| {
            let providers = [(key.to_owned(), Ids::One("a/n".to_owned()))].into();
            read(r#"{"planner": "a/p", "services": {"/x": "a/s"}}"#).unwrap().with_providers(&providers)
        };
        let bindings = bound("notify").unwrap();
        assert_eq!(bindings.by_key(Role::Provider, "notify"), Some("a/n"));
        assert!(bindings.all().is_sorted_by_key(|binding| binding.role));
        assert_eq!(bound("kv").unwrap_err(), "kv");
        assert_eq!(bound("mail").unwrap_err(), "mail");
        let several = |key: &str| {
            let ids = Ids::Many(vec!["a/m".to_owned(), "a/l".to_owned()]);
            Bindings::default().with_providers(&[(key.to_owned(), ids)].into())
        };
        let models = several("llm").unwrap();
        let ids: Vec<&str> = models.of(Role::Provider).map(|binding| binding.id.as_str()).collect();
        assert_eq!(ids, ["a/m", "a/l"], "in their order: the first one is asked where nothing else is said");
        assert_eq!(several("notify").unwrap_err(), "notify");
    }

    #[test]
    fn another_name_or_form_is_refused_by_name() {
        let refused = |json: &str| read(json).unwrap_err().to_string();
        assert!(refused(r#"{"planer": "a/p"}"#).contains("`roles` has no `planer`, but planner, executors"));
        let beside = refused(r#"{"providers": {"notify": "a/n"}}"#);
        assert!(beside.contains("`roles` has no `providers`"), "they stand beside it: {beside}");
        assert!(refused(r#"{"planner": ["a/p"]}"#).contains("`roles.planner` is no plugin id"));
        assert!(refused(r#"{"verifiers": "a/v"}"#).contains("`roles.verifiers` is no list of plugin ids"));
        let many = refused(r#"{"executors": {"shell": ["a/e", "a/f"]}}"#);
        assert!(many.contains("`roles.executors` is no mapping from kind to plugin id"), "{many}");
    }
}
