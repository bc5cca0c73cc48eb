//! What a guest is told that it could not work out again: kept word for word, or told again as it was kept.
//!
//! In -> out: a question, its answer -> [`KeptAnswer`]; or a question -> the answer that was kept for it.
//! Limits: [`READINGS_MAX`] readings of clocks and random numbers between two other answers; those beyond are not kept.
//! Invariant: nobody is asked by a call that is told what was kept; the first question that is another one ends it.
//! Not here: how a run keeps them (`drive/gate.rs`), what was kept of another run (`replay.rs`).

use std::collections::VecDeque;
use std::sync::Arc;

use orch_journal::artifacts::Artifact;
pub use orch_journal::event::Line;
use orch_trust::digest::Sha256Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::effect::{EffectGate, EffectRecord, GateClosed, KeptAnswer};
use super::provided::Asking;
use super::secrets::mask::TextMask;
use crate::bindings::types::types::Error;

const READINGS_MAX: usize = 100_000;
/// What clocks showed and random numbers were.
pub const READINGS: &str = "readings";

/// What a run does with what its guests are told.
#[derive(Clone, Default)]
pub enum Tape {
    /// Digests are enough.
    #[default]
    Off,
    /// It is kept.
    Kept(Arc<TextMask>),
    /// It is what another run kept.
    Played(Arc<dyn Player>),
}

impl Tape {
    pub fn keeps(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    /// The name of its run that a guest is told.
    pub fn run_told(&self, own: &str) -> String {
        match self {
            Self::Played(player) => player.run().to_owned(),
            Self::Off | Self::Kept(_) => own.to_owned(),
        }
    }

    /// The number of its attempt that a guest is told.
    pub fn attempt_told(&self, task: &str, own: u32) -> u32 {
        match self {
            Self::Played(player) => player.attempt(task, own),
            Self::Off | Self::Kept(_) => own,
        }
    }
}

/// What a run kept, given again.
pub trait Player: Send + Sync {
    /// Name of the run that it was.
    fn run(&self) -> &str;
    /// The number that the attempt had there: some were cut off before it.
    fn attempt(&self, task: &str, own: u32) -> u32;
    /// The next answer of that line, if it is one to that question.
    ///
    /// # Errors
    /// It is another question, or there is none any more; nothing goes on then.
    fn next(&self, line: &Line, of: &str, question: &[u8]) -> Result<Vec<u8>, GateClosed>;
    /// What came of doing something again is not what was kept.
    fn differs(&self, line: &Line, of: &str, why: String) -> GateClosed;
}

/// The tape of one call.
#[derive(Default)]
pub(crate) struct CallTape {
    tape: Tape,
    line: Line,
    nth: u32,
    /// What clocks showed and random numbers were, and is not kept yet, or not told yet.
    readings: VecDeque<Value>,
}

impl CallTape {
    /// Of a call of that plugin. What a provider is told is part of its answer, which is on the tape of who asks.
    pub(crate) fn of(tape: &Tape, plugin: &str, asking: &Asking) -> Self {
        let Some(role) = asking.role else { return Self::default() };
        let task = asking.task.as_ref().or(asking.about.as_ref()).map(|task| task.to_string());
        let line = Line { plugin: plugin.to_owned(), role: role.as_str().to_owned(), task };
        Self { tape: tape.clone(), line, ..Self::default() }
    }

    /// True if something is done with what the guest is told.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self.tape, Tape::Off)
    }

    /// The answer that was kept for that question; none: it has to be asked.
    pub(crate) fn told(&self, of: &'static str, question: &[u8]) -> Result<Option<Vec<u8>>, GateClosed> {
        match &self.tape {
            Tape::Played(player) => player.next(&self.line, of, question).map(Some),
            Tape::Off | Tape::Kept(_) => Ok(None),
        }
    }

    /// Says that what came of doing something again is not what was kept.
    pub(crate) fn differs(&self, of: &'static str, why: String) -> GateClosed {
        match &self.tape {
            Tape::Played(player) => player.differs(&self.line, of, why),
            Tape::Off | Tape::Kept(_) => GateClosed,
        }
    }

    /// Keeps what was asked and answered, if this run does.
    pub(crate) fn keep(&mut self, gate: &dyn EffectGate, of: &'static str, question: &[u8], answer: &[u8]) {
        self.keep_readings(gate);
        self.put(gate, of, question, answer);
    }

