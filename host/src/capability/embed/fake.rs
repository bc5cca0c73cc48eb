//! The fake of a provider of vectors: answers by its mood, for every model, and remembers what it was asked.
//!
//! In -> out: texts -> vectors of which those of equal texts are equal, and of texts that share words are near.

use std::collections::BTreeMap;
use std::sync::Mutex;

use orch_trust::permission::{ANY, EmbedPermission, Permissions};
use sha2::{Digest, Sha256};

use super::texts::{Answer, Texts};
use crate::capability::effect::Boxed;
use crate::capability::lent::Lent;
use crate::capability::llm::chat::ChatError;
use crate::capability::mood::{Mood, lock, remember};
use crate::capability::notes::Notes;
use crate::capability::provided::{Left, NoAnswer, Order, Provider};

/// Texts that a fake was asked for.
#[derive(Clone, Debug)]
pub struct AskedVectors {
    pub order: Order,
    pub texts: Texts,
}

pub struct FakeVectors {
    mood: Mood,
    provides: Permissions,
    asked: Mutex<Vec<AskedVectors>>,
}

impl Default for FakeVectors {
    fn default() -> Self {
        Self::new(Mood::Good)
    }
}

impl FakeVectors {
    pub(crate) fn new(mood: Mood) -> Self {
        let embed = Some(EmbedPermission { models: vec![ANY.to_owned()], bytes: u32::MAX });
        let provides = Permissions { embed, ..Permissions::default() };
        Self { mood, provides, asked: Mutex::default() }
    }

    /// Every question, whole.
    pub fn asked(&self) -> Vec<AskedVectors> {
        lock(&self.asked).clone()
    }

    fn in_mood(&self, texts: &Texts) -> Result<Result<Answer, ChatError>, NoAnswer> {
        let dimension = texts.target.dimension.get() as usize;
        let answer = |vector: &dyn Fn(&str) -> Vec<f32>| {
            let vectors = texts.request.texts.iter().map(|text| vector(text)).collect();
            Ok(Ok(Answer { vectors, input: 100, model: "fake".to_owned(), id: "fake-1".to_owned() }))
        };
        match self.mood {
            Mood::Good => answer(&|text| of_words(text, dimension)),
            Mood::Empty => answer(&|_| vec![0.0; dimension]),
            Mood::Garbage => answer(&|_| vec![f32::MIN_POSITIVE; dimension]),
            Mood::Huge => answer(&|_| vec![f32::MAX; dimension]),
            Mood::Failing => Ok(Err(ChatError::Invalid("the fake fails".to_owned()))),
            Mood::Full => Ok(Err(ChatError::Limit("budget".to_owned()))),
            Mood::TimedOut => Ok(Err(ChatError::Busy(Some(1000)))),
            Mood::Missing | Mood::Killed | Mood::Unavailable => Ok(Err(ChatError::Unavailable)),
            Mood::Closed => Err(NoAnswer::Closed),
        }
    }
}

/// How often each word comes, at the place that its digest says.
fn of_words(text: &str, dimension: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dimension];
    for word in text.split(|one: char| !one.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let place = Sha256::digest(word.to_lowercase())
            .iter()
            .fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        if let Some(number) = vector.get_mut(place % dimension) {
            *number += 1.0;
        }
    }
    vector
}

impl Provider<Texts, Lent> for FakeVectors {
    fn id(&self) -> &str {
        "fake/vectors"
    }

    fn provides(&self) -> &Permissions {
        &self.provides
    }

    fn is_withdrawn(&self) -> bool {
        self.mood == Mood::Missing
    }

    fn answer(&self, _lent: Lent, order: Order, texts: Texts) -> Boxed<'_, Left<Result<Answer, ChatError>>> {
        Box::pin(async move {
            let answer = self.in_mood(&texts);
            remember(&self.asked, AskedVectors { order, texts });
            Left { answer, writes: BTreeMap::new(), notes: Notes::default(), changed: false }
        })
    }
}
