//! The fake of an operator's secrets: has every one, and remembers which were asked for.

use std::sync::{Arc, Mutex};

use super::backend::{SecretReader, SecretUnread};
use super::value::{SecretEncoding, SecretValue, VALUE_BYTES_MAX};
use crate::capability::mood::{Mood, lock, remember};

#[derive(Default)]
pub(crate) struct FakeSecrets {
    mood: Mood,
    asked: Mutex<Vec<String>>,
}

impl FakeSecrets {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, asked: Mutex::default() }
    }

    /// Names.
    pub(crate) fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }

    fn value(&self, name: &str) -> Option<Arc<SecretValue>> {
        let text = match self.mood {
            Mood::Empty | Mood::Unavailable | Mood::Missing => return None,
            Mood::Huge => "x".repeat(VALUE_BYTES_MAX),
            _ => format!("fake-value-of-{name}"),
        };
        SecretValue::parse(text.as_bytes(), SecretEncoding::Plain).ok().map(Arc::new)
    }
}

impl SecretReader for FakeSecrets {
    fn read(&self, name: &str) -> Result<Arc<SecretValue>, SecretUnread> {
        remember(&self.asked, name.to_owned());
        let unread = || SecretUnread { name: name.to_owned(), why: "is not there, says the fake".to_owned() };
        self.value(name).ok_or_else(unread)
    }

    fn known(&self, name: &str) -> Option<Arc<SecretValue>> {
        lock(&self.asked).iter().any(|asked| asked == name).then(|| self.value(name))?
    }
}
