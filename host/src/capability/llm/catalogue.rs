//! The models that may be asked: what the operator says of each.
//!
//! In -> out: a name, a grant -> [`Known`].
//! Not here: reading it (`config/models.rs`), counting what it costs (`budget`).

use std::collections::BTreeMap;

use orch_trust::permission::LlmPermission;

use crate::capability::provided::Asking;

/// Every model of the operator, by the name that plugins use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    pub models: BTreeMap<String, Known>,
    /// Of a trial: what every name stands for.
    pub any: Option<Known>,
    /// Where a request names none and nothing else picks one.
    pub default: Option<String>,
}

/// What is known of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Id of the plugin that asks it; none: the first one that the workspace binds.
    pub provider: Option<String>,
    /// What the provider calls it.
    pub model: String,
    /// Empty: the provider's own.
    pub base_url: String,
    /// Tokens that fit, question and answer.
    pub context_window: u32,
    /// Tokens of one answer.
    pub max_tokens: u32,
    /// Where a request says none.
    pub temperature: Option<f64>,
    pub capabilities: Vec<String>,
}

impl Catalogue {
    pub fn known(&self, name: &str) -> Option<&Known> {
        self.models.get(name).or(self.any.as_ref())
    }

    /// Those that a grant has, by name.
    pub fn granted<'a>(
        &'a self,
        granted: &'a LlmPermission,
    ) -> impl Iterator<Item = (&'a str, &'a Known)> + 'a {
        let listed = self.models.iter().filter(|(name, _)| granted.allows(name));
        let listed = listed.map(|(name, known)| (name.as_str(), known));
        let named =
            self.any.iter().flat_map(|known| granted.models.iter().map(move |name| (name.as_str(), known)));
        listed.chain(named)
    }

    /// The name of the model for a request that names none.
    pub fn pick<'a>(
        &'a self,
        _plugin: &str,
        _asking: &Asking,
        granted: &'a LlmPermission,
    ) -> Option<&'a str> {
        match self.any {
            Some(_) => granted.models.first().map(String::as_str),
            None => self.default.as_deref(),
        }
    }
}
