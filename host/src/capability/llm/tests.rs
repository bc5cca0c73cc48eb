//! Each error case of the interface; who asks gets what it was granted, whatever the provider may.

mod untold;

use std::time::Duration;

use orch_journal::spending::Spending;
use proptest::prelude::*;
use wasmtime::component::ResourceTable;

use super::catalogue::{Catalogue, Price};
use super::fake::FakeModels;
use super::llm::Host;
use super::*;
use crate::capability::bench::Bench;
use crate::capability::effect::EffectRecord;
use crate::capability::ledger::Ledger;
use crate::capability::mood::Mood;
use crate::capability::purse::{Budget, Budgets, Purse, Rates};
use crate::capability::trial::AskedModel;

struct Open {
    llm: Llm,
    table: ResourceTable,
    ledger: Ledger,
    bench: Bench,
}

impl Open {
    fn new(models: &[&str], mood: Mood) -> Self {
        Self::with(models, Bench::in_mood(mood))
    }

    fn with(models: &[&str], bench: Bench) -> Self {
        let models = models.iter().map(|&model| model.to_owned()).collect();
        let lent = bench.context("/".into(), std::time::Duration::from_secs(5)).into_lent();
        let ledger = lent.ledger("acme/asks");
        let granted = Arc::new(LlmPermission { models, tokens: 100 });
        let llm = Llm { granted, plugin: "demo/x".into(), lent };
        Self { llm, table: ResourceTable::new(), ledger, bench }
    }

    async fn chat(&mut self, request: Request) -> wasmtime::Result<Result<Answer, ChatError>> {
        View::of(&mut self.llm, &mut self.table, &mut self.ledger).chat(request).await
    }

    fn asked(&self) -> Vec<AskedModel> {
        self.bench.0.llm().asked()
    }
}

fn request(model: &str) -> Request {
    Request {
        model: model.to_owned(),
        messages: vec![Message::User("how many?".to_owned())],
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        format: Format::Text,
        temperature: None,
        max_tokens: None,
        seed: None,
        stop: Vec::new(),
    }
}

fn tool(name: &str) -> Tool {
    Tool { name: name.to_owned(), description: String::new(), parameters: "{}".to_owned() }
}

fn call(id: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: "read".to_owned(), arguments: "{".to_owned() }
}

