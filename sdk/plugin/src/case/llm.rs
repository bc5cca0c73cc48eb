//! Cases of providers of models.
//!
//! In -> out: a call of a case -> an answer as JSON.
//! Not here: what plugins ask of models (`scripted_model.rs`).

use orch_host::capability::llm::written::{WrittenAnswer, WrittenError, WrittenRequest};
use orch_host::capability::llm::{Answer, Chat, ChatError, Target};
use orch_host::role::provider;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::Ending;
use super::provider::OrderOfCase;
use super::question::Question;
use super::script::Script;

/// A provider is asked: `{"order": {..}, "target": {..}, "request": {..}}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskModel {
    order: OrderOfCase,
    #[serde(default)]
    target: TargetOfCase,
    request: WrittenRequest,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TargetOfCase {
    model: String,
    base_url: String,
}

impl Question for AskModel {
    type Ask = provider::AskModel;

    fn ask(&self, _script: &Script) -> Result<provider::AskModel, Ending> {
        let TargetOfCase { model, base_url } = self.target.clone();
        let chat = Chat { target: Target { model, base_url }, request: self.request.clone().into() };
        Ok(provider::AskModel { order: self.order.clone().into(), chat })
    }

    /// An answer as it is, an error as `{"error": ..}`.
    fn show(answer: Result<Answer, ChatError>) -> Value {
        match answer {
            Ok(answer) => json!(WrittenAnswer::from(answer)),
            Err(error) => json!({ "error": WrittenError::from(error) }),
        }
    }
}
