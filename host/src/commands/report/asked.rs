//! What a run's plugins asked of models, and what they asked for and did not get.
//!
//! In -> out: events of a run -> [`Asked`]: a row for each plugin and model, a count for each denial.
//! Not here: sums (`commands/costs.rs`), how it is shown (`report.rs`).

use std::collections::BTreeMap;
use std::fmt;

use orch_journal::Event;

use crate::capability::purse::Money;
use crate::commands::costs::{By, Costs, Row, Sum};
use crate::commands::counted;

/// All of a run.
pub(super) struct Asked {
    costs: Costs,
    denied: BTreeMap<(String, String), u64>,
}

/// What one plugin was refused, and in how many calls.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(in crate::commands) struct Denial {
    plugin: String,
    what: String,
    calls: u64,
}

impl Asked {
    pub(super) fn of(run: &str) -> Self {
        let mut costs = Costs::new(&[By::Plugin, By::Model]);
        costs.begin(run);
        Self { costs, denied: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, event: &Event) {
        self.costs.take(event);
        if let Event::Denied { plugin, what } = event {
            // A call says each of its denials once.
            let calls = self.denied.entry((plugin.clone(), what.clone())).or_default();
            *calls = calls.saturating_add(1);
        }
    }

    /// What was asked of each model, and what was denied.
    pub(super) fn into_parts(self) -> (Vec<Row>, Vec<Denial>) {
        let denied = self.denied();
        (self.costs.rows(), denied)
    }

    fn denied(&self) -> Vec<Denial> {
        let all = self.denied.iter();
        all.map(|((plugin, what), calls)| Denial {
            plugin: plugin.clone(),
            what: what.clone(),
            calls: *calls,
        })
        .collect()
    }
}

/// What one plugin asked of one model, in words.
pub(in crate::commands) fn said(row: &Row) -> String {
    let named = |by| row.group.get(&by).map(String::as_str).unwrap_or_default();
    let (plugin, model) = (named(By::Plugin), named(By::Model));
    let Sum { questions, unanswered, unseen, estimated, input, output, cost, uncertain, .. } = &row.sum;
    let times = counted(usize::try_from(*questions).unwrap_or(usize::MAX), "time", "times");
    let mut text = format!("{plugin} asked {model} {times}");
    match (*unanswered, *unseen) {
        (0, _) => {}
        (count, 0) => text += &format!(" ({count} without an answer)"),
        (count, unseen) => text += &format!(" ({count} without an answer, {unseen} of them cut off)"),
    }
    text += &format!(": {input} tokens read, {output} written");
    // A model without a price has no currency.
    let money = |amount| Money { amount, currency: &row.currency };
    match cost {
        Some(cost) if !row.currency.is_empty() => text += &format!(", {}", money(*cost)),
        _ => {}
    }
    match *estimated {
        0 => {}
        1 => text += ", with 1 answer at its most, which does not say what it used",
        count => text += &format!(", with {count} answers at their most, which do not say what they used"),
    }
    if *uncertain > 0 {
        text += &format!(", and at most {} for what had no answer", money(*uncertain));
    }
    text
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
    use orch_journal::event::{Actor, ModelAnswer, ModelAnswered};

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
            estimated: false,
            cost,
            currency: cost.map(|_| "EUR".to_owned()).unwrap_or_default(),
        };
        Event::ModelAnswered(Box::new(ModelAnswered { by, answer, at: 0 }))
    }

    #[test]
    fn tokens_and_cost_are_added_for_each_plugin_and_what_had_no_answer_counts_none() {
        let mut asked = Asked::of("r");
        for event in [
            answered("demo/a", None, Some(1_500_000)),
            answered("demo/a", None, Some(7)),
            answered("demo/b", None, None),
            answered("demo/b", Some("busy"), None),
        ] {
            asked.take(&event);
        }
        let said: Vec<String> = asked.into_parts().0.iter().map(said).collect();
        assert_eq!(
            said,
            [
                "demo/a asked agent 2 times: 2000 tokens read, 40 written, 1.500007 EUR",
                "demo/b asked agent 2 times (1 without an answer): 1000 tokens read, 20 written",
            ]
        );
    }

    #[test]
    fn what_an_answer_does_not_say_is_told_from_what_it_says() {
        let untold = |event| match event {
            Event::ModelAnswered(mut answered) => {
                answered.answer.estimated = true;
                Event::ModelAnswered(answered)
            }
            other => other,
        };
        let mut asked = Asked::of("r");
        for event in [
            answered("demo/a", None, Some(7)),
            untold(answered("demo/a", None, Some(7))),
            untold(answered("demo/b", None, None)),
            untold(answered("demo/b", None, None)),
        ] {
            asked.take(&event);
        }
        let said: Vec<String> = asked.into_parts().0.iter().map(said).collect();
        let one = ", with 1 answer at its most, which does not say what it used";
        let two = ", with 2 answers at their most, which do not say what they used";
        assert_eq!(
            said,
            [
                format!("demo/a asked agent 2 times: 2000 tokens read, 40 written, 0.000014 EUR{one}"),
                format!("demo/b asked agent 2 times: 2000 tokens read, 40 written{two}"),
            ]
        );
    }

    #[test]
    fn a_denial_is_said_once_with_the_number_of_calls() {
        let mut asked = Asked::of("r");
        for what in ["files: read `.env`", "files: write `config.yaml`", "files: read `.env`"] {
            asked.take(&Event::Denied { plugin: "demo/a".to_owned(), what: what.to_owned() });
        }
        let said: Vec<String> = asked.denied().iter().map(ToString::to_string).collect();
        assert_eq!(said, ["demo/a: files: read `.env` (in 2 calls)", "demo/a: files: write `config.yaml`"]);
    }
}
