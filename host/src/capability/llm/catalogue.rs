//! The models that may be asked: what the operator says of each.
//!
//! In -> out: a name, a grant -> [`Known`].
//! Not here: reading it (`config/models.rs`).

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::permission::{EmbedPermission, LlmPermission};
use serde::Deserialize;

use super::chat::Usage;
use crate::capability::provided::Asking;
use crate::capability::purse::{Budgets, Rates};

/// Of the vectors of every model of a trial.
pub(crate) const TRIAL_DIMENSION: NonZeroU32 = NonZeroU32::MIN.saturating_add(31);

/// Every model of the operator, by the name that plugins use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    pub models: BTreeMap<String, Known>,
    /// Of a trial: what every name stands for.
    pub any: Option<Known>,
    /// Where a request names none and nothing else picks one.
    pub default: Option<String>,
    /// The same where vectors are asked for.
    pub embed: Option<String>,
    /// Of all prices; empty if there is none.
    pub currency: String,
    pub budgets: Budgets,
    pub rates: Rates,
    /// What the workspace says.
    pub picks: Picks,
}

/// `models.yaml`: which of the operator's models whoever names none gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Picks {
    pub default: Option<String>,
    /// For vectors.
    pub embed: Option<String>,
    /// By the role that the plugin is called in.
    pub roles: BTreeMap<Role, String>,
    /// By plugin id.
    pub plugins: BTreeMap<PluginId, String>,
    /// By the kind of the task.
    pub kinds: BTreeMap<String, String>,
    /// By the task's id.
    pub tasks: BTreeMap<String, String>,
    /// Tokens of one answer, at most.
    pub max_tokens: Option<NonZeroU32>,
    /// These, too, hold.
    pub budgets: Budgets,
    pub rates: Rates,
}

impl Picks {
    /// Every name of a model that answers, with the key that it stands under.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let default = self.default.iter().map(|name| ("default", name.as_str()));
        let roles = self.roles.values().map(|name| ("roles", name.as_str()));
        let plugins = self.plugins.values().map(|name| ("plugins", name.as_str()));
        let kinds = self.kinds.values().map(|name| ("kinds", name.as_str()));
        let tasks = self.tasks.values().map(|name| ("tasks", name.as_str()));
        default.chain(roles).chain(plugins).chain(kinds).chain(tasks)
    }

    /// The one for a call of that plugin: by its task, else by the kind of that, by the plugin's id, its role, or the default.
    pub fn of(&self, plugin: &str, asking: &Asking) -> Option<&str> {
        let by_task = asking.task.as_deref().and_then(|task| self.tasks.get(task));
        let by_kind = || asking.kind.as_deref().and_then(|kind| self.kinds.get(kind));
        let by_plugin = || self.plugins.iter().find(|(id, _)| id.as_str() == plugin).map(|(_, name)| name);
        let by_role = || asking.role.and_then(|role| self.roles.get(&role));
        by_task
            .or_else(by_kind)
            .or_else(by_plugin)
            .or_else(by_role)
            .or(self.default.as_ref())
            .map(String::as_str)
    }
}

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    pub input: f64,
    /// Of them from a cache of the provider.
    pub cached: f64,
    pub output: f64,
}

impl Price {
    /// In millionths of the currency, rounded up.
    pub fn cost(&self, usage: &Usage) -> u64 {
        let Usage { input, cached, output } = *usage;
        let plain = input.saturating_sub(cached);
        let cost = plain as f64 * self.input + cached as f64 * self.cached + output as f64 * self.output;
        cost.ceil() as u64
    }

    /// The most that so many tokens cost, read and written, whatever a cache had of them; in the same.
    pub fn most(&self, usage: &Usage) -> u64 {
        let Usage { input, cached: _, output } = *usage;
        (input as f64 * self.input.max(self.cached) + output as f64 * self.output).ceil() as u64
    }
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
    /// Numbers of its vectors; none: it answers, and makes no vectors.
    pub dimension: Option<NonZeroU32>,
    pub price: Option<Price>,
}

impl Catalogue {
    /// What bounds spending in a workspace that says what it says.
    pub fn bounds(&self) -> (Budgets, Rates) {
        let Picks { budgets, rates, .. } = &self.picks;
        (self.budgets.clone().within(budgets.clone()), self.rates.within(*rates))
    }

    pub fn known(&self, name: &str) -> Option<&Known> {
        self.models.get(name).or(self.any.as_ref())
    }

    /// Those that a grant has, by name.
    pub fn granted<'a>(
        &'a self,
        granted: &'a LlmPermission,
    ) -> impl Iterator<Item = (&'a str, &'a Known)> + 'a {
        let listed = self.models.iter();
        let listed = listed.filter(|(name, known)| known.dimension.is_none() && granted.allows(name));
        let listed = listed.map(|(name, known)| (name.as_str(), known));
        let named =
            self.any.iter().flat_map(|known| granted.models.iter().map(move |name| (name.as_str(), known)));
        listed.chain(named)
    }

    /// The model of that name, if it makes vectors, with their dimension.
    pub fn embedder(&self, name: &str) -> Option<(&Known, NonZeroU32)> {
        match (self.models.get(name), &self.any) {
            (Some(known), _) => known.dimension.map(|dimension| (known, dimension)),
            (None, any) => any.as_ref().map(|known| (known, TRIAL_DIMENSION)),
        }
    }

    /// Those that make vectors and that a grant has, by name.
    pub fn embedders<'a>(
        &'a self,
        granted: &'a EmbedPermission,
    ) -> impl Iterator<Item = (&'a str, &'a Known, NonZeroU32)> + 'a {
        let listed = self.models.keys().filter(|name| granted.allows(name));
        let named = granted.models.iter().filter(|_| self.any.is_some());
        let names = listed.chain(named).map(String::as_str);
        names.filter_map(|name| self.embedder(name).map(|(known, dimension)| (name, known, dimension)))
    }

    /// The name of the model for texts whose request names none.
    pub fn pick_embedder<'a>(&'a self, granted: &'a EmbedPermission) -> Option<&'a str> {
        match self.any {
            Some(_) => granted.models.first().map(String::as_str),
            None => self.picks.embed.as_deref().or(self.embed.as_deref()),
        }
    }

    /// The name of the model for a request that names none.
    pub fn pick<'a>(&'a self, plugin: &str, asking: &Asking, granted: &'a LlmPermission) -> Option<&'a str> {
        match self.any {
            Some(_) => granted.models.first().map(String::as_str),
            None => self.picks.of(plugin, asking).or(self.default.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_cost_is_rounded_up_and_cached_tokens_have_their_own_price() {
        let price = Price { input: 0.25, cached: 0.025, output: 2.0 };
        let cost = |input, cached, output| price.cost(&Usage { input, cached, output });
        assert_eq!(cost(1_000_000, 0, 0), 250_000);
        assert_eq!(cost(1_000_000, 1_000_000, 0), 25_000);
        assert_eq!(cost(0, 0, 1_000_000), 2_000_000);
        assert_eq!((cost(1, 0, 0), cost(0, 0, 0)), (1, 0));
    }
}
