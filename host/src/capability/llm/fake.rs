//! The fake of a provider of models: answers by its mood or as scripted, for every model, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use orch_trust::permission::{ANY, LlmPermission, Permissions};

use super::catalogue::{Catalogue, Known};
use super::chat::{Answer, Chat, ChatError, Format, Said, StopReason, Usage};
use crate::capability::effect::Boxed;
use crate::capability::lent::Lent;
use crate::capability::mood::{Mood, lock, remember};
use crate::capability::notes::Notes;
use crate::capability::provided::{Left, NoAnswer, Order, Provider};

const HUGE: usize = 1024 * 1024;

/// What a test wrote down that a model answers.
pub type ScriptedChat = Result<Answer, ChatError>;

/// A question that a fake was asked.
#[derive(Clone, Debug)]
pub struct AskedModel {
    pub order: Order,
    pub chat: Chat,
}

pub struct FakeModels {
    mood: Mood,
    provides: Permissions,
    script: Mutex<Option<VecDeque<ScriptedChat>>>,
    asked: Mutex<Vec<AskedModel>>,
}

impl Default for FakeModels {
    fn default() -> Self {
        Self::new(Mood::Good)
    }
}

impl FakeModels {
    pub(crate) fn new(mood: Mood) -> Self {
        let llm = Some(LlmPermission { models: vec![ANY.to_owned()], tokens: u32::MAX });
        let provides = Permissions { llm, ..Permissions::default() };
        Self { mood, provides, script: Mutex::default(), asked: Mutex::default() }
    }

    /// With these answers, in that order; whoever asks more often gets none.
    pub(crate) fn scripted(answers: impl IntoIterator<Item = ScriptedChat>) -> Self {
        Self { script: Mutex::new(Some(answers.into_iter().collect())), ..Self::default() }
    }

    /// Where every name is a model.
    pub(crate) fn catalogue() -> Catalogue {
        let any = Known {
            provider: None,
            model: "fake".to_owned(),
            base_url: String::new(),
            context_window: 128 << 10,
            max_tokens: 16 << 10,
            temperature: None,
            capabilities: vec!["tools".to_owned(), "json".to_owned()],
            dimension: None,
            price: None,
        };
        Catalogue { any: Some(any), ..Catalogue::default() }
    }

    /// Every question, whole.
    pub fn asked(&self) -> Vec<AskedModel> {
        lock(&self.asked).clone()
    }

    fn in_mood(&self, chat: &Chat) -> Result<ScriptedChat, NoAnswer> {
        let said = |text: String| {
            let usage = Usage { input: 100, cached: 0, output: 10 };
            let (model, id) = ("fake".to_owned(), "fake-1".to_owned());
            let said = Said { text, tool_calls: Vec::new() };
            Ok(Ok(Answer { said, stop: StopReason::End, usage, model, id }))
        };
        match self.mood {
            Mood::Good if matches!(chat.request.format, Format::Text) => said("done".to_owned()),
            Mood::Good => said("{}".to_owned()),
            Mood::Empty => said(String::new()),
            Mood::Garbage => said("\u{202e}\u{fffd}{\"tool\":".to_owned()),
            Mood::Huge => said("x".repeat(HUGE)),
            Mood::Failing => Ok(Err(ChatError::Invalid("the fake fails".to_owned()))),
            Mood::Full => Ok(Err(ChatError::Limit("budget".to_owned()))),
            Mood::TimedOut => Ok(Err(ChatError::Busy(Some(1000)))),
            Mood::Missing | Mood::Killed | Mood::Unavailable => Ok(Err(ChatError::Unavailable)),
            Mood::Closed => Err(NoAnswer::Closed),
        }
    }
}

impl Provider<Chat, Lent> for FakeModels {
    fn id(&self) -> &str {
        "fake/models"
    }

    fn provides(&self) -> &Permissions {
        &self.provides
    }

    fn is_withdrawn(&self) -> bool {
        self.mood == Mood::Missing
    }

    fn answer(&self, _lent: Lent, order: Order, question: Chat) -> Boxed<'_, Left<ScriptedChat>> {
        Box::pin(async move {
            let answer = match lock(&self.script).as_mut() {
                Some(script) => Ok(script.pop_front().unwrap_or(Err(ChatError::Unavailable))),
                None => self.in_mood(&question),
            };
            remember(&self.asked, AskedModel { order, chat: question });
            Left { answer, writes: BTreeMap::new(), notes: Notes::default(), changed: false }
        })
    }
}
