//! Both sides of each budget; what is out at once counts at its most.

use super::*;

const NOON: u64 = 20_000 * DAY_MS + DAY_MS / 2;

fn budget(cost: Option<u64>, tokens: Option<u64>) -> Budget {
    Budget { cost, tokens }
}

fn purse(budgets: Budgets) -> Purse {
    Purse::new(budgets, Rates::default(), "EUR".to_owned(), Spending::default())
}

fn ask(
    purse: &Purse,
    run: &str,
    key: &str,
    cost: Option<u64>,
    tokens: u64,
    at: u64,
) -> Result<Vec<String>, Overspent> {
    let reserved = Reserved { tokens, cost };
    purse.reserve(&Question { run, provider: "a/p", key, reserved }, at)
}

fn name(found: Result<Vec<String>, Overspent>) -> &'static str {
    match found {
        Ok(_) => "goes",
        Err(Overspent::NoPrice) => "no-price",
        Err(Overspent::Budget { name, .. }) => name,
    }
}

fn answer(key: &str, cost: u64) -> ModelAnswer {
    ModelAnswer {
        consumer: "a/a".to_owned(),
        provider: "a/p".to_owned(),
        model: "small".to_owned(),
        key: key.to_owned(),
        question: String::new(),
        answer: Some(String::new()),
        fault: None,
        answered_by: String::new(),
        id: String::new(),
        input: 1,
        cached: 0,
        output: 1,
        estimated: false,
        cost: Some(cost),
        currency: "EUR".to_owned(),
    }
}

#[test]
fn what_is_out_at_once_counts_at_its_most_and_afterwards_at_what_it_was() {
    let purse = purse(Budgets { run: budget(Some(100), None), ..Budgets::default() });
    assert_eq!(name(ask(&purse, "r", "k.1", Some(60), 9, NOON)), "goes");
    assert_eq!(name(ask(&purse, "r", "k.2", Some(41), 9, NOON)), "budget-run");
    assert_eq!(name(ask(&purse, "r", "k.2", Some(40), 9, NOON)), "goes", "the last of it");
    assert_eq!(name(ask(&purse, "r", "k.3", Some(1), 9, NOON)), "budget-run");
    // Another run has its own, and what is of no run has none.
    assert_eq!(name(ask(&purse, "s", "k.4", Some(100), 9, NOON)), "goes");
    assert_eq!(name(ask(&purse, "", "k.5", Some(1000), 9, NOON)), "goes");
    purse.settle(&answer("k.1", 10));
    assert_eq!(name(ask(&purse, "r", "k.6", Some(50), 9, NOON)), "goes");
    assert_eq!(name(ask(&purse, "r", "k.7", Some(1), 9, NOON)), "budget-run");
}

#[test]
fn days_and_providers_have_budgets_of_their_own_and_begin_anew_at_midnight() {
    let day = purse(Budgets { day: budget(None, Some(100)), ..Budgets::default() });
    assert_eq!(name(ask(&day, "r", "k.1", None, 100, NOON)), "goes");
    assert_eq!(name(ask(&day, "s", "k.2", None, 1, NOON)), "budget-day");
    assert_eq!(name(ask(&day, "s", "k.2", None, 1, NOON + DAY_MS)), "goes");
    let providers = BTreeMap::from([(PluginId::parse("a/p").unwrap(), budget(Some(5), None))]);
    let of_provider = purse(Budgets { providers, ..Budgets::default() });
    assert_eq!(name(ask(&of_provider, "r", "k.1", Some(6), 1, NOON)), "budget-provider");
    assert_eq!(name(ask(&of_provider, "r", "k.1", Some(5), 1, NOON)), "goes");
    let reserved = Reserved { tokens: 1, cost: Some(6) };
    let other = Question { run: "r", provider: "a/q", key: "k.2", reserved };
    assert_eq!(name(of_provider.reserve(&other, NOON)), "goes", "it is not that provider");
}

#[test]
fn what_has_no_price_is_refused_where_money_is_bounded() {
    let money = purse(Budgets { day: budget(Some(100), None), ..Budgets::default() });
    assert_eq!(name(ask(&money, "r", "k.1", None, 1, NOON)), "no-price");
    let tokens = purse(Budgets { day: budget(None, Some(100)), ..Budgets::default() });
    assert_eq!(name(ask(&tokens, "r", "k.1", None, 1, NOON)), "goes");
}

#[test]
fn at_nine_tenths_it_is_said_once() {
    let purse = purse(Budgets { run: budget(Some(2_000_000), None), ..Budgets::default() });
    assert_eq!(ask(&purse, "r", "k.1", Some(1_799_999), 1, NOON), Ok(Vec::new()));
    let said = ask(&purse, "r", "k.2", Some(1), 1, NOON).unwrap();
    assert_eq!(said, ["nine tenths of the budget of the run (2.000000 EUR) are spent or held back"]);
    assert_eq!(ask(&purse, "r", "k.3", Some(1), 1, NOON), Ok(Vec::new()));
    let Err(Overspent::Budget { why, .. }) = ask(&purse, "r", "k.4", Some(500_000), 1, NOON) else {
        panic!()
    };
    assert_eq!(
        why,
        "of the budget of the run, 2.000000 EUR, 1.800001 EUR are spent or held back; this question may cost 0.500000 EUR"
    );
}

#[test]
fn a_workspace_lowers_and_raises_nothing() {
    let operator = Budgets { run: budget(Some(10), None), ..Budgets::default() };
    let providers = BTreeMap::from([(PluginId::parse("a/p").unwrap(), budget(None, Some(3)))]);
    let workspace = Budgets { run: budget(Some(20), Some(7)), day: budget(Some(1), None), providers };
    let both = operator.within(workspace.clone());
    assert_eq!(both.run, budget(Some(10), Some(7)));
    assert_eq!((both.day, both.providers), (workspace.day, workspace.providers));
}
