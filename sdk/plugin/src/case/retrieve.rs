//! Cases of providers of passages.
//!
//! In -> out: `{"order": {..}, "query": {..}}` -> passages as JSON.

use orch_host::capability::retrieve::{Passage, Query, Way};
use orch_host::role::provider;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::Ending;
use super::provider::OrderOfCase;
use super::question::Question;
use super::script::Script;

/// A provider is asked for passages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindPassages {
    order: OrderOfCase,
    query: QueryOfCase,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryOfCase {
    collection: String,
    text: String,
    #[serde(default = "ten")]
    count: u32,
    #[serde(default)]
    tokens: u32,
    #[serde(default)]
    way: WayOfCase,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    languages: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WayOfCase {
    Semantic,
    Keyword,
    #[default]
    Both,
}

fn ten() -> u32 {
    10
}

impl Question for FindPassages {
    type Ask = provider::FindPassages;

    fn ask(&self, _script: &Script) -> Result<provider::FindPassages, Ending> {
        let QueryOfCase { collection, text, count, tokens, way, paths, languages } = self.query.clone();
        let way = match way {
            WayOfCase::Semantic => Way::Semantic,
            WayOfCase::Keyword => Way::Keyword,
            WayOfCase::Both => Way::Both,
        };
        let query = Query { collection, text, count, tokens, way, paths, languages };
        Ok(provider::FindPassages { order: self.order.clone().into(), query })
    }

    fn show(found: Vec<Passage>) -> Value {
        let shown = found.into_iter().map(|Passage { path, first, last, language, text, score }| {
            json!({ "path": path, "first": first, "last": last, "language": language, "text": text, "score": score })
        });
        shown.collect()
    }
}
