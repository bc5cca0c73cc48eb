//! `orch:llm`: models, which another plugin asks.
//!
//! In -> out: WIT calls -> [`Chat`]s for the provider of their model -> its answers; pieces of them -> who watches.
//! Limits: those of the WIT text, checked before the provider is asked; temperature and tokens are filled in here; then rates and
//! budgets (`purse.rs`).
//! Invariant: no provider is asked for a model that is not granted, nor for more tokens than that; nor for one that the operator
//! does not let it serve.
//! Not here: what may be asked (`llm/check.rs`), which models there are (`llm/catalogue.rs`), asking (`ask.rs`), what it may use
//! (`llm/most.rs`), the provider's side (`role/provider/llm.rs`).

pub mod backend;
pub mod catalogue;
pub mod chat;
pub(crate) mod check;
pub(crate) mod fake;
pub(super) mod most;
pub mod written;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use orch_journal::event::ModelAnswer;
use orch_journal::spending::Reserved;
use orch_trust::interfaces::Import;
use orch_trust::permission::{DomainName, LlmPermission};
use serde::Serialize;
use sha2::{Digest, Sha256};
use wasmtime::component::Linker;

use self::catalogue::Known;
pub use self::chat::{
    Answer, Chat, ChatError, Format, Message, Model, Request, Said, StopReason, Target, Tool, ToolCall,
    ToolChoice, ToolResult, Usage,
};
use self::most::{Counted, Most};
use self::written::{WrittenAnswer, WrittenRequest};
use super::effect::{EffectRecord, GateClosed};
use super::environment::HostEnvironment;
use super::lent::Lent;
use super::notes::Notes;
use super::purse::{Overspent, Question};
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::llm::{deltas, llm, shapes};
use crate::bindings::types::types::Error;
use crate::clock::now_ms;
use crate::cut::cut;

/// Of one call of `show`.
const SHOWN_BYTES_MAX: usize = 64 << 10;
const NAME_SHOWN_MAX: usize = 64;
const DOMAIN: &str = "llm";
/// Codes of warnings: nine tenths of a budget are spent; a question was refused because all of it is.
const BUDGET_LOW: &str = "model-budget-low";
const BUDGET_SPENT: &str = "model-budget-spent";
/// Of the warning that a server does not say what it used.
const USAGE_UNTOLD: &str = "model-usage-untold";

/// State of this capability in one store.
pub struct Llm {
    granted: Arc<LlmPermission>,
    plugin: Arc<str>,
    lent: Lent,
}

impl Capability for Llm {
    type Permission = LlmPermission;
    type Granted = Arc<LlmPermission>;

    fn grant(permission: LlmPermission, _host: &HostEnvironment) -> Arc<LlmPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<LlmPermission>, opening: Opening<'_>) -> Self {
        Self { granted: granted.clone(), plugin: opening.plugin.clone(), lent: opening.lent.clone() }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, import: Import<'_>) -> wasmtime::Result<()> {
        match import.0.starts_with("orch:llm/deltas@") {
            true => deltas::add_to_linker::<_, HasView<Self>>(linker, S::view),
            false => llm::add_to_linker::<_, HasView<Self>>(linker, S::view),
        }
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(granted: Option<&LlmPermission>, watched: &Watched<'_>) -> Vec<String> {
        let asked = watched.fakes.llm().asked();
        let is_inside = |request: &Request| {
            granted.is_some_and(|granted| {
                granted.allows(&request.model)
                    && request.max_tokens.is_some_and(|most| most <= granted.tokens)
            })
        };
        let beyond = asked.iter().filter(|asked| !is_inside(&asked.chat.request));
        beyond.map(|asked| format!("the model `{}` was asked", asked.chat.request.model)).collect()
    }
}

impl View<'_, Llm> {
    /// The model that a request is for, if it may be asked: its name, and what is known of it.
    fn model(&mut self, named: &str) -> Result<(String, Known), ChatError> {
        let Llm { granted, lent, plugin } = &*self.state;
        let models = lent.providers.models.clone();
        let name = match named {
            "" => models.pick(plugin, &lent.asking, granted).map(str::to_owned),
            named => Some(named.to_owned()),
        };
        let Some(name) = name else {
            let why = "the request names no model, and `models.yaml` picks none for this task".to_owned();
            return Err(denied(self.ledger.deny("llm", why)));
        };
        let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
        if !granted.allows(&name) {
            return Err(denied(self.ledger.deny("llm", format!("model `{shown}`"))));
        }
        match models.known(&name) {
            Some(known) if known.dimension.is_some() => {
                Err(denied(self.ledger.deny("llm", format!("model `{shown}` makes vectors and no answers"))))
            }
            Some(known) => Ok((name, known.clone())),
            None => {
                let why = format!("`models.toml` has no model `{shown}`");
                Err(denied(self.ledger.deny("llm", why)))
            }
        }
    }

    /// The request with everything filled in, if it is inside its limits.
    fn fill(&self, request: Request, name: String, known: &Known, tokens: u32) -> Result<Chat, ChatError> {
        check::request(&request).map_err(ChatError::Invalid)?;
        let picked = self.state.lent.providers.models.picks.max_tokens.map_or(u32::MAX, NonZeroU32::get);
        let most = known.max_tokens.min(tokens).min(picked).min(self.state.granted.tokens);
        if most == 0 {
            return Err(ChatError::Limit("tokens".to_owned()));
        }
        let request = Request {
            model: name,
            temperature: request.temperature.or(known.temperature),
            max_tokens: Some(request.max_tokens.map_or(most, |asked| asked.min(most))),
            ..request
        };
        let target = Target { model: known.model.clone(), base_url: known.base_url.clone() };
        Ok(Chat { target, request })
    }
}

