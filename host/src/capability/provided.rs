//! Interfaces that another plugin answers: what it is asked, by whom, and what it leaves with who asked.
//!
//! In -> out: a question whose fields were checked -> its intent -> the provider's answer, or what the guest is told.
//! Limits: depth [`DEPTH_MAX`]; the provider has what is left of the call that asks, less [`ANSWER`].
//! Invariant: no provider is asked before the intent is recorded; what it wrote is kept with the call that asked or not at
//! all; a guest that asks learns nothing of the provider but its answer.
//! Not here: permissions and fields (a file for each interface), the call itself (`drive/providers.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::{AskedProvider, Writes};
use orch_trust::permission::{DomainName, Permissions};

use super::effect::{Boxed, GateClosed};
use super::lent::Lent;
use super::notify::Message;
use super::shape::View;
use crate::bindings::types::types::Error;

/// Providers that call each other, one beneath the other.
pub const DEPTH_MAX: usize = 4;
/// Left to the one who asks, to say what came of it.
const ANSWER: Duration = Duration::from_millis(500);
/// Code of the warning that a provider gave no good answer.
pub const PROVIDER_FAILED: &str = "provider-failed";

/// One question that a plugin answers for others.
pub trait Provided: Send + Sync + 'static {
    const DOMAIN: DomainName;
    type Answer: Send + 'static;

    /// What of it an event names: a channel.
    fn subject(&self) -> &str;
}

/// A plugin that answers such questions.
pub trait Provider<Q: Provided>: Send + Sync {
    fn id(&self) -> &str;
    /// What the operator lets it be asked for.
    fn provides(&self) -> &Permissions;
    /// It is not called any more.
    fn is_withdrawn(&self) -> bool;
    /// Calls it. `lent`: of the call that asks, with that call's time. Dropping what comes back ends the call.
    fn answer(&self, lent: Lent, order: Order, question: Q) -> Boxed<'_, Left<Q::Answer>>;
}

/// The plugins that answer for others in this workspace: a field for each interface.
#[derive(Clone, Default)]
pub struct Providers {
    /// Name of the workspace's folder.
    pub workspace: Arc<str>,
    pub notify: Option<Arc<dyn Provider<Message>>>,
}

/// Who asks, as far as the key of what is asked goes.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// Id of the run; empty for a service's call.
    pub run: Arc<str>,
    /// Names the call; the keys of what it asks for begin with it.
    pub key: Arc<str>,
}

/// On whose behalf a provider is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Empty: the host itself.
    pub consumer: String,
    pub key: String,
    pub run: Arc<str>,
    pub workspace: Arc<str>,
}

/// What a provider's call left.
pub struct Left<A, E = NoAnswer> {
    pub answer: Result<A, E>,
    /// By plugin: its own, and those of providers that it asked itself.
    pub writes: BTreeMap<String, Writes>,
    pub notes: Notes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The provider says that it never can.
    Refused(String),
    /// It failed, or may answer another time: for the operator.
    Failed(String),
    /// The host ends the call that asks.
    Closed,
}

/// What the operator hears of providers that a call asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Plugin, and what it was denied.
    pub denied: Vec<(String, String)>,
    /// Stable code and one sentence.
    pub warned: Vec<(&'static str, String)>,
}

impl Notes {
    /// Each once.
    pub fn take(&mut self, more: Self) {
        const NOTES_MAX: usize = 100;
        for one in more.denied {
            if self.denied.len() < NOTES_MAX && !self.denied.contains(&one) {
                self.denied.push(one);
            }
        }
        for one in more.warned {
            if self.warned.len() < NOTES_MAX && !self.warned.contains(&one) {
                self.warned.push(one);
            }
        }
    }
}

impl<C> View<'_, C> {
    /// Asks a provider on behalf of this call, whose lent things `lent` are; the question may be asked.
    pub(super) async fn ask_provider<Q: Provided>(
        &mut self,
        consumer: &str,
        lent: &Lent,
        provider: &dyn Provider<Q>,
        question: Q,
    ) -> Result<Result<Q::Answer, Error>, GateClosed> {
        let key = self.ledger.next_key();
        let asked = AskedProvider {
            consumer: consumer.to_owned(),
            provider: provider.id().to_owned(),
            subject: question.subject().to_owned(),
            key: key.clone(),
        };
        self.ledger.intend_to_ask(Q::DOMAIN, asked).await?;
        let order = Order {
            consumer: consumer.to_owned(),
            key: key.clone(),
            run: lent.asking.run.clone(),
            workspace: lent.providers.workspace.clone(),
        };
        let lent = Lent {
            wall: self.wall_left().saturating_sub(ANSWER),
            asking: Asking { run: lent.asking.run.clone(), key: key.into() },
            earlier: Arc::new(self.ledger.provided.clone()),
            ..lent.clone()
        };
        let Left { answer, writes, notes } = provider.answer(lent, order, question).await;
        self.ledger.provided.extend(writes);
        self.ledger.notes.take(notes);
        let mut failed = |error: Error, why: String| {
            let text = format!("`{}` did not do what `{consumer}` asked: {why}", provider.id());
            self.ledger
                .notes
                .take(Notes { warned: vec![(PROVIDER_FAILED, text.clone())], ..Notes::default() });
            Ok(Err(self.ledger.refuse(error, text)))
        };
        match answer {
            Ok(answer) => Ok(Ok(answer)),
            Err(NoAnswer::Closed) => Err(GateClosed),
            Err(NoAnswer::Failed(why)) => failed(Error::Unavailable, why),
            Err(NoAnswer::Refused(why)) => {
                failed(Error::Invalid("the provider cannot do that as it is".to_owned()), why)
            }
        }
    }

    /// The provider of an interface, if one is bound and may be called.
    pub(super) fn provider<Q: Provided>(
        &mut self,
        bound: &Option<Arc<dyn Provider<Q>>>,
    ) -> Result<Arc<dyn Provider<Q>>, Error> {
        let name = Q::DOMAIN.as_str();
        match bound {
            None => {
                let why = format!("no plugin provides `{name}`: `providers` in `config.yaml` binds none");
                Err(self.ledger.refuse(Error::Unavailable, why))
            }
            Some(provider) if provider.is_withdrawn() => {
                let why = format!("`{}`, which provides `{name}`, was withdrawn", provider.id());
                Err(self.ledger.refuse(Error::Unavailable, why))
            }
            Some(provider) => Ok(provider.clone()),
        }
    }
}
