//! A question and the passages that say something to it, as capability and providers hand them on.
//!
//! Not here: who may search what (`retrieve.rs`), their limits (`check.rs`), what a provider makes of them
//! (`role/provider/retrieve.rs`).

use orch_trust::permission::DomainName;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bindings::retrieve::shapes;
use crate::capability::provided::Provided;

pub use shapes::{Passage, Query, Way};

impl Provided for Query {
    const DOMAIN: DomainName = DomainName::Retrieve;
    const SPENDS: bool = true;
    type Answer = Vec<Passage>;

    fn subject(&self) -> &str {
        &self.collection
    }

    fn written(&self) -> Value {
        let Self { collection, text, count, tokens, way, paths, languages } = self;
        let way = match way {
            Way::Semantic => "semantic",
            Way::Keyword => "keyword",
            Way::Both => "both",
        };
        json!({ "collection": collection, "text": text, "count": count, "tokens": tokens, "way": way,
                "paths": paths, "languages": languages })
    }

    fn written_answer(answer: &Self::Answer) -> Value {
        let written = |Passage { path, first, last, language, text, score }: &Passage| {
            // As text it is read again to the last bit.
            let score = score.to_string();
            json!({ "path": path, "first": first, "last": last, "language": language, "text": text,
                    "score": score })
        };
        answer.iter().map(written).collect()
    }

    fn read_answer(kept: Value) -> Option<Self::Answer> {
        let kept: Vec<KeptPassage> = serde_json::from_value(kept).ok()?;
        let read = |KeptPassage { path, first, last, language, text, score }: KeptPassage| {
            Some(Passage { path, first, last, language, text, score: score.parse().ok()? })
        };
        kept.into_iter().map(read).collect()
    }
}

/// A passage that a run kept.
#[derive(Deserialize)]
struct KeptPassage {
    path: String,
    first: u32,
    last: u32,
    language: String,
    text: String,
    score: String,
}
