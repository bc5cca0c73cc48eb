//! Cases of providers of vectors.
//!
//! In -> out: `{"order": {..}, "target": {..}, "texts": [..]}` -> an answer as JSON, an error as `{"error": ..}`.
//! Not here: the fake that answers plugins which ask (`orch_host::trial`).

use std::num::NonZeroU32;

use orch_host::capability::embed::{Answer, Request, Target, Texts};
use orch_host::capability::llm::ChatError;
use orch_host::capability::llm::written::WrittenError;
use orch_host::role::provider;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::Ending;
use super::provider::OrderOfCase;
use super::question::Question;
use super::script::Script;

/// A provider is asked for vectors of texts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskVectors {
    order: OrderOfCase,
    target: TargetOfCase,
    texts: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetOfCase {
    #[serde(default)]
    model: String,
    #[serde(default)]
    base_url: String,
    dimension: NonZeroU32,
}

impl Question for AskVectors {
    type Ask = provider::AskVectors;

    fn ask(&self, _script: &Script) -> Result<provider::AskVectors, Ending> {
        let TargetOfCase { model, base_url, dimension } = self.target.clone();
        let request = Request { model: String::new(), texts: self.texts.clone() };
        let texts = Texts { target: Target { model, base_url, dimension }, request };
        Ok(provider::AskVectors { order: self.order.clone().into(), texts })
    }

    fn show(answer: Result<Answer, ChatError>) -> Value {
        match answer {
            Ok(Answer { vectors, input, model, id }) => {
                json!({ "vectors": vectors, "input": input, "model": model, "id": id })
            }
            Err(error) => json!({ "error": WrittenError::from(error) }),
        }
    }
}
