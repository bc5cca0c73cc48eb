//! Each question is in one row, whatever became of it.

use orch_journal::event::ModelAnswered;
use orch_journal::spending::DAY_MS;

use super::*;

const ATTEMPT: Actor = Actor::Attempt { task: 0, attempt: 1 };

fn asked(by: Actor, key: &str, at: u64) -> Event {
    let provided = AskedProvider {
        consumer: "demo/a".to_owned(),
        provider: "demo/p".to_owned(),
        subject: "small".to_owned(),
        key: key.to_owned(),
        reserved: Some(Reserved { tokens: 500, cost: Some(90) }),
    };
    Event::IntentRecorded { by, effect: "llm".to_owned(), provided: Some(provided), spends: true, at }
}

fn answered(by: Actor, key: &str, fault: Option<&str>, cost: Option<u64>) -> Event {
    let answer = ModelAnswer {
        consumer: "demo/a".to_owned(),
        provider: "demo/p".to_owned(),
        model: "small".to_owned(),
        key: key.to_owned(),
        question: String::new(),
        answer: None,
        fault: fault.map(str::to_owned),
        answered_by: String::new(),
        id: String::new(),
        input: 100,
        cached: 10,
        output: 20,
        estimated: false,
        cost,
        currency: "EUR".to_owned(),
    };
    Event::ModelAnswered(Box::new(ModelAnswered { by, answer, at: 0 }))
}

fn rows(by: &[By], events: &[Event]) -> Vec<Row> {
    let mut costs = Costs::new(by);
    costs.begin("r1");
    events.iter().for_each(|event| costs.take(event));
    costs.rows()
}

#[test]
fn what_has_no_answer_counts_no_tokens_and_what_it_may_have_cost_stands_beside() {
    let found = rows(
        &[By::Plugin, By::Model],
        &[
            asked(ATTEMPT, "k.1", 0),
            answered(ATTEMPT, "k.1", None, Some(7)),
            asked(ATTEMPT, "k.2", 0),
            answered(ATTEMPT, "k.2", Some("busy"), None),
            asked(ATTEMPT, "k.3", 0),
            answered(ATTEMPT, "k.3", Some("unavailable"), None),
            asked(ATTEMPT, "k.4", 0),
            asked(ATTEMPT, "k.4", 0),
        ],
    );
    let sum = Sum {
        questions: 5,
        unanswered: 4,
        unseen: 2,
        estimated: 0,
        input: 100,
        cached: 10,
        output: 20,
        cost: Some(7),
        uncertain: 270,
    };
    let group = BTreeMap::from([(By::Plugin, "demo/a".to_owned()), (By::Model, "small".to_owned())]);
    assert_eq!(found, [Row { group, currency: "EUR".to_owned(), sum }]);
}

#[test]
fn a_call_stands_under_its_task_or_its_name_and_days_end_at_midnight() {
    let call = |number, task| Event::CallStarted {
        call: "verify".to_owned(),
        plugin: "demo/a".to_owned(),
        task,
        number,
    };
    let (first, second) = (Actor::Call { number: 1 }, Actor::Call { number: 2 });
    let events = [
        call(1, None),
        asked(first, "c.1", DAY_MS - 1),
        answered(first, "c.1", None, Some(1)),
        call(2, Some(9)),
        asked(second, "c.2", DAY_MS),
        answered(second, "c.2", None, None),
    ];
    let found = rows(&[By::Day, By::Task], &events);
    let shown: Vec<(&str, &str, Option<u64>)> =
        found.iter().map(|row| (&*row.group[&By::Task], &*row.group[&By::Day], row.sum.cost)).collect();
    assert_eq!(shown, [("(verify)", "1970-01-01", Some(1)), ("(verify)", "1970-01-02", None)]);
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(
        (&json["task"], &json["day"], &json["cost"]),
        (&"(verify)".into(), &"1970-01-01".into(), &1.into())
    );
}
