//! What questions to models cost, as far as a journal knows.
//!
//! In -> out: intents with what was reserved, what became of them -> [`Spending`]: sums by run, by day, by provider and day.
//! Units: tokens; millionths of the operator's currency; days in UTC, of the intent.
//! Invariant: a question counts what was reserved for it until its end is known, and for ever where nobody saw the end or where
//! whoever runs the model may have charged for it. Of an answer that does not say what it used the event has the most.
//! Not here: what may be spent (`orch-host`'s `capability/purse.rs`).

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::event::{AskedProvider, Event, ModelAnswer};

pub const DAY_MS: u64 = 86_400_000;

/// What a question may cost at most; held back for it before it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    pub tokens: u64,
    /// In millionths of the currency; none: the model has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
}

/// A sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub tokens: u64,
    pub cost: u64,
}

impl Spent {
    fn add(&mut self, more: Self) {
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.cost = self.cost.saturating_add(more.cost);
    }

    fn take_off(&mut self, less: Self) {
        self.tokens = self.tokens.saturating_sub(less.tokens);
        self.cost = self.cost.saturating_sub(less.cost);
    }
}

impl From<Reserved> for Spent {
    fn from(reserved: Reserved) -> Self {
        Self { tokens: reserved.tokens, cost: reserved.cost.unwrap_or_default() }
    }
}

/// For whom something is reserved, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Empty: no run's.
    pub run: String,
    pub provider: String,
    /// Days since 1970.
    pub day: u64,
}

/// Everything spent and held back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// By the key of the question: its end is not known.
    open: HashMap<String, (Account, Spent)>,
    runs: BTreeMap<String, Spent>,
    days: BTreeMap<u64, Spent>,
    providers: BTreeMap<(String, u64), Spent>,
}

impl Spending {
    /// Takes the next event of that run; of what is no run's own the name is empty.
    pub fn take(&mut self, run: &str, event: &Event) {
        match event {
            Event::IntentRecorded {
                provided: Some(AskedProvider { provider, key, reserved, .. }),
                at,
                ..
            } => {
                let account = Account { run: run.to_owned(), provider: provider.clone(), day: at / DAY_MS };
                if let Some(reserved) = reserved {
                    self.reserve(account, key, *reserved);
                }
            }
            Event::ModelAnswered(answered) => self.settle(&answered.answer),
            _ => {}
        }
    }

    /// Holds that back. What was held back for an earlier question of that key, whose end nobody saw, stays.
    pub fn reserve(&mut self, account: Account, key: &str, reserved: Reserved) {
        let spent = reserved.into();
        self.each(&account, |sum| sum.add(spent));
        self.open.insert(key.to_owned(), (account, spent));
    }

    /// Counts what it used in the place of what was held back for it.
    pub fn settle(&mut self, answer: &ModelAnswer) {
        let Some((account, reserved)) = self.open.remove(&answer.key) else { return };
        if let Some(used) = used(answer) {
            self.each(&account, |sum| {
                sum.take_off(reserved);
                sum.add(used);
            });
        }
    }

    fn each(&mut self, account: &Account, change: impl Fn(&mut Spent)) {
        let Account { run, provider, day } = account;
        if !run.is_empty() {
            change(self.runs.entry(run.clone()).or_default());
        }
        change(self.days.entry(*day).or_default());
        change(self.providers.entry((provider.clone(), *day)).or_default());
    }

    pub fn of_run(&self, run: &str) -> Spent {
        self.runs.get(run).copied().unwrap_or_default()
    }

    pub fn of_day(&self, day: u64) -> Spent {
        self.days.get(&day).copied().unwrap_or_default()
    }

    pub fn of_provider(&self, provider: &str, day: u64) -> Spent {
        self.providers.get(&(provider.to_owned(), day)).copied().unwrap_or_default()
    }
}

/// What a question used; none: nobody knows, and whoever runs the model may have charged for it.
pub fn used(answer: &ModelAnswer) -> Option<Spent> {
    match answer.fault.as_deref() {
        None => Some(Spent {
            tokens: answer.input.saturating_add(answer.output),
            cost: answer.cost.unwrap_or_default(),
        }),
        // It was turned away at the door.
        Some("denied" | "invalid" | "limit" | "busy") => Some(Spent::default()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, ModelAnswered};

    const NOON: u64 = 20_000 * DAY_MS + DAY_MS / 2;

    fn asked(key: &str, at: u64, reserved: Option<Reserved>) -> Event {
        let provided = AskedProvider {
            consumer: "a/a".to_owned(),
            provider: "a/p".to_owned(),
            subject: "small".to_owned(),
            key: key.to_owned(),
            reserved,
        };
        let by = Actor::Attempt { task: 0, attempt: 1 };
        Event::IntentRecorded { by, effect: "llm".to_owned(), provided: Some(provided), spends: true, at }
    }

    fn answered(key: &str, fault: Option<&str>, at: u64) -> Event {
        let answer = ModelAnswer {
            consumer: "a/a".to_owned(),
            provider: "a/p".to_owned(),
            model: "small".to_owned(),
            key: key.to_owned(),
            question: String::new(),
            answer: None,
            fault: fault.map(str::to_owned),
            answered_by: String::new(),
            id: String::new(),
            input: 20,
            cached: 0,
            output: 10,
            estimated: false,
            cost: Some(7),
            currency: "EUR".to_owned(),
        };
        Event::ModelAnswered(Box::new(ModelAnswered {
            by: Actor::Attempt { task: 0, attempt: 1 },
            answer,
            at,
        }))
    }

    #[track_caller]
    fn check(events: &[Event], tokens: u64, cost: u64) {
        let mut spending = Spending::default();
        events.iter().for_each(|event| spending.take("r", event));
        let expected = Spent { tokens, cost };
        assert_eq!(spending.of_run("r"), expected);
        assert_eq!(spending.of_day(20_000), expected);
        assert_eq!(spending.of_provider("a/p", 20_000), expected);
        assert_eq!(spending.of_run("other"), Spent::default());
    }

    #[test]
    fn a_question_counts_what_it_used_and_before_its_end_what_it_may_use() {
        let reserved = Some(Reserved { tokens: 100, cost: Some(50) });
        check(&[asked("k.1", NOON, reserved)], 100, 50);
        check(&[asked("k.1", NOON, reserved), answered("k.1", None, NOON)], 30, 7);
        // The next day its end comes.
        check(&[asked("k.1", NOON, reserved), answered("k.1", None, NOON + DAY_MS)], 30, 7);
        check(&[asked("k.1", NOON, reserved), answered("k.1", Some("busy"), NOON)], 0, 0);
        // Half an answer may have been charged for.
        check(&[asked("k.1", NOON, reserved), answered("k.1", Some("unavailable"), NOON)], 100, 50);
        check(&[asked("k.1", NOON, None), answered("k.1", None, NOON)], 0, 0);
    }

    #[test]
    fn what_was_cut_off_and_asked_again_counts_twice() {
        let reserved = Some(Reserved { tokens: 100, cost: None });
        let twice = [asked("k.1", NOON, reserved), asked("k.1", NOON, reserved), answered("k.1", None, NOON)];
        check(&twice, 130, 7);
    }
}
