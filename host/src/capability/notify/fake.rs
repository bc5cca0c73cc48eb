//! The fake of a provider of notices: answers by its mood, for every channel, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::Mutex;

use orch_trust::permission::{ANY, NotifyPermission, Permissions};

use super::{Message, RECEIPT_BYTES_MAX, Receipt};
use crate::capability::effect::Boxed;
use crate::capability::lent::Lent;
use crate::capability::mood::{Mood, lock, remember};
use crate::capability::notes::Notes;
use crate::capability::provided::{Left, NoAnswer, Order, Provider};

pub(crate) struct FakeNotifier {
    mood: Mood,
    provides: Permissions,
    sent: Mutex<Vec<(Order, Message)>>,
}

impl Default for FakeNotifier {
    fn default() -> Self {
        Self::new(Mood::Good)
    }
}

impl FakeNotifier {
    pub(crate) fn new(mood: Mood) -> Self {
        let notify = Some(NotifyPermission { channels: vec![ANY.to_owned()] });
        Self { mood, provides: Permissions { notify, ..Permissions::default() }, sent: Mutex::default() }
    }

    pub(crate) fn sent(&self) -> Vec<(Order, Message)> {
        lock(&self.sent).clone()
    }
}

impl Provider<Message, Lent> for FakeNotifier {
    fn id(&self) -> &str {
        "fake/notifier"
    }

    fn provides(&self) -> &Permissions {
        &self.provides
    }

    fn is_withdrawn(&self) -> bool {
        self.mood == Mood::Missing
    }

    fn answer(&self, _lent: Lent, order: Order, message: Message) -> Boxed<'_, Left<Receipt>> {
        Box::pin(async move {
            let receipt = |id: &str| Ok(Receipt { id: id.to_owned() });
            let answer = match self.mood {
                Mood::Good => receipt(&order.key),
                Mood::Empty | Mood::Missing => receipt(""),
                Mood::Garbage => receipt("\u{202e}\u{fffd}{\"id\":"),
                Mood::Huge => receipt(&"x".repeat(RECEIPT_BYTES_MAX)),
                Mood::Failing => Err(NoAnswer::Refused("the fake refuses".to_owned())),
                Mood::Closed => Err(NoAnswer::Closed),
                Mood::Killed | Mood::TimedOut | Mood::Full | Mood::Unavailable => {
                    Err(NoAnswer::Failed("the fake fails".to_owned()))
                }
            };
            remember(&self.sent, (order, message));
            Left { answer, writes: BTreeMap::new(), notes: Notes::default(), changed: false }
        })
    }
}