#[tokio::test]
async fn each_question_has_its_intent_first_and_is_no_reason_for_doubt() {
    let mut open = Open::new(&["small"], Mood::Good);
    for _ in 0..2 {
        let answer = open.chat(request("small")).await.unwrap().unwrap();
        assert_eq!((&*answer.said.text, answer.stop), ("done", StopReason::End));
    }
    let effects = open.bench.effects();
    let keys: Vec<&str> = effects
        .iter()
        .filter_map(|effect| match effect {
            EffectRecord::ModelAnswered { domain: DomainName::Llm, answer } => {
                assert_eq!((&*answer.consumer, &*answer.model, answer.input), ("demo/x", "small", 100));
                assert_eq!((answer.question.len(), answer.answer.as_ref().unwrap().len()), (64, 64));
                assert!(["run-1.1", "run-1.2"].contains(&&*answer.key));
                None
            }
            EffectRecord::ProviderAsked { domain: DomainName::Llm, spends: true, asked } => {
                assert_eq!((&*asked.consumer, &*asked.provider), ("demo/x", "fake/models"));
                assert_eq!(asked.subject, "small");
                Some(&*asked.key)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(keys, ["run-1.1", "run-1.2"]);
    assert!(!open.ledger.into_parts().1, "it changed nothing");
}

#[tokio::test]
async fn a_model_that_is_not_granted_is_denied_and_nobody_is_asked() {
    let mut open = Open::new(&["small"], Mood::Good);
    for model in ["large", "smal", "SMALL", "*"] {
        assert!(matches!(open.chat(request(model)).await.unwrap(), Err(ChatError::Denied(_))), "{model}");
    }
    let mut nothing = Open::new(&[], Mood::Good);
    assert!(matches!(nothing.chat(request("")).await.unwrap(), Err(ChatError::Denied(_))));
    assert!(open.asked().is_empty() && open.bench.effects().is_empty());
    assert_eq!(open.ledger.into_parts().0[0], "llm: model `large`");
}

#[tokio::test]
async fn a_model_that_nobody_knows_is_denied_by_name() {
    let mut open = Open::new(&["small"], Mood::Good);
    open.llm.lent.providers.models = Arc::default();
    assert!(matches!(open.chat(request("small")).await.unwrap(), Err(ChatError::Denied(_))));
    assert_eq!(open.ledger.into_parts().0, ["llm: `models.toml` has no model `small`"]);
}

#[tokio::test]
async fn what_a_request_leaves_open_is_filled_in_and_never_more_than_the_grant() {
    let mut open = Open::new(&["small", "large"], Mood::Good);
    for (asked, filled) in [(None, 100), (Some(7), 7), (Some(100), 100), (Some(101), 100)] {
        let request = Request { max_tokens: asked, ..request("") };
        open.chat(request).await.unwrap().unwrap();
        let last = open.asked().pop().unwrap();
        assert_eq!(last.chat.request.max_tokens, Some(filled), "{asked:?}");
        assert_eq!((&*last.chat.request.model, &*last.chat.target.model), ("small", "fake"));
    }
}

#[tokio::test]
async fn a_field_over_its_limit_is_invalid_and_nobody_is_asked() {
    let mut open = Open::new(&["small"], Mood::Good);
    let with = |edit: fn(&mut Request)| {
        let mut request = request("small");
        edit(&mut request);
        request
    };
    let result =
        |call: &str| Message::Tool(ToolResult { call: call.to_owned(), text: String::new(), failed: false });
    let said = |ids: &[&str]| {
        let tool_calls = ids.iter().map(|id| call(id)).collect();
        Message::Assistant(Said { text: String::new(), tool_calls })
    };
    let bad: [fn(&mut Request); 15] = [
        |request| request.messages.clear(),
        |request| request.messages = vec![Message::User(String::new()); 4097],
        |request| request.messages = vec![Message::User("x".repeat((8 << 20) + 1))],
        |request| request.tools = vec![tool("a b")],
        |request| request.tools = vec![tool("")],
        |request| request.tools = vec![tool("a"), tool("a")],
        |request| request.tools = (0..129).map(|number| tool(&format!("t{number}"))).collect(),
        |request| request.tools = vec![Tool { parameters: "[]".to_owned(), ..tool("a") }],
        |request| request.choice = ToolChoice::Named("a".to_owned()),
        |request| request.choice = ToolChoice::Required,
        |request| request.format = Format::Schema("{".to_owned()),
        |request| request.temperature = Some(f64::NAN),
        |request| request.temperature = Some(2.1),
        |request| request.max_tokens = Some(0),
        |request| request.stop = vec![String::new()],
    ];
    for (place, edit) in bad.into_iter().enumerate() {
        assert!(matches!(open.chat(with(edit)).await.unwrap(), Err(ChatError::Invalid(_))), "{place}");
    }
    let wrong =
        [vec![result("a")], vec![said(&["a"]), result("b")], vec![said(&["a", "a"])], vec![said(&[""])]];
    for messages in wrong {
        let request = Request { messages, ..request("small") };
        assert!(matches!(open.chat(request).await.unwrap(), Err(ChatError::Invalid(_))));
    }
    assert!(open.asked().is_empty() && open.bench.effects().is_empty());
    let good = vec![said(&["a", "b"]), result("b"), result("a")];
    assert!(open.chat(Request { messages: good, ..request("small") }).await.unwrap().is_ok());
}

#[tokio::test]
async fn what_a_provider_says_of_itself_stays_with_the_operator() {
    let says = |error: ChatError| {
        let mut bench = Bench::new();
        bench.0 = bench.0.saying([Err(error)]);
        Open::with(&["small"], bench)
    };
    let mut open = says(ChatError::Denied("key `sk-1` is wrong".to_owned()));
    match open.chat(request("small")).await.unwrap() {
        Err(ChatError::Denied(text)) => assert!(!text.contains("sk-1"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(open.ledger.notes.warned[0].0, "provider-failed");
    assert!(open.ledger.notes.warned[0].1.contains("sk-1"));
    let mut open = says(ChatError::Invalid("too long".to_owned()));
    assert!(
        matches!(open.chat(request("small")).await.unwrap(), Err(ChatError::Invalid(why)) if why == "too long")
    );
    let mut open = says(ChatError::Busy(Some(5)));
    assert!(matches!(open.chat(request("small")).await.unwrap(), Err(ChatError::Busy(Some(5)))));
}

#[tokio::test]
async fn without_a_provider_or_with_one_that_was_withdrawn_there_is_no_intent() {
    let mut open = Open::new(&["small"], Mood::Missing);
    assert!(matches!(open.chat(request("small")).await.unwrap(), Err(ChatError::Unavailable)));
    let mut bare = Open::new(&["small"], Mood::Good);
    bare.llm.lent.providers.llm.clear();
    assert!(matches!(bare.chat(request("small")).await.unwrap(), Err(ChatError::Unavailable)));
    for open in [open, bare] {
        assert!(open.asked().is_empty() && open.bench.effects().is_empty());
        assert!(open.ledger.reason().is_some());
    }
}

#[tokio::test]
async fn a_closed_gate_ends_the_call_before_the_model_is_asked() {
    let mut open = Open::new(&["small"], Mood::Closed);
    assert!(open.chat(request("small")).await.is_err());
    let mut open = Open::new(&["small"], Mood::Good);
    open.ledger.close();
    assert!(open.chat(request("small")).await.is_err());
    assert!(open.asked().is_empty());
}

#[test]
fn an_answer_over_its_limits_is_none() {
    let good = || Answer {
        said: Said { text: "yes".to_owned(), tool_calls: vec![call("a")] },
        stop: StopReason::ToolCalls,
        usage: Usage { input: 3, cached: 1, output: 2 },
        model: "m".to_owned(),
        id: String::new(),
    };
    assert_eq!(check::answer(&good()), Ok(()));
    let bad: [fn(&mut Answer); 6] = [
        |answer| answer.said.tool_calls.push(call("a")),
        |answer| answer.said.tool_calls.push(call("")),
        |answer| answer.usage.cached = 4,
        |answer| answer.usage.output = u64::MAX,
        |answer| answer.model = "a\nb".to_owned(),
        |answer| answer.id = "x".repeat(257),
    ];
    for (place, edit) in bad.into_iter().enumerate() {
        let mut answer = good();
        edit(&mut answer);
        assert!(check::answer(&answer).is_err(), "{place}");
    }
}

proptest! {
    /// The fake may be asked for everything.
    #[test]
    fn who_is_granted_some_models_reaches_no_other_by_a_provider_that_may_everything(
        granted in prop::collection::vec("[a-c]{1,2}", 0..3),
        wanted in "[a-c*]{1,2}",
    ) {
        let models: Vec<&str> = granted.iter().map(String::as_str).collect();
        let mut open = Open::new(&models, Mood::Good);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(open.chat(request(&wanted))).unwrap();
        let is_granted = granted.contains(&wanted);
        prop_assert_eq!(answer.is_ok(), is_granted);
        prop_assert_eq!(matches!(answer, Err(ChatError::Denied(_))), !is_granted);
        prop_assert_eq!(open.asked().len(), usize::from(is_granted));
        prop_assert_eq!(open.bench.effects().len(), 2 * usize::from(is_granted));
    }
}

/// With a price and these bounds.
fn bounded(mood: Mood, price: Option<Price>, budgets: Budgets, rates: Rates) -> Open {
    let mut open = Open::new(&["small"], mood);
    bind(&mut open, price, budgets, rates);
    open
}

fn bind(open: &mut Open, price: Option<Price>, budgets: Budgets, rates: Rates) {
    let mut catalogue = FakeModels::catalogue();
    let known = catalogue.any.take().map(|known| Known { price, ..known });
    let providers = &mut open.llm.lent.providers;
    providers.models = Arc::new(Catalogue { any: known, currency: "EUR".to_owned(), ..catalogue });
    let purse = Purse::new(budgets, rates, "EUR".to_owned(), Spending::default());
    providers.purse = Arc::new(purse);
}

fn money(cost: u64) -> Budgets {
    let run = Budget { cost: Some(cost), tokens: None };
    Budgets { run, ..Budgets::default() }
}

/// The hundred tokens that are granted cost 2000, a question of so few bytes less than 400; what the fake answers costs 300.
const PRICE: Price = Price { input: 1.0, cached: 1.0, output: 20.0 };

#[tokio::test]
async fn a_budget_is_held_back_before_and_counted_after() {
    let mut open = bounded(Mood::Good, Some(PRICE), money(2900), Rates::default());
    for question in 1..=3 {
        let told = open.chat(request("small")).await.unwrap();
        assert!(told.is_ok(), "question {question}");
    }
    // 900 are spent, and the most that another one may cost is more than the rest.
    let told = open.chat(request("small")).await.unwrap().unwrap_err();
    assert!(matches!(&told, ChatError::Limit(name) if name == "budget-run"), "{told:?}");
    assert_eq!(open.asked().len(), 3, "nobody was asked a fourth time");
    assert_eq!(open.ledger.notes.warned[0].0, "model-budget-low");
    let (code, text) = open.ledger.notes.warned.last().unwrap();
    assert_eq!(*code, "model-budget-spent");
    assert!(text.contains("0.002900 EUR, 0.000900 EUR are spent"), "{text}");
    for effect in open.bench.effects() {
        if let EffectRecord::ProviderAsked { asked, .. } = effect {
            let reserved = asked.reserved.unwrap();
            assert!((2001..2400).contains(&reserved.cost.unwrap()), "{reserved:?}");
            assert!((101..500).contains(&reserved.tokens), "{reserved:?}");
        }
    }
}

#[tokio::test]
async fn what_may_have_been_charged_for_counts_at_its_most() {
    let mut open = bounded(Mood::Unavailable, Some(PRICE), money(2700), Rates::default());
    assert!(matches!(open.chat(request("small")).await.unwrap(), Err(ChatError::Unavailable)));
    assert!(matches!(open.chat(request("small")).await.unwrap(), Err(ChatError::Limit(_))));
    // What was turned away at the door costs nothing.
    let mut open = bounded(Mood::TimedOut, Some(PRICE), money(2700), Rates::default());
    for _ in 0..3 {
        assert!(matches!(open.chat(request("small")).await.unwrap(), Err(ChatError::Busy(_))));
    }
}

#[tokio::test]
async fn a_model_without_a_price_is_denied_by_name_where_money_is_bounded() {
    let mut open = bounded(Mood::Good, None, money(1_000_000), Rates::default());
    let told = open.chat(request("small")).await.unwrap().unwrap_err();
    assert!(matches!(&told, ChatError::Denied(what) if what.contains("`small` has no `price`")), "{told:?}");
    assert!(open.asked().is_empty() && open.bench.effects().is_empty());
    assert_eq!(open.ledger.into_parts().0.len(), 1);
}

#[tokio::test]
async fn beyond_its_rate_a_plugin_waits_or_hears_for_how_long() {
    // One every 20 ms: those above the first 3000 wait their turn.
    let rates = Rates { requests: NonZeroU32::new(3000), tokens: None };
    let mut open = bounded(Mood::Good, None, Budgets::default(), rates);
    let began = std::time::Instant::now();
    let purse = open.llm.lent.providers.purse.clone();
    for _ in 0..3002 {
        purse.turn("demo/x", "llm", 0, began, Duration::from_secs(9)).unwrap();
    }
    assert!(open.chat(request("small")).await.unwrap().is_ok());
    assert!(began.elapsed() >= Duration::from_millis(60), "it waited behind two others");
    let rates = Rates { requests: NonZeroU32::new(1), tokens: None };
    let mut open = bounded(Mood::Good, None, Budgets::default(), rates);
    assert!(open.chat(request("small")).await.unwrap().is_ok());
    let told = open.chat(request("small")).await.unwrap().unwrap_err();
    assert!(matches!(told, ChatError::Busy(Some(50_000..=60_000))), "{told:?}");
    assert_eq!(open.asked().len(), 1);
    assert!(open.ledger.into_parts().0[0].contains("rates"));
}
