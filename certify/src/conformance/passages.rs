//! Conformance of providers of passages: plain questions and those at the edges, in collections with nothing in them.
//!
//! In -> out: nothing of a run -> cases.
//! Not here: what of an answer the host itself holds to the question (`orch-host`'s `capability/retrieve/check.rs`).

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::capability::retrieve::{Passage, Query, Way};
use orch_host::role::provider::FindPassages;
use orch_task::Kind;

use super::call::{Call, Judged};
use super::case::{Case, OUTSIDE, STORES};
use super::value::{order, text};

impl Judged for FindPassages {
    /// The host looks at all that there is.
    fn wrong(&self, _answer: &Vec<Passage>) -> Vec<String> {
        Vec::new()
    }
}

fn of(query: Query) -> FindPassages {
    FindPassages { order: order("acme/agent", "run-t0.1.1", "run"), query }
}

fn plain() -> Query {
    Query {
        collection: "code".to_owned(),
        text: "where is a file read?".to_owned(),
        count: 10,
        tokens: 2000,
        way: Way::Both,
        paths: Vec::new(),
        languages: Vec::new(),
    }
}

pub(super) fn cases(_kind: &Kind) -> Vec<Case> {
    let most = Query {
        text: "word ".repeat(1638),
        count: 50,
        tokens: u32::MAX,
        paths: vec!["p".repeat(1024); 64],
        languages: vec!["l".repeat(1024); 64],
        ..plain()
    };
    let mut cases = vec![
        Case::survived("passages", of(plain())),
        Case::survived("passages-by-meaning", of(Query { way: Way::Semantic, ..plain() })),
        Case::survived("passages-by-words", of(Query { way: Way::Keyword, ..plain() })),
        Case::survived("passages-at-every-limit", of(most)),
        Case::survived("passages-of-signs", of(Query { text: "\" OR * NEAR( -".to_owned(), ..plain() })),
    ];
    let moods = STORES.into_iter().chain(OUTSIDE);
    let named = moods.map(|(name, mood)| (format!("passages-{name}"), mood));
    cases.extend(named.map(|(name, mood)| Case::in_mood(&name, &of(plain()), mood)));
    cases
}

pub(super) fn seeded(source: &mut Unstructured<'_>, _kind: &Kind) -> Result<Arc<dyn Call>> {
    let query = Query {
        text: format!("{} ", text(source)?),
        count: source.int_in_range(1..=50u32)?,
        tokens: source.int_in_range(0..=100_000u32)?,
        way: *source.choose(&[Way::Both, Way::Semantic, Way::Keyword])?,
        paths: if source.arbitrary()? { vec!["src".to_owned()] } else { Vec::new() },
        ..plain()
    };
    let ask = of(query);
    let key = format!("run-{}", source.int_in_range(0..=999_999u32)?);
    Ok(Arc::new(FindPassages { order: order("acme/agent", &key, "run"), ..ask }))
}
