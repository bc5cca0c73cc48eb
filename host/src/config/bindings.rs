//! Bindings: which plugin acts in which role, from `roles:` of `config.yaml`.
//!
//! In -> out: `roles:` -> a list of role, key, id.
//! Invariant: names and forms come from the roles themselves ([`Form`]); an unknown name and another form are refused.
//! Not here: whether there is such a plugin and it has that role (`plugins.rs`).

use std::collections::BTreeMap;

use orch_trust::manifest::Role;
use serde::Deserialize;
use serde::de::Error;

use crate::role::{Binding, Form, form};

/// All of them, in the order of the roles, then in that of the file (of a mapping: sorted).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, Written>")]
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

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Ids {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<BTreeMap<String, Written>> for Bindings {
    type Error = serde::de::value::Error;

    fn try_from(mut written: BTreeMap<String, Written>) -> Result<Self, Self::Error> {
        let mut bindings = Vec::new();
        for role in Role::ALL {
            let form = form(role);
            let Some(found) = written.remove(form.name()) else { continue };
            bindings.extend(read(role, form, found).ok_or_else(|| {
                Self::Error::custom(format!("`roles.{}` is no {}", form.name(), form.expected()))
            })?);
        }
        match written.into_keys().next() {
            Some(unknown) => {
                let names: Vec<&str> = Role::ALL.into_iter().map(|role| form(role).name()).collect();
                let unknown = unknown.escape_default();
                Err(Self::Error::custom(format!("`roles` has no `{unknown}`, but {}", names.join(", "))))
            }
            None => Ok(Self(bindings)),
        }
    }
}

/// What is bound in that role; `None`: it is written in another form.
fn read(role: Role, form: Form, written: Written) -> Option<Vec<Binding>> {
    let bound = |key: &str, id: String| Binding { role, key: key.to_owned(), id };
    Some(match (form, written) {
        (_, Written::Nothing(())) => Vec::new(),
        (Form::One(_), Written::One(id)) => vec![bound("", id)],
        (Form::List(_), Written::List(ids)) => ids.into_iter().map(|id| bound("", id)).collect(),
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

impl Bindings {
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
        for role in Role::ALL {
            let nothing = format!(r#"{{"{}": null}}"#, form(role).name());
            assert!(read(&nothing).unwrap().all().is_empty(), "{nothing}");
        }
    }

    #[test]
    fn another_name_or_form_is_refused_by_name() {
        let refused = |json: &str| read(json).unwrap_err().to_string();
        assert!(refused(r#"{"planer": "a/p"}"#).contains("`roles` has no `planer`, but planner, executors"));
        assert!(refused(r#"{"planner": ["a/p"]}"#).contains("`roles.planner` is no plugin id"));
        assert!(refused(r#"{"verifiers": "a/v"}"#).contains("`roles.verifiers` is no list of plugin ids"));
        let many = refused(r#"{"executors": {"shell": ["a/e", "a/f"]}}"#);
        assert!(many.contains("`roles.executors` is no mapping from kind to plugin id"), "{many}");
    }
}
