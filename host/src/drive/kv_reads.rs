//! What a call read through `orch:kv`, so that it can be asked whether it would read the same again.
//!
//! In -> out: a [`KvReader`] -> the same, which remembers its answers.
//! Invariant: values, not versions: a value that was changed and changed back is the same.
//! Invariant: of the bytes of all values only that counts for which they were asked: whether there was room. So calls that write
//! different keys do not meet.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use crate::capability::kv::{KvReader, KvUnavailable};

/// One question of a call, with its plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Read { label: String, key: String },
    Keys { label: String, prefix: String, after: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Value(Option<Vec<u8>>),
    Keys(Vec<String>),
}

/// Reads through, and remembers.
pub struct KvReads {
    through: Arc<dyn KvReader>,
    read: Mutex<BTreeMap<(String, Question), Answer>>,
    /// Within which the bytes of a plugin have to stay.
    bytes: Mutex<BTreeMap<String, RangeInclusive<u64>>>,
}

impl KvReads {
    pub fn new(through: Arc<dyn KvReader>) -> Self {
        Self { through, read: Mutex::default(), bytes: Mutex::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// True if that reader gives the answers that were given.
    pub fn hold(&self, now: &dyn KvReader) -> bool {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter().all(|((plugin, question), answer)| {
            ask(now, plugin, question).is_ok_and(|found| found == *answer)
        }) && bytes.iter().all(|(plugin, range)| now.bytes(plugin).is_ok_and(|found| range.contains(&found)))
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
        self.through.bytes(plugin)
    }

    fn rests_on(&self, plugin: &str, bytes: RangeInclusive<u64>) {
        let mut all = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let range = all.entry(plugin.to_owned()).or_insert_with(|| bytes.clone());
        *range = *range.start().max(bytes.start())..=*range.end().min(bytes.end());
    }
}