impl<C> View<'_, C> {
    /// Waits until the plugin may ask that much, at most half of what is left of its call.
    pub(super) async fn take_turn(
        &mut self,
        plugin: &str,
        lent: &Lent,
        domain: &'static str,
        reserved: Reserved,
    ) -> Result<(), ChatError> {
        let (now, most) = (Instant::now(), self.wall_left() / 2);
        match lent.providers.purse.turn(plugin, domain, reserved.tokens, now, most) {
            Ok(wait) => {
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
                Ok(())
            }
            Err(wait) => {
                let seconds = wait.as_secs_f64();
                self.ledger
                    .deny(domain, "more than `rates` of `models.toml` and `models.yaml` have".to_owned());
                let why = format!("its rate is used up, for {seconds:.1} s from now");
                let _ = self.ledger.refuse(Error::Unavailable, why);
                Err(ChatError::Busy(Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))))
            }
        }
    }

    /// Holds back what the question may cost at most, if every budget has room for it.
    pub(super) fn hold_back(
        &mut self,
        plugin: &str,
        lent: &Lent,
        domain: &'static str,
        asked: (&str, &str),
        reserved: Reserved,
    ) -> Result<(), ChatError> {
        let (provider, model) = asked;
        let (run, key) = (&*lent.asking.run, &*self.ledger.coming_key());
        let question = Question { run, provider, key, reserved };
        match lent.providers.purse.reserve(&question, now_ms()) {
            Ok(low) => {
                let warned = low.into_iter().map(|text| (BUDGET_LOW, text)).collect();
                self.ledger.notes.take(Notes { warned, ..Notes::default() });
                Ok(())
            }
            Err(Overspent::NoPrice) => {
                let what =
                    format!("model `{model}` has no `price` in `models.toml`, and a budget bounds money");
                Err(denied(self.ledger.deny(domain, what)))
            }
            Err(Overspent::Budget { name, why }) => {
                let warned = vec![(BUDGET_SPENT, format!("`{plugin}` may not ask `{model}`: {why}"))];
                self.ledger.notes.take(Notes { warned, ..Notes::default() });
                let _ = self.ledger.refuse(Error::Limit(name.to_owned()), why);
                Err(ChatError::Limit(name.to_owned()))
            }
        }
    }

    /// Counts what became of a question in the place of what was held back for it, and records it.
    pub(super) async fn record_answer(
        &mut self,
        plugin: &str,
        lent: &Lent,
        domain: DomainName,
        reserved: Reserved,
        came: ModelAnswer,
    ) -> Result<(), GateClosed> {
        let purse = &lent.providers.purse;
        purse.settle(&came);
        purse.give_back(plugin, domain.as_str(), reserved, &came);
        if came.estimated {
            let ModelAnswer { provider, model, .. } = &came;
            let text = format!(
                "`{provider}` does not say all that `{model}` used: what is missing counts at its most in budgets and costs"
            );
            if purse.is_first(&lent.asking.run, &text) {
                self.ledger.notes.take(Notes { warned: vec![(USAGE_UNTOLD, text)], ..Notes::default() });
            }
        }
        self.ledger.gate().record(EffectRecord::ModelAnswered { domain, answer: Box::new(came) }).await
    }

    /// What the guest is told of a provider's own error: its words are the operator's, but for what is wrong with the question.
    pub(super) fn told_of_model(&mut self, provider: &str, error: ChatError) -> ChatError {
        match error {
            ChatError::Denied(why) => {
                self.warn_of_provider(format!(
                    "`{provider}` was denied by who runs the model: {}",
                    cut(&why)
                ));
                ChatError::Denied("the provider was denied by who runs the model".to_owned())
            }
            ChatError::Invalid(why) => ChatError::Invalid(cut(&why)),
            ChatError::Limit(name) => ChatError::Limit(cut(&name)),
            ChatError::Busy(pause) => ChatError::Busy(pause),
            ChatError::Unavailable => ChatError::Unavailable,
        }
    }
}

