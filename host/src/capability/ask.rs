//! Asking a plugin that answers for others.
//!
//! In -> out: a question that may be asked -> its intent, then the provider's answer, or what the guest is told.
//! Limits: the provider has what is left of the call that asks, less [`ANSWER`].
//! Not here: what may be asked (a file for each interface), who answers (`provided.rs`).

use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::AskedProvider;
use orch_journal::spending::Reserved;

use orch_trust::manifest::Role;

use super::effect::GateClosed;
use super::lent::Lent;
use super::notes::Notes;
use super::provided::{Asking, Left, NoAnswer, Order, Provided, Provider};
use super::shape::View;
use super::tape::{Came, Tape};
use crate::bindings::types::types::Error;

/// Left to the one who asks, to say what came of it.
const ANSWER: Duration = Duration::from_millis(500);
/// Code of the warning that a provider gave no good answer.
pub const PROVIDER_FAILED: &str = "provider-failed";

impl<C> View<'_, C> {
    /// Asks a provider on behalf of this call, whose lent things `lent` are; the question may be asked.
    pub(super) async fn ask_provider<Q: Provided>(
        &mut self,
        consumer: &str,
        lent: &Lent,
        provider: &dyn Provider<Q, Lent>,
        question: Q,
    ) -> Result<Result<Q::Answer, Error>, GateClosed> {
        self.ask_reserved(consumer, lent, provider, question, None, |_| {}).await
    }

    /// The same, with what was held back for it; `count` sees what was answered first. An answer that was kept was counted then.
    pub(super) async fn ask_reserved<Q: Provided>(
        &mut self,
        consumer: &str,
        lent: &Lent,
        provider: &dyn Provider<Q, Lent>,
        question: Q,
        reserved: Option<Reserved>,
        count: impl FnOnce(&mut Q::Answer) + Send,
    ) -> Result<Result<Q::Answer, Error>, GateClosed> {
        let key = self.ledger.next_key();
        let asked = AskedProvider {
            consumer: consumer.to_owned(),
            provider: provider.id().to_owned(),
            subject: question.subject().to_owned(),
            key: key.clone(),
            reserved,
        };
        self.ledger.intend_to_ask(Q::DOMAIN, Q::SPENDS, asked).await?;
        let order = Order {
            consumer: consumer.to_owned(),
            key: key.clone(),
            run: lent.asking.run.clone(),
            workspace: lent.providers.workspace.clone(),
        };
        let written = self.ledger.tape.is_on().then(|| question.written().to_string());
        if let Some(question) = &written
            && let Some(kept) = self.ledger.tape.told(Q::DOMAIN.as_str(), question.as_bytes())?
        {
            let lost = || {
                self.ledger.tape.differs(Q::DOMAIN.as_str(), "the answer that was kept is none".to_owned())
            };
            return Came::read(&kept, Q::read_answer).ok_or_else(lost);
        }
        let lent = Lent {
            wall: self.wall_left().saturating_sub(ANSWER),
            asking: Asking { key: key.into(), role: Some(Role::Provider), ..lent.asking.clone() },
            earlier: Arc::new(self.ledger.provided.clone()),
            spending: Q::SPENDS,
            tape: Tape::Off,
            ..lent.clone()
        };
        let Left { answer, writes, notes, changed } = provider.answer(lent, order, question).await;
        self.ledger.provided.extend(writes);
        self.ledger.take_change(changed);
        self.ledger.notes.take(notes);
        let mut failed = |error: Error, why: String| {
            let text = format!("`{}` did not do what `{consumer}` asked: {why}", provider.id());
            self.warn_of_provider(text.clone());
            Err(self.ledger.refuse(error, text))
        };
        let came = match answer {
            Ok(mut answer) => {
                count(&mut answer);
                Ok(answer)
            }
            Err(NoAnswer::Closed) => return Err(GateClosed),
            Err(NoAnswer::Failed(why)) => failed(Error::Unavailable, why),
            Err(NoAnswer::Refused(why)) => {
                failed(Error::Invalid("the provider cannot do that as it is".to_owned()), why)
            }
        };
        if let Some(question) = written {
            let answer = Came::of(&came, Q::written_answer);
            self.ledger.keep(Q::DOMAIN.as_str(), question.as_bytes(), &answer);
        }
        Ok(came)
    }

    /// The operator hears what a provider did not do.
    pub(super) fn warn_of_provider(&mut self, text: String) {
        self.ledger.notes.take(Notes { warned: vec![(PROVIDER_FAILED, text)], ..Notes::default() });
    }

    /// The provider of an interface, if one is bound and may be called.
    pub(super) fn provider<Q: Provided>(
        &mut self,
        bound: Option<&Arc<dyn Provider<Q, Lent>>>,
    ) -> Result<Arc<dyn Provider<Q, Lent>>, Error> {
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
