//! What `doctor` says of models: whether each can be asked, and what may still be spent.
//!
//! In -> out: the operator's folder, a workspace or none -> lines, good or bad.
//! Invariant: nobody is asked anything; a secret is read and not shown.
//! Not here: what a model is (`config/models.rs`), what budgets mean (`capability/purse.rs`).

use orch_journal::spending::Spent;
use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::permission::DomainName;

use crate::capability::llm::catalogue::{Catalogue, Known};
use crate::capability::purse::{Budget, Money};
use crate::clock::now_ms;
use crate::config::models;
use crate::config::operator::Operator;
use crate::config::workspace::WorkspaceConfig;
use crate::console::escape;
use crate::drive;
use crate::exit::Fault;
use crate::place::{self, Place};
use crate::plugins;

type Line = (bool, String);

/// Nothing where the operator names no model.
pub(super) fn lines(operator: &Operator, workspace: Option<&Place>) -> Vec<Line> {
    let mut lines = prices(&operator.models);
    if let Some(place) = workspace.filter(|_| !operator.models.models.is_empty()) {
        match of_workspace(operator, place) {
            Ok(more) => lines.extend(more),
            Err(fault) => lines.push((false, escape(&format!("{:#}", fault.source)))),
        }
    }
    lines
}

/// A model without a price is never asked where money is bounded.
fn prices(catalogue: &Catalogue) -> Vec<Line> {
    let (budgets, _) = catalogue.bounds();
    let unpriced = catalogue.models.iter().filter(|(_, known)| known.price.is_none());
    let line = |(name, _): (&String, &Known)| match budgets.bound_money() {
        true => (
            false,
            format!(
                "model `{name}`: no `price`, and `budgets` of `models.toml` bounds money: nobody may ask it"
            ),
        ),
        false => (true, format!("model `{name}`: no `price`, so that nobody counts what it costs")),
    };
    unpriced.map(line).collect()
}

fn of_workspace(operator: &Operator, place: &Place) -> Result<Vec<Line>, Fault> {
    let config = WorkspaceConfig::read(&place.workspace)?;
    let picks = models::picks_of(&place.workspace, &operator.models)?;
    let catalogue = Catalogue { picks, ..operator.models.clone() };
    let bound: Vec<&str> = config
        .roles
        .of(Role::Provider)
        .filter(|binding| binding.key == DomainName::Llm.as_str())
        .map(|binding| binding.id.as_str())
        .collect();
    let mut lines = Vec::new();
    if bound.is_empty() {
        let picked = catalogue.picks.named().next();
        let what = |(key, name)| {
            format!(
                "`models.yaml` picks `{name}` under `{key}`, and `providers` of `config.yaml` binds nothing for `llm`"
            )
        };
        lines.extend(picked.map(|picked| (false, what(picked))));
        return Ok(lines);
    }
    for (name, known) in &catalogue.models {
        lines.push(asked(operator, &bound, name, known));
    }
    lines.extend(budgets(&catalogue, place)?);
    // What keeps the plugins from running is said elsewhere.
    lines.extend(secrets(operator, place, &config, &bound).unwrap_or_default());
    Ok(lines)
}

/// Who would be asked for it, or why nobody would.
fn asked(operator: &Operator, bound: &[&str], name: &str, known: &Known) -> Line {
    let Some(provider) = known.provider.as_deref().or(bound.first().copied()) else {
        return (false, format!("model `{name}`: nobody provides it"));
    };
    if !bound.contains(&provider) {
        let what =
            format!("model `{name}`: its provider `{provider}` is not bound by `providers` of `config.yaml`");
        return (false, what);
    }
    let provided = PluginId::parse(provider).ok().map(|id| operator.policy.provided(&id).0.clone());
    let may = provided.and_then(|provided| provided.llm).is_some_and(|llm| llm.allows(name));
    match may {
        true => (true, format!("model `{name}` is asked through `{provider}`")),
        false => {
            let what = format!(
                "model `{name}`: `policy.toml` does not let `{provider}` be asked for it (`provide`)"
            );
            (false, what)
        }
    }
}

