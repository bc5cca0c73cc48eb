//! The fake of `orch:kv`: committed values by plugin, label and key; those of no plugin belong to whichever asks.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::backend::{KEYS_MAX, KvReader, KvUnavailable, VALUE_BYTES_MAX};
use crate::capability::mood::{Mood, lock, remember};

const ANYONE: &str = "";

#[derive(Default)]
pub struct FakeKv {
    mood: Mood,
    values: Mutex<BTreeMap<(String, String, String), Vec<u8>>>,
    asked: Mutex<Vec<(String, String)>>,
}

impl FakeKv {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, ..Self::default() }
    }

    /// A value that every plugin finds.
    pub fn commit(&self, label: &str, key: &str, value: &[u8]) {
        self.commit_of(ANYONE, label, key, value);
    }

    /// A value that only this plugin finds.
    pub fn commit_of(&self, plugin: &str, label: &str, key: &str, value: &[u8]) {
        let place = (plugin.to_owned(), label.to_owned(), key.to_owned());
        lock(&self.values).insert(place, value.to_vec());
    }

    /// Plugin and label of each question.
    pub fn asked(&self) -> Vec<(String, String)> {
        lock(&self.asked).clone()
    }

    fn ask(&self, plugin: &str, label: &str) -> Result<(), KvUnavailable> {
        remember(&self.asked, (plugin.to_owned(), label.to_owned()));
        match self.mood {
            Mood::Unavailable => Err(KvUnavailable),
            _ => Ok(()),
        }
    }

    /// Label, key and value of all that this plugin finds.
    fn found(&self, plugin: &str) -> Vec<(String, String, Vec<u8>)> {
        let values = lock(&self.values);
        let own = values.iter().filter(|((of, _, _), _)| of == plugin || of == ANYONE);
        own.map(|((_, label, key), value)| (label.clone(), key.clone(), value.clone())).collect()
    }
}

impl KvReader for FakeKv {
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        self.ask(plugin, label)?;
        match self.mood {
            Mood::Garbage => Ok(Some(vec![0xff, 0xfe, 0, 0x80])),
            Mood::Huge => Ok(Some(vec![b'v'; VALUE_BYTES_MAX])),
            _ => {
                let found = self.found(plugin).into_iter().find(|(of, name, _)| of == label && name == key);
                Ok(found.map(|(_, _, value)| value))
            }
        }
    }

    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        self.ask(plugin, label)?;
        let mut keys: Vec<String> =
            self.found(plugin).into_iter().filter(|(of, _, _)| of == label).map(|(_, key, _)| key).collect();
        if self.mood == Mood::Huge {
            keys.extend((0..KEYS_MAX).map(|number| format!("{prefix}{}{number:04}", "k".repeat(200))));
        }
        keys.sort();
        let wanted = |key: &String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        Ok(keys.into_iter().filter(wanted).take(KEYS_MAX).collect())
    }

    fn bytes(&self, plugin: &str) -> Result<u64, KvUnavailable> {
        self.ask(plugin, "")?;
        match self.mood {
            Mood::Full => Ok(u64::MAX),
            _ => Ok(self.found(plugin).iter().map(|(_, key, value)| (key.len() + value.len()) as u64).sum()),
        }
    }
}
