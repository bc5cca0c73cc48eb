//! Cases of providers: a notice to be delivered.

use orch_host::capability::notify::{Message, Receipt, Severity};
use orch_host::capability::provided::Order;
use orch_host::role::provider;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::Ending;
use super::question::Question;
use super::script::Script;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendNotice {
    pub order: OrderOfCase,
    pub message: MessageOfCase,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderOfCase {
    /// Empty: the host itself.
    #[serde(default)]
    pub consumer: String,
    pub key: String,
    #[serde(default = "super::question::run_id")]
    pub run: String,
    #[serde(default)]
    pub workspace: String,
}

impl From<OrderOfCase> for Order {
    fn from(OrderOfCase { consumer, key, run, workspace }: OrderOfCase) -> Self {
        Self { consumer, key, run: run.into(), workspace: workspace.into() }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageOfCase {
    pub channel: String,
    pub title: String,
    #[serde(default)]
    pub text: String,
    pub severity: SeverityOfCase,
    #[serde(default)]
    pub link: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeverityOfCase {
    Info,
    Warning,
    Error,
}

impl Question for SendNotice {
    type Ask = provider::SendNotice;

    fn ask(&self, _script: &Script) -> Result<provider::SendNotice, Ending> {
        let MessageOfCase { channel, title, text, severity, link } = self.message.clone();
        let severity = match severity {
            SeverityOfCase::Info => Severity::Info,
            SeverityOfCase::Warning => Severity::Warning,
            SeverityOfCase::Error => Severity::Error,
        };
        Ok(provider::SendNotice {
            order: self.order.clone().into(),
            message: Message { channel, title, text, severity, link },
        })
    }

    fn show(answer: Receipt) -> Value {
        json!({ "id": answer.id })
    }
}