/// Whether what the providers need can be read.
fn secrets(
    operator: &Operator,
    place: &Place,
    config: &WorkspaceConfig,
    bound: &[&str],
) -> Result<Vec<Line>, Fault> {
    let rules = operator.rules(config, place.lock()?);
    let admitted = plugins::admit_bound(config, &operator.package_folders(&[]), &rules, place::now())?;
    let mut lines = Vec::new();
    for (id, plugin) in admitted.by_id.iter().filter(|(id, _)| bound.contains(&id.as_str())) {
        let granted = plugin.grant().permissions().secrets.iter().flat_map(|secrets| &secrets.uses);
        for one in granted {
            let name = &one.name;
            lines.push(match operator.secrets.get(name).map(|source| source.read()) {
                Some(Ok(_)) => (true, format!("`{id}`: its secret `{name}` can be read")),
                Some(Err(error)) => {
                    (false, format!("`{id}`: its secret `{name}` {}", escape(&error.to_string())))
                }
                None => (false, format!("`{id}`: its secret `{name}` is not in `secrets.toml`")),
            });
        }
    }
    Ok(lines)
}

/// What is spent of each budget, today and in the run that is open.
fn budgets(catalogue: &Catalogue, place: &Place) -> Result<Vec<Line>, Fault> {
    // There is no store before the first run.
    if !place.has_store() {
        return Ok(Vec::new());
    }
    let reader = place.reader()?;
    let purse = drive::purse::of(catalogue, &reader)?;
    let run = reader.open_run()?.unwrap_or_default();
    let standing = purse.standing(&run, now_ms());
    Ok(standing
        .iter()
        .map(|(whose, budget, spent)| budget_line(whose, *budget, *spent, &catalogue.currency))
        .collect())
}

fn budget_line(whose: &str, budget: Budget, spent: Spent, currency: &str) -> Line {
    let money = |amount| Money { amount, currency }.to_string();
    let cost = budget.cost.map(|limit| format!("{} of {}", money(spent.cost), money(limit)));
    let tokens = budget.tokens.map(|limit| format!("{} of {limit} tokens", spent.tokens));
    let is_left = budget.cost.is_none_or(|limit| spent.cost < limit)
        && budget.tokens.is_none_or(|limit| spent.tokens < limit);
    let parts: Vec<String> = cost.into_iter().chain(tokens).collect();
    let end = if is_left { "" } else { ": nobody may ask any more" };
    (is_left, format!("budget of {}: {} spent or held back{end}", escape(whose), parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_is_spent_in_money_or_tokens_is_bad() {
        let budget = Budget { cost: Some(1_000_000), tokens: Some(100) };
        let line = |tokens, cost| budget_line("the day", budget, Spent { tokens, cost }, "EUR");
        let good = "budget of the day: 0.500000 EUR of 1.000000 EUR, 99 of 100 tokens spent or held back";
        assert_eq!(line(99, 500_000), (true, good.to_owned()));
        assert!(!line(100, 0).0 && !line(0, 1_000_000).0);
        assert!(line(100, 0).1.ends_with("nobody may ask any more"));
    }

    #[test]
    fn a_model_without_a_price_is_bad_where_money_is_bounded() {
        let text = "currency = \"EUR\"\n[models.small]\nmodel = \"m\"\ncontext_window = 10\nmax_tokens = 5\n";
        let lines = |more: &str| prices(&models::parse(&(more.to_owned() + text)).unwrap());
        let bounded = text.to_owned() + "[budgets]\nday = { cost = 1.0 }\n";
        assert!(!prices(&models::parse(&bounded).unwrap())[0].0);
        assert!(lines("")[0].0);
    }
}
