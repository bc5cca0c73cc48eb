//! `orch:embed`: vectors of texts, which another plugin asks a model for.
//!
//! In -> out: WIT calls -> [`Texts`] for the provider of their model -> its vectors.
//! Limits: those of the WIT text, checked before the provider is asked.
//! Invariant: no provider is asked for a model that is not granted, nor for more bytes than that; nor for one that the operator
//! does not let it serve. An answer has a vector of the model's dimension for each text, or there is none.
//! Not here: which models there are (`llm/catalogue.rs`), asking (`ask.rs`), the provider's side (`role/provider/embed.rs`).

pub(crate) mod check;
pub(crate) mod fake;
pub mod texts;

use std::num::NonZeroU32;
use std::sync::Arc;

use orch_journal::event::ModelAnswer;
use orch_trust::interfaces::Import;
use orch_trust::permission::{DomainName, EmbedPermission};
use sha2::{Digest, Sha256};
use wasmtime::component::Linker;

pub use self::texts::{Answer, Model, Request, Target, Texts};
use super::environment::HostEnvironment;
use super::lent::Lent;
use super::llm::catalogue::Known;
use super::llm::most::{Counted, Most};
use super::llm::{ChatError, Usage, denied, word};
use super::shape::{self, Capability, HasView, Holds, Opening, View};
use super::trial::Watched;
use crate::bindings::embed::{embed, shapes};
use crate::bindings::types::types::Error;

const DOMAIN: &str = "embed";
const NAME_SHOWN_MAX: usize = 64;

/// State of this capability in one store.
pub struct Embed {
    granted: Arc<EmbedPermission>,
    plugin: Arc<str>,
    lent: Lent,
}

impl Capability for Embed {
    type Permission = EmbedPermission;
    type Granted = Arc<EmbedPermission>;

    fn grant(permission: EmbedPermission, _host: &HostEnvironment) -> Arc<EmbedPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<EmbedPermission>, opening: Opening<'_>) -> Self {
        Self { granted: granted.clone(), plugin: opening.plugin.clone(), lent: opening.lent.clone() }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        embed::add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut shape::Kept) {}

    fn beyond(granted: Option<&EmbedPermission>, watched: &Watched<'_>) -> Vec<String> {
        let asked = watched.fakes.embed().asked();
        let is_inside = |request: &Request| {
            let bytes = check::bytes(&request.texts);
            granted.is_some_and(|granted| granted.allows(&request.model) && bytes <= granted.bytes.into())
        };
        let beyond = asked.iter().filter(|asked| !is_inside(&asked.texts.request));
        beyond.map(|asked| format!("the model `{}` was asked", asked.texts.request.model)).collect()
    }
}

impl View<'_, Embed> {
    /// The model that a request is for, if it may be asked: its name, and what is known of it.
    fn model(&mut self, named: &str) -> Result<(String, Known, NonZeroU32), ChatError> {
        let Embed { granted, lent, .. } = &*self.state;
        let models = lent.providers.models.clone();
        let name = match named {
            "" => models.pick_embedder(granted).map(str::to_owned),
            named => Some(named.to_owned()),
        };
        let Some(name) = name else {
            let why = "the request names no model, and neither `models.yaml` nor `models.toml` has `embed`";
            return Err(denied(self.ledger.deny("embed", why.to_owned())));
        };
        let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
        if !granted.allows(&name) {
            return Err(denied(self.ledger.deny("embed", format!("model `{shown}`"))));
        }
        match models.embedder(&name) {
            Some((known, dimension)) => Ok((name, known.clone(), dimension)),
            None => {
                let why = format!("`models.toml` has no model `{shown}` with a `dimension`");
                Err(denied(self.ledger.deny("embed", why)))
            }
        }
    }
}

