//! Collections of passages with a vector each, found again by vector or by words: a cache in one SQLite file.
//!
//! In -> out: [`Document`]s in batches -> [`Cache`] -> [`Passage`]s, the best first.
//! Limits: vectors of one collection have one dimension and are of one model.
//! Invariant: what is in a batch is seen once the batch is applied, whole; a file that is not ours, or broken, is made anew: all of it
//! can be made again from the documents.
//! Not here: who may see which collection and how much is put (`host/src/capability/vectors.rs`), making vectors, cutting
//! documents into passages.

mod cache;
mod matrix;
mod schema;
mod words;

pub use cache::{Batch, Cache};

/// One document as it is put: it takes the place of the one of the same path.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its name in the collection.
    pub path: String,
    /// Of its content, as whoever puts it says; tells what changed.
    pub digest: String,
    pub language: String,
    pub chunks: Vec<Chunk>,
}

/// A piece of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its lines, from 1, both inside.
    pub first: u32,
    pub last: u32,
    pub text: String,
    /// Finite numbers; their length does not matter, only their direction.
    pub vector: Vec<f32>,
}

/// Which passages are meant; an empty list is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Paths, or folders that they lie in.
    pub paths: Vec<String>,
    pub languages: Vec<String>,
}

/// A piece of a document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    pub path: String,
    pub first: u32,
    pub last: u32,
    pub language: String,
    pub text: String,
    /// By vector: the cosine, -1.0..=1.0. By words: BM25, larger is better.
    pub score: f64,
}

/// What a collection has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub model: String,
    /// Numbers of a vector.
    pub dimension: u32,
    pub documents: u64,
    pub chunks: u64,
}

/// Why the cache did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the cache of vectors could not be read or written")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the cache of vectors could not be made anew")]
    Io(#[from] std::io::Error),
    #[error("a vector of {found} numbers, the collection's have {expected}")]
    Dimension { found: usize, expected: u32 },
}

impl Filter {
    /// True if a passage of that document is meant.
    pub fn takes(&self, path: &str, language: &str) -> bool {
        let lies_in = |folder: &String| {
            let folder = folder.trim_end_matches('/');
            path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        (self.paths.is_empty() || self.paths.iter().any(lies_in))
            && (self.languages.is_empty() || self.languages.iter().any(|wanted| wanted == language))
    }
}

#[cfg(test)]
mod tests;
