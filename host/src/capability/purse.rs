//! What may be spent: budgets and rates, held against before a provider is asked.
//!
//! In -> out: a question with what it may cost at most -> held back for it, or which budget it is too much for.
//! Units: tokens; millionths of the operator's currency; rates a minute, for each plugin and interface.
//! Invariant: of all questions that are out at once, the most that they may cost together lies within every budget.
//! Not here: what was spent (`orch-journal`'s `spending.rs`), where budgets are written (`config/models.rs`), rates' buckets
//! (`purse/pace.rs`).

mod pace;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orch_journal::event::ModelAnswer;
use orch_journal::spending::{Account, DAY_MS, Reserved, Spending, Spent, used};
use orch_trust::name::PluginId;
use serde::Deserialize;

use pace::Pace;

/// Of a budget, from here on the operator is warned: in hundredths.
const WARNED_FROM: u128 = 90;

/// The most of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenBudget")]
pub struct Budget {
    /// In millionths of the currency.
    pub cost: Option<u64>,
    pub tokens: Option<u64>,
}

/// As people write it: money in the currency, not in its millionths.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBudget {
    cost: Option<f64>,
    tokens: Option<u64>,
}

impl TryFrom<WrittenBudget> for Budget {
    type Error = &'static str;

    fn try_from(written: WrittenBudget) -> Result<Self, &'static str> {
        let WrittenBudget { cost, tokens } = written;
        match (cost, tokens) {
            (None, None) => Err("a budget says `cost`, `tokens` or both"),
            (Some(cost), _) if !(0.0..=1e9).contains(&cost) => {
                Err("`cost` of a budget is not an amount of 0 to 1000000000")
            }
            (cost, tokens) => Ok(Self { cost: cost.map(|cost| (cost * 1e6).round() as u64), tokens }),
        }
    }
}

/// Everything that bounds spending; absent is without a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budgets {
    pub run: Budget,
    /// Of one workspace, in UTC.
    pub day: Budget,
    /// Of a day.
    pub providers: BTreeMap<PluginId, Budget>,
}

/// How much a plugin may ask in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    pub requests: Option<NonZeroU32>,
    pub tokens: Option<NonZeroU32>,
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Budget {
    fn within(self, other: Self) -> Self {
        Self { cost: least(self.cost, other.cost), tokens: least(self.tokens, other.tokens) }
    }
}

impl Budgets {
    /// The smaller of both, one by one.
    pub fn within(mut self, other: Self) -> Self {
        for (provider, budget) in other.providers {
            let own = self.providers.entry(provider).or_default();
            *own = own.within(budget);
        }
        Self { run: self.run.within(other.run), day: self.day.within(other.day), ..self }
    }

    fn of_provider(&self, id: &str) -> Budget {
        let found = self.providers.iter().find(|(provider, _)| provider.as_str() == id);
        found.map(|(_, budget)| *budget).unwrap_or_default()
    }

    fn all(&self) -> impl Iterator<Item = Budget> {
        [self.run, self.day].into_iter().chain(self.providers.values().copied())
    }

    pub fn is_empty(&self) -> bool {
        self.all().all(|budget| budget == Budget::default())
    }

    /// Some budget is of money.
    pub fn bound_money(&self) -> bool {
        self.all().any(|budget| budget.cost.is_some())
    }
}

impl Rates {
    /// The smaller of both, one by one.
    pub fn within(self, other: Self) -> Self {
        Self { requests: least(self.requests, other.requests), tokens: least(self.tokens, other.tokens) }
    }
}

/// A question that is about to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Empty: of no run.
    pub run: &'a str,
    pub provider: &'a str,
    pub key: &'a str,
    pub reserved: Reserved,
}

/// Why a question may not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overspent {
    /// Nobody knows what it costs, and there is a budget of money.
    NoPrice,
    Budget {
        /// `budget-run`, `budget-day` or `budget-provider`.
        name: &'static str,
        /// For the operator.
        why: String,
    },
}

/// What a workspace's plugins may spend, and did.
#[derive(Debug, Default)]
pub struct Purse {
    budgets: Budgets,
    currency: String,
    state: Mutex<State>,
    pace: Pace,
}

#[derive(Debug, Default)]
struct State {
    spending: Spending,
    /// Warnings that were given: run, day or 0, their words.
    warned: BTreeSet<(String, u64, String)>,
}

impl Purse {
    /// With what was spent before.
    pub fn new(budgets: Budgets, rates: Rates, currency: String, spending: Spending) -> Self {
        let state = Mutex::new(State { spending, warned: BTreeSet::new() });
        Self { budgets, currency, state, pace: Pace::new(rates) }
    }

    /// Takes a turn for a question of that many tokens; gives how long it must wait for it.
    ///
    /// # Errors
    /// It would be longer than `most`; nothing is taken then.
    pub fn turn(
        &self,
        consumer: &str,
        interface: &'static str,
        tokens: u64,
        now: Instant,
        most: Duration,
    ) -> Result<Duration, Duration> {
        self.pace.take((consumer, interface), tokens, now, most)
    }

