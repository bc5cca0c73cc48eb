//! What questions to models cost, in sums.
//!
//! In -> out: events of runs, what to group by -> [`Costs`]: a [`Row`] for each group.
//! Units: tokens; millionths of a currency.
//! Invariant: each question stands in one row once; one without a known end counts no tokens, and what it may have cost at most is
//! said beside the sum, not in it. What an answer does not say is in the sum at its most, and the row says how many such there are.
//! Not here: what a budget makes of it (`orch-journal`'s `spending.rs`), how rows are shown (`metrics/cost.rs`, `report.rs`).

use std::collections::{BTreeMap, HashMap};

use clap::ValueEnum;
use orch_journal::event::{Actor, AskedProvider, Event, ModelAnswer};
use orch_journal::iso_time;
use orch_journal::spending::{Reserved, used};
use serde::Serialize;

/// Whose intents are questions to models.
const MODELS: [&str; 2] = ["llm", "embed"];

/// What questions are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The run
    Run,
    /// Id of the task, or the call that is of none: `(reflect)`
    Task,
    /// Who asked
    Plugin,
    /// Who was asked
    Provider,
    /// The operator's name
    Model,
    /// In UTC, when it was asked
    Day,
}

impl By {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Task => "task",
            Self::Plugin => "plugin",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Day => "day",
        }
    }
}

/// Everything that questions of one group have together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sum {
    pub questions: u64,
    /// Of them, those that had no answer.
    pub unanswered: u64,
    /// Of those, the ones of which nobody saw the end.
    pub unseen: u64,
    /// Those whose answer does not say all that it used: the rest counts at its most in what follows.
    pub estimated: u64,
    pub input: u64,
    pub cached: u64,
    pub output: u64,
    /// None: at least one answer was of a model without a price.
    pub cost: Option<u64>,
    /// What those without an answer may have cost at most, beside `cost`.
    pub uncertain: u64,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    #[serde(flatten)]
    pub group: BTreeMap<By, String>,
    /// Empty where no price is known.
    pub currency: String,
    #[serde(flatten)]
    pub sum: Sum,
}

/// A question on its way.
#[derive(Clone)]
struct Asked {
    group: BTreeMap<By, String>,
    reserved: Option<Reserved>,
}

/// Sums of all events that it took.
pub struct Costs {
    by: Vec<By>,
    open: HashMap<String, Asked>,
    sums: BTreeMap<(BTreeMap<By, String>, String), Sum>,
    /// Of the run that is read.
    run: String,
    tasks: Vec<String>,
    calls: HashMap<u64, String>,
}

impl Costs {
    pub fn new(by: &[By]) -> Self {
        Self {
            by: by.to_vec(),
            open: HashMap::new(),
            sums: BTreeMap::new(),
            run: String::new(),
            tasks: Vec::new(),
            calls: HashMap::new(),
        }
    }

    /// What comes now is of that run.
    pub fn begin(&mut self, run: &str) {
        self.run = run.to_owned();
        self.tasks.clear();
        self.calls.clear();
    }

    pub fn take(&mut self, event: &Event) {
        match event {
            Event::TasksAdded { tasks, .. } => {
                self.tasks.extend(tasks.iter().map(|added| added.task.id.as_str().to_owned()));
            }
            Event::CallStarted { call, task, number, .. } => {
                let of_task = task.and_then(|task| self.task(task));
                self.calls.insert(*number, of_task.unwrap_or_else(|| format!("({call})")));
            }
            Event::IntentRecorded { by, effect, provided: Some(asked), at, .. }
                if MODELS.contains(&effect.as_str()) =>
            {
                let AskedProvider { consumer, provider, subject, key, reserved } = asked;
                let group = self.group(by, [consumer, provider, subject], *at);
                let asked = Asked { group, reserved: *reserved };
                // The same was asked before, and its host ended.
                if let Some(earlier) = self.open.insert(key.clone(), asked) {
                    self.unseen(earlier);
                }
            }
            Event::ModelAnswered(answered) => {
                let ModelAnswer { consumer, provider, model, key, .. } = &answered.answer;
                let asked = self.open.remove(key).unwrap_or_else(|| Asked {
                    group: self.group(&answered.by, [consumer, provider, model], answered.at),
                    reserved: None,
                });
                self.answered(asked, &answered.answer);
            }
            _ => {}
        }
    }

