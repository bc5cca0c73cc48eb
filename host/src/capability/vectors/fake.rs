//! The fake of a cache of vectors: empty, in memory, and remembers that it was asked.

use std::sync::{Arc, Mutex};

use orch_vectors::{Cache, CacheError, Chunk, Document};

use super::backend::VectorStore;
use crate::capability::mood::{Mood, lock};

pub struct FakeShelf {
    mood: Mood,
    cache: Mutex<Option<Arc<Cache>>>,
    asked: Mutex<u64>,
}

impl Default for FakeShelf {
    fn default() -> Self {
        Self::new(Mood::Good)
    }
}

impl FakeShelf {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, cache: Mutex::default(), asked: Mutex::default() }
    }

    /// How often somebody reached it.
    pub(crate) fn asked(&self) -> u64 {
        *lock(&self.asked)
    }

    /// Puts that as if a call before had.
    pub fn commit(&self, collection: &str, path: &str, text: &str, vector: &[f32]) -> Result<(), CacheError> {
        let cache = self.opened()?;
        let chunk = Chunk { first: 1, last: 1, text: text.to_owned(), vector: vector.to_vec() };
        let document = Document {
            path: path.to_owned(),
            digest: "1".to_owned(),
            language: String::new(),
            chunks: vec![chunk],
        };
        let mut batch = cache.begin();
        batch.put(collection, "fake", &document)?;
        batch.seal("committed".to_owned());
        cache.apply("committed").map(|_| ())
    }

    fn opened(&self) -> Result<Arc<Cache>, CacheError> {
        let mut cache = lock(&self.cache);
        match &*cache {
            Some(cache) => Ok(cache.clone()),
            None => Ok(cache.insert(Cache::in_memory()?).clone()),
        }
    }
}

impl VectorStore for FakeShelf {
    fn cache(&self) -> Result<Arc<Cache>, CacheError> {
        *lock(&self.asked) += 1;
        match self.mood {
            Mood::Unavailable | Mood::Missing | Mood::Failing => {
                Err(CacheError::Io(std::io::Error::other("the fake has none")))
            }
            _ => self.opened(),
        }
    }
}
