//! The fake of a provider of passages: answers by its mood, for every collection, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::Mutex;

use orch_trust::permission::{ANY, Permissions, RetrievePermission};

use super::query::{Passage, Query};
use crate::capability::effect::Boxed;
use crate::capability::lent::Lent;
use crate::capability::mood::{Mood, lock, remember};
use crate::capability::notes::Notes;
use crate::capability::provided::{Left, NoAnswer, Order, Provider};

const HUGE: usize = 64 << 10;

pub(crate) struct FakeRetriever {
    mood: Mood,
    provides: Permissions,
    asked: Mutex<Vec<(Order, Query)>>,
}

impl Default for FakeRetriever {
    fn default() -> Self {
        Self::new(Mood::Good)
    }
}

impl FakeRetriever {
    pub(crate) fn new(mood: Mood) -> Self {
        let retrieve = Some(RetrievePermission { collections: vec![ANY.to_owned()] });
        let provides = Permissions { retrieve, ..Permissions::default() };
        Self { mood, provides, asked: Mutex::default() }
    }

    pub(crate) fn asked(&self) -> Vec<(Order, Query)> {
        lock(&self.asked).clone()
    }

    fn in_mood(&self, query: &Query) -> Result<Vec<Passage>, NoAnswer> {
        let path = query.paths.first().cloned().unwrap_or_else(|| "src/fake.rs".to_owned());
        let language = query.languages.first().cloned().unwrap_or_else(|| "rust".to_owned());
        let found = |text: String| Ok(vec![Passage { path, first: 1, last: 2, language, text, score: 0.5 }]);
        match self.mood {
            Mood::Good => found("fn fake() {}".to_owned()),
            Mood::Empty => Ok(Vec::new()),
            Mood::Garbage => found("\u{202e}\u{fffd}".to_owned()),
            Mood::Huge => found("x".repeat(HUGE)),
            Mood::Full => Err(NoAnswer::Refused("the fake never can".to_owned())),
            Mood::Closed => Err(NoAnswer::Closed),
            Mood::Failing | Mood::TimedOut | Mood::Missing | Mood::Killed | Mood::Unavailable => {
                Err(NoAnswer::Failed("the fake fails".to_owned()))
            }
        }
    }
}

impl Provider<Query, Lent> for FakeRetriever {
    fn id(&self) -> &str {
        "fake/retriever"
    }

    fn provides(&self) -> &Permissions {
        &self.provides
    }

    fn is_withdrawn(&self) -> bool {
        self.mood == Mood::Missing
    }

    fn answer(&self, _lent: Lent, order: Order, query: Query) -> Boxed<'_, Left<Vec<Passage>>> {
        Box::pin(async move {
            let answer = self.in_mood(&query);
            remember(&self.asked, (order, query));
            Left { answer, writes: BTreeMap::new(), notes: Notes::default(), changed: false }
        })
    }
}