impl embed::Host for View<'_, Embed> {
    async fn models(&mut self) -> wasmtime::Result<Vec<Model>> {
        let Embed { granted, lent, .. } = &*self.state;
        let shown = lent.providers.models.embedders(granted).map(|(name, known, dimension)| Model {
            name: name.to_owned(),
            dimension: dimension.get(),
            context_window: known.context_window,
        });
        Ok(shown.collect())
    }

    async fn embed(&mut self, request: Request) -> wasmtime::Result<Result<Answer, ChatError>> {
        self.ledger.forget_reason();
        let (name, known, dimension) = match self.model(&request.model) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let lent = self.state.lent.clone();
        let provider = match self.provider(lent.providers.embed_of(known.provider.as_deref())) {
            Ok(provider) => provider,
            Err(error) => return Ok(Err(error.into())),
        };
        let Some(may) = provider.provides().embed.clone().filter(|may| may.allows(&name)) else {
            let why = format!("`{}` may not be asked for the model `{name}`", provider.id());
            return Ok(Err(self.ledger.refuse(Error::Unavailable, why).into()));
        };
        let most = self.state.granted.bytes.min(may.bytes);
        if let Err(why) = check::texts(&request.texts, most) {
            return Ok(Err(ChatError::Invalid(why)));
        }
        let target = Target { model: known.model.clone(), base_url: known.base_url.clone(), dimension };
        let question = Texts { target, request: Request { model: name, ..request } };
        let plugin = self.state.plugin.clone();
        let most = most_of(&question.request, &known);
        let reserved = most.reserved();
        if let Err(error) = self.take_turn(&plugin, &lent, DOMAIN, reserved).await {
            return Ok(Err(error));
        }
        let asks = (provider.id(), &*question.request.model);
        if let Err(error) = self.hold_back(&plugin, &lent, DOMAIN, asks, reserved) {
            return Ok(Err(error));
        }
        let asked = ModelAnswer {
            consumer: plugin.to_string(),
            provider: provider.id().to_owned(),
            model: question.request.model.clone(),
            question: digest_of_texts(&question.request),
            currency: lent.providers.models.currency.clone(),
            ..super::llm::nothing_answered()
        };
        let mut counted = None;
        let count = |answer: &mut Result<Answer, ChatError>| {
            if let Ok(answer) = answer {
                let came = most.count(usage_of(answer), false);
                answer.input = came.usage.input;
                counted = Some(came);
            }
        };
        let answer = self.ask_reserved(&plugin, &lent, &*provider, question, Some(reserved), count).await?;
        let asked = ModelAnswer { key: self.ledger.last_key(), ..asked };
        let came = came(asked, &answer, most, counted);
        self.record_answer(&plugin, &lent, DomainName::Embed, reserved, came).await?;
        Ok(match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.told_of_model(provider.id(), error)),
            Err(error) => Err(error.into()),
        })
    }
}

impl shapes::Host for View<'_, Embed> {}

/// What that may use at most: of each text what fits the window, and nothing is written.
fn most_of(request: &Request, known: &Known) -> Most {
    let window = u64::from(known.context_window);
    let bytes = request.texts.iter().map(|text| (text.len() as u64).min(window)).sum();
    Most { bytes, window: u64::MAX, output: 0, price: known.price }
}

fn usage_of(answer: &Answer) -> Usage {
    Usage { input: answer.input, cached: 0, output: 0 }
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
            answer: Some(digest_of_vectors(&answer.vectors)),
            answered_by: answer.model.clone(),
            id: answer.id.clone(),
            ..counted.unwrap_or_else(|| most.told(usage_of(answer))).of(asked)
        },
        Ok(Err(error)) => ModelAnswer { fault: Some(word(error).to_owned()), ..asked },
        Err(_) => ModelAnswer { fault: Some("no-answer".to_owned()), ..asked },
    }
}

/// SHA-256 of the model's name and the texts, each after its length, as hex.
fn digest_of_texts(request: &Request) -> String {
    let mut hash = Sha256::new();
    for text in std::iter::once(&request.model).chain(&request.texts) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hex::encode(hash.finalize())
}

/// SHA-256 of the numbers in their order, as hex.
fn digest_of_vectors(vectors: &[Vec<f32>]) -> String {
    let mut hash = Sha256::new();
    for vector in vectors {
        hash.update((vector.len() as u64).to_le_bytes());
        vector.iter().for_each(|number| hash.update(number.to_le_bytes()));
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests;