    /// Keeps what clocks showed and random numbers were since.
    pub(crate) fn keep_readings(&mut self, gate: &dyn EffectGate) {
        if self.tape.keeps() && !self.readings.is_empty() {
            let all = Value::from_iter(std::mem::take(&mut self.readings));
            self.put(gate, READINGS, b"", all.to_string().as_bytes());
        }
    }

    fn put(&mut self, gate: &dyn EffectGate, of: &'static str, question: &[u8], answer: &[u8]) {
        let Tape::Kept(mask) = &self.tape else { return };
        self.nth += 1;
        let (question, masks_question) = mask.apply(question);
        let (answer, masks_answer) = mask.apply(answer);
        let named = |what: &str, text: &[u8]| {
            let name = format!("{of} {} {what} of {}", self.nth, self.line.plugin.replace('/', "."));
            let (size, sha256) = (Some(text.len() as u64), Sha256Digest::of(text).to_string());
            let kind = "application/json".to_owned();
            Artifact { name, kind, path: None, size, sha256, content: None }.with_bytes(text)
        };
        gate.tell(EffectRecord::Kept(Box::new(KeptAnswer {
            line: self.line.clone(),
            nth: self.nth,
            of,
            question: named("question", &question),
            answer: named("answer", &answer),
            masked: masks_question || masks_answer,
        })));
    }

    /// What a clock shows or a random number is: `now` gives it, or it is as it was kept.
    pub(crate) fn reading<T: Serialize + for<'de> Deserialize<'de>>(
        &mut self,
        now: impl FnOnce() -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        if let Tape::Played(player) = &self.tape {
            if self.readings.is_empty() {
                let kept = player.next(&self.line, READINGS, b"")?;
                self.readings = serde_json::from_slice(&kept).unwrap_or_default();
            }
            let kept = self.readings.pop_front().and_then(|kept| serde_json::from_value(kept).ok());
            return Ok(kept.ok_or_else(|| self.differs(READINGS, "it reads something else".to_owned()))?);
        }
        let now = now()?;
        if self.tape.keeps() && self.readings.len() < READINGS_MAX {
            self.readings.push_back(serde_json::to_value(&now)?);
        }
        Ok(now)
    }

    /// Time passes at once for who is told what was kept.
    pub(crate) fn is_played(&self) -> bool {
        matches!(self.tape, Tape::Played(_))
    }
}

/// What came of a question to a provider, or of a command.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Came {
    Answer(Value),
    Error(WrittenFault),
}

/// What a guest is told that went wrong.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WrittenFault {
    Denied(String),
    Invalid(String),
    NotFound,
    Limit(String),
    Unavailable,
}

impl Came {
    pub(crate) fn of<T>(came: &Result<T, Error>, written: impl FnOnce(&T) -> Value) -> Vec<u8> {
        let came = match came {
            Ok(answer) => Self::Answer(written(answer)),
            Err(error) => Self::Error(match error.clone() {
                Error::Denied(what) => WrittenFault::Denied(what),
                Error::Invalid(why) => WrittenFault::Invalid(why),
                Error::NotFound => WrittenFault::NotFound,
                Error::Limit(name) => WrittenFault::Limit(name),
                Error::Unavailable => WrittenFault::Unavailable,
            }),
        };
        // Texts, numbers and lists of them: there is nothing here that JSON lacks.
        serde_json::to_vec(&came).unwrap_or_default()
    }

    /// What was kept; none: it was changed since, or is of another host.
    pub(crate) fn read<T>(kept: &[u8], read: impl FnOnce(Value) -> Option<T>) -> Option<Result<T, Error>> {
        Some(match serde_json::from_slice(kept).ok()? {
            Self::Answer(answer) => Ok(read(answer)?),
            Self::Error(fault) => Err(match fault {
                WrittenFault::Denied(what) => Error::Denied(what),
                WrittenFault::Invalid(why) => Error::Invalid(why),
                WrittenFault::NotFound => Error::NotFound,
                WrittenFault::Limit(name) => Error::Limit(name),
                WrittenFault::Unavailable => Error::Unavailable,
            }),
        })
    }
}
