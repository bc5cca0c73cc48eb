//! Conformance of providers of vectors: few texts and as many as there may be, whatever whoever runs the model answers.
//!
//! In -> out: nothing of a run -> cases.
//! Invariant: a provider answers or says why not; no answer from outside ends its call otherwise.
//! Not here: what of an answer the host itself holds to the texts (`orch-host`'s `capability/embed/check.rs`).

use std::num::NonZeroU32;
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::capability::embed::{Answer, Request, Target, Texts};
use orch_host::capability::llm::ChatError;
use orch_host::role::provider::AskVectors;
use orch_task::Kind;

use super::call::{Call, Judged};
use super::case::{Case, OUTSIDE, STORES};
use super::value::{order, text};

impl Judged for AskVectors {
    /// The host looks at all that there is.
    fn wrong(&self, _answer: &std::result::Result<Answer, ChatError>) -> Vec<String> {
        Vec::new()
    }
}

fn of(texts: Vec<String>, dimension: NonZeroU32) -> AskVectors {
    let base_url = "https://models.example.com/v1".to_owned();
    let target = Target { model: "model-1".to_owned(), base_url, dimension };
    let request = Request { model: "vectors".to_owned(), texts };
    AskVectors { order: order("acme/index", "run-t0.1.1", "run"), texts: Texts { target, request } }
}

const PLAIN: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);

pub(super) fn cases(_kind: &Kind) -> Vec<Case> {
    let plain = of(vec!["fn main() {}".to_owned(), "Reads a file.".to_owned()], PLAIN);
    let most = NonZeroU32::MIN.saturating_add(8191);
    let mut cases = vec![
        Case::survived("texts", plain.clone()),
        Case::survived("the-same-texts-again", plain.clone()),
        Case::survived("as-many-texts-as-there-may-be", of(vec!["x".to_owned(); 256], PLAIN)),
        Case::survived("the-longest-text", of(vec!["word ".repeat(6553)], PLAIN)),
        Case::survived("the-largest-dimension", of(vec!["x".to_owned()], most)),
        Case::survived("a-dimension-of-one", of(vec!["x".to_owned()], NonZeroU32::MIN)),
        Case::survived("no-words", of(vec![" ".to_owned(), "\u{0}\u{202e}".to_owned()], PLAIN)),
    ];
    let moods = STORES.into_iter().chain(OUTSIDE);
    let named = moods.map(|(name, mood)| (format!("texts-{name}"), mood));
    cases.extend(named.map(|(name, mood)| Case::in_mood(&name, &plain, mood)));
    cases
}

pub(super) fn seeded(source: &mut Unstructured<'_>, _kind: &Kind) -> Result<Arc<dyn Call>> {
    let mut texts = Vec::new();
    for _ in 0..source.int_in_range(1..=8u32)? {
        texts.push(format!("{} ", text(source)?));
    }
    let dimension = NonZeroU32::MIN.saturating_add(source.int_in_range(0..=1023u32)?);
    let mut ask = of(texts, dimension);
    ask.order = order("acme/index", &format!("run-{}", source.int_in_range(0..=999_999u32)?), "run");
    Ok(Arc::new(ask))
}
