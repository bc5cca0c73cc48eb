//! Each error case of the interface; who asks gets what it was granted, whatever the provider may.

use orch_trust::permission::DomainName;
use wasmtime::component::ResourceTable;

use super::*;
use crate::capability::bench::Bench;
use crate::capability::effect::EffectRecord;
use crate::capability::ledger::Ledger;
use crate::capability::mood::Mood;

struct Open {
    retrieve: Retrieve,
    table: ResourceTable,
    ledger: Ledger,
    bench: Bench,
}

impl Open {
    fn new(mood: Mood) -> Self {
        let bench = Bench::in_mood(mood);
        let lent = bench.context("/".into(), std::time::Duration::from_secs(5)).into_lent();
        let ledger = lent.ledger("acme/asks");
        let granted = Arc::new(RetrievePermission { collections: vec!["code".to_owned()] });
        let retrieve = Retrieve { granted, plugin: "demo/x".into(), lent };
        Self { retrieve, table: ResourceTable::new(), ledger, bench }
    }

    async fn find(&mut self, query: Query) -> Result<Vec<Passage>, Error> {
        View::of(&mut self.retrieve, &mut self.table, &mut self.ledger).find(query).await.unwrap()
    }

    fn is_untouched(&self) -> bool {
        self.bench.0.retrieve().asked().is_empty() && self.bench.effects().is_empty()
    }
}

fn query(collection: &str) -> Query {
    Query {
        collection: collection.to_owned(),
        text: "where is it?".to_owned(),
        count: 5,
        tokens: 0,
        way: Way::Both,
        paths: Vec::new(),
        languages: Vec::new(),
    }
}

#[tokio::test]
async fn a_question_has_its_intent_first_and_spends() {
    let mut open = Open::new(Mood::Good);
    assert_eq!(open.find(query("code")).await.unwrap()[0].path, "src/fake.rs");
    let effects = open.bench.effects();
    let [EffectRecord::ProviderAsked { domain: DomainName::Retrieve, spends: true, asked }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((&*asked.consumer, &*asked.subject), ("demo/x", "code"));
    assert!(!open.ledger.into_parts().1, "it changed nothing");
}

#[tokio::test]
async fn what_is_not_granted_or_over_its_limit_reaches_nobody() {
    let mut open = Open::new(Mood::Good);
    for other in ["docs", "", "*"] {
        assert!(matches!(open.find(query(other)).await, Err(Error::Denied(_))), "{other}");
    }
    let edits: [fn(&mut Query); 5] = [
        |query| query.text.clear(),
        |query| query.text = "x".repeat(8193),
        |query| query.count = 0,
        |query| query.count = 51,
        |query| query.paths = vec![String::new(); 65],
    ];
    for (place, edit) in edits.into_iter().enumerate() {
        let mut wrong = query("code");
        edit(&mut wrong);
        assert!(matches!(open.find(wrong).await, Err(Error::Invalid(_))), "{place}");
    }
    assert!(open.is_untouched());
}

#[tokio::test]
async fn without_a_provider_or_with_one_that_fails_it_is_unavailable() {
    let mut bare = Open::new(Mood::Good);
    bare.retrieve.lent.providers.retrieve = None;
    assert!(matches!(bare.find(query("code")).await, Err(Error::Unavailable)));
    assert!(bare.is_untouched());
    let mut failing = Open::new(Mood::Failing);
    assert!(matches!(failing.find(query("code")).await, Err(Error::Unavailable)));
    assert_eq!(failing.ledger.notes.warned[0].0, "provider-failed");
}

#[test]
fn an_answer_is_within_what_was_asked_for() {
    let passage = |path: &str| Passage {
        path: path.to_owned(),
        first: 1,
        last: 2,
        language: "rust".to_owned(),
        text: String::new(),
        score: 1.0,
    };
    let asked = Query { count: 2, paths: vec!["src".to_owned()], ..query("code") };
    assert_eq!(check::answer(&asked, &[passage("src/a.rs"), passage("src/b.rs")]), Ok(()));
    let bad: [Vec<Passage>; 5] = [
        vec![passage("src/a.rs"); 3],
        vec![passage("docs/a.md")],
        vec![Passage { first: 0, ..passage("src/a.rs") }],
        vec![Passage { score: f64::NAN, ..passage("src/a.rs") }],
        vec![Passage { text: "x".repeat((2 << 20) + 1), ..passage("src/a.rs") }],
    ];
    for (place, found) in bad.into_iter().enumerate() {
        assert!(check::answer(&asked, &found).is_err(), "{place}");
    }
}
