//! Which plugin answers for others: whether it can, whether the operator lets it, and whether one asks the next in a circle.
//!
//! In -> out: what `config.yaml` binds, admitted plugins, the policy -> how deep they are asked, or [`PluginsError`].
//! Limits: depth [`DEPTH_MAX`].
//! Not here: asking them (`drive/providers.rs`).

use std::collections::BTreeMap;

use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::interfaces::{ImportRule, import_rule, provided_by};
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::permission::DomainName;
use orch_trust::policy::Policy;

use super::PluginsError;
use crate::capability::provided::DEPTH_MAX;
use crate::config::workspace::WorkspaceConfig;
use crate::role::Binding;

/// What each interface's provider asks of others.
type Asks<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// Checks every provider that the workspace binds; gives how many are asked one beneath the other.
pub(super) fn check(
    workspace: &WorkspaceConfig,
    admitted: &BTreeMap<String, Admitted>,
    policy: &Policy,
) -> Result<u32, PluginsError> {
    let mut asks = Asks::new();
    for Binding { key, id, .. } in workspace.roles.of(Role::Provider) {
        let plugin = admitted
            .get(id)
            .ok_or_else(|| PluginsError::NotFound { id: id.clone(), searched: Vec::new() })?;
        if !plugin.facts().exports.iter().any(|export| is_provided_as(export, key)) {
            return Err(PluginsError::NotThatInterface { id: id.clone(), interface: key.clone() });
        }
        check_policy(plugin, key, policy)?;
        asks.insert(key, asked_by(plugin).map(DomainName::as_str).collect());
    }
    check_channels(workspace, policy)?;
    depth(&asks).map_err(|Chain { interfaces, is_circle }| {
        let by = |interface: &&str| workspace.roles.by_key(Role::Provider, interface).unwrap_or_default();
        let chain = interfaces.iter().map(|one| format!("`{one}` by `{}`", by(one))).collect::<Vec<_>>();
        PluginsError::ProvidersAsk { chain: chain.join(", which asks for "), is_circle }
    })
}

/// Fails if the host itself could not tell people of a run's end as the workspace says.
pub fn check_channels(workspace: &WorkspaceConfig, policy: &Policy) -> Result<(), PluginsError> {
    let provider = workspace.roles.by_key(Role::Provider, DomainName::Notify.as_str());
    let may =
        provider.and_then(|id| PluginId::parse(id).ok()).and_then(|id| policy.provided(&id).0.notify.clone());
    for (ending, channels) in workspace.notify.all() {
        let is_served = |channel: &&String| may.as_ref().is_some_and(|may| may.allows(channel));
        if let Some(channel) = channels.iter().find(|channel| !is_served(channel)) {
            let (channel, provider) = (channel.clone(), provider.map(str::to_owned));
            return Err(PluginsError::NoSuchChannel { ending, channel, provider });
        }
    }
    Ok(())
}

/// What is granted to plugins of the loop and the services, and nobody provides.
pub(super) fn missing(workspace: &WorkspaceConfig, admitted: &BTreeMap<String, Admitted>) -> Vec<String> {
    let is_bound = |domain: &DomainName| workspace.roles.by_key(Role::Provider, domain.as_str()).is_some();
    let mut found = Vec::new();
    for (id, plugin) in admitted {
        for domain in asked_by(plugin).filter(|domain| !is_bound(domain)) {
            let name = domain.as_str();
            found.push(format!(
                "`{id}` may ask for `{name}`, and `providers` in `config.yaml` binds no plugin for it"
            ));
        }
    }
    found
}

fn is_provided_as(export: &str, interface: &str) -> bool {
    provided_by(export).is_some_and(|domain| domain.as_str() == interface)
}

/// Fails if the operator does not let that plugin answer for others.
pub fn check_policy(plugin: &Admitted, interface: &str, policy: &Policy) -> Result<(), PluginsError> {
    let id = &plugin.manifest().id;
    let (provided, table) = policy.provided(id);
    match provided.domains().iter().any(|domain| domain.as_str() == interface) {
        true => Ok(()),
        false => {
            let (id, interface) = (id.to_string(), interface.to_owned());
            Err(PluginsError::ProviderNotAllowed { id, interface, table })
        }
    }
}