    /// All rows, those with money together; what is still open has no end.
    pub fn rows(mut self) -> Vec<Row> {
        for (_, asked) in std::mem::take(&mut self.open) {
            self.unseen(asked);
        }
        let row = |((group, currency), sum)| Row { group, currency, sum };
        self.sums.into_iter().map(row).collect()
    }

    fn task(&self, place: u32) -> Option<String> {
        self.tasks.get(usize::try_from(place).ok()?).cloned()
    }

    fn group(&self, by: &Actor, [plugin, provider, model]: [&String; 3], at: u64) -> BTreeMap<By, String> {
        let task = || match by {
            Actor::Attempt { task, .. } => self.task(*task),
            Actor::Call { number } => self.calls.get(number).cloned(),
        };
        let value = |by: &By| match by {
            By::Run => self.run.clone(),
            By::Task => task().unwrap_or_default(),
            By::Plugin => plugin.clone(),
            By::Provider => provider.clone(),
            By::Model => model.clone(),
            By::Day => iso_time(at).chars().take("2026-01-31".len()).collect(),
        };
        self.by.iter().map(|by| (*by, value(by))).collect()
    }

    fn sum(&mut self, group: BTreeMap<By, String>, currency: &str) -> &mut Sum {
        let none = || Sum { cost: Some(0), ..Sum::default() };
        self.sums.entry((group, currency.to_owned())).or_insert_with(none)
    }

    fn answered(&mut self, asked: Asked, answer: &ModelAnswer) {
        let Asked { group, reserved } = asked;
        let sum = self.sum(group, &answer.currency);
        sum.questions += 1;
        if answer.fault.is_some() {
            sum.unanswered += 1;
            if used(answer).is_none() {
                sum.add_uncertain(reserved);
            }
            return;
        }
        sum.estimated += u64::from(answer.estimated);
        sum.input = sum.input.saturating_add(answer.input);
        sum.cached = sum.cached.saturating_add(answer.cached);
        sum.output = sum.output.saturating_add(answer.output);
        sum.cost = sum.cost.zip(answer.cost).map(|(sum, cost)| sum.saturating_add(cost));
    }

    /// Nobody saw its end. Its currency is that of the others in its group.
    fn unseen(&mut self, asked: Asked) {
        let Asked { group, reserved } = asked;
        let known = self.sums.keys().find(|(other, currency)| *other == group && !currency.is_empty());
        let currency = known.map(|(_, currency)| currency.clone()).unwrap_or_default();
        let sum = self.sum(group, &currency);
        sum.questions += 1;
        sum.unanswered += 1;
        sum.unseen += 1;
        sum.add_uncertain(reserved);
    }
}

impl Sum {
    fn add_uncertain(&mut self, reserved: Option<Reserved>) {
        let cost = reserved.and_then(|reserved| reserved.cost).unwrap_or_default();
        self.uncertain = self.uncertain.saturating_add(cost);
    }

    /// Of several rows of one currency.
    pub fn join(&mut self, more: &Self) {
        let Self { questions, unanswered, unseen, estimated, input, cached, output, cost, uncertain } = more;
        self.questions += questions;
        self.unanswered += unanswered;
        self.unseen += unseen;
        self.estimated += estimated;
        self.input = self.input.saturating_add(*input);
        self.cached = self.cached.saturating_add(*cached);
        self.output = self.output.saturating_add(*output);
        self.cost = self.cost.zip(*cost).map(|(sum, cost)| sum.saturating_add(cost));
        self.uncertain = self.uncertain.saturating_add(*uncertain);
    }
}

#[cfg(test)]
mod tests;
