//! Passages of documents with a vector each, in collections of the workspace. Permission: `vectors`.
//!
//! In -> out: [`Document`]s -> a [`Collection`] -> [`Passage`]s, the best first.
//! Limits: those of the WIT text.
//! Invariant: what a call puts is seen once its result was accepted. The host may lose a collection, which is a cache: then it is
//! empty, and [`Collection::documents`] says so.

use crate::Error;
use crate::bindings::capabilities::orch::vectors::vectors as wire;
pub use crate::bindings::capabilities::orch::vectors::vectors::{
    Chunk, Document, Filter, Holding, Known, Passage,
};

/// A collection by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection(String);

/// The collection of that name; whether it is granted, each function says.
pub fn collection(name: impl Into<String>) -> Collection {
    Collection(name.into())
}

impl Collection {
    /// What it has; none: nothing.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`
    pub fn describe(&self) -> Result<Option<Holding>, Error> {
        Ok(wire::describe(&self.0)?)
    }

    /// Every document with its digest, sorted by path.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`
    pub fn documents(&self) -> Result<Vec<Known>, Error> {
        let mut found: Vec<Known> = Vec::new();
        loop {
            let page = wire::documents(&self.0, found.last().map(|known| known.path.as_str()))?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }

    /// Puts a document in the place of the one of its path. `model`: that made its vectors.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Limit`, `Unavailable`
    pub fn put(&self, model: &str, document: &Document) -> Result<(), Error> {
        Ok(wire::put(&self.0, model, document)?)
    }

    /// Removes the document of that path; absent is no error.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Unavailable`
    pub fn remove(&self, path: &str) -> Result<(), Error> {
        Ok(wire::remove(&self.0, path)?)
    }

    /// The passages whose vectors have the smallest angle to that one, at most `count` (1..=100), the nearest first.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Unavailable`
    pub fn nearest(&self, vector: &[f32], count: u32, filter: &Filter) -> Result<Vec<Passage>, Error> {
        Ok(wire::nearest(&self.0, vector, count, filter)?)
    }

    /// The passages that have words of the text, at most `count` (1..=100), the best first.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Unavailable`
    pub fn matching(&self, text: &str, count: u32, filter: &Filter) -> Result<Vec<Passage>, Error> {
        Ok(wire::matching(&self.0, text, count, filter)?)
    }
}

impl Default for Filter {
    /// Every passage.
    fn default() -> Self {
        Self { paths: Vec::new(), languages: Vec::new() }
    }
}
