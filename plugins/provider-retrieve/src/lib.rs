//! Finds passages that say something to a question.
//!
//! In -> out: a query -> what is near it and what has its words -> fused, within its budget.
//! Invariant: without vectors a question by both goes on with words; one by meaning fails.
//! Not here: fusing and the budget (`fuse.rs`).

pub mod fuse;

use orch_sdk::retrieve::{Passage, Query, Way};
use orch_sdk::vectors::{Collection, Filter, collection};
use orch_sdk::{Failure, Order, RetrieveProvider, embed, log, vectors};

/// As the manifest names it.
const MODEL: &str = "vectors";
/// Of each list, for each passage that is wanted: the other list may rank it differently.
const DEPTH: u32 = 3;
const DEPTH_MAX: u32 = 100;

pub struct Retriever;

impl RetrieveProvider for Retriever {
    fn find(_order: Order, query: Query) -> Result<Vec<Passage>, Failure> {
        let place = collection(query.collection.as_str());
        let filter = Filter { paths: query.paths.clone(), languages: query.languages.clone() };
        let depth = query.count.saturating_mul(DEPTH).min(DEPTH_MAX);
        let by_meaning = || semantic(&place, &query.text, depth, &filter);
        let by_words = || place.matching(&query.text, depth, &filter);
        let lists = match query.way {
            Way::Semantic => vec![by_meaning()?],
            Way::Keyword => vec![by_words()?],
            Way::Both => {
                let near = by_meaning().unwrap_or_else(|failure| {
                    log::warn(format_args!("found by words alone: {}", failure.message));
                    Vec::new()
                });
                vec![near, by_words()?]
            }
        };
        let found = match lists.len() {
            1 => lists.into_iter().flatten().collect(),
            _ => fuse::fuse(lists),
        };
        Ok(fuse::within(found, query.count as usize, query.tokens).into_iter().map(passage).collect())
    }
}

orch_sdk::export!(provider_retrieve: Retriever);

/// What is near the text; nothing is near it in an empty collection, which costs nothing.
fn semantic(
    place: &Collection,
    text: &str,
    depth: u32,
    filter: &Filter,
) -> Result<Vec<vectors::Passage>, Failure> {
    if place.describe()?.is_none() {
        return Ok(Vec::new());
    }
    let answer = embed::texts(MODEL, vec![text.to_owned()])?;
    let vector = answer.vectors.first().ok_or_else(|| Failure::new("the question got no vector"))?;
    Ok(place.nearest(vector, depth, filter)?)
}

fn passage(found: vectors::Passage) -> Passage {
    let vectors::Passage { path, first, last, language, text, score } = found;
    Passage { path, first, last, language, text, score }
}
