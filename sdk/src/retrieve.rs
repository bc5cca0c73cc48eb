//! Passages that say something to a question, found by the provider that the workspace binds. Permission: `retrieve`. An effect that
//! spends.
//!
//! In -> out: a [`Query`] -> [`Passage`]s, the best first.
//! Limits: those of the WIT text: 50 passages, a text of 8 KiB.
//! Not here: finding them (`role/provider_retrieve.rs`).

use crate::Error;
use crate::bindings::capabilities::orch::retrieve::retrieve;
pub use crate::bindings::capabilities::orch::retrieve::shapes::{Passage, Query, Way};

impl Query {
    /// For that text in a collection: at most 10 passages by meaning and by words, of any path.
    pub fn new(collection: impl Into<String>, text: impl Into<String>) -> Self {
        let (collection, text) = (collection.into(), text.into());
        Self {
            collection,
            text,
            count: 10,
            tokens: 0,
            way: Way::Both,
            paths: Vec::new(),
            languages: Vec::new(),
        }
    }
}

impl Passage {
    /// Where it is: `src/a.rs:3-9`.
    pub fn citation(&self) -> String {
        format!("{}:{}-{}", self.path, self.first, self.last)
    }
}

/// The passages, the best first.
///
/// # Errors
/// `Denied`: the collection. `Invalid`: a field is over its limit, or the provider says that it never can. `Unavailable`: there is no
/// provider, or it failed.
pub fn find(query: &Query) -> Result<Vec<Passage>, Error> {
    Ok(retrieve::find(query)?)
}
