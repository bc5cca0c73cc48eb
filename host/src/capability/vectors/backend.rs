//! What stands behind `orch:vectors`.
//!
//! In -> out: the state's folder -> its cache, opened when somebody first needs it.
//! Invariant: a workspace whose plugins ask for no vectors has no such file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use orch_vectors::{Cache, CacheError};

/// Of the cache, in the folder of the store.
pub const FILE: &str = "vectors.sqlite";

/// Where collections are.
pub trait VectorStore: Send + Sync {
    /// The cache.
    ///
    /// # Errors
    /// It can be neither opened nor made anew.
    fn cache(&self) -> Result<Arc<Cache>, CacheError>;
}

/// The cache beside a store.
pub struct Shelf {
    path: PathBuf,
    opened: Mutex<Option<Arc<Cache>>>,
}

impl Shelf {
    /// In the store's folder.
    pub fn beside(folder: &Path) -> Self {
        Self { path: folder.join(FILE), opened: Mutex::default() }
    }

    /// Makes visible what an accepted call put. What is lost here is put again, for `documents` does not name it.
    pub fn apply(&self, digest: &str) -> Result<bool, CacheError> {
        self.cache()?.apply(digest)
    }
}

impl VectorStore for Shelf {
    fn cache(&self) -> Result<Arc<Cache>, CacheError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opened {
            Some(cache) => Ok(cache.clone()),
            None => Ok(opened.insert(Cache::open(&self.path)?).clone()),
        }
    }
}