    /// Gives back to the rate what a question did not use.
    pub fn give_back(
        &self,
        consumer: &str,
        interface: &'static str,
        reserved: Reserved,
        answer: &ModelAnswer,
    ) {
        let used = used(answer).map_or(reserved.tokens, |used| used.tokens);
        self.pace.give_back((consumer, interface), reserved.tokens.saturating_sub(used));
    }

    /// What was spent and is held back, with the budgets: of a run, of a day, of providers in it. For people.
    pub fn standing(&self, run: &str, at_ms: u64) -> Vec<(String, Budget, Spent)> {
        let (day, state) = (at_ms / DAY_MS, self.state());
        let spending = &state.spending;
        let mut all = vec![("the day".to_owned(), self.budgets.day, spending.of_day(day))];
        if !run.is_empty() {
            all.push((format!("run `{run}`"), self.budgets.run, spending.of_run(run)));
        }
        all.extend(self.budgets.providers.iter().map(|(id, budget)| {
            (format!("`{id}` for the day"), *budget, spending.of_provider(id.as_str(), day))
        }));
        all.retain(|(_, budget, _)| *budget != Budget::default());
        all
    }

    /// Holds back what the question may cost at most; gives what the operator should hear.
    ///
    /// # Errors
    /// A budget has no room for it; nothing is held back then.
    pub fn reserve(&self, question: &Question<'_>, at_ms: u64) -> Result<Vec<String>, Overspent> {
        let Question { run, provider, key, reserved } = *question;
        if self.budgets.is_empty() {
            return Ok(Vec::new());
        }
        if reserved.cost.is_none() && self.budgets.bound_money() {
            return Err(Overspent::NoPrice);
        }
        let day = at_ms / DAY_MS;
        let mut state = self.state();
        let spending = &state.spending;
        let run_budget = if run.is_empty() { Budget::default() } else { self.budgets.run };
        let bounds = [
            ("budget-run", "the run".to_owned(), run_budget, spending.of_run(run)),
            ("budget-day", "the day".to_owned(), self.budgets.day, spending.of_day(day)),
            (
                "budget-provider",
                format!("`{provider}` for the day"),
                self.budgets.of_provider(provider),
                spending.of_provider(provider, day),
            ),
        ];
        let mut low = Vec::new();
        for (name, whose, budget, spent) in bounds {
            for bound in self.parts(budget, spent, reserved) {
                if bound.spent.saturating_add(bound.more) > bound.limit {
                    return Err(Overspent::Budget { name, why: bound.lacks(&whose) });
                }
                if u128::from(bound.spent + bound.more) * 100 >= u128::from(bound.limit) * WARNED_FROM {
                    low.push(format!(
                        "nine tenths of the budget of {whose} ({}) are spent or held back",
                        bound.shown(bound.limit)
                    ));
                }
            }
        }
        low.retain(|text| state.warned.insert((run.to_owned(), day, text.clone())));
        let account = Account { run: run.to_owned(), provider: provider.to_owned(), day };
        state.spending.reserve(account, key, reserved);
        Ok(low)
    }

    /// Money and tokens of a budget, as far as it bounds them.
    fn parts(&self, budget: Budget, spent: Spent, reserved: Reserved) -> impl Iterator<Item = Bound<'_>> {
        let money = budget.cost.zip(reserved.cost).map(|(limit, more)| Bound {
            limit,
            spent: spent.cost,
            more,
            currency: Some(&*self.currency),
        });
        let tokens = budget.tokens.map(|limit| Bound {
            limit,
            spent: spent.tokens,
            more: reserved.tokens,
            currency: None,
        });
        money.into_iter().chain(tokens)
    }

    /// True the first time that a run's operator would hear this.
    pub fn is_first(&self, run: &str, warning: &str) -> bool {
        self.state().warned.insert((run.to_owned(), 0, warning.to_owned()))
    }

    /// Counts what a question used in the place of what was held back for it.
    pub fn settle(&self, answer: &ModelAnswer) {
        self.state().spending.settle(answer);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A sum is whole at every moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One amount against its limit.
struct Bound<'a> {
    limit: u64,
    spent: u64,
    more: u64,
    /// None: tokens.
    currency: Option<&'a str>,
}

impl Bound<'_> {
    fn shown(&self, amount: u64) -> String {
        match self.currency {
            Some(currency) => Money { amount, currency }.to_string(),
            None => format!("{amount} tokens"),
        }
    }

    fn lacks(&self, whose: &str) -> String {
        let [limit, spent, more] = [self.limit, self.spent, self.more].map(|amount| self.shown(amount));
        format!(
            "of the budget of {whose}, {limit}, {spent} are spent or held back; this question may cost {more}"
        )
    }
}

/// An amount for people.
pub struct Money<'a> {
    /// In millionths.
    pub amount: u64,
    pub currency: &'a str,
}

impl fmt::Display for Money<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} {}", self.amount / 1_000_000, self.amount % 1_000_000, self.currency)
    }
}

#[cfg(test)]
mod tests;