impl llm::Host for View<'_, Llm> {
    async fn models(&mut self) -> wasmtime::Result<Vec<Model>> {
        let Llm { granted, lent, .. } = &*self.state;
        let granted_tokens = granted.tokens;
        let shown = lent.providers.models.granted(granted).map(|(name, known)| Model {
            name: name.to_owned(),
            context_window: known.context_window,
            max_tokens: known.max_tokens.min(granted_tokens),
            capabilities: known.capabilities.clone(),
        });
        Ok(shown.collect())
    }

    async fn chat(&mut self, request: Request) -> wasmtime::Result<Result<Answer, ChatError>> {
        self.ledger.forget_reason();
        let (name, known) = match self.model(&request.model) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let lent = self.state.lent.clone();
        let provider = match self.provider(lent.providers.llm_of(known.provider.as_deref())) {
            Ok(provider) => provider,
            Err(error) => return Ok(Err(error.into())),
        };
        let may = provider.provides().llm.clone().filter(|may| may.allows(&name));
        let Some(may) = may else {
            let why = format!("`{}` may not be asked for the model `{name}`", provider.id());
            return Ok(Err(self.ledger.refuse(Error::Unavailable, why).into()));
        };
        let question = match self.fill(request, name, &known, may.tokens) {
            Ok(question) => question,
            Err(error) => return Ok(Err(error)),
        };
        let plugin = self.state.plugin.clone();
        let question_text = written::<WrittenRequest, _>(&question.request);
        let most = most_of(&question.request, question_text.len(), &known);
        let reserved = most.reserved();
        if let Err(error) = self.take_turn(&plugin, &lent, DOMAIN, reserved).await {
            return Ok(Err(error));
        }
        if let Err(error) =
            self.hold_back(&plugin, &lent, DOMAIN, (provider.id(), &question.request.model), reserved)
        {
            return Ok(Err(error));
        }
        let asked = ModelAnswer {
            consumer: plugin.to_string(),
            provider: provider.id().to_owned(),
            model: question.request.model.clone(),
            question: digest(&question_text),
            currency: lent.providers.models.currency.clone(),
            ..nothing_answered()
        };
        let mut counted = None;
        let count = |answer: &mut Result<Answer, ChatError>| {
            if let Ok(answer) = answer {
                counted = Some(most.count_answer(answer));
            }
        };
        let answer = self.ask_reserved(&plugin, &lent, &*provider, question, Some(reserved), count).await?;
        lent.deltas.over(provider.id());
        let asked = ModelAnswer { key: self.ledger.last_key(), ..asked };
        let came = came(asked, &answer, most, counted);
        self.record_answer(&plugin, &lent, DomainName::Llm, reserved, came).await?;
        Ok(match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.told_of_model(provider.id(), error)),
            Err(error) => Err(error.into()),
        })
    }
}

impl deltas::Host for View<'_, Llm> {
    async fn show(&mut self, text: String) -> wasmtime::Result<()> {
        let text = text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or(&text);
        self.state.lent.deltas.show(&self.state.plugin, text);
        Ok(())
    }
}

impl shapes::Host for View<'_, Llm> {}

/// What is recorded before anything is known of an answer.
pub(super) fn nothing_answered() -> ModelAnswer {
    ModelAnswer {
        consumer: String::new(),
        provider: String::new(),
        model: String::new(),
        key: String::new(),
        question: String::new(),
        answer: None,
        fault: None,
        answered_by: String::new(),
        id: String::new(),
        input: 0,
        cached: 0,
        output: 0,
        estimated: false,
        cost: None,
        currency: String::new(),
    }
}

/// What is recorded of an answer. `counted`: what it counts; none: it was kept, and is as it was counted then.
fn came(
    asked: ModelAnswer,
    answer: &Result<Result<Answer, ChatError>, Error>,
    most: Most,
    counted: Option<Counted>,
) -> ModelAnswer {
    match answer {
        Ok(Ok(answer)) => ModelAnswer {
            answer: Some(digest(&written::<WrittenAnswer, _>(answer))),
            answered_by: answer.model.clone(),
            id: answer.id.clone(),
            ..counted.unwrap_or_else(|| most.told(answer.usage)).of(asked)
        },
        Ok(Err(error)) => ModelAnswer { fault: Some(word(error).to_owned()), ..asked },
        Err(_) => ModelAnswer { fault: Some("no-answer".to_owned()), ..asked },
    }
}

pub(super) fn word(error: &ChatError) -> &'static str {
    match error {
        ChatError::Denied(_) => "denied",
        ChatError::Invalid(_) => "invalid",
        ChatError::Limit(_) => "limit",
        ChatError::Busy(_) => "busy",
        ChatError::Unavailable => "unavailable",
    }
}

/// A question or an answer as JSON has it.
fn written<W: Serialize + From<T>, T: Clone>(value: &T) -> Vec<u8> {
    // Texts, numbers and lists of them: there is nothing here that JSON lacks.
    serde_json::to_vec(&W::from(value.clone())).unwrap_or_default()
}

/// SHA-256 as hex.
fn digest(written: &[u8]) -> String {
    hex::encode(Sha256::digest(written))
}

/// What a question of so many bytes may use at most.
fn most_of(request: &Request, bytes: usize, known: &Known) -> Most {
    Most {
        bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        window: known.context_window.into(),
        output: request.max_tokens.unwrap_or(known.max_tokens).into(),
        price: known.price,
    }
}

pub(super) fn denied(error: Error) -> ChatError {
    error.into()
}

#[cfg(test)]
mod tests;
