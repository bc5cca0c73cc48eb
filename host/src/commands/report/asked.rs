//! What a run's plugins asked of models, and what they asked for and did not get.
//!
//! In -> out: events of a run -> [`Asked`]: a sum for each plugin and model, a count for each denial.
//! Invariant: sums are of what the journal has; a question whose end nobody saw counts no tokens.
//! Not here: what a model is (`config/models.rs`), how it is shown (`report.rs`).

use std::collections::BTreeMap;
use std::fmt;

use orch_journal::Event;
use orch_journal::event::ModelAnswer;

use crate::commands::counted;

/// All of a run.
#[derive(Default)]
pub(super) struct Asked {
    models: BTreeMap<(String, String, String), ModelUse>,
    denied: BTreeMap<(String, String), u64>,
}

/// What one plugin asked of one model; in tokens, and millionths of the currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelUse {
    plugin: String,
    model: String,
    currency: String,
    questions: usize,
    unanswered: usize,
    input: u64,
    cached: u64,
    output: u64,
    /// None: at least one answer was of a model without a price.
    cost: Option<u64>,
}

/// What one plugin was refused, and in how many calls.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Denial {
    plugin: String,
    what: String,
    calls: u64,
}

impl Asked {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::ModelAnswered(answered) => {
                let ModelAnswer { consumer, model, currency, .. } = &answered.answer;
                let of = (consumer.clone(), model.clone(), currency.clone());
                self.models.entry(of).or_insert_with(|| ModelUse::of(&answered.answer)).add(&answered.answer);
            }
            Event::Denied { plugin, what } => {
                // A call says each of its denials once.
                let calls = self.denied.entry((plugin.clone(), what.clone())).or_default();
                *calls = calls.saturating_add(1);
            }
            _ => {}
        }
    }

    pub(super) fn models(&self) -> Vec<ModelUse> {
        self.models.values().cloned().collect()
    }

    pub(super) fn denied(&self) -> Vec<Denial> {
        let all = self.denied.iter();
        all.map(|((plugin, what), calls)| Denial {
            plugin: plugin.clone(),
            what: what.clone(),
            calls: *calls,
        })
        .collect()
    }
}

impl ModelUse {
    fn of(answer: &ModelAnswer) -> Self {
        let ModelAnswer { consumer, model, currency, .. } = answer;
        Self {
            plugin: consumer.clone(),
            model: model.clone(),
            currency: currency.clone(),
            cost: Some(0),
            ..Self::default()
        }
    }

    fn add(&mut self, answer: &ModelAnswer) {
        self.questions = self.questions.saturating_add(1);
        if answer.fault.is_some() {
            self.unanswered = self.unanswered.saturating_add(1);
            return;
        }
        self.input = self.input.saturating_add(answer.input);
        self.cached = self.cached.saturating_add(answer.cached);
        self.output = self.output.saturating_add(answer.output);
        self.cost = self.cost.zip(answer.cost).map(|(sum, cost)| sum.saturating_add(cost));
    }
}

impl fmt::Display for ModelUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, model, currency, questions, unanswered, input, output, cost, .. } = self;
        write!(f, "{plugin} asked {model} {}", counted(*questions, "time", "times"))?;
        if *unanswered > 0 {
            write!(f, " ({unanswered} without an answer)")?;
        }
        write!(f, ": {input} tokens read, {output} written")?;
        match cost {
            // A model without a price has no currency.
            Some(cost) if !currency.is_empty() => {
                write!(f, ", {}.{:06} {currency}", cost / 1_000_000, cost % 1_000_000)
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, what, calls } = self;
        write!(f, "{plugin}: {what}")?;
        match calls {
            1 => Ok(()),
            calls => write!(f, " (in {calls} calls)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use orch_journal::event::{Actor, ModelAnswered};

    use super::*;

    fn answered(consumer: &str, fault: Option<&str>, cost: Option<u64>) -> Event {
        let by = Actor::Attempt { task: 0, attempt: 1 };
        let answer = ModelAnswer {
            consumer: consumer.to_owned(),
            provider: "demo/p".to_owned(),
            model: "agent".to_owned(),
            key: String::new(),
            question: String::new(),
            answer: None,
            fault: fault.map(str::to_owned),
            answered_by: String::new(),
            id: String::new(),
            input: 1000,
            cached: 10,
            output: 20,
            cost,
            currency: cost.map(|_| "EUR".to_owned()).unwrap_or_default(),
        };
        Event::ModelAnswered(Box::new(ModelAnswered { by, answer, at: 0 }))
    }

    #[test]
    fn tokens_and_cost_are_added_for_each_plugin_and_what_had_no_answer_counts_none() {
        let mut asked = Asked::default();
        for event in [
            answered("demo/a", None, Some(1_500_000)),
            answered("demo/a", None, Some(7)),
            answered("demo/b", None, None),
            answered("demo/b", Some("busy"), None),
        ] {
            asked.take(&event);
        }
        let said: Vec<String> = asked.models().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "demo/a asked agent 2 times: 2000 tokens read, 40 written, 1.500007 EUR",
                "demo/b asked agent 2 times (1 without an answer): 1000 tokens read, 20 written",
            ]
        );
    }

    #[test]
    fn a_denial_is_said_once_with_the_number_of_calls() {
        let mut asked = Asked::default();
        for what in ["files: read `.env`", "files: write `config.yaml`", "files: read `.env`"] {
            asked.take(&Event::Denied { plugin: "demo/a".to_owned(), what: what.to_owned() });
        }
        let said: Vec<String> = asked.denied().iter().map(ToString::to_string).collect();
        assert_eq!(said, ["demo/a: files: read `.env` (in 2 calls)", "demo/a: files: write `config.yaml`"]);
    }
}
