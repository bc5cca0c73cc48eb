//! The fake of the gate: agrees to every effect, unless the mood is to end the attempt, and remembers it.

use std::sync::Mutex;

use super::{EffectGate, EffectRecord, GateClosed};
use crate::capability::effect::Boxed;
use crate::capability::mood::{Mood, lock, remember};

#[derive(Default)]
pub(crate) struct FakeGate {
    mood: Mood,
    effects: Mutex<Vec<EffectRecord>>,
}

impl FakeGate {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, effects: Mutex::default() }
    }

    pub(crate) fn effects(&self) -> Vec<EffectRecord> {
        lock(&self.effects).clone()
    }
}

impl EffectGate for FakeGate {
    fn record(&self, effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async move {
            remember(&self.effects, effect);
            match self.mood {
                Mood::Closed => Err(GateClosed),
                _ => Ok(()),
            }
        })
    }

    fn tell(&self, effect: EffectRecord) {
        remember(&self.effects, effect);
    }
}
