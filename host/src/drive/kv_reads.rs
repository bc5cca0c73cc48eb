//! What a call read through `orch:kv`, so that it can be asked whether it would read the same again.
//!
//! In -> out: a [`KvReader`] -> the same, which remembers its answers.
//! Invariant: values, not versions: a value that was changed and changed back is the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::capability::kv::{KvReader, KvUnavailable};

/// One question of a call, with its plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Read { label: String, key: String },
    Keys { label: String, prefix: String, after: Option<String> },
    Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Value(Option<Vec<u8>>),
    Keys(Vec<String>),
    Bytes(u64),
}

/// Reads through, and remembers.
pub struct KvReads {
    through: Arc<dyn KvReader>,
    read: Mutex<BTreeMap<(String, Question), Answer>>,
}

impl KvReads {
    pub fn new(through: Arc<dyn KvReader>) -> Self {
        Self { through, read: Mutex::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// True if that reader gives the answers that were given.
    pub fn hold(&self, now: &dyn KvReader) -> bool {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter().all(|((plugin, question), answer)| {
            ask(now, plugin, question).is_ok_and(|found| found == *answer)
        })
    }

    /// The first answer counts: a call that read a value twice, and saw it change, saw two states.
    fn remember(&self, plugin: &str, question: Question) -> Result<Answer, KvUnavailable> {
        let answer = ask(&*self.through, plugin, &question)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry((plugin.to_owned(), question)).or_insert_with(|| answer.clone());
        Ok(answer)
    }
}

fn ask(reader: &dyn KvReader, plugin: &str, question: &Question) -> Result<Answer, KvUnavailable> {
    Ok(match question {
        Question::Read { label, key } => Answer::Value(reader.read(plugin, label, key)?),
        Question::Keys { label, prefix, after } => {
            Answer::Keys(reader.keys(plugin, label, prefix, after.as_deref())?)
        }
        Question::Bytes => Answer::Bytes(reader.bytes(plugin)?),
    })
}

impl KvReader for KvReads {
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        let question = Question::Read { label: label.to_owned(), key: key.to_owned() };
        match self.remember(plugin, question)? {
            Answer::Value(value) => Ok(value),
            _ => Err(KvUnavailable),
        }
    }

    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        let (label, prefix, after) = (label.to_owned(), prefix.to_owned(), after.map(str::to_owned));
        match self.remember(plugin, Question::Keys { label, prefix, after })? {
            Answer::Keys(keys) => Ok(keys),
            _ => Err(KvUnavailable),
        }
    }

    fn bytes(&self, plugin: &str) -> Result<u64, KvUnavailable> {
        match self.remember(plugin, Question::Bytes)? {
            Answer::Bytes(bytes) => Ok(bytes),
            _ => Err(KvUnavailable),
        }
    }
}
