//! Answers that do not say what they used: what the guest hears, what is recorded, what budgets count; and runs that kept such
//! answers before this was so.

use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::capability::effect::GateClosed;
use crate::capability::tape::{Line, Player, Tape};
use orch_trust::manifest::Role;

/// The fake says that its answer used this.
fn using(usage: Usage, budgets: Budgets) -> Open {
    let mut bench = Bench::new();
    bench.0 = bench.0.saying((0..9).map(|_| Ok(said(usage))));
    let mut open = Open::with(&["small"], bench);
    bind(&mut open, Some(PRICE), budgets, Rates::default());
    open
}

fn said(usage: Usage) -> Answer {
    let said = Said { text: "done".to_owned(), tool_calls: Vec::new() };
    Answer { said, stop: StopReason::End, usage, model: "m".to_owned(), id: String::new() }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input, cached: 0, output }
}

fn recorded(open: &Open) -> Vec<ModelAnswer> {
    let effects = open.bench.effects().into_iter();
    let answers = effects.filter_map(|effect| match effect {
        EffectRecord::ModelAnswered { answer, .. } => Some(*answer),
        _ => None,
    });
    answers.collect()
}

#[tokio::test]
async fn the_guest_hears_what_is_recorded_and_what_the_budget_counts() {
    // A question costs at most a little over 2000, and so much each of these counts.
    let mut open = using(usage(0, 0), money(6500));
    for _ in 0..2 {
        let heard = open.chat(request("small")).await.unwrap().unwrap().usage;
        let last = recorded(&open).pop().unwrap();
        assert_eq!((heard.input, heard.output), (last.input, last.output));
        assert_eq!(heard.output, 100, "as much as was granted");
        assert!(last.estimated && last.cost >= Some(2000 + heard.input), "{last:?}");
    }
    assert!(open.chat(request("small")).await.unwrap().is_ok());
    assert!(matches!(open.chat(request("small")).await.unwrap(), Err(ChatError::Limit(_))));
    let codes: Vec<&str> = open.ledger.notes.warned.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes.iter().filter(|code| **code == "model-usage-untold").count(), 1, "{codes:?}");
}

#[tokio::test]
async fn what_is_said_is_believed_and_nobody_is_warned() {
    let mut open = using(usage(7, 3), money(1_000_000));
    let heard = open.chat(request("small")).await.unwrap().unwrap().usage;
    assert_eq!((heard.input, heard.output), (7, 3));
    assert!(!recorded(&open)[0].estimated && open.ledger.notes.warned.is_empty());
    assert_eq!(recorded(&open)[0].cost, Some(67));
}

/// Gives one answer as it was kept, and has seen the question.
struct Old(Mutex<Option<Vec<u8>>>);

impl Player for Old {
    fn run(&self) -> &str {
        "old"
    }

    fn attempt(&self, _task: &str, own: u32) -> u32 {
        own
    }

    fn next(&self, _line: &Line, _of: &str, _question: &[u8]) -> Result<Vec<u8>, GateClosed> {
        self.0.lock().unwrap().take().ok_or(GateClosed)
    }

    fn differs(&self, _line: &Line, _of: &str, why: String) -> GateClosed {
        panic!("{why}")
    }
}

#[tokio::test]
async fn an_answer_that_was_kept_is_told_as_it_was_told_then() {
    for (told, cost) in [(usage(0, 0), 0), (usage(7, 3), 67)] {
        let kept = json!({ "answer": { "said": WrittenAnswer::from(said(told)) } }).to_string();
        let mut open = using(usage(1, 1), money(1_000_000));
        open.llm.lent.tape = Tape::Played(Arc::new(Old(Mutex::new(Some(kept.into_bytes())))));
        open.llm.lent.asking.role = Some(Role::Executor);
        open.ledger = open.llm.lent.ledger("acme/asks");
        let heard = open.chat(request("small")).await.unwrap().unwrap().usage;
        assert_eq!((heard.input, heard.output), (told.input, told.output));
        assert!(open.asked().is_empty());
        let last = recorded(&open).pop().unwrap();
        assert_eq!((last.input, last.cost, last.estimated), (told.input, Some(cost), false));
    }
}