/// The line of a policy that lets a plugin answer for others, with a word in it to be filled in.
pub(super) fn entry_for(interface: &str) -> String {
    match interface {
        "notify" => "notify = { channels = [\"CHANNEL\"] }".to_owned(),
        "llm" => "llm = { models = [\"MODEL\"], tokens = 4096 }".to_owned(),
        "embed" => "embed = { models = [\"MODEL\"], bytes = 1048576 }".to_owned(),
        "retrieve" => "retrieve = { collections = [\"COLLECTION\"] }".to_owned(),
        other => format!("{other} = {{}}"),
    }
}

/// What a plugin imports that others answer.
pub(super) fn asked_by(plugin: &Admitted) -> impl Iterator<Item = DomainName> {
    let provided = |import: &String| match import_rule(import) {
        ImportRule::Needs(need) => Some(need.domain).filter(|domain| domain.is_provided()),
        ImportRule::Free | ImportRule::Inert | ImportRule::Providing(_) | ImportRule::Unknown => None,
    };
    plugin.facts().imports.iter().filter_map(provided)
}

/// Interfaces of which each one's provider asks for the next.
#[derive(Debug, PartialEq, Eq)]
struct Chain<'a> {
    interfaces: Vec<&'a str>,
    /// The last one is there before; else it is too long.
    is_circle: bool,
}

/// The longest chain; or the first that is a circle or too long.
fn depth<'a>(asks: &Asks<'a>) -> Result<u32, Chain<'a>> {
    let mut deepest = 0;
    for interface in asks.keys() {
        deepest = deepest.max(follow(asks, &mut vec![interface])?);
    }
    Ok(deepest)
}

fn follow<'a>(asks: &Asks<'a>, chain: &mut Vec<&'a str>) -> Result<u32, Chain<'a>> {
    if chain.len() > DEPTH_MAX {
        return Err(Chain { interfaces: chain.clone(), is_circle: false });
    }
    let mut deepest = chain.len();
    // One that nobody provides is not asked.
    let next = chain.last().and_then(|last| asks.get(last)).into_iter().flatten();
    for next in next.filter(|next| asks.contains_key(*next)) {
        let is_circle = chain.contains(next);
        chain.push(next);
        if is_circle {
            return Err(Chain { interfaces: chain.clone(), is_circle });
        }
        deepest = deepest.max(follow(asks, chain)? as usize);
        chain.pop();
    }
    Ok(deepest as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asks: &[(&'static str, &[&'static str])], expected: Result<u32, (&[&str], bool)>) {
        let asks: Asks<'_> = asks.iter().map(|(of, asked)| (*of, asked.to_vec())).collect();
        let found = depth(&asks);
        let found = found.as_ref().map(|depth| *depth).map_err(|chain| (&*chain.interfaces, chain.is_circle));
        assert_eq!(found, expected, "{asks:?}");
    }

    #[test]
    fn a_circle_is_found_wherever_it_begins() {
        check(&[("a", &["a"])], Err((&["a", "a"], true)));
        check(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])], Err((&["a", "b", "c", "b"], true)));
        check(&[("a", &["b", "c"]), ("b", &[]), ("c", &["a"])], Err((&["a", "c", "a"], true)));
    }

    #[test]
    fn what_is_asked_twice_is_no_circle_and_what_nobody_provides_is_not_asked() {
        check(&[], Ok(0));
        check(&[("a", &[])], Ok(1));
        check(&[("a", &["b"])], Ok(1));
        check(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])], Ok(3));
    }

    #[test]
    fn four_are_asked_one_beneath_the_other_and_not_five() {
        let four: [(&str, &[&str]); 4] = [("a", &["b"]), ("b", &["c"]), ("c", &["d"]), ("d", &[])];
        check(&four, Ok(4));
        let five: [(&str, &[&str]); 5] =
            [("a", &["b"]), ("b", &["c"]), ("c", &["d"]), ("d", &["e"]), ("e", &[])];
        check(&five, Err((&["a", "b", "c", "d", "e"], false)));
    }
}
